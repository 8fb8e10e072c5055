//! Numbers that fade, one word each, changed by many threads without a lock.
//!
//! A word holds two halves of 32 bits that change together or not at all. Stamps are milliseconds of
//! [`Ticks`] and wrap after seven weeks, which only makes an old number count as fresh once more.

use crate::types::Ticks;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How fast a time that was measured is forgotten while nobody measures it again: after this, it counts
/// for a third. So that a slow target is tried again.
const FADE: Duration = Duration::from_secs(10);
/// Share of one more sample in an average that is not about time.
const STEP: f32 = 0.1;

/// Two halves of one word.
#[derive(Debug, Default)]
pub(super) struct Pair(AtomicU64);

impl Pair {
    pub(super) fn get(&self) -> (u32, u32) {
        split(self.0.load(Ordering::Relaxed))
    }

    pub(super) fn set(&self, first: u32, second: u32) {
        self.0.store(join(first, second), Ordering::Relaxed);
    }

    /// Replaces both halves by what `next` makes of them.
    pub(super) fn update(&self, next: impl Fn(u32, u32) -> (u32, u32)) {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            let (first, second) = split(seen);
            let (first, second) = next(first, second);
            match self.0.compare_exchange_weak(
                seen,
                join(first, second),
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(other) => seen = other,
            }
        }
    }
}

/// A time as it was lately: a longer one counts at once and whole, shorter ones by and by (peak-EWMA,
/// as in Finagle and linkerd).
#[derive(Debug, Default)]
pub(super) struct PeakTime(Pair);

impl PeakTime {
    pub(super) fn note(&self, span: Duration, now: Ticks) {
        let (sample, at) = (span.as_secs_f32(), stamp(now));
        self.0.update(|held, since| {
            let held = if since == 0 { 0.0 } else { f32::from_bits(held) };
            let next = match held {
                _ if sample >= held => sample,
                held => {
                    let kept = kept(since, at);
                    held * kept + sample * (1.0 - kept)
                }
            };
            (next.to_bits(), at)
        });
    }

    /// What it is worth now, in seconds; None where nothing was ever measured.
    pub(super) fn get(&self, now: Ticks) -> Option<f32> {
        let (held, since) = self.0.get();
        (since != 0).then(|| f32::from_bits(held) * kept(since, stamp(now)))
    }
}

/// How often something happens, 0 to 1: the last ten times or so, forgotten like a time.
#[derive(Debug, Default)]
pub(super) struct Share(Pair);

impl Share {
    pub(super) fn note(&self, is_so: bool, now: Ticks) {
        let (value, _) = self.0.get();
        // The usual success of a target that never fails must not take the word from other threads.
        if value == 0 && !is_so {
            return;
        }
        let at = stamp(now);
        self.0.update(|held, since| {
            let held = f32::from_bits(held) * kept(since, at);
            let next = held + STEP * (f32::from(u8::from(is_so)) - held);
            (if next < 0.001 { 0 } else { next.to_bits() }, at)
        });
    }

    pub(super) fn get(&self, now: Ticks) -> f32 {
        match self.0.get() {
            (0, _) => 0.0,
            (held, since) => f32::from_bits(held) * kept(since, stamp(now)),
        }
    }
}

/// Two averages over calls.
#[derive(Debug, Default)]
pub(super) struct Averages(Pair);

impl Averages {
    pub(super) fn note(&self, first: f32, second: f32) {
        self.0.update(|a, b| {
            if (a, b) == (0, 0) {
                // Never a word of zeros again: that is one that nobody wrote.
                return (first.max(f32::MIN_POSITIVE).to_bits(), second.to_bits());
            }
            let (a, b) = (f32::from_bits(a), f32::from_bits(b));
            ((a + STEP * (first - a)).max(f32::MIN_POSITIVE).to_bits(), (b + STEP * (second - b)).to_bits())
        });
    }

    pub(super) fn get(&self) -> Option<(f32, f32)> {
        match self.0.get() {
            (0, 0) => None,
            (first, second) => Some((f32::from_bits(first), f32::from_bits(second))),
        }
    }
}

/// Milliseconds, never 0.
pub(super) fn stamp(now: Ticks) -> u32 {
    (now.since_start().as_millis() as u32).max(1)
}

/// What is left of a value since `since`.
fn kept(since: u32, now: u32) -> f32 {
    // A moment a little before the stamp, by another thread, is now.
    let passed = now.wrapping_sub(since);
    let passed = if passed > u32::MAX / 2 { 0 } else { passed };
    (-(passed as f32) / FADE.as_millis() as f32).exp()
}

fn join(first: u32, second: u32) -> u64 {
    u64::from(first) << 32 | u64::from(second)
}

fn split(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Ticks {
        Ticks::from_start(Duration::from_millis(millis))
    }

    #[test]
    fn a_peak_counts_at_once_and_good_times_only_by_and_by() {
        let time = PeakTime::default();
        assert_eq!(time.get(at(0)), None);
        time.note(Duration::from_millis(100), at(0));
        time.note(Duration::from_millis(900), at(100));
        assert_eq!(time.get(at(100)), Some(0.9));
        time.note(Duration::from_millis(100), at(1100));
        let after = time.get(at(1100)).unwrap();
        assert!((after - (0.9 * 0.905 + 0.1 * 0.095)).abs() < 0.001, "{after}");
    }

    #[test]
    fn what_nobody_measures_is_forgotten() {
        let time = PeakTime::default();
        time.note(Duration::from_secs(9), at(1));
        assert!(time.get(at(10_001)).unwrap() < 3.32);
        assert!(time.get(at(60_001)).unwrap() < 0.03);
        // A reader that is a little behind reads the value as it was written.
        assert_eq!(time.get(at(0)), Some(9.0));
    }

    #[test]
    fn a_share_rises_with_what_is_so_and_falls_to_nothing() {
        let share = Share::default();
        share.note(false, at(1));
        assert_eq!(share.get(at(1)), 0.0);
        for _ in 0..50 {
            share.note(true, at(1));
        }
        assert!(share.get(at(1)) > 0.99);
        for _ in 0..100 {
            share.note(false, at(1));
        }
        assert_eq!(share.get(at(1)), 0.0);
    }

    #[test]
    fn averages_start_at_the_first_and_follow() {
        let averages = Averages::default();
        assert_eq!(averages.get(), None);
        averages.note(0.0, 0.0);
        assert!(averages.get().is_some());
        for _ in 0..100 {
            averages.note(0.8, 500.0);
        }
        let (hit, output) = averages.get().unwrap();
        assert!((hit - 0.8).abs() < 0.01 && (output - 500.0).abs() < 1.0, "{hit} {output}");
    }

    #[test]
    fn threads_lose_no_update() {
        let pair = Pair::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| pair.update(|a, b| (a + 1, b + 2))));
            }
        });
        assert_eq!(pair.get(), (4000, 8000));
    }
}
