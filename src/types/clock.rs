//! Time is passed in, so that every policy can be tested without waiting.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A monotonic instant: time since the clock was made. Only differences mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ticks(Duration);

impl Ticks {
    pub fn from_start(since_start: Duration) -> Self {
        Self(since_start)
    }

    pub fn since_start(self) -> Duration {
        self.0
    }

    /// Time from `earlier` to `self`; zero when `earlier` is later.
    pub fn since(self, earlier: Ticks) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    pub fn plus(self, span: Duration) -> Ticks {
        Ticks(self.0.saturating_add(span))
    }
}

/// Source of monotonic time. The real one is `telemetry`'s wall of `Instant`; tests use
/// [`ManualClock`].
pub trait Clock: Send + Sync {
    fn now(&self) -> Ticks;
}

/// A clock that moves only when told to.
#[derive(Debug, Default)]
pub struct ManualClock {
    nanos: AtomicU64,
}

impl ManualClock {
    pub fn advance(&self, span: Duration) {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Ticks {
        Ticks(Duration::from_nanos(self.nanos.load(Ordering::SeqCst)))
    }
}
