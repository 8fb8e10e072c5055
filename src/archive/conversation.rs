//! A conversation as it is kept: items in order, to which every response made in it adds.

use super::response::{ENTRY_BYTES, Item};
use super::weight::{Scale, Weight};
use std::sync::Arc;

/// A conversation at one moment; a change makes the next one.
#[derive(Debug)]
pub struct Conversation {
    pub id: String,
    /// Unix seconds.
    pub created: u64,
    /// A JSON object.
    pub metadata: String,
    pub items: Arc<[Arc<Item>]>,
    weight: Weight,
}

impl Conversation {
    pub(super) fn new(
        scale: &Scale,
        id: String,
        created: u64,
        metadata: String,
        items: Arc<[Arc<Item>]>,
    ) -> Arc<Self> {
        let own = ENTRY_BYTES + id.len() + metadata.len() + items.len() * size_of::<Arc<Item>>();
        Arc::new(Self { id, created, metadata, items, weight: scale.weigh(own) })
    }

    /// The next one, of other metadata or other items.
    pub(super) fn with(
        &self,
        scale: &Scale,
        metadata: Option<String>,
        items: Option<Vec<Arc<Item>>>,
    ) -> Arc<Self> {
        let metadata = metadata.unwrap_or_else(|| self.metadata.clone());
        let items = items.map_or_else(|| self.items.clone(), Arc::from);
        Self::new(scale, self.id.clone(), self.created, metadata, items)
    }

    /// Bytes of all it holds.
    pub(super) fn whole_bytes(&self) -> usize {
        self.weight.bytes() + self.items.iter().map(|item| item.bytes()).sum::<usize>()
    }

    pub fn item(&self, id: &str) -> Option<&Arc<Item>> {
        self.items.iter().find(|item| item.id == id)
    }
}
