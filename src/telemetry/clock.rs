//! The two clocks of the machine: a monotonic one for spans, a wall clock for dates.
//!
//! The only place where `Instant::now` and `SystemTime::now` are called; everything else is handed
//! a clock. Invariant: spans never come from the wall clock, which may jump.

use std::cell::RefCell;
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

thread_local! {
    /// The second last asked for, and its date: an answer costs no formatting.
    static DATE: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
}

// === impl SystemClock ===

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for monotonic time")]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl SystemClock {
    /// The machine's own form of a reading, for timers: no second reading is needed to set one.
    pub fn instant(self, at: Ticks) -> Instant {
        // Thirty years stand for ever.
        let span = at.since_start().min(Duration::from_secs(30 * 365 * 86_400));
        self.start + span
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

    /// Hands `with` the value of a `date` field (RFC 9110 §5.6.7).
    pub fn http_date<T>(self, with: impl FnOnce(&str) -> T) -> T {
        let seconds = self.unix_ms() / 1000;
        DATE.with_borrow_mut(|(known, text)| {
            if *known != seconds || text.is_empty() {
                *text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
                *known = seconds;
            }
            with(text)
        })
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
    fn the_date_of_an_answer_is_now() {
        let read = WallClock.http_date(|text| httpdate::parse_http_date(text).unwrap());
        let now = WallClock.now();
        let apart = now.duration_since(read).unwrap_or_default();
        assert!(apart < Duration::from_secs(10), "{apart:?}");
        assert_eq!(WallClock.http_date(str::len), "Sun, 06 Nov 1994 08:49:37 GMT".len());
    }

    #[test]
    fn the_wall_clock_counts_milliseconds() {
        let year_2020_ms = 1_577_836_800_000;
        let year_2200_ms = 7_258_118_400_000;
        assert!((year_2020_ms..year_2200_ms).contains(&WallClock.unix_ms()));
    }
}
