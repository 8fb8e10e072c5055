//! The two clocks of the machine: a monotonic one for spans, a wall clock for dates.
//!
//! The only place where `Instant::now` and `SystemTime::now` are called; everything else is handed
//! a clock. Invariant: spans never come from the wall clock, which may jump.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::types::{Clock, Ticks};

/// Monotonic time since this clock was made. Make one per process: ticks of two clocks do not
/// compare.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

/// The date. For log lines and `Date`-like headers, never for deadlines.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock;

// === impl SystemClock ===

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for monotonic time")]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Ticks {
        Ticks::from_start(self.start.elapsed())
    }
}

// === impl WallClock ===

impl WallClock {
    /// The date, to the millisecond.
    pub fn now(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.unix_ms())
    }

    /// Milliseconds since 1970-01-01T00:00:00Z; zero on a machine whose clock is set before that.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the date")]
    pub fn unix_ms(self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_time_does_not_go_back() {
        let clock = SystemClock::new();
        let readings: Vec<Ticks> = (0..1000).map(|_| clock.now()).collect();
        assert!(readings.is_sorted());
        assert!(readings.last() > readings.first());
    }

    #[test]
    fn the_wall_clock_counts_milliseconds() {
        let year_2020_ms = 1_577_836_800_000;
        let year_2200_ms = 7_258_118_400_000;
        assert!((year_2020_ms..year_2200_ms).contains(&WallClock.unix_ms()));
    }
}
