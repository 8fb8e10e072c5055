//! Calls about what is kept here, answered here: stored responses by their id, and conversations.
//!
//! A response that is not here may be a provider's: then the call goes on (`pins`). Conversations are
//! nobody else's: one of them can go through models of several providers.

use super::keeper::new_item;
use super::prepare::Prepared;
use super::remember::owner;
use super::unserved::{malformed, unserved};
use crate::archive::{Conversation, History, Item, NotKept};
use crate::dialect::kept::{self, Resource, resource};
use crate::dialect::paths::query;
use crate::framing::json::{Duplicates, Node, parse_bytes};
use crate::proxy::context::Ctx;
use crate::runtime::Edge;
use crate::types::{Endpoint, Reason, Reject};
use bytes::Bytes;
use http::Method;
use std::sync::Arc;

type Answer = Result<String, Reject>;

/// Who asks, and what with.
struct Asked<'a> {
    edge: &'a Edge,
    ctx: &'a Ctx,
    prepared: &'a Prepared<'a>,
    owner: &'a str,
}

/// The answer to a call about something kept here; None where it is not for us to answer.
pub fn answer(edge: &Edge, ctx: &Ctx, prepared: &Prepared<'_>) -> Option<Result<Bytes, Reject>> {
    if !matches!(prepared.endpoint, Endpoint::ResponseById | Endpoint::Conversations) {
        return None;
    }
    let owner = owner(ctx.caller.as_ref()?);
    let asked = Asked { edge, ctx, prepared, owner: &owner };
    let path = prepared.hit.upstream_path("");
    let answer = match resource(&path)? {
        Resource::Response(id) => asked.response(id)?,
        Resource::ResponseInput(id) => asked.input_of(id)?,
        Resource::ResponseCancel(id) => asked.cancel(id)?,
        Resource::Conversations => asked.create(),
        Resource::Conversation(id) => asked.conversation(id),
        Resource::Items(id) => asked.items(id),
        Resource::Item(id, item) => asked.item(id, item),
    };
    Some(answer.map(Bytes::from))
}

impl Asked<'_> {
    fn response(&self, id: &str) -> Option<Answer> {
        let now = self.edge.now();
        let held = self.edge.archive.response(self.owner, id, now)?;
        if self.prepared.method == Method::DELETE {
            self.edge.archive.remove(self.owner, id, now);
            return Some(Ok(kept::deleted(id, "response")));
        }
        if query::value(self.prepared.query.unwrap_or_default(), "stream").is_some_and(|v| v == "true") {
            let message = "only a response made in the background can be streamed again";
            return Some(Err(Reject::new(Reason::InvalidRequest, message).with_param("stream")));
        }
        Some(Ok(held.json().to_owned()))
    }

    fn input_of(&self, id: &str) -> Option<Answer> {
        let held = self.edge.archive.response(self.owner, id, self.edge.now())?;
        Some(kept::page(&held.asked().texts, self.prepared.query))
    }

    fn cancel(&self, id: &str) -> Option<Answer> {
        self.edge.archive.response(self.owner, id, self.edge.now())?;
        Some(Err(kept::cannot_cancel()))
    }

    fn create(&self) -> Answer {
        let body = self.body();
        let root = parse_bytes(body, Duplicates::Refuse).map_err(|error| malformed(body, error))?;
        let token = self.edge.token();
        let (metadata, items) = (kept::metadata(&root)?, self.new_items(&root, &token)?);
        let new = (format!("conv_{token}"), self.edge.wall.unix_ms() / 1000, metadata);
        let (bounds, now) = (&self.ctx.runtime.kept, self.edge.now());
        let made = self.edge.archive.put_conversation(self.owner, new, items, bounds, now);
        made.map(|made| shown(&made)).map_err(not_kept)
    }

    fn conversation(&self, id: &str) -> Answer {
        let (archive, now) = (&self.edge.archive, self.edge.now());
        if self.prepared.method == Method::DELETE {
            self.find(id)?;
            archive.remove(self.owner, id, now);
            return Ok(kept::deleted(id, "conversation.deleted"));
        }
        if self.prepared.method == Method::GET {
            return Ok(shown(&*self.find(id)?));
        }
        let body = self.body();
        let root = parse_bytes(body, Duplicates::Refuse).map_err(|error| malformed(body, error))?;
        let metadata = kept::metadata(&root)?;
        let changed = archive.set_metadata(self.owner, id, metadata, &self.ctx.runtime.kept, now);
        changed.map_err(not_kept)?.map(|held| shown(&held)).ok_or_else(|| unknown(id))
    }

    fn items(&self, id: &str) -> Answer {
        let held = self.find(id)?;
        if self.prepared.method == Method::GET {
            return kept::page(&History::of(&held.items).texts, self.prepared.query);
        }
        let body = self.body();
        let root = parse_bytes(body, Duplicates::Refuse).map_err(|error| malformed(body, error))?;
        let items = self.new_items(&root, &self.edge.token())?;
        let (bounds, now) = (&self.ctx.runtime.kept, self.edge.now());
        let held = self.edge.archive.append(self.owner, id, &items, bounds, now).map_err(not_kept)?;
        held.ok_or_else(|| unknown(id))?;
        kept::page(&History::of(&items).texts, Some("order=asc&limit=100"))
    }

    fn item(&self, id: &str, item: &str) -> Answer {
        let held = self.find(id)?;
        if self.prepared.method == Method::GET {
            let found = held.item(item).map(|item| item.json.clone());
            return found.ok_or_else(|| kept::item_not_found(item, id));
        }
        let (bounds, now) = (&self.ctx.runtime.kept, self.edge.now());
        let left = self.edge.archive.remove_item(self.owner, (id, item), bounds, now).map_err(not_kept)?;
        left.map(|held| shown(&held)).ok_or_else(|| kept::item_not_found(item, id))
    }

    fn find(&self, id: &str) -> Result<Arc<Conversation>, Reject> {
        self.edge.archive.conversation(self.owner, id, self.edge.now()).ok_or_else(|| unknown(id))
    }

    /// The body; SDKs send none where there is nothing to say.
    fn body(&self) -> &[u8] {
        if self.prepared.body.is_empty() { b"{}" } else { &self.prepared.body }
    }

    /// The `items` of a body.
    fn new_items(&self, root: &Node<'_>, token: &str) -> Result<Vec<Arc<Item>>, Reject> {
        let Some(list) = root.get("items") else { return Ok(Vec::new()) };
        let refuse = |message: String| Err(Reject::new(Reason::InvalidRequest, message).with_param("items"));
        if !list.is_array() {
            return refuse(format!("`items` must be an array of items, not {}", list.kind()));
        }
        if list.items().len() > kept::ITEMS_MAX {
            return refuse(format!("at most {} items can be added at once", kept::ITEMS_MAX));
        }
        let items = kept::input_items(Some(list), token)
            .map_err(|refused| unserved(self.body(), &refused, |path| path))?;
        Ok(self.edge.archive.items(items.into_iter().map(new_item).collect()))
    }
}

fn shown(held: &Conversation) -> String {
    kept::conversation(&held.id, held.created, &held.metadata)
}

fn unknown(id: &str) -> Reject {
    kept::not_found("Conversation", id)
}

fn not_kept(why: NotKept) -> Reject {
    match why {
        NotKept::Off => Reject::new(Reason::InvalidRequest, "this gateway keeps no conversations"),
        NotKept::TooLarge => {
            Reject::new(Reason::BodyTooLarge, "this conversation would be too large to be kept here")
        }
    }
}
