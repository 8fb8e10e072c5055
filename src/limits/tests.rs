//! Limits of one and of several levels, by hand.

use super::*;
use crate::govern::{Limit, LimitUnit, Window};
use crate::types::Ticks;
use std::sync::Arc;
use std::time::Duration;

pub(super) fn at(seconds: u64) -> Ticks {
    Ticks::from_start(Duration::from_secs(seconds))
}

pub(super) fn limit(unit: LimitUnit, per: Option<Window>, amount: u64) -> Limit {
    Limit { unit, per, amount, model: None }
}

pub(super) fn requests(amount: u64) -> Limit {
    limit(LimitUnit::Requests, Some(Window::Minute), amount)
}

pub(super) fn tokens(amount: u64) -> Limit {
    limit(LimitUnit::Tokens, Some(Window::Minute), amount)
}

pub(super) fn concurrent(amount: u64) -> Limit {
    limit(LimitUnit::Concurrent, None, amount)
}

pub(super) fn spec(level: Level, name: &str, limits: Vec<Limit>) -> ScopeSpec {
    ScopeSpec::new(format!("{}/{name}", level.as_str()).into(), level, limits, Vec::new())
}

pub(super) fn build(specs: &[ScopeSpec], previous: Option<&Limits>) -> Limits {
    let names: Vec<&str> = specs.iter().map(|spec| &*spec.name).collect();
    Limits::new(specs, [names], previous, Arc::default()).unwrap()
}

fn one(limits: Vec<Limit>) -> Limits {
    build(&[spec(Level::Key, "ci", limits)], None)
}

pub(super) fn ask(tokens: u64, now: Ticks) -> Ask<'static> {
    Ask {
        model: "m",
        prompt: tokens,
        output: 0,
        is_stated: false,
        slice: 0,
        price: None,
        bound: Price::default(),
        now,
        wall: 0,
        may_wait: false,
    }
}

pub(super) fn used(tokens: u64) -> Settlement {
    Settlement::Used { tokens, cost: None }
}

/// Lets a call in with all it needs.
pub(super) fn admit(limits: &Limits, tokens: u64, now: Ticks) -> Result<Reservation, Exceeded> {
    let exceeded = |refusal| match refusal {
        Refusal::Limit(exceeded) => exceeded,
        other => panic!("{other:?}"),
    };
    let mut call = limits.admit(limits.of_key(0).unwrap(), now, false).map_err(exceeded)?;
    match call.reserve(&ask(tokens, now)) {
        Ok(()) => Ok(call),
        Err(refusal) => {
            call.cancel();
            Err(exceeded(refusal))
        }
    }
}

fn left(limits: &Limits, now: Ticks) -> RateSnapshot {
    limits.snapshot(limits.of_key(0).unwrap(), now)
}

#[test]
fn requests_beyond_the_limit_are_refused_until_the_oldest_minute_ends() {
    let limits = one(vec![requests(2)]);
    admit(&limits, 0, at(0)).unwrap().settle(used(0), at(0));
    admit(&limits, 0, at(10)).unwrap().settle(used(0), at(10));
    let refused = admit(&limits, 0, at(20)).unwrap_err();
    let wait = Some(Duration::from_secs(40));
    let per = Some(Window::Minute);
    let unit = LimitUnit::Requests;
    assert_eq!(refused, Exceeded { level: Level::Key, unit, per, limit: 2, retry_after: wait });
    assert!(admit(&limits, 0, at(60)).is_ok());
}

#[test]
fn a_refused_call_uses_nothing_of_any_limit_of_any_level() {
    let specs = [
        spec(Level::Key, "k", vec![requests(10), tokens(1000)]),
        spec(Level::Team, "t", vec![requests(100), concurrent(2)]),
        spec(Level::Tenant, "o", vec![tokens(100)]),
    ];
    let limits = build(&specs, None);
    let held = admit(&limits, 40, at(0)).unwrap();
    let before = left(&limits, at(0));
    let refused = admit(&limits, 61, at(0)).unwrap_err();
    assert_eq!((refused.level, refused.unit, refused.limit), (Level::Tenant, LimitUnit::Tokens, 100));
    let second = admit(&limits, 60, at(0)).unwrap();
    let refused = admit(&limits, 0, at(0)).unwrap_err();
    assert_eq!((refused.level, refused.unit), (Level::Team, LimitUnit::Concurrent));
    second.cancel();
    assert_eq!((left(&limits, at(0)), limits.in_flight("team/t", at(0))), (before, 1));
    drop(held);
    assert_eq!(limits.in_flight("team/t", at(0)), 0);
}

