//! Limits against a model: an exact log of charges, seeded, and threads that end their calls in
//! every way.

use super::tests::{admit, ask, build, concurrent, requests, spec, tokens, used};
use super::{Exceeded, Level, Limits, RateSnapshot, Reservation};
use crate::govern::{Limit, LimitUnit};
use crate::types::{Clock, ManualClock, Ticks};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(super) struct Seeded(pub(super) u64);

impl Seeded {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)) % bound
    }
}

/// What is charged, by hand: (time charged, amount). What was charged in one second counts until a minute
/// after the newest of it.
#[derive(Default)]
struct Log {
    charges: Vec<(Ticks, u64)>,
    newest: HashMap<u64, Ticks>,
    touched: HashMap<u64, Ticks>,
}

impl Log {
    fn add(&mut self, now: Ticks, amount: u64) {
        self.charges.push((now, amount));
        if amount > 0 {
            self.newest.insert(now.since_start().as_secs(), now);
        }
    }

    /// A call that may have been charged and given it back at once: what else its second holds may wait
    /// for it.
    fn touch(&mut self, now: Ticks) {
        self.touched.insert(now.since_start().as_secs(), now);
    }

    fn sum(&self, now: Ticks) -> u64 {
        self.counting(now, |second| self.newest.get(&second).copied())
    }

    /// With all that may still count because of calls that were refused.
    fn most(&self, now: Ticks) -> u64 {
        self.counting(now, |second| self.newest.get(&second).max(self.touched.get(&second)).copied())
    }

    fn counting(&self, now: Ticks, newest: impl Fn(u64) -> Option<Ticks>) -> u64 {
        let end =
            |at: Ticks| newest(at.since_start().as_secs()).unwrap_or_default().plus(Duration::from_secs(60));
        // None of a minute and a second ago counts.
        let recent = self.charges.iter().rev().take_while(|(at, _)| now.since(*at).as_secs() <= 61);
        recent.filter(|(at, _)| end(*at) > now).map(|(_, amount)| amount).sum()
    }

    /// The largest sum in any rolling minute, whatever the slots say.
    fn worst_minute(&self) -> u64 {
        let minute = Duration::from_secs(60);
        let ending =
            |end: Ticks| self.charges.iter().filter(move |(at, _)| *at <= end && end.since(*at) < minute);
        self.charges.iter().map(|(end, _)| ending(*end).map(|(_, amount)| amount).sum()).max().unwrap_or(0)
    }
}

fn one(limits: Vec<Limit>) -> Limits {
    build(&[spec(Level::Key, "k", limits)], None)
}

fn left(limits: &Limits, now: Ticks) -> RateSnapshot {
    limits.snapshot(limits.of_key(0).unwrap(), now)
}

#[test]
fn reservations_and_settlements_agree_with_an_exact_log() {
    for seed in 0..20 {
        let mut random = Seeded(seed);
        let clock = ManualClock::default();
        // Spread over levels, as if they were one scope's.
        let specs = [
            spec(Level::Key, "k", vec![requests(40), tokens(5000)]),
            spec(Level::Team, "t", vec![concurrent(8), requests(41)]),
            spec(Level::Tenant, "o", vec![tokens(1000)]),
        ];
        let limits = build(&specs, None);
        let (mut requests, mut tokens) = (Log::default(), Log::default());
        let mut open: Vec<(Reservation, usize, u64)> = Vec::new();
        for _ in 0..3000 {
            clock.advance(Duration::from_millis(random.below(700)));
            let now = clock.now();
            if random.below(2) == 0 || open.is_empty() {
                let estimate = random.below(120);
                let fits = |used: u64| used < 40 && tokens.sum(now) + estimate <= 1000 && open.len() < 8;
                let (least, most) = (requests.sum(now), requests.most(now));
                let admitted = admit(&limits, estimate, now);
                assert!(if admitted.is_ok() { fits(least) } else { !fits(most) }, "seed {seed}");
                if admitted.is_err() {
                    requests.touch(now);
                }
                if let Ok(call) = admitted {
                    requests.add(now, 1);
                    tokens.add(now, estimate);
                    open.push((call, tokens.charges.len() - 1, estimate));
                }
            } else {
                let (mut call, entry, estimate) = open.swap_remove(random.below(open.len() as u64) as usize);
                match random.below(3) {
                    0 => tokens.charges[entry].1 = 0,
                    _ => {
                        let actual = random.below(160);
                        call.settle(used(actual), now);
                        tokens.charges[entry].1 = estimate.min(actual);
                        tokens.add(now, actual.saturating_sub(estimate));
                    }
                }
            }
            let left = left(&limits, now);
            let used = 40 - left.requests.unwrap().remaining;
            assert!((requests.sum(now)..=requests.most(now)).contains(&used), "seed {seed}: {used}");
            assert_eq!(
                left.tokens.unwrap().remaining,
                1000_u64.saturating_sub(tokens.sum(now)),
                "seed {seed}"
            );
            assert_eq!(limits.in_flight("team/t", now), open.len() as u64);
        }
    }
}

