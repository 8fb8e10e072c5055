//! The health of one target or one credential.
//!
//! Closed: calls go through and are counted. Cooling: none goes through until a moment that only
//! ever moves later. After a cooling for failures it is half open: one call in each probe span goes
//! through, until one succeeds. After a cooling for a stated time (429) it is closed at once: the
//! upstream has said that it is ready then, and one long call must not hold up all others.
//! Lock-free; threads that race see one of the two orders, never a cooling made shorter.

use super::TargetState;
use super::failure_window::FailureWindow;
use super::numbers::Numbers;
use crate::types::Ticks;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Doublings after which every cooling is `max` anyway.
const STRIKES_MAX: u32 = 16;
/// The least share of a target that is back.
const COLDEST: f32 = 0.1;

/// When something cools and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CooldownRules {
    /// The first cooling; doubled with each that follows before it was well for `well_after`.
    pub base: Duration,
    /// The longest before `jitter_percent`, whatever an upstream asks for.
    pub max: Duration,
    /// Failures in a row that cool.
    pub consecutive_max: u32,
    /// Calls in ten seconds below which a share says nothing.
    pub calls_min: u64,
    /// The share of failures among them that cools, in percent.
    pub failures_percent: u64,
    /// How often one call is let through to see whether a target is back.
    pub probe_every: Duration,
    /// Success so long after a cooling ended forgets it.
    pub well_after: Duration,
    /// How long after an outage a target takes less than its share.
    pub slow_start: Duration,
    /// How much longer a cooling may be, at random and on top of everything else, in percent: so
    /// that many nodes which saw one failure together do not come back together.
    pub jitter_percent: u32,
}

impl Default for CooldownRules {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl CooldownRules {
    pub const DEFAULT: Self = Self {
        base: Duration::from_secs(1),
        max: Duration::from_secs(60),
        consecutive_max: 5,
        calls_min: 20,
        failures_percent: 50,
        probe_every: Duration::from_secs(5),
        well_after: Duration::from_secs(10),
        slow_start: Duration::from_secs(10),
        jitter_percent: 10,
    };

    /// `span` and up to `jitter_percent` more, never less. `random`: any number.
    pub(super) fn spread(&self, span: Duration, random: u64) -> Duration {
        let most = span.saturating_mul(self.jitter_percent) / 100;
        let most = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        span.saturating_add(Duration::from_nanos(Numbers::new(random).below(most)))
    }
}

/// Moments are nanoseconds of [`Ticks`].
#[derive(Debug, Default)]
pub(super) struct Cell {
    /// End of the last cooling; zero when there was none.
    until: AtomicU64,
    /// Half open as soon as the cooling ends.
    needs_probe: AtomicBool,
    /// Until when a probe is under way.
    probe_until: AtomicU64,
    /// When a probe last went well; zero when there was none.
    well_since: AtomicU64,
    /// Coolings for failures since it was last well.
    strikes: AtomicU32,
    consecutive: AtomicU32,
    window: FailureWindow,
}

impl Cell {
    /// Whether a call would go through, changing nothing.
    pub(super) fn state(&self, now: Ticks) -> TargetState {
        let (now, until) = (nanos(now), self.until.load(Ordering::Acquire));
        if now < until {
            return cooling(until);
        }
        let probe_until = self.probe_until.load(Ordering::Acquire);
        if self.needs_probe.load(Ordering::Acquire) && now < probe_until {
            return cooling(probe_until);
        }
        TargetState::Ready
    }

    /// Whether it cools, or is half open, for failures: nobody has said how long.
    pub(super) fn is_failing(&self) -> bool {
        self.needs_probe.load(Ordering::Acquire)
    }

    /// 1, or how much of its share it takes so soon after an outage: a tenth at first.
    pub(super) fn warmth(&self, now: Ticks, rules: &CooldownRules) -> f32 {
        let since = self.well_since.load(Ordering::Relaxed);
        if since == 0 || rules.slow_start.is_zero() {
            return 1.0;
        }
        let passed = now.since(ticks(since));
        if passed >= rules.slow_start {
            return 1.0;
        }
        (passed.as_secs_f32() / rules.slow_start.as_secs_f32()).max(COLDEST)
    }

