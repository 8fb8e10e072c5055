//! Budgets by hand and against a model: what is spent, reserved and refused, over levels, windows,
//! jumps of the clock, and threads that end their calls in every way.

use super::model_tests::Seeded;
use super::tests::at;
use super::*;
use crate::govern::{Budget, BudgetUnit, OnExhausted, OnUnpriced, Window};
use crate::types::{Money, Ticks};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

/// 2026-11-21T12:00:00Z.
const NOON: u64 = 1_795_262_400;
const DAY: u64 = 86_400;

fn budget(name: &str, unit: BudgetUnit, per: Window) -> Budget {
    Budget {
        name: name.to_owned(),
        unit,
        per,
        time_zone: "UTC".to_owned(),
        model: None,
        alerts: Vec::new(),
        on_exhausted: OnExhausted::Reject,
        on_unpriced: OnUnpriced::Refuse,
    }
}

fn usd(pico: u64) -> BudgetUnit {
    BudgetUnit::Usd(Money::from_pico(pico))
}

fn scope(level: Level, budgets: Vec<Budget>) -> ScopeSpec {
    ScopeSpec::new(level.as_str().into(), level, Vec::new(), budgets)
}

fn build(specs: &[ScopeSpec], previous: Option<&Limits>) -> Limits {
    let names: Vec<&str> = specs.iter().map(|spec| &*spec.name).collect();
    Limits::new(specs, [names], previous, Arc::default()).unwrap()
}

fn daily(pico: u64) -> Limits {
    build(&[scope(Level::Key, vec![budget("daily", usd(pico), Window::Day)])], None)
}

/// A prompt of `prompt` tokens at 1 pico dollar; output at 2, a slice of 10 of it.
fn ask(prompt: u64, wall: u64) -> Ask<'static> {
    Ask {
        model: "m",
        prompt,
        output: 0,
        is_stated: false,
        slice: 10,
        price: Some(Price { input: 1, output: 2 }),
        bound: Price { input: 50, output: 50 },
        now: at(0),
        wall,
        may_wait: false,
    }
}

fn begin(limits: &Limits, ask: &Ask<'_>) -> Result<Reservation, Refusal> {
    let mut call = limits.admit(limits.of_key(0).unwrap(), ask.now, false)?;
    call.reserve(ask).map(|()| call)
}

fn cost(pico: u64) -> Settlement {
    Settlement::Used { tokens: pico, cost: Some(Money::from_pico(pico)) }
}

/// (spent, reserved) of the first budget of a level in the window of `wall`.
fn books(limits: &Limits, level: Level, wall: u64) -> (u64, u64) {
    let mut inner = limits.scope(level.as_str()).unwrap().state.lock();
    let purse = inner.accounts[0].current(wall, at(0)).unwrap();
    (purse.spent, purse.reserved)
}

fn is_exhausted(result: Result<Reservation, Refusal>) -> bool {
    matches!(result, Err(Refusal::Budget(_)))
}

#[test]
fn a_call_reserves_its_prompt_and_a_slice_and_settles_to_the_truth() {
    let limits = daily(100);
    let mut call = begin(&limits, &ask(30, NOON)).unwrap();
    assert_eq!(books(&limits, Level::Key, NOON), (0, 50));
    assert!(is_exhausted(begin(&limits, &ask(31, NOON))));
    call.settle(cost(12), at(0));
    call.settle(cost(99), at(0));
    assert_eq!(books(&limits, Level::Key, NOON), (12, 0));
    assert!(begin(&limits, &ask(68, NOON)).is_ok(), "88 are left");
}

