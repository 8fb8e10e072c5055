//! Distributions of each balance over many requests, with a manual clock and printed seeds.

use super::affinity::hash;
use super::numbers::Numbers;
use super::*;
use crate::types::{FailureClass, Ticks};
use std::sync::Arc;
use std::time::Duration;

fn at(turn: u64) -> Ask {
    Ask { turn, random: turn.wrapping_mul(0x2545_f491_4f6c_dd1d), ..Ask::default() }
}

/// First places over `count` requests.
fn firsts(tree: &Tree, count: u64, look: impl Fn(usize) -> Look) -> Vec<u32> {
    let mut firsts = vec![0; tree.groups()[0].places.len()];
    for turn in 0..count {
        firsts[plan(tree, &at(turn), &look, |_| true).targets().next().unwrap()] += 1;
    }
    firsts
}

#[test]
fn weights_are_kept_to_over_any_short_stretch_of_requests() {
    let tree = Tree::flat(Balance::Weighted, [(3, 1), (1, 1), (6, 1)]);
    for start in (0..5000).step_by(37) {
        let mut counts = [0_i32; 3];
        for turn in start..start + 50 {
            counts[plan(&tree, &at(turn), |_| Look::default(), |_| true).targets().next().unwrap()] += 1;
        }
        for (count, due) in counts.iter().zip([15, 5, 30]) {
            assert!((count - due).abs() <= 3, "from {start}: {counts:?}");
        }
    }
}

#[test]
fn second_places_follow_the_weights_of_those_left() {
    let tree = Tree::flat(Balance::Weighted, [(3, 1), (1, 1), (6, 1)]);
    let orders = (0..60_000).map(|turn| plan(&tree, &at(turn), |_| Look::default(), |_| true));
    let orders: Vec<Vec<usize>> = orders.map(|plan| plan.targets().collect()).collect();
    let after: Vec<usize> = orders.iter().filter(|order| order[0] == 2).map(|order| order[1]).collect();
    let share = after.iter().filter(|second| **second == 0).count() as f64 / after.len() as f64;
    assert!((share - 0.75).abs() < 0.01, "{share}");
}

#[test]
fn round_robin_takes_each_in_turn() {
    let tree = Tree::flat(Balance::RoundRobin, [(1, 1), (9, 1), (1, 1)]);
    let first = |turn| plan(&tree, &at(turn), |_| Look::default(), |_| true).targets().next();
    assert_eq!((0..6).filter_map(first).collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2]);
}

#[test]
fn least_busy_is_by_weight_and_of_equals_by_chance() {
    let tree = Tree::flat(Balance::LeastBusy, [(1, 1), (4, 1), (1, 1)]);
    let busy = [3, 8, 9];
    assert_eq!(firsts(&tree, 100, |i| Look { busy: busy[i], ..Look::default() }), [0, 100, 0]);
    let idle = firsts(&tree, 6000, |_| Look::default());
    assert!(idle.iter().zip([1000, 4000, 1000]).all(|(n, due)| n.abs_diff(due) < 150), "{idle:?}");
}

#[test]
fn a_target_that_is_back_from_an_outage_takes_its_share_by_and_by() {
    for balance in [Balance::Weighted, Balance::UsageAware] {
        let tree = Tree::flat(balance, [(1, 1), (1, 1)]);
        let cold = firsts(&tree, 1100, |i| Look { warmth: [0.1, 1.0][i], ..Look::default() });
        assert!(cold[0].abs_diff(100) < 10, "{balance:?} {cold:?}");
    }
}

#[test]
fn usage_follows_what_is_left_of_the_rate_limits() {
    let tree = Tree::flat(Balance::UsageAware, [(1, 1), (1, 1), (2, 1)]);
    let left = [0.9, 0.1, 0.0];
    let counts = firsts(&tree, 1000, |i| Look { headroom: left[i], ..Look::default() });
    assert!(counts[0].abs_diff(900) < 10 && counts[1].abs_diff(100) < 10 && counts[2] < 3, "{counts:?}");
}

