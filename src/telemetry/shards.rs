//! The buffers that lines are appended to, several so that threads seldom meet.
//!
//! Not here: writing them out (`drain`). Invariant: the shards together hold at most the bound
//! given, less one share that the writer may hold; a line that does not fit is counted, not kept.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::entry::Entry;
use super::timestamp::Stamp;

const SHARDS_MAX: usize = 16;
/// Reserved before a line is written, so that a usual one grows the buffer at most once.
const USUAL_LINE_BYTES: usize = 1024;
/// A buffer larger than this is given back once it is mostly unused, so that a burst does not stay
/// in memory.
const KEPT_CAPACITY_MAX: usize = 256 * 1024;

thread_local! {
    /// Which shard this thread appends to, once it has appended; the same in every log.
    static SLOT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Lines not yet written, and how many they are.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub bytes: Vec<u8>,
    pub lines: u64,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Appended {
    Kept,
    /// Kept, and the shard is now half full: the writer should not wait for its timer.
    KeptHalfFull,
    Dropped,
}

/// All shards.
#[derive(Debug)]
pub(super) struct Shards {
    all: Box<[Shard]>,
    share: usize,
    next_slot: AtomicUsize,
}

/// Aligned to two cache lines, which processors fetch as a pair: neighbours do not disturb.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard(Mutex<Buffer>);

#[derive(Debug, Default)]
struct Buffer {
    batch: Batch,
    stamp: Stamp,
}

// === impl Batch ===

impl Batch {
    /// Room for a usual line. Doubles like a `Vec` does, but not past the share.
    fn make_room(&mut self, share: usize) {
        let (used, capacity) = (self.bytes.len(), self.bytes.capacity());
        if capacity - used < USUAL_LINE_BYTES {
            let wanted = (capacity * 2).min(share).max(used) + USUAL_LINE_BYTES;
            self.bytes.reserve_exact(wanted - used);
        }
    }

    /// Empties the batch for its next use.
    pub fn recycle(&mut self) {
        let (used, capacity) = (self.bytes.len(), self.bytes.capacity());
        self.lines = 0;
        self.bytes.clear();
        if capacity > KEPT_CAPACITY_MAX && used < capacity / 4 {
            self.bytes = Vec::new();
        }
    }
}

// === impl Shards ===

impl Shards {
    /// Shards for `threads` appending threads, which may together hold `bytes_max`.
    pub fn new(threads: NonZeroUsize, bytes_max: usize) -> Self {
        let count = threads.get().min(SHARDS_MAX);
        let all = (0..count).map(|_| Shard::default()).collect();
        Self { all, share: bytes_max / (count + 1), next_slot: AtomicUsize::new(0) }
    }

    /// Appends the line of `entry` to this thread's shard.
    pub fn append(&self, entry: &Entry<'_>) -> Appended {
        let Some(shard) = self.all.get(self.slot() % self.all.len().max(1)) else { return Appended::Dropped };
        let mut guard = shard.lock();
        let Buffer { batch, stamp } = &mut *guard;
        let before = batch.bytes.len();
        if before >= self.share {
            return Appended::Dropped;
        }
        batch.make_room(self.share);
        entry.write(&mut batch.bytes, stamp);
        let after = batch.bytes.len();
        if after > self.share {
            batch.bytes.truncate(before);
            return Appended::Dropped;
        }
        batch.lines += 1;
        let half = self.share / 2;
        if before < half && after >= half { Appended::KeptHalfFull } else { Appended::Kept }
    }

    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Swaps the lines of shard `index` into `batch`, which must be empty; its memory is reused.
    pub fn take(&self, index: usize, batch: &mut Batch) {
        if let Some(shard) = self.all.get(index) {
            std::mem::swap(&mut shard.lock().batch, batch);
        }
    }

    /// Threads are dealt to shards in turn, in the order they first log.
    fn slot(&self) -> usize {
        SLOT.get().unwrap_or_else(|| {
            let slot = self.next_slot.fetch_add(1, Ordering::Relaxed);
            SLOT.set(Some(slot));
            slot
        })
    }
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