#[test]
fn a_refusal_says_whose_budget_it_is_and_when_it_begins_anew() {
    let specs = [
        scope(Level::Key, vec![budget("k", usd(1000), Window::Total)]),
        scope(Level::Team, vec![budget("t", BudgetUnit::Tokens(45), Window::Day)]),
    ];
    let limits = build(&specs, None);
    let Err(Refusal::Budget(refused)) = begin(&limits, &ask(40, NOON)) else { panic!("no refusal") };
    assert_eq!((refused.level, &*refused.name, refused.amount, refused.needed), (Level::Team, "t", 45, 50));
    assert_eq!(refused.resets_in, Some(Duration::from_secs(DAY / 2)));
    assert_eq!(books(&limits, Level::Key, NOON), (0, 0), "the level that had enough lost nothing");
}

#[test]
fn a_stream_pays_slice_by_slice_and_ends_where_the_money_does() {
    let limits = daily(1000);
    let mut call = begin(&limits, &ask(100, NOON)).unwrap();
    let mut output = 0;
    while call.cover(output, at(0)) {
        output += 1;
        let (spent, reserved) = books(&limits, Level::Key, NOON);
        assert!(spent + reserved <= 1000 && reserved >= 100 + 2 * (output + 15), "{output}: {reserved}");
    }
    assert_eq!(output, 450 - 16 + 1, "100 for the prompt leave 900 for 450 tokens, and 16 stay ahead");
    call.settle(cost(100 + 2 * 450), at(0));
    assert_eq!(books(&limits, Level::Key, NOON), (1000, 0));
}

#[test]
fn what_is_dropped_unsettled_comes_back_whatever_happened() {
    let limits = daily(100);
    drop(begin(&limits, &ask(30, NOON)).unwrap());
    begin(&limits, &ask(30, NOON)).unwrap().cancel();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _call = begin(&limits, &ask(30, NOON)).unwrap();
        resume_unwind(Box::new(()));
    }));
    assert!(panicked.is_err());
    assert_eq!(books(&limits, Level::Key, NOON), (0, 0));
}

#[test]
fn a_call_is_charged_to_the_window_it_began_in() {
    let limits = daily(100);
    let mut call = begin(&limits, &ask(30, NOON)).unwrap();
    assert!(begin(&limits, &ask(80, NOON + DAY)).is_ok(), "the next day is whole");
    call.settle(cost(40), at(0));
    assert_eq!((books(&limits, Level::Key, NOON).0, books(&limits, Level::Key, NOON + DAY).0), (40, 0));
}

#[test]
fn a_jump_of_the_clock_neither_resets_nor_freezes_a_budget() {
    for jump in [3600_i64, -3600, 365 * DAY as i64, -365 * (DAY as i64)] {
        let limits = daily(100);
        begin(&limits, &ask(30, NOON)).unwrap().settle(cost(90), at(0));
        let away = NOON.checked_add_signed(jump).unwrap();
        let same_day = NOON / DAY == away / DAY;
        assert_eq!(begin(&limits, &ask(30, away)).is_ok(), !same_day, "{jump}");
        assert!(is_exhausted(begin(&limits, &ask(30, NOON))), "{jump}: back, and spent still");
        assert!(begin(&limits, &ask(30, NOON + DAY)).is_ok(), "{jump}: the next day begins");
    }
}

#[test]
fn a_free_call_passes_a_spent_budget_and_nothing_overflows() {
    let limits = daily(100);
    begin(&limits, &ask(10, NOON)).unwrap().settle(cost(u64::MAX), at(0));
    begin(&limits, &Ask { price: Some(Price::default()), ..ask(u64::MAX, NOON) })
        .unwrap()
        .settle(cost(u64::MAX), at(0));
    assert_eq!(books(&limits, Level::Key, NOON), (u64::MAX, 0));
    let huge = Price { input: u64::MAX, output: u64::MAX };
    assert!(is_exhausted(begin(&limits, &Ask { price: Some(huge), ..ask(u64::MAX, NOON) })));
    let all = daily(u64::MAX);
    let mut call = begin(&all, &Ask { price: Some(huge), ..ask(u64::MAX, NOON) }).unwrap();
    assert!(!call.cover(u64::MAX, at(0)) || books(&all, Level::Key, NOON).1 == u64::MAX);
}