#[test]
fn the_cheapest_known_price_comes_first_and_no_price_last() {
    let tree = Tree::flat(Balance::Cheapest, [(1, 1), (1, 1), (1, 1)]);
    let price = [None, Some(20.0), Some(10.0)];
    let plan = plan(&tree, &at(3), |i| Look { price: price[i], ..Look::default() }, |_| true);
    assert_eq!(plan.targets().collect::<Vec<_>>(), [2, 1, 0]);
    assert_eq!((plan.score(2), plan.balance()), (10.0, Balance::Cheapest));
}

#[test]
fn sticky_sessions_stay_spread_by_weight_and_leave_only_an_overloaded_or_absent_target() {
    let tree = Tree::flat(Balance::Sticky, [(1, 1), (1, 1), (2, 1)]);
    let look = |busy: u32| {
        move |i: usize| Look { identity: hash(&[i as u8]), busy: [busy, 0, 0][i], ..Look::default() }
    };
    let home = |session, look: &dyn Fn(usize) -> Look| {
        let ask = Ask { session: Some(session), ..at(session) };
        plan(&tree, &ask, look, |_| true).targets().next().unwrap()
    };
    let mut counts = [0_u32; 3];
    for session in 0..1000_u64 {
        let session = hash(&session.to_le_bytes());
        let first = home(session, &look(0));
        counts[first] += 1;
        assert_eq!(home(session, &look(7)), first, "seven calls are no overload");
        let other = home(session, &look(40));
        assert!(if first == 0 { other != 0 } else { other == first });
        let ill = |i: usize| match i {
            0 => Look::of(Verdict::Drained),
            i => look(0)(i),
        };
        assert!(if first == 0 { home(session, &ill) != 0 } else { home(session, &ill) == first });
    }
    assert!(counts.iter().zip([250, 250, 500]).all(|(n, due)| n.abs_diff(due) < 45), "{counts:?}");
    assert!(firsts(&tree, 400, look(0)).iter().all(|n| *n > 90), "no session: by weight");
}

#[test]
fn a_split_is_by_percent_and_does_not_move_for_load() {
    let tree = Tree::flat(Balance::Split, [(95, 1), (5, 1)]);
    let mut canary = 0;
    for session in 0..10_000_u64 {
        let ask = Ask { session: Some(hash(&session.to_le_bytes())), ..at(1) };
        let of = |busy| {
            let look =
                move |i: usize| Look { identity: hash(&[i as u8]), busy: [0, busy][i], ..Look::default() };
            plan(&tree, &ask, look, |_| true).targets().next().unwrap()
        };
        assert_eq!(of(0), of(1000));
        canary += of(0);
    }
    assert!((450..550).contains(&canary), "{canary}");
}

/// Calls come every five milliseconds to targets that take these times; gives the times they took.
fn simulate(balance: Balance, seed: u64) -> Vec<u64> {
    const MILLIS: [u64; 5] = [80, 100, 150, 400, 1200];
    let tree = Tree::flat(balance, [(1, 1); 5]);
    let cells: Vec<Arc<TargetLive>> = (0..5).map(|_| Arc::default()).collect();
    let mut under_way: Vec<(u64, usize, u64, Slot)> = Vec::new();
    let mut took = Vec::new();
    let mut noise = seed;
    for call in 0..6000_u64 {
        let now = call * 5;
        let ticks = |millis| Ticks::from_start(Duration::from_millis(millis));
        under_way.sort_by_key(|(end, ..)| *end);
        while under_way.first().is_some_and(|(end, ..)| *end <= now) {
            let (end, target, begun, _slot) = under_way.remove(0);
            cells[target].note_success(true, Duration::from_millis(end - begun), ticks(end));
        }
        let look = |i: usize| {
            let seen = cells[i].measured(ticks(now));
            Look { busy: seen.busy, seconds: seen.first, errors: seen.errors, ..Look::default() }
        };
        let ask = Ask { turn: call, random: seed ^ call.wrapping_mul(0x9e37_79b9), ..Ask::default() };
        let target = plan(&tree, &ask, look, |_| true).targets().next().unwrap();
        noise = noise.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        // Each gets slower with what it has to do.
        let base = MILLIS[target] * (10 + u64::from(cells[target].busy()) / 4) / 10;
        let span = base + base * (noise >> 60) / 40;
        if call > 500 {
            took.push(span);
        }
        under_way.push((now + span, target, now, cells[target].enter()));
    }
    took.sort_unstable();
    took
}

