//! A histogram of durations: fixed memory, quantiles within one percent.

/// Steps within each power of two.
const STEPS_LOG2: u32 = 7;
const STEPS: u64 = 1 << STEPS_LOG2;
/// Durations from 2^40 ns (18 minutes) count as that.
const BUCKETS: usize = ((40 - STEPS_LOG2 as usize) + 1) << STEPS_LOG2;

/// Durations in nanoseconds.
#[derive(Debug)]
pub struct Samples {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Default for Samples {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, max: 0 }
    }
}

impl Samples {
    pub fn add(&mut self, nanos: u64) {
        if let Some(count) = self.counts.get_mut(bucket(nanos).min(BUCKETS - 1)) {
            *count += 1;
        }
        self.total += 1;
        self.max = self.max.max(nanos);
    }

    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn max_us(&self) -> f64 {
        micros(self.max)
    }

    /// The duration that the share `q` of all samples do not exceed, in microseconds; 0 without any.
    pub fn quantile_us(&self, q: f64) -> f64 {
        let wanted = (q * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return micros(upper(index).min(self.max));
            }
        }
        0.0
    }
}

/// Below `STEPS`, one bucket a nanosecond; above, `STEPS` buckets a power of two.
fn bucket(nanos: u64) -> usize {
    let power = nanos.max(1).ilog2();
    if power < STEPS_LOG2 {
        return nanos as usize;
    }
    let shift = power - STEPS_LOG2;
    (((u64::from(shift) + 1) << STEPS_LOG2) + ((nanos >> shift) & (STEPS - 1))) as usize
}

/// The largest duration of a bucket.
fn upper(index: usize) -> u64 {
    let index = index as u64;
    if index < STEPS {
        return index;
    }
    let shift = (index >> STEPS_LOG2) - 1;
    (((STEPS + (index & (STEPS - 1))) + 1) << shift) - 1
}

/// Rounded to a tenth: more digits would be noise.
fn micros(nanos: u64) -> f64 {
    (nanos as f64 / 100.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_its_durations_within_one_percent() {
        for nanos in (0..2_000_000).step_by(37).chain([1 << 30, (1 << 39) + 12_345]) {
            let top = upper(bucket(nanos));
            assert!(top >= nanos && top - nanos <= nanos / 100, "{nanos} {top}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_samples() {
        let mut samples = Samples::default();
        let mut other = Samples::default();
        for micro in 1..=1000u64 {
            if micro % 2 == 0 { &mut samples } else { &mut other }.add(micro * 1000);
        }
        samples.merge(&other);
        assert_eq!((samples.total(), samples.max_us()), (1000, 1000.0));
        for (q, expected) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = samples.quantile_us(q);
            assert!((found - expected).abs() <= expected / 100.0, "{q}: {found}");
        }
        assert_eq!(Samples::default().quantile_us(0.5), 0.0);
    }

    #[test]
    fn a_very_long_duration_counts_in_the_last_bucket() {
        let mut samples = Samples::default();
        samples.add(u64::MAX);
        assert_eq!(samples.total(), 1);
        assert!(samples.quantile_us(0.5) > 1e6);
    }
}