    /// Warms up from now on, as after an outage.
    pub(super) fn warm_up(&self, now: Ticks) {
        self.well_since.store(nanos(now).max(1), Ordering::Relaxed);
    }

    /// As [`Cell::state`], and when half open, `Ready` is for this caller alone.
    pub(super) fn claim(&self, now: Ticks, rules: &CooldownRules) -> TargetState {
        let state = self.state(now);
        if !state.is_ready() || !self.needs_probe.load(Ordering::Acquire) {
            return state;
        }
        let seen = self.probe_until.load(Ordering::Acquire);
        let until = nanos(now.plus(rules.probe_every));
        if seen > nanos(now) {
            return cooling(seen);
        }
        match self.probe_until.compare_exchange(seen, until, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => TargetState::Ready,
            Err(other) => cooling(other.max(seen)),
        }
    }

    /// A call went well. Ends a half-open state, never a cooling: the call may be an old one.
    pub(super) fn succeed(&self, now: Ticks, rules: &CooldownRules) {
        self.window.record(false, now);
        // Read first: the usual success must not take the cache line from other threads.
        if self.consecutive.load(Ordering::Relaxed) != 0 {
            self.consecutive.store(0, Ordering::Relaxed);
        }
        let until = self.until.load(Ordering::Acquire);
        if until == 0 || nanos(now) < until {
            return;
        }
        if self.needs_probe.load(Ordering::Acquire) {
            self.needs_probe.store(false, Ordering::Release);
            self.warm_up(now);
        }
        let is_well = now.since(ticks(until)) >= rules.well_after;
        if is_well && self.strikes.load(Ordering::Relaxed) != 0 {
            self.strikes.store(0, Ordering::Relaxed);
        }
    }

    /// A call that began at `started` failed in a way that is the target's fault.
    pub(super) fn fail(&self, started: Ticks, now: Ticks, rules: &CooldownRules, random: u64) {
        // A call from before the last cooling's end is part of what that was for. Slow timeouts would
        // otherwise cool a target again after it has come back.
        let until = self.until.load(Ordering::Acquire);
        if nanos(started) < until {
            return;
        }
        self.window.record(true, now);
        let consecutive = self.consecutive.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let counts = self.window.counts(now);
        let is_bad_share =
            counts.calls >= rules.calls_min && counts.failures * 100 >= counts.calls * rules.failures_percent;
        let is_half_open = self.needs_probe.load(Ordering::Acquire);
        if !is_half_open && !is_bad_share && consecutive < rules.consecutive_max {
            return;
        }
        let strikes = self.strikes.load(Ordering::Relaxed).min(STRIKES_MAX);
        let span = rules.base.saturating_mul(1 << strikes).min(rules.max);
        // Of several failures that all come to this point, one cools. None can shorten a cooling:
        // the one that was seen had ended.
        let next = nanos(now.plus(rules.spread(span, random)));
        if self.until.compare_exchange(until, next, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return;
        }
        self.strikes.store(strikes + 1, Ordering::Relaxed);
        self.hold_for_probe();
    }

    /// A call that began at `started` came to nothing that says how the target is. If it was the one that
    /// was let through to see, the next one is.
    pub(super) fn let_go(&self, started: Ticks, rules: &CooldownRules) {
        let until = nanos(started.plus(rules.probe_every));
        // Of another one's probe the end is another moment.
        let _ = self.probe_until.compare_exchange(until, 0, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Cools for a stated time. It is ready again afterwards, or half open when `with_probe`.
    pub(super) fn cool_for(&self, span: Duration, now: Ticks, with_probe: bool) {
        self.until.fetch_max(nanos(now.plus(span)), Ordering::AcqRel);
        if with_probe {
            self.hold_for_probe();
        }
    }

    fn hold_for_probe(&self) {
        self.probe_until.store(0, Ordering::Release);
        self.needs_probe.store(true, Ordering::Release);
        self.consecutive.store(0, Ordering::Relaxed);
        self.window.clear();
    }
}

fn nanos(ticks: Ticks) -> u64 {
    u64::try_from(ticks.since_start().as_nanos()).unwrap_or(u64::MAX)
}

fn ticks(nanos: u64) -> Ticks {
    Ticks::from_start(Duration::from_nanos(nanos))
}

fn cooling(until: u64) -> TargetState {
    TargetState::Cooling { until: ticks(until) }
}