#[test]
fn the_fastest_of_two_keeps_the_ninety_ninth_percentile_below_round_robins() {
    for seed in [1, 7, 99, 12345] {
        let p99 = |balance| {
            let took = simulate(balance, seed);
            took[took.len() * 99 / 100]
        };
        let (fastest, in_turn) = (p99(Balance::Fastest), p99(Balance::RoundRobin));
        assert!(fastest * 10 <= in_turn * 6, "seed {seed}: {fastest} against {in_turn} ms");
    }
}

#[test]
fn a_target_that_fails_at_once_is_not_taken_for_a_fast_one() {
    let tree = Tree::flat(Balance::Fastest, [(1, 1); 2]);
    let cells: Vec<Arc<TargetLive>> = (0..2).map(|_| Arc::default()).collect();
    let now = Ticks::from_start(Duration::from_secs(1));
    for cell in &cells {
        cell.note_success(true, Duration::from_millis(500), now);
    }
    for _ in 0..20 {
        cells[0].note_failure(true, Duration::from_micros(200), now);
    }
    let look = |i: usize| {
        let seen = cells[i].measured(now);
        Look { seconds: seen.first, errors: seen.errors, ..Look::default() }
    };
    assert_eq!(firsts(&tree, 200, look), [0, 200]);
}

const CLASSES: [FailureClass; 12] = [
    FailureClass::Dns,
    FailureClass::Connect,
    FailureClass::Tls,
    FailureClass::Credential,
    FailureClass::HeaderTimeout,
    FailureClass::FirstTokenTimeout,
    FailureClass::TotalTimeout,
    FailureClass::Protocol,
    FailureClass::Status(429),
    FailureClass::Status(503),
    FailureClass::Status(400),
    FailureClass::BadBody,
];

#[test]
fn no_schedule_of_failures_makes_more_calls_than_attempts_or_holds_a_slot() {
    use proptest::prelude::*;
    let strategy =
        (1..=64usize, 1..=10u8, prop::collection::vec(any::<(u8, bool, bool)>(), 0..300), any::<u64>());
    proptest!(ProptestConfig::with_cases(400), |((count, attempts, schedule, seed) in strategy)| {
        let balance = group::BALANCES[(seed % 8) as usize].1;
        let tree = Tree::flat(balance, (0..count).map(|i| (1, 1 + i as u32 % 3)));
        let cells: Vec<Arc<TargetLive>> = (0..count).map(|_| Arc::default()).collect();
        let ask = Ask { turn: seed, random: seed, session: Some(seed), ..Ask::default() };
        let look = |i: usize| Look { busy: cells[i].busy(), ..Look::default() };
        let mut order = AttemptOrder::new(plan(&tree, &ask, look, |_| true), attempts);
        let mut calls = 0_u32;
        let mut schedule = schedule.into_iter();
        let (mut last, mut excluded) = (None, 0);
        while let Some(target) = order.next(|_| true) {
            let _slot = cells[target].enter();
            prop_assert!(count == 1 || excluded > 0 || last != Some(target), "the failed one again");
            last = Some(target);
            calls += 1;
            let (kind, is_processed, is_ended) = schedule.next().unwrap_or((0, false, false));
            let class = CLASSES[usize::from(kind) % CLASSES.len()];
            if is_ended { break }
            match decide(class, &FailoverPolicy::default(), order.attempts_left(), false, is_processed) {
                Decision::GiveUp => break,
                Decision::TryOther => { order.exclude(target); excluded += 1; }
                Decision::TryNext => {}
            }
        }
        prop_assert!(calls <= u32::from(attempts));
        prop_assert!(cells.iter().all(|cell| cell.busy() == 0));
    });
}