#[test]
fn an_amount_lowered_below_what_is_spent_refuses_and_raised_again_lets_in() {
    let old = daily(100);
    let mut call = begin(&old, &ask(30, NOON)).unwrap();
    let lowered = build(&[scope(Level::Key, vec![budget("daily", usd(20), Window::Day)])], Some(&old));
    assert!(is_exhausted(begin(&lowered, &ask(1, NOON))));
    call.settle(cost(35), at(0));
    assert!(is_exhausted(begin(&lowered, &ask(0, NOON))));
    let raised = build(&[scope(Level::Key, vec![budget("daily", usd(60), Window::Day)])], Some(&lowered));
    assert!(begin(&raised, &ask(5, NOON)).is_ok());
    assert!(is_exhausted(begin(&raised, &ask(6, NOON))));
    let tokens = budget("daily", BudgetUnit::Tokens(20), Window::Day);
    let other = build(&[scope(Level::Key, vec![tokens])], Some(&raised));
    assert!(begin(&other, &ask(10, NOON)).is_ok(), "in tokens it is another budget");
}

#[test]
fn a_call_without_a_price_is_refused_or_charged_the_largest_one_there_is() {
    let unpriced = Ask { price: None, ..ask(1, NOON) };
    assert!(matches!(begin(&daily(1000), &unpriced), Err(Refusal::Unpriced(Level::Key))));
    let bound = Budget { on_unpriced: OnUnpriced::SettleBound, ..budget("b", usd(1000), Window::Day) };
    let limits = build(&[scope(Level::Key, vec![bound])], None);
    let mut call = begin(&limits, &unpriced).unwrap();
    call.settle(Settlement::Used { tokens: 3, cost: None }, at(0));
    assert_eq!(books(&limits, Level::Key, NOON), (11 * 50, 0));
    let mut unserved = begin(&limits, &unpriced).err();
    assert!(matches!(unserved.take(), Some(Refusal::Budget(_))));
    let tokens = build(&[scope(Level::Key, vec![budget("t", BudgetUnit::Tokens(99), Window::Day)])], None);
    assert!(begin(&tokens, &unpriced).is_ok(), "a budget in tokens needs no price");
}

#[test]
fn a_threshold_is_told_once_a_window() {
    let alerting = Budget { alerts: vec![50, 90], ..budget("b", usd(100), Window::Day) };
    let limits = build(&[scope(Level::Key, vec![alerting])], None);
    let spend = |pico, wall| begin(&limits, &ask(0, wall)).unwrap().settle(cost(pico), at(0));
    let told = || limits.till().alerts.take().0.iter().map(|a| (a.percent, a.spent)).collect::<Vec<_>>();
    spend(49, NOON);
    assert_eq!(told(), []);
    spend(1, NOON);
    spend(10, NOON);
    assert_eq!(told(), [(50, 50)]);
    spend(35, NOON);
    assert_eq!(told(), [(90, 95)]);
    spend(50, NOON + DAY);
    assert_eq!(told(), [(50, 50)], "anew in the next window");
}

#[test]
fn a_budget_of_some_models_is_for_them_only() {
    let some = Budget { model: Some("gpt-*".to_owned()), ..budget("b", usd(10), Window::Day) };
    let limits = build(&[scope(Level::Key, vec![some])], None);
    assert!(is_exhausted(begin(&limits, &Ask { model: "gpt-5", ..ask(1, NOON) })));
    let mut call = begin(&limits, &Ask { model: "claude", ..ask(1, NOON) }).unwrap();
    assert!(!call.has_budget());
    call.settle(cost(9), at(0));
    assert_eq!(books(&limits, Level::Key, NOON), (0, 0));
}

