//! The rules of cooling, one by one, on a clock moved by hand.

use super::{Blame, CooldownRules, CooldownSet, TargetState, blame};
use crate::types::{Clock, FailureClass, ManualClock, Ticks};
use std::collections::BTreeSet;
use std::time::Duration;

const S: Duration = Duration::from_secs(1);
const SERVER_ERROR: FailureClass = FailureClass::Status(500);
const RATE_LIMITED: FailureClass = FailureClass::Status(429);
/// So that spans can be told to the nanosecond.
const EXACT: CooldownRules = CooldownRules { jitter_percent: 0, ..CooldownRules::DEFAULT };

struct Fixture {
    clock: ManualClock,
    set: CooldownSet,
}

impl Fixture {
    fn new() -> Self {
        Self::with(EXACT, 0)
    }

    fn with(rules: CooldownRules, seed: u64) -> Self {
        let set = CooldownSet::new(&["a", "b"].map(|key| (key.to_owned(), rules)), None, seed);
        let clock = ManualClock::default();
        clock.advance(100 * S);
        Self { clock, set }
    }

    /// A call that begins and fails now.
    fn fail(&self, failure: FailureClass, retry_after: Option<Duration>) {
        self.clock.advance(Duration::from_nanos(1));
        self.set.failure(0, failure, retry_after, self.clock.now(), self.clock.now());
    }

    fn fail_times(&self, count: u32) {
        (0..count).for_each(|_| self.fail(SERVER_ERROR, None));
    }

    fn succeed(&self) {
        self.set.success(0, self.clock.now());
    }

    fn is_ready(&self) -> bool {
        self.set.state(0, self.clock.now()).is_ready()
    }

    fn may_call(&self) -> bool {
        self.set.claim(0, self.clock.now()).is_ready()
    }

    /// How long the first cell still cools.
    fn cools(&self) -> Duration {
        match self.set.state(0, self.clock.now()) {
            TargetState::Ready => Duration::ZERO,
            TargetState::Cooling { until } => until.since(self.clock.now()),
        }
    }
}

#[test]
fn a_429_cools_as_long_as_it_says_capped_and_not_a_moment_longer() {
    for (said, cools) in
        [(Some(7 * S), 7), (Some(1_000_000_000 * S), 60), (Some(Duration::ZERO), 1), (None, 1)]
    {
        let fixture = Fixture::new();
        fixture.fail(RATE_LIMITED, said);
        assert_eq!(fixture.cools(), cools * S, "{said:?}");
        fixture.clock.advance(cools * S - Duration::from_nanos(1));
        assert!(!fixture.may_call());
        fixture.clock.advance(Duration::from_nanos(1));
        assert!(fixture.may_call() && fixture.may_call(), "no probing after a stated time");
    }
}

#[test]
fn a_longer_cooling_is_never_shortened() {
    let fixture = Fixture::new();
    fixture.fail(RATE_LIMITED, Some(30 * S));
    fixture.fail(RATE_LIMITED, Some(2 * S));
    fixture.fail_times(20);
    fixture.succeed();
    assert!(fixture.cools() > 29 * S);
}

#[test]
fn one_cell_cooling_leaves_the_others_ready() {
    let fixture = Fixture::new();
    fixture.fail(RATE_LIMITED, None);
    assert!(fixture.set.claim(1, fixture.clock.now()).is_ready());
    assert!(fixture.set.claim(99, fixture.clock.now()).is_ready());
}

#[test]
fn one_failure_in_a_thousand_never_cools() {
    let fixture = Fixture::new();
    for call in 0..20_000 {
        fixture.clock.advance(Duration::from_millis(5));
        if call % 1000 == 0 {
            fixture.fail(SERVER_ERROR, None)
        } else {
            fixture.succeed()
        }
        assert!(fixture.is_ready());
    }
}

#[test]
fn refusals_of_the_request_never_cool() {
    let fixture = Fixture::new();
    for status in [400, 402, 404, 408, 409, 413, 422] {
        (0..100).for_each(|_| fixture.fail(FailureClass::Status(status), Some(9 * S)));
    }
    assert!(fixture.is_ready());
}

#[test]
fn five_failures_in_a_row_cool_and_a_success_between_starts_over() {
    let fixture = Fixture::new();
    fixture.fail_times(4);
    fixture.succeed();
    fixture.fail_times(4);
    assert!(fixture.is_ready());
    fixture.fail_times(1);
    assert_eq!(fixture.cools(), S);
}

