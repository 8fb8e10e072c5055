//! A call as the ledger keeps it, from what the request came to.

use super::context::{Caller, Ctx, Record};
use crate::catalog::Cost;
use crate::govern::{Call, Outcome};
use crate::runtime::Edge;
use crate::types::{Endpoint, Origin, Reason};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// The row of a request whose caller is known. Nothing is formatted here: the ledger's thread does that.
pub fn of(edge: &Edge, caller: &Caller, ctx: &Ctx) -> Call {
    let record = &ctx.record;
    let provider = record.provider.and_then(|index| ctx.runtime.providers.get(index));
    let app = caller.principal.app.as_deref();
    let cost = record.cost.and_then(Cost::money);
    let duration = edge.now().since(ctx.started);
    Call {
        id: ctx.id,
        at_ms: edge.wall.unix_ms().saturating_sub(u64::from(millis(duration))),
        tenant: app.map(|app| app.tenant.clone()),
        team: app.map(|app| app.team.clone()),
        app: app.map(|app| app.app.clone()),
        key: Arc::from(&*caller.principal.key_id),
        model: record.model.as_deref().map(Arc::from),
        endpoint: Cow::Borrowed(record.endpoint.unwrap_or(Endpoint::Opaque).as_str()),
        provider: provider.map(|provider| Arc::from(provider.name.as_str())),
        upstream_model: record.upstream_model.as_deref().map(Arc::from),
        attempts: u8::try_from(record.attempts).unwrap_or(u8::MAX),
        usage: record.usage.unwrap_or_default(),
        cost,
        margin: cost.map(|cost| cost.part(caller.margin_bp)).unwrap_or_default(),
        duration_ms: millis(duration),
        first_token_ms: record.first_token.map(millis),
        status: record.status,
        outcome: outcome(record),
        reason: record.reason.map(Reason::as_str).map(Cow::Borrowed),
        is_stream: record.is_stream,
        generation: ctx.runtime.generation,
    }
}

fn outcome(record: &Record) -> Outcome {
    if record.is_client_gone {
        return Outcome::Aborted;
    }
    let is_ours = record.origin == Some(Origin::Gateway) && record.attempts == 0;
    match record.reason {
        Some(_) if is_ours => Outcome::Rejected,
        Some(_) => Outcome::Failed,
        None if record.status >= 400 => Outcome::Failed,
        None => Outcome::Ok,
    }
}

fn millis(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_tells_who_ended_the_call() {
        let of = |status, reason, origin, attempts, is_client_gone| {
            outcome(&Record { status, reason, origin, attempts, is_client_gone, ..Record::default() })
        };
        let reason = Reason::ALL.first().copied();
        assert_eq!(of(200, None, None, 1, false), Outcome::Ok);
        assert_eq!(of(200, None, None, 1, true), Outcome::Aborted);
        assert_eq!(of(429, reason, Some(Origin::Gateway), 0, false), Outcome::Rejected);
        assert_eq!(of(502, reason, Some(Origin::Gateway), 2, false), Outcome::Failed);
        assert_eq!(of(400, None, Some(Origin::Provider), 1, false), Outcome::Failed);
    }
}
