//! What a call goes on from, or is about, and this process does not know: looked for in the store before
//! anything is decided. The only thing a request may wait for there.
//!
//! Not here: what becomes of it (`recall`, `kept`). Invariant: only the caller's own is looked for.

use super::prepare::Prepared;
use crate::dialect::kept;
use crate::framing::json::{Duplicates, parse_bytes};
use crate::proxy::context::{Caller, Ctx};
use crate::runtime::Edge;
use crate::types::Endpoint;

/// Items referred to in one call that are looked for.
const REFERENCES_MAX: usize = 16;

/// Who a response or a conversation belongs to: the key, and its tenant where it has one.
pub fn owner(caller: &Caller) -> String {
    let principal = &caller.principal;
    match &principal.app {
        // No name in the configuration holds a slash, so this is nobody else's.
        Some(app) => format!("{}/{}", app.tenant, principal.key_id),
        None => principal.key_id.to_string(),
    }
}

/// Brings into memory what the call names and only the store knows.
pub async fn fetch(edge: &Edge, ctx: &Ctx, prepared: &Prepared<'_>) {
    let (Some(keepsakes), Some(caller)) = (edge.keepsakes(&ctx.runtime), &ctx.caller) else { return };
    let ids = named(prepared);
    if ids.is_empty() {
        return;
    }
    let owner = owner(caller);
    for id in ids {
        // What a provider keeps is not here.
        let is_elsewhere = edge.pins.get(&id).is_some();
        if !is_elsewhere && !edge.archive.holds(&owner, &id, edge.now()) {
            keepsakes.fetch(&edge.archive, &owner, &id, &ctx.runtime.kept, edge.now()).await;
        }
    }
}

/// Ids of responses and conversations in a call.
fn named(prepared: &Prepared<'_>) -> Vec<String> {
    let mut ids = Vec::new();
    match prepared.endpoint {
        Endpoint::ResponseById | Endpoint::Conversations => {
            ids.extend(prepared.hit.id.as_deref().map(str::to_owned));
        }
        Endpoint::Responses | Endpoint::ResponseTokens => {
            let head = prepared.head.as_deref();
            ids.extend(head.and_then(|head| head.previous_response.clone()));
            ids.extend(head.and_then(|head| head.conversation.clone()));
            ids.extend(referred(prepared));
        }
        _ => {}
    }
    ids.retain(|id| id.starts_with("resp_") || id.starts_with("conv_"));
    ids
}

/// The responses whose items the input refers to.
fn referred(prepared: &Prepared<'_>) -> Vec<String> {
    if memchr::memmem::find(&prepared.body, b"item_reference").is_none() {
        return Vec::new();
    }
    let Ok(root) = parse_bytes(&prepared.body, Duplicates::LastCounts) else { return Vec::new() };
    let Some(input) = root.get("input") else { return Vec::new() };
    let items = input.items().iter().filter_map(kept::reference).take(REFERENCES_MAX);
    let mut ids: Vec<String> = items.filter_map(|item| kept::response_of_item(&item)).collect();
    ids.dedup();
    ids
}