#[test]
fn what_has_not_changed_is_the_same_object_in_the_next_snapshot() {
    let specs = [spec(Level::Key, "k", vec![requests(10)]), spec(Level::Team, "t", vec![requests(20)])];
    let old = build(&specs, None);
    let changed = [specs[0].clone(), spec(Level::Team, "t", vec![requests(30)])];
    let new = Limits::new(&changed, [["key/k", "team/t"]], Some(&old), old.till().clone()).unwrap();
    let same = |name: &str| Arc::ptr_eq(old.scope(name).unwrap(), new.scope(name).unwrap());
    assert_eq!((same("key/k"), same("team/t")), (true, false));
    let other_till = Limits::new(&changed, [["key/k", "team/t"]], Some(&old), Arc::default()).unwrap();
    assert!(!Arc::ptr_eq(old.scope("key/k").unwrap(), other_till.scope("key/k").unwrap()));
}

#[test]
fn of_several_limits_the_one_that_holds_up_longest_is_told() {
    let specs = [
        spec(Level::Key, "k", vec![limit(LimitUnit::Requests, Some(Window::Second), 1)]),
        spec(Level::Tenant, "o", vec![limit(LimitUnit::Requests, Some(Window::Day), 1)]),
    ];
    let limits = build(&specs, None);
    let _held = admit(&limits, 0, at(0)).unwrap();
    let refused = admit(&limits, 0, at(0)).unwrap_err();
    assert_eq!((refused.level, refused.per), (Level::Tenant, Some(Window::Day)));
    assert_eq!(refused.retry_after, Some(Duration::from_secs(86_400)));
}

#[test]
fn headers_tell_the_tightest_limit_of_all_levels() {
    let specs =
        [spec(Level::Key, "k", vec![requests(10), tokens(50)]), spec(Level::Tenant, "o", vec![requests(2)])];
    let limits = build(&specs, None);
    let call = admit(&limits, 10, at(0)).unwrap();
    let told = call.snapshot(at(0));
    assert_eq!((told.requests.unwrap().limit, told.requests.unwrap().remaining), (2, 1));
    assert_eq!(told.tokens.unwrap().remaining, 40);
}

#[test]
fn a_limit_of_some_models_is_taken_once_the_model_is_known() {
    let gpt = Limit { model: Some("gpt-5*".to_owned()), ..requests(1) };
    let limits = one(vec![requests(10), gpt]);
    let chain = limits.of_key(0).unwrap();
    let mut first = limits.admit(chain, at(0), true).unwrap();
    first.reserve(&Ask { model: "gpt-5-mini", ..ask(0, at(0)) }).unwrap();
    let mut second = limits.admit(chain, at(0), true).unwrap();
    second.reserve(&Ask { model: "claude", ..ask(0, at(0)) }).unwrap();
    let mut third = limits.admit(chain, at(0), true).unwrap();
    let refused = third.reserve(&Ask { model: "gpt-5", ..ask(0, at(0)) }).unwrap_err();
    assert!(matches!(refused, Refusal::Limit(Exceeded { limit: 1, .. })), "{refused:?}");
    third.cancel();
    assert_eq!(left(&limits, at(0)).requests.unwrap().remaining, 8);
    // The call goes to another model instead: what was taken for the first comes back.
    first.reserve(&Ask { model: "claude", ..ask(0, at(0)) }).unwrap();
    let mut fourth = limits.admit(chain, at(0), true).unwrap();
    assert_eq!(fourth.reserve(&Ask { model: "gpt-5", ..ask(0, at(0)) }), Ok(()));
}

#[test]
fn a_subscription_joins_with_the_model() {
    let specs = [
        spec(Level::Key, "k", vec![requests(10)]),
        spec(Level::Subscription, "s", vec![requests(1), tokens(100)]),
        spec(Level::Tenant, "o", vec![concurrent(5)]),
    ];
    let limits = Limits::new(&specs, [["key/k", "tenant/o"]], None, Arc::default()).unwrap();
    let chain = limits.of_key(0).unwrap();
    let begin = || {
        let mut call = limits.admit(chain, at(0), true).unwrap();
        call.join(limits.scope("subscription/s").unwrap().clone(), limits.till());
        call
    };
    let mut call = begin();
    call.reserve(&ask(60, at(0))).unwrap();
    let mut other = begin();
    assert!(
        matches!(other.reserve(&ask(0, at(0))), Err(Refusal::Limit(e)) if e.level == Level::Subscription)
    );
    other.cancel();
    assert_eq!(limits.in_flight("tenant/o", at(0)), 1);
    drop(call);
    assert_eq!(
        (limits.in_flight("tenant/o", at(0)), left(&limits, at(0)).requests.unwrap().remaining),
        (0, 9)
    );
    assert!(begin().reserve(&ask(100, at(61))).is_ok(), "its tokens came back");
}

