//! Histograms of time that cost a request two atomic adds, and a token none.
//!
//! Not the `prometheus` crate's own: that one keeps its sum as a float behind a compare-and-swap
//! loop, which spins when several cores observe at once. Invariant: the exported count is the sum
//! of the exported buckets, so a scrape in the middle of an observation is still a histogram.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus::proto;

/// Upper bounds in tenths of a microsecond, ascending. `+Inf` is implied.
pub type Bounds = &'static [u64];

/// The gaps between two content events of a stream.
pub const INTER_TOKEN: [u64; 13] = [
    ms(1),
    ms(2),
    ms(5),
    ms(10),
    ms(20),
    ms(35),
    ms(50),
    ms(75),
    ms(100),
    ms(200),
    ms(500),
    ms(1_000),
    ms(5_000),
];

/// Waiting for an upstream: its head, its first token.
pub const WAIT: Bounds = &[
    ms(5),
    ms(10),
    ms(25),
    ms(50),
    ms(100),
    ms(200),
    ms(400),
    ms(800),
    ms(1_500),
    ms(3_000),
    ms(6_000),
    ms(12_000),
    ms(30_000),
    ms(60_000),
    ms(120_000),
];

/// A whole request, from its head to the last byte of the answer.
pub const REQUEST: Bounds = &[
    ms(1),
    ms(5),
    ms(25),
    ms(100),
    ms(250),
    ms(500),
    ms(1_000),
    ms(2_500),
    ms(5_000),
    ms(10_000),
    ms(20_000),
    ms(40_000),
    ms(80_000),
    ms(160_000),
    ms(320_000),
    ms(640_000),
];

/// The gateway's own share of a request.
pub const OVERHEAD: Bounds = &[
    us(10),
    us(20),
    us(30),
    us(50),
    us(75),
    us(100),
    us(200),
    us(500),
    ms(1),
    ms(2),
    ms(5),
    ms(10),
    ms(50),
    ms(250),
];

const TENTHS_PER_SECOND: u64 = 10_000_000;

/// Counts of one time series, shared by all threads.
#[derive(Debug)]
pub struct AtomicHistogram {
    bounds: Bounds,
    /// One cell per bound and one for `+Inf`; not cumulative.
    cells: Box<[AtomicU64]>,
    /// Tenths of a microsecond: 58,000 years before it wraps.
    sum: AtomicU64,
}

/// The inter-token gaps of one stream, kept with the stream and flushed once at its end: a token
/// costs a few instructions and no shared cache line. 64 bytes.
#[derive(Clone, Debug, Default)]
pub struct LocalHistogram {
    cells: [u32; INTER_TOKEN.len() + 1],
    sum: u64,
}

const fn us(n: u64) -> u64 {
    n * 10
}

const fn ms(n: u64) -> u64 {
    n * 10_000
}

/// A span in tenths of a microsecond, rounded to the nearest, saturating.
fn tenths(span: Duration) -> u64 {
    let below = u64::from(span.subsec_nanos() + 50) / 100;
    span.as_secs().saturating_mul(TENTHS_PER_SECOND).saturating_add(below)
}

/// The cell of `value`: how many bounds lie below it. Counting all of them has no branch to
/// mispredict, and there are at most sixteen.
fn cell_of(bounds: &[u64], value: u64) -> usize {
    bounds.iter().map(|bound| usize::from(value > *bound)).sum()
}

// === impl AtomicHistogram ===

impl AtomicHistogram {
    pub fn new(bounds: Bounds) -> Self {
        let cells = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, cells, sum: AtomicU64::new(0) }
    }

    /// Counts one span.
    pub fn observe(&self, span: Duration) {
        let value = tenths(span);
        if let Some(cell) = self.cells.get(cell_of(self.bounds, value)) {
            cell.fetch_add(1, Ordering::Relaxed);
            self.sum.fetch_add(value, Ordering::Relaxed);
        }
    }

    /// Spans counted so far.
    pub fn count(&self) -> u64 {
        self.cells.iter().map(|cell| cell.load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
    }

    /// The sample as the exposition wants it: cumulative buckets, seconds.
    pub(super) fn to_proto(&self) -> proto::Histogram {
        let mut seen = 0_u64;
        let mut buckets = Vec::with_capacity(self.bounds.len());
        let mut cells = self.cells.iter();
        for (bound, cell) in self.bounds.iter().zip(cells.by_ref()) {
            seen = seen.wrapping_add(cell.load(Ordering::Relaxed));
            let mut bucket = proto::Bucket::default();
            bucket.set_upper_bound(seconds(*bound));
            bucket.set_cumulative_count(seen);
            buckets.push(bucket);
        }
        let beyond = cells.next().map_or(0, |cell| cell.load(Ordering::Relaxed));
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(buckets);
        histogram.set_sample_count(seen.wrapping_add(beyond));
        histogram.set_sample_sum(seconds(self.sum.load(Ordering::Relaxed)));
        histogram
    }
}

