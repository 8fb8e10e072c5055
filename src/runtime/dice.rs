//! Random numbers for balancing and jitter. Not for secrets.

use crate::types::mix::{self, GOLDEN};
use std::sync::atomic::{AtomicU64, Ordering};

/// SplitMix64: a counter through a mixing function, so threads share it without a lock.
#[derive(Debug)]
pub struct Dice(AtomicU64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    pub fn roll(&self) -> u64 {
        mix::mix(self.0.fetch_add(GOLDEN, Ordering::Relaxed))
    }
}
