//! The place where responses and conversations are kept: this process's memory.
//!
//! All verbs take who asks; what is another's is not there. Invariant: after every verb no more than
//! the bounds say is held, but for what calls under way still read.

use super::conversation::Conversation;
use super::journal::Journal;
use super::response::{Item, NewItem, NewResponse, Response};
use super::shelf::Shelf;
use super::weight::Scale;
use crate::types::Ticks;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// The part of the whole that one entry may hold, with all it goes on from: one call must not empty the
/// place of everybody's.
const SHARE: usize = 4;

/// How much is kept, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Of everybody's together; zero keeps nothing.
    pub bytes_max: usize,
    /// Of one owner; zero keeps nothing.
    pub entries_max: usize,
    /// A response is kept so long from when it was made, a conversation from when it last changed.
    pub ttl: Duration,
}

/// Why something is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    #[error("nothing is kept here")]
    Off,
    #[error("it is too large to be kept")]
    TooLarge,
}

impl NotKept {
    /// The word in `x-tidegate-not-stored`.
    pub fn as_str(self) -> &'static str {
        match self {
            NotKept::Off => "off",
            NotKept::TooLarge => "too_large",
        }
    }
}

/// Everything that is kept.
#[derive(Debug, Default)]
pub struct Archive {
    shelf: Mutex<Shelf<Held>>,
    scale: Scale,
    /// Set once, where something outlives the process.
    journal: OnceLock<Arc<dyn Journal>>,
}

#[derive(Clone, Debug)]
enum Held {
    Response(Arc<Response>),
    Conversation(Arc<Conversation>),
}

impl Bounds {
    fn admit(&self, whole_bytes: usize) -> Result<(), NotKept> {
        if self.bytes_max == 0 || self.entries_max == 0 {
            return Err(NotKept::Off);
        }
        if whole_bytes > self.bytes_max / SHARE { Err(NotKept::TooLarge) } else { Ok(()) }
    }
}

impl Archive {
    /// Tells every change from now on. Once; later calls change nothing.
    pub fn tell(&self, journal: Arc<dyn Journal>) {
        let _ = self.journal.set(journal);
    }

    /// Items, weighed from now on.
    pub fn items(&self, new: Vec<NewItem>) -> Vec<Arc<Item>> {
        new.into_iter().map(|item| Item::new(&self.scale, item)).collect()
    }

    /// Keeps a response.
    ///
    /// # Errors
    /// [`NotKept`]; nothing has changed then.
    pub fn put_response(
        &self,
        owner: &str,
        new: NewResponse,
        bounds: &Bounds,
        now: Ticks,
    ) -> Result<(), NotKept> {
        let response = self.shelve_response(owner, new, bounds, now)?;
        self.note(owner, || response.entry(), bounds);
        Ok(())
    }

    pub(super) fn weighed(&self, new: NewResponse) -> Arc<Response> {
        Response::new(&self.scale, new)
    }

    pub(super) fn put_back_response(
        &self,
        owner: &str,
        new: NewResponse,
        bounds: &Bounds,
        now: Ticks,
    ) -> Result<(), NotKept> {
        self.shelve_response(owner, new, bounds, now).map(drop)
    }

    fn shelve_response(
        &self,
        owner: &str,
        new: NewResponse,
        bounds: &Bounds,
        now: Ticks,
    ) -> Result<Arc<Response>, NotKept> {
        bounds.admit(new.whole_bytes())?;
        let response = self.weighed(new);
        let held = Held::Response(response.clone());
        self.with(now, |shelf| self.put(shelf, owner, response.id(), held, bounds, now))?;
        Ok(response)
    }

    /// Whether the owner's entry is in memory.
    pub fn holds(&self, owner: &str, id: &str, now: Ticks) -> bool {
        self.with(now, |shelf| shelf.has(owner, id))
    }

    fn note(&self, owner: &str, entry: impl FnOnce() -> super::journal::Entry, bounds: &Bounds) {
        if let Some(journal) = self.journal.get() {
            journal.put(owner, entry(), bounds.ttl);
        }
    }

    pub fn response(&self, owner: &str, id: &str, now: Ticks) -> Option<Arc<Response>> {
        match self.with(now, |shelf| shelf.get(owner, id))? {
            Held::Response(response) => Some(response),
            Held::Conversation(_) => None,
        }
    }

    /// Keeps a new conversation.
    ///
    /// # Errors
    /// [`NotKept`].
    pub fn put_conversation(
        &self,
        owner: &str,
        (id, created, metadata): (String, u64, String),
        items: Vec<Arc<Item>>,
        bounds: &Bounds,
        now: Ticks,
    ) -> Result<Arc<Conversation>, NotKept> {
        let made = self.shelve_conversation(owner, (id, created, metadata), items, bounds, now)?;
        self.note(owner, || made.entry(), bounds);
        Ok(made)
    }