/// Calls of any size that end in any way, on one thread, held against a plain book.
#[test]
fn no_schedule_leaks_a_reservation_or_spends_more_than_there_is() {
    for seed in 0..40 {
        let mut random = Seeded(seed);
        let specs = [
            scope(Level::Key, vec![budget("a", usd(3000), Window::Hour)]),
            scope(Level::Team, vec![budget("b", usd(20_000), Window::Day)]),
            scope(Level::Tenant, vec![budget("c", BudgetUnit::Tokens(60_000), Window::Total)]),
        ];
        let mut limits = build(&specs, None);
        let mut wall = NOON;
        let mut open: Vec<(Reservation, u64, u64, u64)> = Vec::new();
        let mut spent = std::collections::BTreeMap::<u64, u64>::new();
        for _ in 0..2000 {
            wall = match random.below(60) {
                0 => wall + 3600,
                1 => wall - 3600,
                _ => wall + random.below(20),
            };
            match random.below(5) {
                0 | 1 => {
                    let prompt = random.below(300);
                    let reserved = prompt + 20;
                    if let Ok(call) = begin(&limits, &ask(prompt, wall)) {
                        open.push((call, prompt, reserved, wall / 3600));
                    }
                }
                2 if !open.is_empty() => {
                    let place = random.below(open.len() as u64) as usize;
                    let output = random.below(200);
                    if open[place].0.cover(output, at(0)) {
                        open[place].2 = open[place].2.max(open[place].1 + 2 * output);
                    }
                }
                3 if !open.is_empty() => {
                    let (mut call, _, reserved, hour) =
                        open.swap_remove(random.below(open.len() as u64) as usize);
                    // Never more than was paid for ahead.
                    let actual = random.below(reserved + 1);
                    match random.below(4) {
                        0 => drop(call),
                        1 => call.settle(Settlement::Nothing, at(0)),
                        _ => {
                            call.settle(cost(actual), at(0));
                            *spent.entry(hour).or_default() += actual;
                        }
                    }
                }
                _ if random.below(20) == 0 => limits = build(&specs, Some(&limits)),
                _ => {}
            }
            let (now_spent, reserved) = books(&limits, Level::Key, wall);
            assert!(now_spent + reserved <= 3000, "seed {seed}");
            let (now_spent, reserved) = books(&limits, Level::Team, wall);
            assert!(now_spent + reserved <= 20_000, "seed {seed}");
        }
        open.clear();
        for level in [Level::Key, Level::Team, Level::Tenant] {
            assert_eq!(books(&limits, level, wall).1, 0, "seed {seed}");
        }
        let total: u64 = spent.values().sum();
        assert_eq!(books(&limits, Level::Tenant, wall).0, total, "seed {seed}: nothing lost, nothing twice");
    }
}

#[test]
fn threads_racing_for_the_last_money_get_exactly_what_there_is() {
    let limits = daily(1000);
    let spent = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let (limits, spent) = (&limits, &spent);
            scope.spawn(move || {
                for number in 0..400_u64 {
                    let outcome = catch_unwind(AssertUnwindSafe(|| {
                        let Ok(mut call) = begin(limits, &ask(5, NOON)) else { return };
                        match (thread + number) % 4 {
                            0 => resume_unwind(Box::new(())),
                            1 => drop(call),
                            _ => {
                                call.settle(cost(5), at(0));
                                spent.fetch_add(5, std::sync::atomic::Ordering::Relaxed);
                            }
                        }
                    }));
                    drop(outcome);
                }
            });
        }
    });
    assert_eq!(books(&limits, Level::Key, NOON), (spent.into_inner(), 0));
    assert!(books(&limits, Level::Key, NOON).0 > 1000 - 25, "all but what one call needs was usable");
}

#[test]
fn time_that_stands_still_or_runs_back_in_between_is_no_matter() {
    let limits = daily(100);
    let mut call = begin(&limits, &Ask { now: at(100), ..ask(30, NOON) }).unwrap();
    assert!(call.cover(5, Ticks::default()));
    call.settle(cost(1), Ticks::default());
    assert_eq!(books(&limits, Level::Key, NOON), (1, 0));
}