/// Tenths of a microsecond as seconds. Exact far beyond any span we see.
fn seconds(tenths: u64) -> f64 {
    tenths as f64 / TENTHS_PER_SECOND as f64
}

// === impl LocalHistogram ===

impl LocalHistogram {
    /// Counts one gap.
    pub fn observe(&mut self, span: Duration) {
        let value = tenths(span);
        if let Some(cell) = self.cells.get_mut(cell_of(&INTER_TOKEN, value)) {
            *cell = cell.saturating_add(1);
            self.sum = self.sum.saturating_add(value);
        }
    }

    /// Adds what was counted to `shared` and starts again from nothing. `shared` must have the
    /// [`INTER_TOKEN`] bounds; with others, nothing is added.
    pub fn flush_into(&mut self, shared: &AtomicHistogram) {
        let taken = std::mem::take(self);
        if shared.bounds != INTER_TOKEN {
            return;
        }
        for (cell, count) in shared.cells.iter().zip(taken.cells) {
            if count > 0 {
                cell.fetch_add(u64::from(count), Ordering::Relaxed);
            }
        }
        if taken.sum > 0 {
            shared.sum.fetch_add(taken.sum, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_of_bounds_ascends() {
        for bounds in [&INTER_TOKEN[..], WAIT, REQUEST, OVERHEAD] {
            assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }

    #[test]
    fn a_span_falls_into_the_first_bucket_that_holds_it() {
        let histogram = AtomicHistogram::new(OVERHEAD);
        for micros in [0, 10, 11, 300_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let sample = histogram.to_proto();
        let cumulative: Vec<u64> = sample.get_bucket().iter().map(|b| b.cumulative_count()).collect();
        assert_eq!(cumulative[..3], [2, 3, 3], "bounds are inclusive");
        assert_eq!(cumulative.last(), Some(&3), "the last finite bound leaves 300 ms out");
        assert_eq!(sample.get_sample_count(), 4);
        assert!((sample.get_sample_sum() - 0.300_021).abs() < 1e-9);
        assert!((sample.get_bucket()[0].upper_bound() - 10e-6).abs() < 1e-15);
    }

    #[test]
    fn a_flushed_stream_counts_as_if_observed_one_by_one() {
        let (direct, flushed) = (AtomicHistogram::new(&INTER_TOKEN), AtomicHistogram::new(&INTER_TOKEN));
        let mut local = LocalHistogram::default();
        for n in 0..5_000_u64 {
            let gap = Duration::from_micros(n * n % 7_000_000);
            direct.observe(gap);
            local.observe(gap);
        }
        local.flush_into(&flushed);
        local.flush_into(&flushed);
        assert_eq!(direct.to_proto(), flushed.to_proto(), "a second flush adds nothing");
        assert_eq!(flushed.count(), 5_000);
    }

    #[test]
    fn a_flush_into_other_bounds_adds_nothing_rather_than_something_false() {
        let other = AtomicHistogram::new(WAIT);
        let mut local = LocalHistogram::default();
        local.observe(Duration::from_millis(3));
        local.flush_into(&other);
        assert_eq!(other.count(), 0);
    }

    #[test]
    fn the_histogram_of_a_stream_is_one_cache_line() {
        assert_eq!(size_of::<LocalHistogram>(), 64);
    }

    #[test]
    fn absurd_spans_saturate() {
        let mut local = LocalHistogram::default();
        local.observe(Duration::MAX);
        local.observe(Duration::MAX);
        assert_eq!((local.cells[13], local.sum), (2, u64::MAX));
    }
}