    pub(super) fn put_back_conversation(
        &self,
        owner: &str,
        new: (String, u64, String),
        items: Vec<Arc<Item>>,
        bounds: &Bounds,
        now: Ticks,
    ) -> Result<(), NotKept> {
        self.shelve_conversation(owner, new, items, bounds, now).map(|_| ())
    }

    fn shelve_conversation(
        &self,
        owner: &str,
        (id, created, metadata): (String, u64, String),
        items: Vec<Arc<Item>>,
        bounds: &Bounds,
        now: Ticks,
    ) -> Result<Arc<Conversation>, NotKept> {
        let made = Conversation::new(&self.scale, id, created, metadata, items.into());
        bounds.admit(made.whole_bytes())?;
        self.with(now, |shelf| {
            self.put(shelf, owner, &made.id, Held::Conversation(made.clone()), bounds, now)
        })?;
        Ok(made)
    }

    pub fn conversation(&self, owner: &str, id: &str, now: Ticks) -> Option<Arc<Conversation>> {
        match self.with(now, |shelf| shelf.get(owner, id))? {
            Held::Conversation(conversation) => Some(conversation),
            Held::Response(_) => None,
        }
    }

    /// Adds items at the end of a conversation. None where it is not there (any more).
    ///
    /// # Errors
    /// [`NotKept`]: it stays as it was.
    pub fn append(
        &self,
        owner: &str,
        id: &str,
        items: &[Arc<Item>],
        bounds: &Bounds,
        now: Ticks,
    ) -> Result<Option<Arc<Conversation>>, NotKept> {
        self.change(owner, id, bounds, now, |held| {
            let items = held.items.iter().chain(items).cloned().collect();
            Some(held.with(&self.scale, None, Some(items)))
        })
    }

    /// Replaces a conversation's metadata, a JSON object.
    ///
    /// # Errors
    /// As [`Archive::append`].
    pub fn set_metadata(
        &self,
        owner: &str,
        id: &str,
        metadata: String,
        bounds: &Bounds,
        now: Ticks,
    ) -> Result<Option<Arc<Conversation>>, NotKept> {
        self.change(owner, id, bounds, now, |held| Some(held.with(&self.scale, Some(metadata), None)))
    }

    /// Takes an item out of a conversation. None where there is no such conversation or item.
    ///
    /// # Errors
    /// As [`Archive::append`].
    pub fn remove_item(
        &self,
        owner: &str,
        (id, item): (&str, &str),
        bounds: &Bounds,
        now: Ticks,
    ) -> Result<Option<Arc<Conversation>>, NotKept> {
        self.change(owner, id, bounds, now, |held| {
            held.item(item)?;
            let items = held.items.iter().filter(|held| held.id != item).cloned().collect();
            Some(held.with(&self.scale, None, Some(items)))
        })
    }

    /// Lets a response or a conversation go; whether it was there.
    pub fn remove(&self, owner: &str, id: &str, now: Ticks) -> bool {
        // What is taken out is dropped after the lock.
        let was_there = self.with(now, |shelf| shelf.remove(owner, id)).is_some();
        if was_there && let Some(journal) = self.journal.get() {
            journal.removed(owner, id);
        }
        was_there
    }

    /// Entries and bytes held.
    pub fn size(&self, now: Ticks) -> (usize, usize) {
        self.with(now, |shelf| (shelf.len(), self.scale.total()))
    }

    fn change(
        &self,
        owner: &str,
        id: &str,
        bounds: &Bounds,
        now: Ticks,
        change: impl FnOnce(&Conversation) -> Option<Arc<Conversation>>,
    ) -> Result<Option<Arc<Conversation>>, NotKept> {
        self.with(now, |shelf| {
            let Some(Held::Conversation(held)) = shelf.get(owner, id) else { return Ok(None) };
            let Some(next) = change(&held) else { return Ok(None) };
            bounds.admit(next.whole_bytes())?;
            drop(held);
            self.put(shelf, owner, id, Held::Conversation(next.clone()), bounds, now)?;
            // Under the lock: of two changes the later must be told later.
            self.note(owner, || next.entry(), bounds);
            Ok(Some(next))
        })
    }

    /// Makes room and puts an entry in, which was admitted.
    fn put(
        &self,
        shelf: &mut Shelf<Held>,
        owner: &str,
        id: &str,
        held: Held,
        bounds: &Bounds,
        now: Ticks,
    ) -> Result<(), NotKept> {
        while !shelf.has(owner, id) && shelf.len_of(owner) >= bounds.entries_max && shelf.evict_of(owner) {}
        if !shelf.put(owner, id, held, now.plus(bounds.ttl)) {
            return Err(NotKept::Off);
        }
        // The new one is used last, so it goes last: only where calls under way hold as much as all.
        while self.scale.total() > bounds.bytes_max && shelf.evict() {}
        if shelf.has(owner, id) { Ok(()) } else { Err(NotKept::TooLarge) }
    }

    fn with<T>(&self, now: Ticks, work: impl FnOnce(&mut Shelf<Held>) -> T) -> T {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.sweep(now);
        work(&mut shelf)
    }
}
