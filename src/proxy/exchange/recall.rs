//! What a Responses call goes on from, where that is kept here: put into its body before anything is
//! counted or sent, so that every target can serve it, and every target's tokens are counted.
//!
//! Not here: what providers keep (`pins`). Invariant: what stays unresolved stays in the body, for a
//! provider that may know it.

use super::prepare::Prepared;
use super::remember::owner;
use super::unserved::malformed;
use crate::archive::{Before, History, Response};
use crate::dialect::codec::responses;
use crate::dialect::{head, kept};
use crate::framing::json::{Duplicates, Node, parse_bytes};
use crate::proxy::context::Ctx;
use crate::runtime::Edge;
use crate::types::{Endpoint, Reason, Reject};
use bytes::Bytes;
use std::sync::Arc;

/// A call whose body was completed from what is kept here.
pub struct Recalled {
    /// The client's body, references to items resolved.
    pub own: Bytes,
    pub before: Before,
    pub previous: Option<String>,
    /// The conversation it is made in.
    pub conversation: Option<String>,
    /// Items of history before the client's own.
    items: usize,
    has_list: bool,
}

impl Recalled {
    /// A path in the completed body as one in the client's.
    pub fn client_path(&self, path: &str) -> String {
        let reference = if self.conversation.is_some() { "conversation" } else { "previous_response_id" };
        kept::client_path(path, self.items, self.has_list, reference)
    }

    /// The references, to be repeated in the answer.
    pub fn stored(&self, store: bool) -> responses::Stored<'_> {
        responses::Stored {
            previous_response_id: self.previous.as_deref().map(Into::into),
            conversation: self.conversation.as_deref().map(Into::into),
            store,
        }
    }
}

/// Completes the body from what is kept here.
///
/// # Errors
/// 400 where the call names two beginnings, 413 where it is too large with its history.
pub fn recall(edge: &Edge, ctx: &Ctx, prepared: &mut Prepared<'_>) -> Result<(), Reject> {
    let (Endpoint::Responses | Endpoint::ResponseTokens, Some(head), Some(caller)) =
        (prepared.endpoint, &prepared.head, &ctx.caller)
    else {
        return Ok(());
    };
    let (owner, now) = (&*owner(caller), edge.now());
    let previous = head.previous_response.as_deref();
    let before = previous.and_then(|id| edge.archive.response(owner, id, now));
    let conversation = head.conversation.as_deref();
    let conversation = conversation.and_then(|id| edge.archive.conversation(owner, id, now));
    let is_double = head.previous_response.is_some() && head.conversation.is_some();
    if is_double && (before.is_some() || conversation.is_some()) {
        let message = "Mutually exclusive parameters: 'previous_response_id' and 'conversation'. \
                       Ensure you are only providing one of them.";
        return Err(Reject::new(Reason::InvalidRequest, message).with_param("previous_response_id"));
    }
    let is_elsewhere = (head.previous_response.is_some() && before.is_none())
        || (head.conversation.is_some() && conversation.is_none());
    if is_elsewhere {
        return Ok(());
    }
    let may_refer = memchr::memmem::find(&prepared.body, b"item_reference").is_some();
    if before.is_none() && conversation.is_none() && !may_refer {
        return Ok(());
    }
    let malformed = |error| malformed(&prepared.body, error);
    let root = parse_bytes(&prepared.body, Duplicates::Refuse).map_err(malformed)?;
    let find = |id: &str| {
        let held = conversation.as_ref().and_then(|conversation| conversation.item(id));
        held.map(|item| item.json.clone()).or_else(|| item(edge, owner, id))
    };
    let resolved = kept::with_items(&root, find).map(Bytes::from);
    if before.is_none() && conversation.is_none() && resolved.is_none() {
        return Ok(());
    }
    let own = resolved.unwrap_or_else(|| prepared.body.clone());
    let recalled = Recalled {
        has_list: root.get("input").is_some_and(Node::is_array),
        previous: before.as_ref().map(|response| response.id().to_owned()),
        conversation: conversation.as_ref().map(|conversation| conversation.id.clone()),
        items: 0,
        before: match (before, &conversation) {
            (Some(response), _) => Before::Response(response),
            (None, Some(conversation)) => Before::Items(conversation.items.clone()),
            (None, None) => Before::Nothing,
        },
        own,
    };
    drop(root);
    complete(ctx, prepared, recalled)
}

/// Writes the history into the body, and reads its head again.
fn complete(ctx: &Ctx, prepared: &mut Prepared<'_>, mut recalled: Recalled) -> Result<(), Reject> {
    let history = history(&recalled.before);
    let bytes_max = ctx.runtime.edge.body_bytes_max;
    if recalled.own.len() + history.bytes() > bytes_max {
        let message = format!(
            "with the history it goes on from, this request is larger than this gateway's limit of {bytes_max} bytes"
        );
        return Err(Reject::new(Reason::BodyTooLarge, message).with_param("previous_response_id"));
    }
    let malformed = |error| malformed(&recalled.own, error);
    let root = parse_bytes(&recalled.own, Duplicates::Refuse).map_err(malformed)?;
    let body = Bytes::from(kept::with_history(&root, &history.texts));
    let items = history.items;
    drop(root);
    recalled.items = items;
    let head = head::parse(prepared.endpoint, None, &body).map_err(|error| error.to_reject())?;
    prepared.head = Some(Box::new(head));
    prepared.body = body;
    prepared.recalled = Some(Arc::new(recalled));
    Ok(())
}

fn history(before: &Before) -> History<'_> {
    match before {
        Before::Nothing => History::default(),
        Before::Response(response) => response.history(),
        Before::Items(items) => History::of(items),
    }
}

/// An item of a response that is kept here, by its own id.
fn item(edge: &Edge, owner: &str, id: &str) -> Option<String> {
    let response: Arc<Response> = edge.archive.response(owner, &kept::response_of_item(id)?, edge.now())?;
    response.history().texts.iter().find_map(|text| {
        let list = format!("[{text}]");
        let list = parse_bytes(list.as_bytes(), Duplicates::LastCounts).ok()?;
        let found = list.items().iter().find(|item| item.text_of("id").is_some_and(|held| held == id));
        found.map(|item| item.raw().to_owned())
    })
}
