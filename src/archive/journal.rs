//! What changes in the archive, told to whoever makes it last, and what was told, put back.
//!
//! Not here: where it is written. Invariant: what is put back is what was there, byte for byte, or
//! nothing: a chain with a link missing is none.

use super::conversation::Conversation;
use super::keep::{Archive, Bounds, NotKept};
use super::response::{Before, Item, NewItem, NewResponse, Response};
use crate::framing::json::{Duplicates, JsonWriter, Node, parse};
use crate::types::Ticks;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Takes what changes, in order. Called with the archive's lock held: must not wait.
pub trait Journal: Send + Sync + std::fmt::Debug {
    fn put(&self, owner: &str, entry: Entry, ttl: Duration);
    fn removed(&self, owner: &str, id: &str);
}

/// An entry as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: String,
    /// The first of its chain.
    pub root: String,
    /// What it goes on from.
    pub before: Option<String>,
    /// JSON of this module's own.
    pub body: String,
}

impl Response {
    pub(super) fn entry(&self) -> Entry {
        let (mut root, mut first) = (self.id(), self);
        while let Before::Response(before) = first.before() {
            (root, first) = (before.id(), before);
        }
        let mut body = Vec::with_capacity(self.json().len() + 256);
        let before = match self.before() {
            Before::Response(before) => Some(before.id().to_owned()),
            Before::Nothing | Before::Items(_) => None,
        };
        JsonWriter::new(&mut body).object(|w| {
            w.field_raw("response", self.json());
            items("input", self.input(), w);
            if let Before::Items(held) = self.before() {
                items("items", held, w);
            }
        });
        Entry { id: self.id().to_owned(), root: root.to_owned(), before, body: text(body) }
    }
}

impl Conversation {
    pub(super) fn entry(&self) -> Entry {
        let mut body = Vec::with_capacity(256);
        JsonWriter::new(&mut body).object(|w| {
            w.field_u64("created", self.created);
            w.field_raw("metadata", &self.metadata);
            items("items", &self.items, w);
        });
        Entry { id: self.id.clone(), root: self.id.clone(), before: None, body: text(body) }
    }
}

fn text(bytes: Vec<u8>) -> String {
    // Made of texts, all of it.
    String::from_utf8(bytes).unwrap_or_default()
}

fn items(key: &str, items: &[Arc<Item>], w: &mut JsonWriter<'_>) {
    w.field_array(key, |w| items.iter().for_each(|item| w.raw(&item.json)));
}

impl Archive {
    /// Puts back what was written down under `id`: all links of its chain, in any order. False where
    /// it is not whole, or there is no room for it.
    pub fn restore(&self, owner: &str, id: &str, links: &[Entry], bounds: &Bounds, now: Ticks) -> bool {
        self.put_back(owner, id, links, bounds, now).is_some_and(|put| put.is_ok())
    }

    fn put_back(
        &self,
        owner: &str,
        id: &str,
        links: &[Entry],
        bounds: &Bounds,
        now: Ticks,
    ) -> Option<Result<(), NotKept>> {
        let by_id: HashMap<&str, &Entry> = links.iter().map(|link| (link.id.as_str(), link)).collect();
        // From the one that is wanted back to the first.
        let mut chain: Vec<&Entry> = vec![by_id.get(id)?];
        while let Some(before) = chain.last().and_then(|link| link.before.as_deref()) {
            if chain.len() > links.len() {
                return None;
            }
            chain.push(by_id.get(before)?);
        }
        let wanted = chain.first()?;
        let root = parse(&wanted.body, Duplicates::LastCounts).ok()?;
        if root.get("response").is_none() {
            let held = self.items(new_items(root.get("items")?));
            let new = (id.to_owned(), root.get("created")?.as_u64()?, root.get("metadata")?.raw().to_owned());
            return Some(self.put_back_conversation(owner, new, held, bounds, now));
        }
        let mut before = Before::Nothing;
        for link in chain.iter().skip(1).rev() {
            before = Before::Response(self.weighed(self.response_of(link, before)?));
        }
        let last = self.response_of(wanted, before)?;
        Some(self.put_back_response(owner, last, bounds, now))
    }

    /// A link, going on from `before` unless it was made in a conversation.
    fn response_of(&self, link: &Entry, before: Before) -> Option<NewResponse> {
        let root = parse(&link.body, Duplicates::LastCounts).ok()?;
        let response = root.get("response")?;
        let output = response.get("output")?;
        let start = (output.at() - response.at()) as usize;
        let before = match root.get("items") {
            Some(held) => Before::Items(self.items(new_items(held)).into()),
            None => before,
        };
        Some(NewResponse {
            id: link.id.clone(),
            json: response.raw().to_owned(),
            output: start + 1..(start + output.raw().len()).saturating_sub(1),
            outputs: output.items().len(),
            input: self.items(new_items(root.get("input")?)),
            before,
        })
    }
}

fn new_items(list: &Node<'_>) -> Vec<NewItem> {
    let item = |node: &Node<'_>| NewItem {
        id: node.text_of("id").unwrap_or_default().into_owned(),
        json: node.raw().to_owned(),
    };
    list.items().iter().map(item).collect()
}