#[test]
fn a_prompt_goes_to_the_one_that_has_most_of_it_until_that_one_has_much_more_to_do() {
    let tree = Tree::flat(Balance::Prefix, [(1, 1), (1, 1), (1, 1)]);
    let of = |cached: [f32; 3], busy: [u32; 3]| {
        let look = move |i: usize| Look { cached: cached[i], busy: busy[i], ..Look::default() };
        plan(&tree, &at(5), look, |_| true).targets().next().unwrap()
    };
    assert_eq!(of([0.5, 0.9, 0.0], [1, 1, 1]), 1);
    // 90 % cached: worth five times the calls.
    assert_eq!(of([0.0, 0.9, 0.0], [0, 4, 1]), 1);
    assert_eq!(of([0.0, 0.9, 0.0], [0, 5, 1]), 0);
    // A tenth of it is worth a tenth.
    assert_eq!(of([0.1, 0.0, 0.0], [1, 1, 1]), 0);
    assert_eq!(of([0.1, 0.0, 0.0], [2, 1, 2]), 1);
    // Never more than its share and a quarter, however much it has.
    assert_eq!(of([1.0, 0.0, 0.0], [15, 9, 10]), 1);
    assert_eq!(of([1.0, 0.0, 0.0], [14, 9, 10]), 0);
}

#[test]
fn prompts_that_nobody_has_are_spread_by_load_and_weight() {
    let tree = Tree::flat(Balance::Prefix, [(1, 1), (3, 1), (1, 1)]);
    let cells: Vec<Arc<TargetLive>> = (0..3).map(|_| Arc::default()).collect();
    let mut slots = Vec::new();
    for turn in 0..500 {
        let look = |i: usize| Look { busy: cells[i].busy(), ..Look::default() };
        slots.push(cells[plan(&tree, &at(turn), look, |_| true).targets().next().unwrap()].enter());
    }
    let busy: Vec<u32> = cells.iter().map(|cell| cell.busy()).collect();
    assert!(busy.iter().zip([100, 300, 100]).all(|(busy, due)| busy.abs_diff(due) <= 2), "{busy:?}");
}

/// Conversations over four servers whose caches hold a third of them: the index against what the servers
/// really have.
#[test]
fn conversations_find_their_caches_and_the_load_stays_even() {
    let seed = 97;
    println!("seed {seed}");
    let mut numbers = Numbers::new(seed);
    let index = PrefixIndex::default();
    let slots = index.assign(&[1, 2, 3, 4], 32_768);
    let tree = Tree::flat(Balance::Prefix, [(1, 1); 4]);
    let mut lengths = vec![4_usize; 200];
    let (mut hits, mut all, mut calls) = (0_u32, 0_u32, [0_u32; 4]);
    for turn in 0..4000 {
        let who = numbers.below(200) as usize;
        lengths[who] = if lengths[who] > 60 { 4 } else { lengths[who] + 2 };
        let text: Vec<u8> = (0..lengths[who])
            .flat_map(|block| [who as u8 + 1, (who % 5) as u8, block as u8, 7].repeat(64))
            .collect();
        let prompt = Prompt::of(&[&text]);
        let matched = index.matched(&prompt);
        let look = |i: usize| Look { cached: matched.share(slots[i]), ..Look::default() };
        let first = plan(&tree, &at(turn), look, |_| true).targets().next().unwrap();
        let (has, of) = matched.counts(slots[first]);
        (hits, all) = (hits + u32::from(has), all + u32::from(of));
        calls[first] += 1;
        index.record(slots[first], &prompt);
    }
    assert!(hits * 100 > all * 85, "{hits} of {all}");
    assert!(calls.iter().all(|calls| (600..=1400).contains(calls)), "{calls:?}");
}

#[test]
fn a_cold_target_takes_few_prompts_that_nobody_has() {
    let tree = Tree::flat(Balance::Prefix, [(1, 1), (1, 1)]);
    let cold = firsts(&tree, 1100, |i| Look { warmth: [0.1, 1.0][i], ..Look::default() });
    assert!((60..=140).contains(&cold[0]), "{cold:?}");
}