#[test]
fn every_kind_of_broken_upstream_counts() {
    let kinds = [
        FailureClass::Dns,
        FailureClass::Connect,
        FailureClass::Tls,
        FailureClass::HeaderTimeout,
        FailureClass::FirstTokenTimeout,
        FailureClass::IdleTimeout,
        FailureClass::Protocol,
        FailureClass::StreamError,
        FailureClass::Truncated,
        FailureClass::BadBody,
        FailureClass::Status(502),
        FailureClass::Status(529),
    ];
    for kind in kinds {
        let fixture = Fixture::new();
        (0..5).for_each(|_| fixture.fail(kind, None));
        assert!(!fixture.is_ready(), "{kind:?}");
    }
}

#[test]
fn half_of_twenty_calls_failing_cools_but_half_of_nineteen_does_not() {
    let fixture = Fixture::new();
    for _ in 0..9 {
        fixture.succeed();
        fixture.fail(SERVER_ERROR, None);
    }
    assert!(fixture.is_ready());
    fixture.succeed();
    fixture.fail(SERVER_ERROR, None);
    assert!(!fixture.is_ready());
}

#[test]
fn failures_spread_over_longer_than_ten_seconds_do_not_add_up() {
    let fixture = Fixture::new();
    for _ in 0..100 {
        fixture.clock.advance(2 * S);
        fixture.succeed();
        fixture.fail(SERVER_ERROR, None);
        assert!(fixture.is_ready());
    }
}

#[test]
fn after_a_cooling_one_probe_goes_through_and_others_wait_five_seconds_for_the_next() {
    let fixture = Fixture::new();
    fixture.fail_times(5);
    fixture.clock.advance(S);
    assert!(fixture.is_ready() && fixture.may_call());
    assert!(!fixture.may_call() && !fixture.is_ready());
    assert_eq!(fixture.cools(), 5 * S);
    fixture.clock.advance(5 * S);
    assert!(fixture.may_call(), "the probe was lost: another one");
    assert!(!fixture.may_call());
}

#[test]
fn a_probe_that_ends_without_a_verdict_lets_the_next_one_through_at_once() {
    let fixture = Fixture::new();
    fixture.fail_times(5);
    fixture.clock.advance(2 * S);
    let begun = fixture.clock.now();
    assert!(fixture.may_call() && !fixture.may_call());
    fixture.clock.advance(S);
    fixture.set.let_go(0, begun.plus(Duration::from_nanos(1)));
    assert!(!fixture.is_ready(), "that was another call, not the probe");
    fixture.set.let_go(0, begun);
    assert!(fixture.may_call() && !fixture.may_call(), "one, and one only");
    fixture.set.let_go(0, begun);
    assert!(!fixture.is_ready(), "the first one's end is over");
}

#[test]
fn a_successful_probe_lets_everybody_in() {
    let fixture = Fixture::new();
    fixture.fail_times(5);
    fixture.clock.advance(S);
    assert!(fixture.may_call());
    fixture.succeed();
    assert!(fixture.may_call() && fixture.may_call());
    fixture.fail_times(4);
    assert!(fixture.is_ready(), "the past is forgotten");
}

#[test]
fn a_share_of_failures_is_judged_afresh_after_a_cooling() {
    let fixture = Fixture::new();
    for _ in 0..10 {
        fixture.succeed();
        fixture.fail(SERVER_ERROR, None);
    }
    assert_eq!(fixture.cools(), S);
    fixture.clock.advance(S);
    fixture.succeed();
    fixture.fail_times(1);
    assert!(fixture.is_ready());
}

#[test]
fn failures_of_calls_made_while_cooling_change_nothing() {
    let fixture = Fixture::new();
    fixture.fail(RATE_LIMITED, Some(30 * S));
    fixture.fail_times(100);
    fixture.clock.advance(30 * S);
    assert!(fixture.may_call() && fixture.may_call());
}

#[test]
fn failed_probes_double_the_cooling_up_to_a_minute() {
    let fixture = Fixture::new();
    fixture.fail_times(5);
    for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        assert_eq!(fixture.cools(), seconds * S);
        fixture.clock.advance(seconds * S);
        assert!(fixture.may_call());
        fixture.fail_times(1);
    }
}

#[test]
fn ten_well_seconds_forget_the_doubling_and_a_lucky_call_does_not() {
    let fixture = Fixture::new();
    fixture.fail_times(5);
    fixture.clock.advance(S);
    fixture.succeed();
    fixture.fail_times(5);
    assert_eq!(fixture.cools(), 2 * S);
    fixture.clock.advance(2 * S);
    fixture.succeed();
    fixture.clock.advance(10 * S);
    fixture.succeed();
    fixture.fail_times(5);
    assert_eq!(fixture.cools(), S);
}

