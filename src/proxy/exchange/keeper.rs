//! Keeps the answer of a Responses call that no provider keeps: the response under its id, what was
//! said in the conversation it belongs to.
//!
//! Made before the answer begins, used before its last bytes go down, so that a client which goes on
//! at once finds it. What failed, or broke off, is never kept.

use super::prepare::Prepared;
use super::remember::owner;
use crate::archive::{Before, Bounds, Item, NewItem, NewResponse, NotKept};
use crate::dialect::codec::responses;
use crate::dialect::kept::{self, NamedItem};
use crate::framing::json::{Duplicates, Node, parse, parse_bytes};
use crate::proxy::context::Ctx;
use crate::runtime::Edge;
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;

/// What is to be kept of an answer, and for whom.
pub struct Keeper {
    owner: Box<str>,
    /// The client's own body.
    own: Bytes,
    before: Before,
    conversation: Option<String>,
    bounds: Bounds,
}

/// A finished response.
struct Finished {
    id: String,
    /// Where the elements of its output stand.
    output: Range<usize>,
    items: Vec<NewItem>,
}

impl Keeper {
    /// For a call whose answer is written here. None where there is nobody to keep it for.
    pub fn of(ctx: &Ctx, prepared: &Prepared<'_>) -> Option<Self> {
        let caller = ctx.caller.as_ref()?;
        let recalled = prepared.recalled.as_deref();
        Some(Self {
            owner: owner(caller).into(),
            own: recalled.map_or_else(|| prepared.body.clone(), |recalled| recalled.own.clone()),
            before: recalled.map(|recalled| recalled.before.clone()).unwrap_or_default(),
            conversation: recalled.and_then(|recalled| recalled.conversation.clone()),
            bounds: ctx.runtime.kept,
        })
    }

    /// Keeps `response`, the whole object as the client gets it.
    ///
    /// # Errors
    /// [`NotKept`]: it was to be kept, and is not.
    pub fn keep(self, edge: &Edge, response: &str) -> Result<(), NotKept> {
        let Some(finished) = finished(response) else { return Ok(()) };
        let Ok(root) = parse_bytes(&self.own, Duplicates::LastCounts) else { return Ok(()) };
        let is_stored = responses::stored(&root).store;
        if !is_stored && self.conversation.is_none() {
            return Ok(());
        }
        // The target has understood it: there is nothing in it that is no item.
        let token = finished.id.strip_prefix("resp_").unwrap_or(&finished.id);
        let input = kept::input_items(root.get("input"), token).unwrap_or_default();
        drop(root);
        let input = edge.archive.items(input.into_iter().map(new_item).collect());
        let said = self.conversation.as_ref().map(|id| self.append(edge, id, &input, &finished.items));
        let kept = if is_stored { self.put(edge, response, finished, input) } else { Ok(()) };
        let kept = said.unwrap_or(Ok(())).and(kept);
        if kept.is_err() {
            edge.metrics.not_kept.inc();
        }
        kept
    }

    fn put(
        self,
        edge: &Edge,
        response: &str,
        finished: Finished,
        input: Vec<Arc<Item>>,
    ) -> Result<(), NotKept> {
        let new = NewResponse {
            id: finished.id,
            json: response.to_owned(),
            output: finished.output,
            outputs: finished.items.len(),
            input,
            before: self.before,
        };
        edge.archive.put_response(&self.owner, new, &self.bounds, edge.now())
    }

    /// A conversation that was deleted meanwhile takes nothing, and nobody misses it.
    fn append(&self, edge: &Edge, id: &str, input: &[Arc<Item>], output: &[NewItem]) -> Result<(), NotKept> {
        let mut items = input.to_vec();
        items.extend(edge.archive.items(output.to_vec()));
        edge.archive.append(&self.owner, id, &items, &self.bounds, edge.now()).map(|_| ())
    }
}

/// None for what is not to be gone on from.
fn finished(response: &str) -> Option<Finished> {
    let root = parse(response, Duplicates::LastCounts).ok()?;
    let status = root.text_of("status")?;
    if !matches!(status.as_ref(), "completed" | "incomplete") {
        return None;
    }
    let output = root.get("output")?;
    let start = output.at() as usize;
    let item = |node: &Node<'_>| NewItem {
        id: node.text_of("id").unwrap_or_default().into_owned(),
        json: node.raw().to_owned(),
    };
    Some(Finished {
        id: root.text_of("id")?.into_owned(),
        output: start + 1..(start + output.raw().len()).saturating_sub(1),
        items: output.items().iter().map(item).collect(),
    })
}

pub(super) fn new_item(item: NamedItem) -> NewItem {
    NewItem { id: item.id, json: item.json }
}
