//! The same inputs at every run, for a verdict that depends on the change alone.
//!
//! An engine's own seed replays one input; here a seed stands for all of them. How far a run gets depends
//! on the time it has: a longer run reads what a shorter one read, and more.

#![expect(clippy::disallowed_methods, reason = "an engine has a real clock, and is told by its environment")]

use crate::input::MOMENT;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};
use tidegate::types::mix;

pub struct Sequence(u64);

impl Sequence {
    /// The one that `TIDEGATE_FUZZ_SEED` names.
    pub fn wanted() -> Option<Self> {
        let seed = std::env::var("TIDEGATE_FUZZ_SEED").ok()?;
        Some(Self(seed.parse().expect("TIDEGATE_FUZZ_SEED is a number")))
    }

    /// Gives `target` inputs of up to `max` bytes for the time that an engine would have.
    pub fn run(&self, max: usize, mut target: impl FnMut(&[u8])) {
        let told = std::env::var("BOLERO_RANDOM_TEST_TIME_MS").ok().and_then(|told| told.parse().ok());
        let time = told.map_or(MOMENT, Duration::from_millis);
        let start = Instant::now();
        let mut ran = 0;
        while start.elapsed() < time {
            let input = self.input(ran, max);
            let ended = catch_unwind(AssertUnwindSafe(|| target(&input)));
            ran += 1;
            if let Err(panic) = ended {
                self.tell(ran, &input);
                resume_unwind(panic as Box<dyn Any + Send>);
            }
        }
        // As the engine says it, for scripts/fuzz.
        println!("rng inputs: {ran}");
    }

    fn input(&self, number: u64, max: usize) -> Vec<u8> {
        let mut state = mix(self.0 ^ mix(number + 1));
        let mut next = || {
            state = state.wrapping_add(mix::GOLDEN);
            mix(state)
        };
        let len = (next() % (max as u64 + 1)) as usize;
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend_from_slice(&next().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }

    fn tell(&self, number: u64, input: &[u8]) {
        eprintln!("input {number} of TIDEGATE_FUZZ_SEED={}, {} bytes: {input:02x?}", self.0, input.len());
    }
}
