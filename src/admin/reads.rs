//! What is read and not kept as objects: the caller, the audit log, the configuration in force,
//! health.

use super::call::{Answer, Call};
use super::problem::Problem;
use super::{configured, strict};
use crate::govern::Permission;
use crate::store::PAGE_MAX;
use serde_json::{Value, json};

pub fn me(call: &Call) -> Answer {
    let actor = &call.actor;
    let may = Permission::all().into_iter().filter(|permission| actor.role.may(*permission));
    let permissions: Vec<String> = may.map(|permission| permission.to_string()).collect();
    let teams: Vec<&str> = actor.teams.iter().map(|team| team.as_str()).collect();
    Answer::ok(json!({
        "name": actor.name,
        "role": actor.role,
        "tenant": actor.tenant.as_ref().map(|tenant| tenant.as_str()),
        "teams": teams,
        "permissions": permissions,
    }))
}

/// # Errors
/// What is wrong with the query, or the store's.
pub async fn audit(call: &Call) -> Result<Answer, Problem> {
    let query = strict::query(call.query.as_deref(), &["limit", "cursor", "tenant"])?;
    let number = |name: &'static str, default: u64, max: u64| match query.get(name).map(|text| text.parse()) {
        None => Ok(default),
        Some(Ok(number)) if (1..=max).contains(&number) => Ok(number),
        Some(_) => Err(Problem::invalid(name, format!("a number from 1 to {max}"))),
    };
    let limit = number("limit", 100, u64::from(PAGE_MAX))? as u32;
    let before = query.contains_key("cursor").then(|| number("cursor", 1, i64::MAX as u64)).transpose()?;
    let own = call.actor.tenant.as_ref().map(|tenant| tenant.as_str());
    let asked = query.get("tenant").map(String::as_str);
    if own.is_some() && asked.is_some_and(|asked| Some(asked) != own) {
        return Err(Problem::missing("tenant"));
    }
    let records = call.store()?.audit(own.or(asked), before, limit).await?;
    let next = (records.len() as u32 == limit).then(|| records.last().map(|last| last.sequence.to_string()));
    let items: Vec<Value> = records.iter().map(record).collect();
    Ok(Answer::ok(json!({ "items": items, "next_cursor": next.flatten() })))
}

fn record(record: &crate::govern::AuditRecord) -> Value {
    let mut view = serde_json::to_value(&record.entry).unwrap_or_default();
    if let Some(fields) = view.as_object_mut() {
        fields.insert("sequence".to_owned(), record.sequence.into());
        fields.insert("hash".to_owned(), record.hash.clone().into());
    }
    view
}

/// The configuration in force, without its secrets.
pub fn config(call: &Call) -> Answer {
    let runtime = call.edge.runtime();
    let models: Vec<&str> = runtime.models.iter().map(|model| model.name.as_str()).collect();
    let mut body = json!({ "generation": runtime.generation, "models": models });
    let state = call.edge.configure().map(|configure| configure.state()).unwrap_or_default();
    if let Some(fields) = body.as_object_mut().filter(|_| call.actor.tenant.is_none()) {
        let providers: Vec<&str> = runtime.providers.iter().map(|provider| provider.name.as_str()).collect();
        fields.insert("providers".to_owned(), providers.into());
        fields.insert("file".to_owned(), state.name.into());
        fields.insert("refused".to_owned(), configured::told(&state.refused).into());
        fields.insert("restart_needed".to_owned(), state.restart.into());
    }
    Answer::ok(body)
}

pub async fn health(call: &Call) -> Answer {
    let identities = call.edge.identities().clone();
    let store = match call.edge.store() {
        None => "absent",
        Some(store) if store.ping().await.is_ok() => "available",
        Some(_) => "unavailable",
    };
    let installation = call.actor.tenant.is_none();
    let mut body = json!({
        "generation": call.edge.runtime().generation,
        "version": env!("CARGO_PKG_VERSION"),
        "store": store,
        "snapshot": { "sequence": identities.sequence, "source": call.edge.identity_source().as_str() },
    });
    if let Some(body) = body.as_object_mut().filter(|_| installation) {
        body.insert("keys".to_owned(), identities.keys_count().into());
        let state = call.edge.configure().map(|configure| configure.state()).unwrap_or_default();
        let config = json!({ "refused": state.refused.len(), "restart_needed": state.restart });
        body.insert("config".to_owned(), config);
    }
    Answer::ok(body)
}
