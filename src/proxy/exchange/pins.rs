//! Stored responses follow the account that made them: a response id means something to one account
//! of one provider only.

use super::downstream::Fields;
use super::prepare::{Prepared, Wishes};
use super::race::Track;
use crate::dialect::kept;
use crate::dialect::paths::Hit;
use crate::proxy::context::Ctx;
use crate::routing::Pin;
use crate::runtime::{Edge, ModelPolicy, Runtime};
use crate::types::{Endpoint, Reject};
use bytes::Bytes;
use http::Method;

/// A target of a model, and an account of its provider.
pub type Pinned = (usize, usize);

/// A call about something stored, which names no model: ready to be answered, or attempted.
pub fn prepare<'u>(
    method: Method,
    hit: Hit<'u>,
    query: Option<&'u str>,
    body: Bytes,
    client_fields: Fields,
) -> Prepared<'u> {
    let is_stream = query.is_some_and(|query| query.split('&').any(|pair| pair == "stream=true"));
    Prepared {
        endpoint: hit.endpoint,
        method,
        hit,
        query,
        body,
        head: None,
        model: String::new(),
        is_stream,
        is_array: false,
        counts_exactly: false,
        client_fields,
        recalled: None,
        is_budgeted: false,
        wishes: Wishes::default(),
        client: None,
    }
}

/// Where a call about a stored response must go.
///
/// # Errors
/// 404 where this key made no such response through this process.
pub fn find<'r>(
    edge: &Edge,
    runtime: &'r Runtime,
    ctx: &Ctx,
    prepared: &Prepared<'_>,
) -> Result<(&'r ModelPolicy, Pinned), Reject> {
    let id = prepared.hit.id.as_deref().unwrap_or_default();
    let pin = edge.pins.get(id).filter(|pin| owns(ctx, pin));
    let place = pin.and_then(|pin| {
        runtime.models.iter().find_map(|policy| Some((policy, place(runtime, policy, &pin)?)))
    });
    place.ok_or_else(|| kept::not_found("Response", id))
}

/// Where a call that continues a stored response must go: the account that has it, where that is
/// known and among the model's targets.
///
/// # Errors
/// The response is known to be another key's. The provider knows no keys of ours, and would go on
/// from it.
pub fn of_previous(
    edge: &Edge,
    runtime: &Runtime,
    ctx: &Ctx,
    policy: &ModelPolicy,
    prepared: &Prepared<'_>,
) -> Result<Option<Pinned>, Reject> {
    let Some(id) = prepared.previous_response() else { return Ok(None) };
    match edge.pins.get(id) {
        None => Ok(None),
        Some(pin) if owns(ctx, &pin) => Ok(place(runtime, policy, &pin)),
        Some(_) => Err(kept::previous_not_found(id)),
    }
}

fn place(runtime: &Runtime, policy: &ModelPolicy, pin: &Pin) -> Option<Pinned> {
    let provider = |index: usize| runtime.providers.get(index);
    let target = policy.targets.iter().position(|target| {
        provider(target.provider).is_some_and(|provider| {
            *provider.name == *pin.provider && pin.credential < provider.accounts.len()
        })
    })?;
    Some((target, pin.credential))
}

fn owns(ctx: &Ctx, pin: &Pin) -> bool {
    ctx.caller.as_ref().is_some_and(|caller| *caller.principal.key_id == *pin.owner)
}

/// Remembers who made a response, or forgets one that was deleted.
pub fn keep(edge: &Edge, ctx: &Ctx, track: &Track<'_>, prepared: &Prepared<'_>, response_id: &str) {
    if prepared.endpoint == Endpoint::ResponseById {
        if prepared.method == Method::DELETE {
            edge.pins.remove(response_id);
        }
        return;
    }
    let provider = ctx.record.provider.and_then(|index| track.runtime.providers.get(index));
    if let (Some(provider), Some(account), Some(caller)) = (provider, ctx.record.account, &ctx.caller) {
        let pin = Pin {
            provider: provider.name.as_str().into(),
            credential: account,
            owner: (*caller.principal.key_id).into(),
        };
        edge.pins.insert(response_id, pin);
    }
}
