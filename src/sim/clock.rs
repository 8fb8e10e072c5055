//! The simulator's time: wall seconds for `created` fields, and the raw monotonic clock for stamps
//! that another process can compare with its own.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall and monotonic time, both taken once and then moved on by one `Instant`.
#[derive(Debug)]
pub struct SimClock {
    started: Instant,
    wall: SystemTime,
    monotonic_ns: u64,
}

impl SimClock {
    #[expect(clippy::disallowed_methods, reason = "the simulator waits and stamps in real time; only here")]
    pub fn new() -> Self {
        let started = Instant::now();
        Self { started, wall: SystemTime::now(), monotonic_ns: raw_nanos(started).unwrap_or(0) }
    }

    /// Seconds since 1970.
    pub fn unix_secs(&self) -> u64 {
        self.wall_now().duration_since(UNIX_EPOCH).map_or(0, |span| span.as_secs())
    }

    /// `CLOCK_MONOTONIC` in nanoseconds, as every other process of the machine reads it (Linux).
    /// Seconds since 1970, with a fraction that tells two starts apart.
    pub fn started(&self) -> f64 {
        self.unix_secs() as f64 + (self.monotonic_ns() % 1_000_000_000) as f64 / 1e9
    }

    pub fn monotonic_ns(&self) -> u64 {
        let passed = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.monotonic_ns.saturating_add(passed)
    }

    /// An HTTP date `ahead` from now.
    pub fn http_date(&self, ahead: Duration) -> String {
        httpdate::fmt_http_date(self.wall_now() + ahead)
    }

    fn wall_now(&self) -> SystemTime {
        self.wall + self.started.elapsed()
    }
}

impl Default for SimClock {
    fn default() -> Self {
        Self::new()
    }
}

/// The clock reading inside an `Instant`. The standard library shows it only in `Debug` output, and
/// asking the system directly needs unsafe code; so it is read from there, once a process. Elsewhere
/// than on Linux the form differs and stamps count from the start.
fn raw_nanos(instant: Instant) -> Option<u64> {
    let shown = format!("{instant:?}");
    let secs: u64 = number_after(&shown, "tv_sec: ")?;
    let nanos: u64 = number_after(&shown, "tv_nsec: ")?;
    secs.checked_mul(1_000_000_000)?.checked_add(nanos)
}

fn number_after(shown: &str, label: &str) -> Option<u64> {
    let (_, rest) = shown.split_once(label)?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn two_clocks_agree_on_the_monotonic_time() {
        let first = SimClock::new();
        let second = SimClock::new();
        let (a, b, c) = (first.monotonic_ns(), second.monotonic_ns(), first.monotonic_ns());
        assert!(a > 0 && a <= b && b <= c, "{a} {b} {c}");
    }
}