#[test]
fn ten_times_the_load_never_gets_more_than_the_limit_in_any_rolling_minute() {
    let limits = one(vec![requests(100), tokens(10_000)]);
    let clock = ManualClock::default();
    let mut random = Seeded(46);
    let (mut requests, mut tokens) = (Log::default(), Log::default());
    for _ in 0..5000 {
        clock.advance(Duration::from_millis(random.below(120)));
        let (now, estimate) = (clock.now(), random.below(250));
        if let Ok(mut call) = admit(&limits, estimate, now) {
            call.settle(used(estimate), now);
            requests.add(now, 1);
            tokens.add(now, estimate);
        }
    }
    assert!(requests.worst_minute() <= 100 && tokens.worst_minute() <= 10_000);
    assert!(requests.worst_minute() >= 60, "the limits must not be far too strict either");
}

#[test]
fn a_refused_call_fits_after_the_wait_it_was_told() {
    let limits = one(vec![requests(20), tokens(500)]);
    let clock = ManualClock::default();
    let mut random = Seeded(7);
    let mut refusals = 0;
    while refusals < 300 {
        clock.advance(Duration::from_millis(random.below(900)));
        let estimate = random.below(60);
        let call = admit(&limits, estimate, clock.now());
        let Err(refused) = call.map(|mut call| call.settle(used(estimate), clock.now())) else { continue };
        refusals += 1;
        clock.advance(refused.retry_after.unwrap());
        // The other limit may bind now; the one that refused must not.
        let again: Result<_, Exceeded> = admit(&limits, estimate, clock.now());
        assert!(again.err().is_none_or(|next| next.unit != refused.unit));
    }
}

#[test]
fn after_ten_thousand_outcomes_panics_included_the_gauge_is_zero() {
    let limits = one(vec![tokens(1 << 40), concurrent(10)]);
    let clock = ManualClock::default();
    let (settled, peak) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (limits, clock, settled, peak) = (&limits, &clock, &settled, &peak);
            scope.spawn(move || {
                let mut random = Seeded(thread);
                for _ in 0..1250 {
                    let outcome = (random.below(5), random.below(100), random.below(100));
                    let _ = catch_unwind(AssertUnwindSafe(|| one_call(limits, clock, outcome, settled)));
                    peak.fetch_max(limits.in_flight("key/k", clock.now()), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(limits.in_flight("key/k", clock.now()), 0);
    assert!(peak.load(Ordering::Relaxed) <= 10);
    let left = left(&limits, clock.now()).tokens.unwrap();
    assert_eq!(left.limit - left.remaining, settled.load(Ordering::Relaxed));
}

/// One call with one of the ends a call can have.
fn one_call(limits: &Limits, clock: &ManualClock, outcome: (u64, u64, u64), settled: &AtomicU64) {
    let (end, estimate, actual) = outcome;
    let Ok(mut call) = admit(limits, estimate, clock.now()) else { return };
    match end {
        // A panic without its hook: thousands of reports would bury other tests' output.
        0 => resume_unwind(Box::new(())),
        1 => drop(call),
        2 => call.cancel(),
        3 => {
            let _ = call.reserve(&ask(actual, clock.now()));
        }
        _ => {
            call.settle(used(actual), clock.now());
            settled.fetch_add(actual, Ordering::Relaxed);
        }
    }
}

#[test]
fn threads_racing_for_the_last_slots_get_exactly_as_many_as_there_are() {
    let limits = one(vec![requests(500)]);
    let admitted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..200 {
                    match admit(&limits, 1, Ticks::default()) {
                        Ok(_) => _ = admitted.fetch_add(1, Ordering::Relaxed),
                        Err(refused) => assert_eq!(refused.unit, LimitUnit::Requests),
                    }
                }
            });
        }
    });
    assert_eq!(admitted.load(Ordering::Relaxed), 500);
}
