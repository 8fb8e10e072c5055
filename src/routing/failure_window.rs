//! Calls and failures of the last ten seconds, without a lock.
//!
//! Each second has one word: its number, its calls and its failures, changed together or not at
//! all. Counts are exact but for a second that is being replaced while it is summed.

use crate::types::Ticks;
use std::sync::atomic::{AtomicU64, Ordering};

const SECONDS: u64 = 10;
/// Bits of each count in a word; the rest numbers the second, and wraps after half a year.
const COUNT_BITS: u32 = 20;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
const SECOND_MAX: u64 = (1 << (64 - 2 * COUNT_BITS)) - 1;

#[derive(Debug, Default)]
pub(super) struct FailureWindow {
    words: [AtomicU64; SECONDS as usize],
}

/// What happened in the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) calls: u64,
    pub(super) failures: u64,
}

impl FailureWindow {
    pub(super) fn record(&self, is_failure: bool, now: Ticks) {
        let second = now.since_start().as_secs();
        let Some(word) = self.words.get((second % SECONDS) as usize) else { return };
        let mut seen = word.load(Ordering::Relaxed);
        loop {
            let (of, counts) = unpack(seen);
            let counts = if of == second & SECOND_MAX { counts } else { Counts::default() };
            let next = pack(
                second,
                Counts { calls: counts.calls + 1, failures: counts.failures + u64::from(is_failure) },
            );
            match word.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(other) => seen = other,
            }
        }
    }

    pub(super) fn counts(&self, now: Ticks) -> Counts {
        let second = now.since_start().as_secs() & SECOND_MAX;
        let words = self.words.iter().map(|word| unpack(word.load(Ordering::Relaxed)));
        words.filter(|(of, _)| second.wrapping_sub(*of) & SECOND_MAX < SECONDS).fold(
            Counts::default(),
            |sum, (_, counts)| Counts {
                calls: sum.calls + counts.calls,
                failures: sum.failures + counts.failures,
            },
        )
    }

    pub(super) fn clear(&self) {
        self.words.iter().for_each(|word| word.store(0, Ordering::Relaxed));
    }
}

fn pack(second: u64, counts: Counts) -> u64 {
    let (calls, failures) = (counts.calls.min(COUNT_MAX), counts.failures.min(COUNT_MAX));
    (second & SECOND_MAX) << (2 * COUNT_BITS) | calls << COUNT_BITS | failures
}

fn unpack(word: u64) -> (u64, Counts) {
    let counts = Counts { calls: word >> COUNT_BITS & COUNT_MAX, failures: word & COUNT_MAX };
    (word >> (2 * COUNT_BITS), counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64) -> Ticks {
        Ticks::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn ten_seconds_are_counted_and_no_more() {
        let window = FailureWindow::default();
        for second in 100..110 {
            window.record(second % 2 == 0, at(second));
        }
        assert_eq!(window.counts(at(109)), Counts { calls: 10, failures: 5 });
        assert_eq!(window.counts(at(112)), Counts { calls: 7, failures: 3 });
        assert_eq!(window.counts(at(200)), Counts::default());
        window.record(true, at(110));
        assert_eq!(window.counts(at(110)), Counts { calls: 10, failures: 5 });
    }

    #[test]
    fn a_full_count_stays_full_and_spoils_no_neighbour() {
        let window = FailureWindow::default();
        window.words[5].store(pack(5, Counts { calls: COUNT_MAX, failures: 3 }), Ordering::Relaxed);
        window.record(true, at(5));
        assert_eq!(window.counts(at(5)), Counts { calls: COUNT_MAX, failures: 4 });
    }

    #[test]
    fn threads_lose_no_call() {
        let window = FailureWindow::default();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let window = &window;
                scope.spawn(move || (0..1000).for_each(|_| window.record(thread == 0, at(7))));
            }
        });
        assert_eq!(window.counts(at(7)), Counts { calls: 4000, failures: 1000 });
    }

    #[test]
    fn clearing_forgets_everything() {
        let window = FailureWindow::default();
        window.record(true, at(7));
        window.clear();
        assert_eq!(window.counts(at(7)), Counts::default());
    }
}
