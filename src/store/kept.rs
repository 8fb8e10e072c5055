//! What clients left here to go on from: responses and conversations, beyond the life of the process.
//!
//! Not here: what the bodies mean (`archive`). Invariants: an entry is found by its owner only; links of
//! a chain stay as long as one of them is wanted; what is held never exceeds the bounds for longer than
//! one write.

use super::StoreError;
use async_trait::async_trait;

/// Changes in one write at most.
pub const KEPT_CHANGES_MAX: usize = 200;
/// Links of one chain that are read at most: a longer one is not gone on from.
pub const KEPT_LINKS_MAX: u32 = 10_000;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEntry {
    pub id: String,
    /// Tenant and key.
    pub owner: String,
    /// The first of the chain; its own id where it goes on from nothing.
    pub root: String,
    pub before: Option<String>,
    pub body: String,
    /// Milliseconds since 1970, UTC.
    pub ends_ms: u64,
}

/// One step, in the order in which they happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptChange {
    /// Replaces the owner's entry of the same id; where the id is another's nothing happens.
    Put(KeptEntry),
    /// It is not found by its id any more; what goes on from it still is whole.
    Hide { owner: String, id: String },
}

/// How much is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptBounds {
    /// Of one owner, found by its id.
    pub entries_max: u64,
    /// Of all owners, links that are only gone on from included. The oldest go first.
    pub bytes_max: u64,
}

/// The durable half of the archive.
#[async_trait]
pub trait Keep: Send + Sync + std::fmt::Debug {
    /// Takes changes, at most [`KEPT_CHANGES_MAX`], in one transaction, and lets go of what the bounds
    /// or the time leave no room for.
    async fn keep(&self, changes: &[KeptChange], bounds: &KeptBounds, now_ms: u64) -> Result<(), StoreError>;

    /// The owner's entry and all links it goes on from, in no order; empty where there is none.
    async fn kept(&self, owner: &str, id: &str, now_ms: u64) -> Result<Vec<KeptEntry>, StoreError>;
}
