//! The archive's way into the store and back: responses and conversations that outlive the process.
//!
//! No request waits for a write: changes queue up, bounded, and a job writes them in their order. Only
//! a call that names what this process does not know waits for a read, within the store's timeout.
//! Invariant: changes are written in the order they happened; what finds no room in the queue is left
//! out, counted, and lost with the process.

use crate::archive::{self, Archive, Bounds, Entry, Journal};
use crate::store::{KEPT_CHANGES_MAX, KeptBounds, KeptChange, KeptEntry, Store, StoreError};
use crate::telemetry::{Metrics, WallClock};
use crate::types::Ticks;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Bytes that may wait to be written.
const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of one write, but for a single longer change.
const WRITE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What waits to be written, and the store it goes to.
#[derive(Debug)]
pub struct Keepsakes {
    store: Arc<dyn Store>,
    queue: Mutex<Queue>,
    news: Notify,
    /// One writer at a time: order is kept.
    writing: tokio::sync::Mutex<()>,
    wall: WallClock,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Queue {
    changes: VecDeque<KeptChange>,
    bytes: usize,
}

impl Keepsakes {
    pub fn new(store: Arc<dyn Store>, wall: WallClock, metrics: Arc<Metrics>) -> Arc<Self> {
        let (queue, news, writing) = (Mutex::default(), Notify::new(), tokio::sync::Mutex::new(()));
        Arc::new(Self { store, queue, news, writing, wall, metrics })
    }

    fn push(&self, change: KeptChange) {
        let bytes = weight(&change);
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.bytes.saturating_add(bytes) > QUEUE_BYTES_MAX {
            self.metrics.not_kept.inc();
            return;
        }
        queue.bytes += bytes;
        queue.changes.push_back(change);
        drop(queue);
        self.news.notify_one();
    }

    /// Ends when there is something to write.
    pub async fn has_news(&self) {
        while self.is_empty() {
            self.news.notified().await;
        }
    }

    fn is_empty(&self) -> bool {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).changes.is_empty()
    }

    /// Writes all that waits.
    ///
    /// # Errors
    /// The store's; what was not written waits on, in its order.
    pub async fn write(&self, bounds: &KeptBounds) -> Result<(), StoreError> {
        let _only = self.writing.lock().await;
        loop {
            let changes = self.next();
            if changes.is_empty() {
                return Ok(());
            }
            if bounds.bytes_max == 0 {
                self.done(changes.len());
                continue;
            }
            let written = self.store.keep(&changes, bounds, self.wall.unix_ms()).await;
            match written {
                Ok(()) => self.done(changes.len()),
                Err(StoreError::Unavailable(why)) => return Err(StoreError::Unavailable(why)),
                // The same again would fail again.
                Err(error) => {
                    self.metrics.not_kept.inc_by(changes.len() as u64);
                    self.done(changes.len());
                    return Err(error);
                }
            }
        }
    }

    /// Writes what waits, at the end of the process. Blocks the thread.
    pub fn finish(&self, bounds: &KeptBounds, within: Duration) {
        if self.is_empty() {
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let Ok(runtime) = runtime else { return };
        match runtime.block_on(async { tokio::time::timeout(within, self.write(bounds)).await }) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log::error!("what clients left here last is lost: {error}"),
            Err(_) => log::error!("what clients left here last did not reach the store in time"),
        }
    }

    /// The oldest changes, as many as one write takes. They stay in the queue.
    fn next(&self) -> Vec<KeptChange> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = 0usize;
        let fits = |change: &&KeptChange| {
            let is_first = bytes == 0;
            bytes += weight(change);
            is_first || bytes <= WRITE_BYTES_MAX
        };
        queue.changes.iter().take(KEPT_CHANGES_MAX).take_while(fits).cloned().collect()
    }

    fn done(&self, count: usize) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..count {
            let Some(change) = queue.changes.pop_front() else { return };
            queue.bytes = queue.bytes.saturating_sub(weight(&change));
        }
    }

    /// Brings the owner's entry into memory, if the store has it.
    pub async fn fetch(&self, archive: &Archive, owner: &str, id: &str, bounds: &Bounds, now: Ticks) {
        if owner.contains('\0') || id.contains('\0') {
            return;
        }
        let now_ms = self.wall.unix_ms();
        let links = match self.store.kept(owner, id, now_ms).await {
            Ok(links) => links,
            Err(error) => return log::warn!("what a client goes on from cannot be looked for: {error}"),
        };
        let Some(wanted) = links.iter().find(|link| link.id == id) else { return };
        let left = Duration::from_millis(wanted.ends_ms.saturating_sub(now_ms));
        let bounds = Bounds { ttl: left.min(bounds.ttl), ..*bounds };
        let entries: Vec<Entry> = links.into_iter().map(entry).collect();
        if !archive.restore(owner, id, &entries, &bounds, now) {
            log::warn!("what a client goes on from is not whole in the store, or too large");
        }
    }
}

fn weight(change: &KeptChange) -> usize {
    const OWN: usize = 256;
    OWN + match change {
        KeptChange::Put(entry) => entry.body.len() + 2 * entry.id.len() + entry.owner.len(),
        KeptChange::Hide { owner, id } => owner.len() + id.len(),
    }
}

fn entry(kept: KeptEntry) -> Entry {
    Entry { id: kept.id, root: kept.root, before: kept.before, body: kept.body }
}

impl Journal for Keepsakes {
    fn put(&self, owner: &str, entry: archive::Entry, ttl: Duration) {
        // No text of the store may hold one; no key of ours does.
        if owner.contains('\0') || entry.id.contains('\0') {
            return;
        }
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        self.push(KeptChange::Put(KeptEntry {
            id: entry.id,
            owner: owner.to_owned(),
            root: entry.root,
            before: entry.before,
            body: entry.body,
            ends_ms: self.wall.unix_ms().saturating_add(ttl),
        }));
    }

    fn removed(&self, owner: &str, id: &str) {
        if !owner.contains('\0') {
            self.push(KeptChange::Hide { owner: owner.to_owned(), id: id.to_owned() });
        }
    }
}
