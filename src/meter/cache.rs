//! Remembers what a message weighs, so that a growing conversation costs only its new turn.
//!
//! Not a store of texts: a key is 128 bits of two keyed hashes over the raw JSON of one message.
//! Invariant: at most `entries` weights are kept; a message unused for two generations is forgotten.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Mutex, PoisonError};

use super::weight::Weight;

const SHARDS: usize = 16;

/// A keyed hash of what was weighed. Equal keys mean equal input: a client can't aim at a collision
/// without the process's random seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct MessageKey(u64, u64);

/// Two generations of weights: when the young one is full it becomes the old one.
#[derive(Default)]
struct Generations {
    young: HashMap<MessageKey, Weight>,
    old: HashMap<MessageKey, Weight>,
}

/// Bounded, shared by all workers.
pub(super) struct MessageCache {
    shards: Vec<Mutex<Generations>>,
    seeds: (RandomState, RandomState),
    per_generation: usize,
}

impl MessageCache {
    /// Keeps at most `entries` weights (rounded down to the shards; 0 keeps none).
    pub(super) fn new(entries: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            seeds: (RandomState::new(), RandomState::new()),
            per_generation: entries / SHARDS / 2,
        }
    }

    /// The key of raw message bytes weighed under the rules that `kind` stands for.
    pub(super) fn key(&self, kind: impl Hash, raw: &str) -> MessageKey {
        let hash = |state: &RandomState| {
            let mut hasher = state.build_hasher();
            kind.hash(&mut hasher);
            hasher.write(raw.as_bytes());
            hasher.finish()
        };
        MessageKey(hash(&self.seeds.0), hash(&self.seeds.1))
    }

    pub(super) fn get(&self, key: MessageKey) -> Option<Weight> {
        let mut shard = self.shard(key)?.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(weight) = shard.young.get(&key) {
            return Some(*weight);
        }
        let weight = shard.old.remove(&key)?;
        shard.insert(key, weight, self.per_generation);
        Some(weight)
    }

    pub(super) fn insert(&self, key: MessageKey, weight: Weight) {
        if let Some(shard) = self.shard(key) {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.insert(key, weight, self.per_generation);
        }
    }

    fn shard(&self, key: MessageKey) -> Option<&Mutex<Generations>> {
        self.shards.get(key.0 as usize % SHARDS)
    }
}

impl Generations {
    fn insert(&mut self, key: MessageKey, weight: Weight, per_generation: usize) {
        if self.young.len() >= per_generation {
            self.old = std::mem::take(&mut self.young);
        }
        if per_generation > 0 {
            self.young.insert(key, weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(text: u64) -> Weight {
        Weight { text, ..Weight::default() }
    }

    fn kept(cache: &MessageCache) -> usize {
        let count = |shard: &Mutex<Generations>| {
            let shard = shard.lock().unwrap();
            shard.young.len() + shard.old.len()
        };
        cache.shards.iter().map(count).sum()
    }

    #[test]
    fn the_same_bytes_are_found_and_other_rules_or_bytes_are_not() {
        let cache = MessageCache::new(1024);
        cache.insert(cache.key(1, "{}"), weight(7));
        assert_eq!(cache.get(cache.key(1, "{}")), Some(weight(7)));
        assert_eq!(cache.get(cache.key(2, "{}")), None);
        assert_eq!(cache.get(cache.key(1, "{ }")), None);
    }

    #[test]
    fn it_never_grows_past_its_bound_and_keeps_what_is_used() {
        let cache = MessageCache::new(320);
        let hot = cache.key(0, "hot");
        cache.insert(hot, weight(1));
        for n in 0..10_000u64 {
            cache.insert(cache.key(0, &n.to_string()), weight(n));
            assert_eq!(cache.get(hot), Some(weight(1)), "{n}");
        }
        assert!(kept(&cache) <= 320);
    }

    #[test]
    fn a_cache_of_no_entries_keeps_nothing() {
        let cache = MessageCache::new(0);
        cache.insert(cache.key(0, "x"), weight(1));
        assert_eq!((cache.get(cache.key(0, "x")), kept(&cache)), (None, 0));
    }
}
