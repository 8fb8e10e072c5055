//! Targets: how they are now, and taking one out of service by hand.
//!
//! What is set here is in this process's memory: a reload keeps it, a restart does not.

use super::call::{Answer, Call};
use super::fields::TargetFields;
use super::problem::Problem;
use super::strict;
use crate::routing::TargetState;
use crate::runtime::Runtime;
use crate::store::Commit;
use crate::telemetry::Label;
use crate::types::Ticks;
use serde_json::{Value, json};

/// # Errors
/// 404 for who belongs to a tenant: targets are the installation's.
pub fn list(call: &Call) -> Result<Answer, Problem> {
    strict::query(call.query.as_deref(), &[])?;
    see_installation(call)?;
    let runtime = call.edge.runtime();
    let names = runtime.target_live.all();
    let now = call.edge.now();
    let items: Vec<Value> = names.iter().filter_map(|(name, _)| shown(&runtime, name, now)).collect();
    Ok(Answer::ok(json!({ "items": items, "next_cursor": null })))
}

/// Takes a target out of service, or back into it; calls under way go on.
///
/// # Errors
/// 404 for who belongs to a tenant, and for no such target; what is wrong with the body.
pub async fn set(call: &Call, is_drained: bool) -> Result<Answer, Problem> {
    see_installation(call)?;
    let fields: TargetFields = strict::typed(Value::Object(call.object()?))?;
    let name = fields.target.as_str();
    let runtime = call.edge.runtime();
    let live = runtime.target_live.by_key(name).ok_or_else(|| Problem::missing("target"))?;
    let was_drained = live.is_drained();
    live.set_drained(is_drained);
    if was_drained != is_drained {
        let action = if is_drained { "target.drain" } else { "target.enable" };
        log::warn!("{} {action} {name}", call.actor.name);
        note(call, action, name).await?;
    }
    Ok(Answer::ok(shown(&runtime, name, call.edge.now()).unwrap_or_default()))
}

/// In the audit log, where there is one.
async fn note(call: &Call, action: &str, name: &str) -> Result<(), Problem> {
    let Some(store) = call.edge.store() else { return Ok(()) };
    let mut entry = call.audit(action.to_owned(), None, None);
    entry.id = Some(name.to_owned());
    let commit = Commit { at_ms: call.now_ms, writes: Vec::new(), audit: vec![entry], idempotency: None };
    store.commit(commit).await?;
    Ok(())
}

fn see_installation(call: &Call) -> Result<(), Problem> {
    if call.actor.tenant.is_some() { Err(Problem::missing("target")) } else { Ok(()) }
}

fn shown(runtime: &Runtime, name: &str, now: Ticks) -> Option<Value> {
    let live = runtime.target_live.by_key(name)?;
    let (state, ..) = runtime.target_cooldowns.by_key(name, now)?;
    let until = match state {
        TargetState::Cooling { until } => Some(until.since(now).as_millis() as u64),
        TargetState::Ready => None,
    };
    let seen = live.measured(now);
    let health = runtime.provider_of(name).and_then(|provider| provider.health.as_ref());
    let load = health.and_then(|health| health.load(now));
    Some(json!({
        "id": name,
        "state": runtime.target_health(name, live, now).text(),
        "ready_in_ms": until,
        "busy": seen.busy,
        "limit": live.limit(),
        "waiting": live.waiting(),
        "first_seconds": seen.first,
        "whole_seconds": seen.whole,
        "errors": seen.errors,
        "headroom": seen.headroom,
        "probe": health.filter(|health| health.probe.is_some()).map(|health| {
            if health.vital.is_down() { "failed" } else { "ok" }
        }),
        "server": load.map(|load| json!({
            "running": load.running,
            "waiting": load.waiting,
            "elsewhere": load.elsewhere,
            "kv_used": load.kv,
        })),
    }))
}
