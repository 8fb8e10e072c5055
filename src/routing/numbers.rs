//! Well-mixed numbers from one seed (the SplitMix64 sequence), so that even a counter is a good seed.
//!
//! Not a source of chance: the seed comes from the caller. Invariant: the same seed gives the same
//! numbers.

use crate::types::mix;
use crate::types::mix::GOLDEN;

pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, below `bound`; 0 for a bound of 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        ((u128::from(mix(self.0)) * u128::from(bound)) >> 64) as u64
    }
}