#[test]
fn slow_failures_of_calls_from_before_the_cooling_do_not_cool_again() {
    let fixture = Fixture::new();
    let started = fixture.clock.now();
    fixture.clock.advance(S);
    fixture.fail_times(5);
    fixture.clock.advance(S);
    for _ in 0..50 {
        fixture.set.failure(0, FailureClass::HeaderTimeout, None, started, fixture.clock.now());
    }
    assert!(fixture.may_call());
    fixture.succeed();
    fixture.clock.advance(60 * S);
    fixture.set.failure(0, FailureClass::HeaderTimeout, None, started, fixture.clock.now());
    assert!(fixture.is_ready());
}

#[test]
fn a_503_cools_at_once_only_when_it_says_how_long() {
    let fixture = Fixture::new();
    fixture.fail(FailureClass::Status(503), None);
    assert!(fixture.is_ready());
    fixture.fail(FailureClass::Status(503), Some(3 * S));
    assert_eq!(fixture.cools(), 3 * S);
}

#[test]
fn a_refused_credential_cools_long_and_is_then_tried_by_one_call() {
    let fixture = Fixture::new();
    fixture.fail(FailureClass::Status(401), Some(S));
    assert_eq!(fixture.cools(), 60 * S);
    fixture.clock.advance(60 * S);
    assert!(fixture.may_call() && !fixture.may_call());
}

#[test]
fn coolings_of_many_nodes_end_apart_and_none_ends_early() {
    let cases = [
        (RATE_LIMITED, Some(20 * S), 1, 20 * S),
        (RATE_LIMITED, Some(1_000_000 * S), 1, 60 * S),
        (RATE_LIMITED, None, 1, S),
        (FailureClass::Status(503), Some(3 * S), 1, 3 * S),
        (FailureClass::Status(401), None, 1, 60 * S),
        (SERVER_ERROR, None, 5, S),
    ];
    for (failure, said, times, least) in cases {
        let cools = |seed| {
            let fixture = Fixture::with(CooldownRules::default(), seed);
            (0..times).for_each(|_| fixture.fail(failure, said));
            fixture.cools()
        };
        let all: BTreeSet<Duration> = (0..200).map(cools).collect();
        let (first, last) = (*all.first().unwrap(), *all.last().unwrap());
        assert!(first >= least, "{failure:?} {said:?}: {first:?} is too early");
        assert!(last <= least * 11 / 10, "{failure:?} {said:?}: {last:?} is too late");
        assert!(last - first > least / 20, "{failure:?} {said:?}: only from {first:?} to {last:?}");
        assert!(all.len() > 190, "{failure:?} {said:?}: {} moments of 200 nodes", all.len());
    }
}

#[test]
fn blame_falls_on_the_credential_where_it_is_the_cause() {
    assert_eq!(blame(FailureClass::Status(401), 1), Blame::Credential);
    assert_eq!(blame(FailureClass::Status(403), 3), Blame::Credential);
    assert_eq!(blame(FailureClass::Status(403), 1), Blame::Target);
    assert_eq!(blame(FailureClass::Status(401), 0), Blame::Target);
    assert_eq!(blame(RATE_LIMITED, 2), Blame::Credential);
    assert_eq!(blame(RATE_LIMITED, 1), Blame::Target);
    assert_eq!(blame(SERVER_ERROR, 5), Blame::Target);
}

#[test]
fn a_reload_keeps_a_cooling_by_key_and_calls_on_the_old_snapshot_still_count() {
    let fixture = Fixture::new();
    fixture.fail(RATE_LIMITED, Some(30 * S));
    let keys = ["new", "b", "a"].map(|key| (key.to_owned(), EXACT));
    let next = CooldownSet::new(&keys, Some(&fixture.set), 0);
    let now = fixture.clock.now();
    assert!(next.state(0, now).is_ready() && !next.state(2, now).is_ready());
    fixture.set.failure(1, RATE_LIMITED, None, now, now);
    assert!(!next.state(1, now).is_ready());
}

#[test]
fn of_many_threads_asking_at_once_one_gets_the_probe() {
    let fixture = Fixture::new();
    fixture.fail_times(5);
    fixture.clock.advance(S);
    let now: Ticks = fixture.clock.now();
    let granted: usize = std::thread::scope(|scope| {
        let ask = || (0..100).filter(|_| fixture.set.claim(0, now).is_ready()).count();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(granted, 1);
}

#[test]
fn failures_arriving_together_are_one_strike() {
    let fixture = Fixture::new();
    let now = fixture.clock.now();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let fail =
                || (0..100).for_each(|_| fixture.set.failure(0, FailureClass::Connect, None, now, now));
            scope.spawn(fail);
        }
    });
    assert_eq!(fixture.cools(), S);
}
