//! Which account made a stored response, so that later calls on it go there.
//!
//! Only in this process's memory, and bounded: each shard holds a young and an old generation; when
//! the young one is full the old one is dropped and they change places, so what was used lately stays.
//! An id is kept as a keyed 128-bit hash: its length costs nothing and nobody can aim for a collision.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

const SHARDS: usize = 16;

/// Where a response lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The provider's name: stable over reloads, unlike its index.
    pub provider: Arc<str>,
    /// Index into the provider's credentials.
    pub credential: usize,
    /// The key that made it. Compare it before serving: one account serves many keys, and an id is
    /// no proof of ownership.
    pub owner: Arc<str>,
}

/// Pins by response id.
#[derive(Debug)]
pub struct Pins {
    shards: [Mutex<Generations>; SHARDS],
    hashers: (RandomState, RandomState),
    per_generation: usize,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<u128, Pin>,
    old: HashMap<u128, Pin>,
}

impl Pins {
    /// Remembers at least the last `count` ids (spread evenly over shards), at most twice as many.
    pub fn new(count: usize) -> Self {
        Self {
            shards: Default::default(),
            hashers: (RandomState::new(), RandomState::new()),
            per_generation: count.div_ceil(SHARDS).max(1),
        }
    }

    pub fn insert(&self, response_id: &str, pin: Pin) {
        let hash = self.hash(response_id);
        self.with_shard(hash, |shard| shard.insert(hash, pin, self.per_generation));
    }

    pub fn get(&self, response_id: &str) -> Option<Pin> {
        let hash = self.hash(response_id);
        self.with_shard(hash, |shard| {
            if let Some(pin) = shard.young.get(&hash) {
                return Some(pin.clone());
            }
            let pin = shard.old.remove(&hash)?;
            shard.insert(hash, pin.clone(), self.per_generation);
            Some(pin)
        })?
    }

    pub fn remove(&self, response_id: &str) {
        let hash = self.hash(response_id);
        self.with_shard(hash, |shard| {
            shard.young.remove(&hash);
            shard.old.remove(&hash);
        });
    }

    fn hash(&self, response_id: &str) -> u128 {
        let (high, low) = (self.hashers.0.hash_one(response_id), self.hashers.1.hash_one(response_id));
        u128::from(high) << 64 | u128::from(low)
    }

    fn with_shard<T>(&self, hash: u128, work: impl FnOnce(&mut Generations) -> T) -> Option<T> {
        let shard = self.shards.get((hash >> 64) as usize % SHARDS)?;
        Some(work(&mut shard.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Generations {
    fn insert(&mut self, hash: u128, pin: Pin, count_max: usize) {
        if self.young.len() >= count_max && !self.young.contains_key(&hash) {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&hash);
        self.young.insert(hash, pin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(credential: usize) -> Pin {
        Pin { provider: "openai".into(), credential, owner: "ci".into() }
    }

    fn held(pins: &Pins) -> usize {
        pins.shards
            .iter()
            .map(|shard| {
                let shard = shard.lock().unwrap();
                shard.young.len() + shard.old.len()
            })
            .sum()
    }

    #[test]
    fn a_response_is_found_where_it_was_made_until_it_is_removed() {
        let pins = Pins::new(100);
        pins.insert("resp_1", pin(1));
        pins.insert("resp_2", pin(2));
        pins.insert("resp_2", pin(3));
        assert_eq!(
            (pins.get("resp_1"), pins.get("resp_2"), pins.get("resp_3")),
            (Some(pin(1)), Some(pin(3)), None)
        );
        pins.remove("resp_1");
        assert_eq!(pins.get("resp_1"), None);
    }

    #[test]
    fn memory_is_bounded_however_many_responses_there_are() {
        let pins = Pins::new(160);
        for serial in 0..20_000 {
            pins.insert(&format!("resp_{serial}"), pin(0));
            assert!(held(&pins) <= 320);
        }
        assert!(held(&pins) >= 160);
        assert_eq!(pins.get("resp_0"), None);
        assert!(pins.get("resp_19999").is_some());
    }

    #[test]
    fn what_is_used_stays_while_others_come_and_go() {
        let pins = Pins::new(160);
        pins.insert("resp_hot", pin(7));
        for serial in 0..20_000 {
            pins.insert(&format!("resp_{serial}"), pin(0));
            if serial % 10 == 0 {
                assert_eq!(pins.get("resp_hot"), Some(pin(7)), "after {serial}");
            }
        }
    }

    #[test]
    fn a_removed_response_does_not_come_back_from_the_old_generation() {
        let pins = Pins::new(1);
        pins.insert("resp_a", pin(1));
        let hash = pins.hash("resp_a");
        let is_old = || pins.shards.iter().any(|shard| shard.lock().unwrap().old.contains_key(&hash));
        for serial in (0..).take_while(|_| !is_old()) {
            pins.insert(&format!("resp_{serial}"), pin(0));
        }
        pins.remove("resp_a");
        assert_eq!(pins.get("resp_a"), None);
    }
}
