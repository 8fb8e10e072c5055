//! Entries by id and owner, ordered by their last use and by their end.
//!
//! Not here: how many bytes they hold. Invariant: an entry is in all four maps or in none.

use crate::types::Ticks;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

type Id = Arc<str>;

#[derive(Debug)]
pub(super) struct Shelf<V> {
    entries: HashMap<Id, Entry<V>>,
    /// By last use: the first is the one to go.
    by_use: BTreeMap<u64, Id>,
    /// The same of each owner.
    by_owner: HashMap<Arc<str>, BTreeMap<u64, Id>>,
    by_end: BTreeMap<(Ticks, u64), Id>,
    /// Uses so far.
    uses: u64,
}

#[derive(Debug)]
struct Entry<V> {
    owner: Arc<str>,
    value: V,
    used: u64,
    /// Its key in `by_end`.
    end: (Ticks, u64),
}

impl<V> Default for Shelf<V> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            by_use: BTreeMap::new(),
            by_owner: HashMap::new(),
            by_end: BTreeMap::new(),
            uses: 0,
        }
    }
}

impl<V: Clone> Shelf<V> {
    /// The owner's entry, which is now the one used last.
    pub(super) fn get(&mut self, owner: &str, id: &str) -> Option<V> {
        let entry = self.entries.get_mut(id).filter(|entry| *entry.owner == *owner)?;
        self.uses += 1;
        let before = std::mem::replace(&mut entry.used, self.uses);
        if let Some(id) = self.by_use.remove(&before) {
            self.by_use.insert(self.uses, id.clone());
            if let Some(own) = self.by_owner.get_mut(&entry.owner) {
                own.remove(&before);
                own.insert(self.uses, id);
            }
        }
        Some(entry.value.clone())
    }

    /// Puts an entry in, in the place of one of the same id. False where that is another owner's.
    pub(super) fn put(&mut self, owner: &str, id: &str, value: V, end: Ticks) -> bool {
        if self.entries.get(id).is_some_and(|entry| *entry.owner != *owner) {
            return false;
        }
        self.remove(owner, id);
        self.uses += 1;
        let (used, id): (u64, Id) = (self.uses, id.into());
        let known = self.by_owner.get_key_value(owner).map(|(owner, _)| owner.clone());
        let owner = known.unwrap_or_else(|| owner.into());
        self.by_use.insert(used, id.clone());
        self.by_owner.entry(owner.clone()).or_default().insert(used, id.clone());
        self.by_end.insert((end, used), id.clone());
        self.entries.insert(id, Entry { owner, value, used, end: (end, used) });
        true
    }

    /// Takes the owner's entry out.
    pub(super) fn remove(&mut self, owner: &str, id: &str) -> Option<V> {
        if *self.entries.get(id)?.owner != *owner {
            return None;
        }
        self.take(id)
    }

    pub(super) fn has(&self, owner: &str, id: &str) -> bool {
        self.entries.get(id).is_some_and(|entry| *entry.owner == *owner)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn len_of(&self, owner: &str) -> usize {
        self.by_owner.get(owner).map_or(0, BTreeMap::len)
    }

    /// Drops the entry whose use is longest ago; false where there is none.
    pub(super) fn evict(&mut self) -> bool {
        let Some(id) = self.by_use.first_key_value().map(|(_, id)| id.clone()) else { return false };
        self.take(&id).is_some()
    }

    /// The same among the owner's.
    pub(super) fn evict_of(&mut self, owner: &str) -> bool {
        let own = self.by_owner.get(owner).and_then(BTreeMap::first_key_value);
        let Some(id) = own.map(|(_, id)| id.clone()) else { return false };
        self.take(&id).is_some()
    }

    /// Drops what has reached its end.
    pub(super) fn sweep(&mut self, now: Ticks) {
        while let Some(((end, _), id)) = self.by_end.first_key_value()
            && *end <= now
        {
            let id = id.clone();
            self.take(&id);
        }
    }

    fn take(&mut self, id: &str) -> Option<V> {
        let entry = self.entries.remove(id)?;
        self.by_use.remove(&entry.used);
        self.by_end.remove(&entry.end);
        if let Some(own) = self.by_owner.get_mut(&entry.owner) {
            own.remove(&entry.used);
            if own.is_empty() {
                self.by_owner.remove(&entry.owner);
            }
        }
        Some(entry.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(second: u64) -> Ticks {
        Ticks::from_start(Duration::from_secs(second))
    }

    fn sizes(shelf: &Shelf<u32>) -> [usize; 4] {
        let owned = shelf.by_owner.values().map(BTreeMap::len).sum();
        [shelf.entries.len(), shelf.by_use.len(), shelf.by_end.len(), owned]
    }

    #[test]
    fn an_entry_is_its_owners_alone() {
        let mut shelf = Shelf::default();
        assert!(shelf.put("a", "1", 10, at(9)));
        assert!(!shelf.put("b", "1", 11, at(9)), "the id is taken");
        assert_eq!((shelf.get("b", "1"), shelf.remove("b", "1"), shelf.has("b", "1")), (None, None, false));
        assert_eq!((shelf.get("a", "1"), shelf.has("a", "1")), (Some(10), true));
        assert!(shelf.put("a", "1", 12, at(9)));
        assert_eq!((shelf.remove("a", "1"), shelf.get("a", "1")), (Some(12), None));
        assert_eq!(sizes(&shelf), [0; 4]);
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let mut shelf = Shelf::default();
        for (owner, id) in [("a", "1"), ("a", "2"), ("b", "3"), ("b", "4")] {
            shelf.put(owner, id, 0, at(9));
        }
        shelf.get("a", "1");
        assert!(shelf.evict());
        assert_eq!([shelf.has("a", "1"), shelf.has("a", "2")], [true, false]);
        shelf.get("b", "3");
        assert!(shelf.evict_of("b") && !shelf.has("b", "4") && shelf.has("b", "3"));
        assert_eq!((shelf.len_of("a"), shelf.len_of("b"), shelf.len_of("c")), (1, 1, 0));
        assert!(shelf.evict() && !shelf.has("a", "1"), "it was used before 3");
        assert!(shelf.evict() && !shelf.evict() && !shelf.evict_of("a"));
        assert_eq!(sizes(&shelf), [0; 4]);
    }

    #[test]
    fn an_entry_ends_when_its_time_has_come_however_often_it_is_used() {
        let mut shelf = Shelf::default();
        shelf.put("a", "1", 0, at(2));
        shelf.put("a", "2", 0, at(1));
        shelf.sweep(at(0));
        assert_eq!(shelf.len(), 2);
        shelf.get("a", "2");
        shelf.sweep(at(1));
        assert_eq!([shelf.has("a", "1"), shelf.has("a", "2")], [true, false]);
        shelf.put("a", "1", 0, at(5));
        shelf.sweep(at(4));
        assert!(shelf.has("a", "1"), "put again, it ends later");
        shelf.sweep(at(5));
        assert_eq!(sizes(&shelf), [0; 4]);
    }
}