#[test]
fn settling_gives_back_or_charges_the_difference_once() {
    let limits = one(vec![tokens(100)]);
    admit(&limits, 50, at(0)).unwrap().settle(used(20), at(1));
    assert_eq!(left(&limits, at(1)).tokens.unwrap().remaining, 80);
    let mut call = admit(&limits, 10, at(2)).unwrap();
    call.settle(used(95), at(3));
    call.settle(used(0), at(3));
    assert_eq!(call.reserve(&ask(100, at(3))), Ok(()));
    assert_eq!(left(&limits, at(3)).tokens.unwrap().remaining, 0);
    assert!(admit(&limits, 1, at(3)).is_err() && admit(&limits, 5, at(61)).is_ok());
}

#[test]
fn a_call_dropped_unsettled_returns_its_tokens_but_was_a_request() {
    let limits = one(vec![requests(5), tokens(100)]);
    drop(admit(&limits, 50, at(0)).unwrap());
    let told = left(&limits, at(0));
    assert_eq!((told.requests.unwrap().remaining, told.tokens.unwrap().remaining), (4, 100));
}

#[test]
fn an_estimate_can_be_replaced_and_a_failed_replacement_keeps_the_old_one() {
    let limits = one(vec![tokens(100)]);
    let mut call = admit(&limits, 90, at(0)).unwrap();
    assert!(call.reserve(&ask(101, at(1))).is_err());
    assert_eq!(left(&limits, at(1)).tokens.unwrap().remaining, 10);
    assert_eq!(call.reserve(&ask(100, at(1))), Ok(()));
    assert_eq!(left(&limits, at(1)).tokens.unwrap().remaining, 0);
    drop(call);
    assert_eq!(left(&limits, at(1)).tokens.unwrap().remaining, 100);
}

#[test]
fn a_caller_without_limits_is_always_let_in_and_an_unknown_one_has_no_chain() {
    let limits = Limits::new(&[], [["key/free"]], None, Arc::default()).unwrap();
    let calls: Vec<_> = (0..1000).map(|_| admit(&limits, u64::MAX, at(0)).unwrap()).collect();
    assert_eq!(calls[0].snapshot(at(0)), RateSnapshot::default());
    assert!(limits.of_key(1).is_none());
}

#[test]
fn a_limit_of_zero_is_closed_and_one_that_is_too_small_gives_no_time_to_come_back() {
    assert_eq!(admit(&one(vec![concurrent(0)]), 0, at(0)).unwrap_err().retry_after, None);
    assert_eq!(admit(&one(vec![tokens(10)]), 11, at(0)).unwrap_err().retry_after, None);
}

#[test]
fn a_reload_keeps_what_is_in_use_by_scope_name_whatever_the_amounts() {
    let old = one(vec![requests(3), concurrent(2)]);
    let call = admit(&old, 0, at(0)).unwrap();
    let specs = [
        spec(Level::Key, "other", vec![requests(3)]),
        spec(Level::Key, "ci", vec![tokens(7), concurrent(1), requests(9)]),
    ];
    let new = Limits::new(&specs, [["key/ci"]], Some(&old), Arc::default()).unwrap();
    assert_eq!((new.in_flight("key/ci", at(1)), new.in_flight("key/other", at(1))), (1, 0));
    assert_eq!(left(&new, at(1)).requests.unwrap().remaining, 8);
    assert_eq!(admit(&new, 0, at(1)).unwrap_err().unit, LimitUnit::Concurrent);
    drop(call);
    assert_eq!(new.in_flight("key/ci", at(1)), 0);
}

#[test]
fn a_scope_that_is_changed_again_and_again_stays_bounded() {
    let mut limits = one(vec![concurrent(1)]);
    for number in 0..2 * state::PARTS_MAX {
        let changed = Limit { model: Some(format!("m{number}")), ..requests(1) };
        limits = build(&[spec(Level::Key, "ci", vec![concurrent(1), changed])], Some(&limits));
    }
    let scope = limits.scope("key/ci").unwrap();
    assert!(scope.state.lock().gauges.len() <= state::PARTS_MAX + 1);
}

#[test]
fn an_expected_answer_is_reserved_and_never_makes_a_call_too_large() {
    let limits = one(vec![tokens(800)]);
    let begin = |ask: Ask<'static>| {
        let mut call = limits.admit(limits.of_key(0).unwrap(), ask.now, false).unwrap();
        call.reserve(&ask).map(|()| call)
    };
    let guess = Ask { output: 1024, ..ask(100, at(0)) };
    let call = begin(guess).unwrap();
    assert_eq!(left(&limits, at(0)).tokens.unwrap().remaining, 600, "a guess is at most an eighth");
    drop(call);
    let stated = Ask { output: 300, is_stated: true, ..ask(100, at(0)) };
    let call = begin(stated).unwrap();
    assert_eq!(left(&limits, at(0)).tokens.unwrap().remaining, 400);
    drop(call);
    let call = begin(Ask { output: 1 << 40, ..stated }).unwrap();
    assert_eq!(left(&limits, at(0)).tokens.unwrap().remaining, 0);
    drop(call);
    assert!(begin(Ask { prompt: 801, ..stated }).is_err());
}
