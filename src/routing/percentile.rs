//! When the first content of a stream is late: a percentile of what a model's calls took, learned.
//!
//! Buckets of a fifth more each, from one millisecond to eighteen minutes; older calls are forgotten by
//! halving all counts. Lock-free: counts that race are off by a few, which no percentile shows.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Four buckets to each doubling.
const BUCKETS: usize = 80;
/// Calls after which all counts are halved.
const COUNT_MAX: u32 = 4096;
/// Calls below which nothing is known.
const COUNT_MIN: u32 = 32;

/// What takes so many times the median is of a tail, however many there are.
const TAIL: u32 = 3;

/// How long calls took.
#[derive(Debug)]
pub struct Percentiles {
    counts: [AtomicU32; BUCKETS],
    total: AtomicU32,
}

impl Default for Percentiles {
    fn default() -> Self {
        Self { counts: std::array::from_fn(|_| AtomicU32::new(0)), total: AtomicU32::new(0) }
    }
}

impl Percentiles {
    pub fn note(&self, span: Duration) {
        let millis = span.as_secs_f64() * 1000.0;
        let bucket = (millis.max(1.0).log2() * 4.0) as usize;
        if let Some(count) = self.counts.get(bucket.min(BUCKETS - 1)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if self.total.fetch_add(1, Ordering::Relaxed) + 1 == COUNT_MAX {
            let halved = |count: &AtomicU32| {
                let half = count.load(Ordering::Relaxed) / 2;
                count.fetch_sub(half, Ordering::Relaxed);
                count.load(Ordering::Relaxed)
            };
            self.total.store(self.counts.iter().map(halved).sum(), Ordering::Relaxed);
        }
    }

    /// From when on a call is late: what `percent` of the calls did not take longer than, or three times
    /// their median where that is sooner, because a tail as large as the rest of the percentage would
    /// make itself the usual. None where too few calls are known.
    pub fn late(&self, percent: u8) -> Option<Duration> {
        Some(self.get(percent)?.min(self.get(50)? * TAIL))
    }

    /// What `percent` of the calls did not take longer than; None where too few are known.
    pub fn get(&self, percent: u8) -> Option<Duration> {
        let counts = self.counts.iter().map(|count| u64::from(count.load(Ordering::Relaxed)));
        let total: u64 = counts.clone().sum();
        if total < u64::from(COUNT_MIN) {
            return None;
        }
        let wanted = (total * u64::from(percent)).div_ceil(100);
        let mut seen = 0;
        let bucket = counts.into_iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        Some(Duration::from_secs_f64(((bucket + 1) as f64 / 4.0).exp2() / 1000.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_does_not_hide_behind_its_own_share() {
        let calls = Percentiles::default();
        for call in 0..1000 {
            calls.note(Duration::from_millis(if call % 18 == 0 { 1000 } else { 50 }));
        }
        assert!(calls.get(95).unwrap() > Duration::from_secs(1), "more than a twentieth is slow");
        let late = calls.late(95).unwrap();
        assert!((Duration::from_millis(150)..Duration::from_millis(180)).contains(&late), "{late:?}");
        assert_eq!(calls.late(50), calls.get(50));
    }

    #[test]
    fn a_percentile_is_a_fifth_above_the_truth_at_most_and_never_below() {
        let known = Percentiles::default();
        assert_eq!(known.get(95), None);
        for millis in 1..=1000 {
            known.note(Duration::from_millis(millis));
        }
        for percent in [50, 90, 95, 99] {
            let truth = f64::from(percent) * 10.0;
            let told = known.get(percent).unwrap().as_secs_f64() * 1000.0;
            assert!(told >= truth && told <= truth * 1.2, "{percent}: {told}");
        }
    }

    #[test]
    fn a_few_calls_are_not_enough_and_old_ones_are_forgotten() {
        let known = Percentiles::default();
        (0..COUNT_MIN - 1).for_each(|_| known.note(Duration::from_secs(60)));
        assert_eq!(known.get(50), None);
        (0..5000).for_each(|_| known.note(Duration::from_secs(60)));
        (0..20_000).for_each(|_| known.note(Duration::from_millis(10)));
        assert!(known.get(95).unwrap() < Duration::from_millis(13));
        assert!(known.total.load(Ordering::Relaxed) < COUNT_MAX);
    }

    #[test]
    fn the_ends_of_the_scale_hold_everything() {
        let known = Percentiles::default();
        (0..50).for_each(|_| known.note(Duration::ZERO));
        assert!(known.get(50).unwrap() <= Duration::from_millis(2));
        (0..500).for_each(|_| known.note(Duration::from_secs(100_000)));
        assert!(known.get(95).unwrap() > Duration::from_secs(600));
    }
}
