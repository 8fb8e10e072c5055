//! Plans over flat models and nested groups, by what is seen of the targets.

use super::group::DEPTH_MAX;
use super::*;
use crate::types::Ticks;
use crate::types::bounds::TARGETS_MAX;
use std::time::Duration;

fn until(seconds: u64) -> Ticks {
    Ticks::from_start(Duration::from_secs(seconds))
}

fn failing(seconds: u64) -> Look {
    Look { until: until(seconds), ..Look::of(Verdict::Cooling) }
}

fn stated(seconds: u64) -> Look {
    Look { until: until(seconds), ..Look::of(Verdict::Limited) }
}

fn ready() -> Look {
    Look::default()
}

fn at(turn: u64) -> Ask {
    Ask { turn, random: turn.wrapping_mul(77), ..Ask::default() }
}

fn order_at(tree: &Tree, ask: Ask) -> Vec<usize> {
    plan(tree, &ask, |_| Look::default(), |_| true).targets().collect()
}

fn judged(tree: &Tree, looks: &[Look], ask: Ask) -> Plan {
    plan(tree, &ask, |target| looks[target], |_| true)
}

fn order_of(plan: &Plan) -> Vec<usize> {
    plan.targets().collect()
}

#[test]
fn lower_priority_numbers_come_first_whatever_the_weights() {
    let tree = Tree::flat(Balance::Weighted, [(100, 2), (1, 1), (100, 3), (1, 1)]);
    for turn in 0..200 {
        let order = order_at(&tree, at(turn));
        assert_eq!(order[2..], [0, 2]);
        assert!(order[..2] == [1, 3] || order[..2] == [3, 1]);
    }
}

#[test]
fn weight_zero_is_never_planned_and_never_a_recovery() {
    for balance in group::BALANCES.map(|(_, balance)| balance) {
        let tree = Tree::flat(balance, [(0, 1), (1, 1), (0, 2)]);
        assert!((0..100).all(|turn| order_at(&tree, at(turn)) == [1]), "{balance:?}");
        let closed = Tree::flat(balance, [(0, 1)]);
        let plan = judged(&closed, &[failing(3)], at(0));
        assert!(plan.is_empty() && plan.soonest_recovery().is_none());
        assert_eq!(plan.verdicts(), [Verdict::Drained]);
    }
}

#[test]
fn cooling_targets_are_left_out_and_the_soonest_recovery_told() {
    let tree = Tree::flat(Balance::Weighted, [(1, 1), (1, 1), (1, 2)]);
    let plan = judged(&tree, &[stated(9), stated(4), ready()], at(5));
    assert_eq!((order_of(&plan), plan.soonest_recovery()), (vec![2], Some(until(4))));
}

#[test]
fn one_number_gives_one_order_and_every_target_is_in_it_once() {
    for balance in group::BALANCES.map(|(_, balance)| balance) {
        let tree = Tree::flat(balance, vec![(5, 1); TARGETS_MAX + 3]);
        let ask = Ask { session: Some(9), ..at(77) };
        let mut first = order_at(&tree, ask);
        assert_eq!(first, order_at(&tree, ask), "{balance:?}");
        first.sort_unstable();
        assert_eq!(first, (0..TARGETS_MAX).collect::<Vec<_>>(), "{balance:?}");
    }
}

#[test]
fn the_reasons_of_those_left_out_are_told() {
    let tree = Tree::flat(Balance::Weighted, vec![(1, 1); 4]);
    let verdicts = [Verdict::Context, Verdict::Ready, Verdict::Limited, Verdict::Region];
    let plan = judged(&tree, &verdicts.map(Look::of), at(0));
    assert_eq!((order_of(&plan), plan.verdicts()), (vec![1], verdicts.as_slice()));
}

#[test]
fn beliefs_give_way_where_nobody_else_is_left_and_rules_never_do() {
    let tree = Tree::flat(Balance::Weighted, vec![(1, 1); 3]);
    let unfit = [Verdict::Context, Verdict::Tools, Verdict::Region].map(Look::of);
    assert!(judged(&tree, &unfit, at(0)).is_empty());
    let passing = Ask { passes_unfit: true, ..at(0) };
    let plan = judged(&tree, &unfit, passing);
    let mut order = order_of(&plan);
    order.sort_unstable();
    assert_eq!((order, plan.is_loosened()), (vec![0, 1], true));
    let rules = [Verdict::Region, Verdict::ZeroRetention, Verdict::Denied].map(Look::of);
    assert!(judged(&tree, &rules, passing).is_empty());
    // Who cools will be back: it is waited for, and nobody else is asked in its place.
    assert!(judged(&tree, &[unfit[0], stated(3), rules[0]], passing).is_empty());
}

#[test]
fn above_the_threshold_failing_targets_are_asked_behind_those_that_are_well() {
    let tree = Tree::flat(Balance::RoundRobin, vec![(1, 1); 4]);
    let half = judged(&tree, &[failing(3), failing(3), ready(), ready()], at(0));
    assert_eq!((half.len(), half.is_panic()), (2, false));
    let most = judged(&tree, &[failing(3), failing(3), failing(3), ready()], at(0));
    assert_eq!((order_of(&most)[0], most.len(), most.is_panic()), (3, 4, true));
    assert!(most.is_out(0) && !most.is_out(3));
    // A provider that said how long is believed.
    let limited = judged(&tree, &[stated(3), stated(3), failing(3), ready()], at(0));
    assert_eq!(order_of(&limited), [3]);
    let never = Ask { panic: Panic { above: 100, last_resort: false }, ..at(0) };
    assert_eq!(judged(&tree, &[failing(3), failing(3), failing(3), ready()], never).len(), 1);
}

#[test]
fn with_all_out_nobody_is_asked_unless_it_is_the_last_resort() {
    let tree = Tree::flat(Balance::Weighted, vec![(1, 1); 3]);
    let verdicts = [failing(3), failing(5), stated(9)];
    assert!(judged(&tree, &verdicts, at(0)).is_empty());
    let last_resort = Panic { above: 50, last_resort: true };
    let plan = judged(&tree, &verdicts, Ask { panic: last_resort, ..at(0) });
    assert_eq!((plan.len(), plan.is_out(2)), (2, false));
}

fn place(member: Member, weight: u32, priority: u32, when: Option<u8>) -> Place {
    Place { member, weight, priority, when }
}

/// The root falls back from a balance of two to a group with a condition, and last to one target.
fn nested() -> Tree {
    let group = |name: &str, balance, places| Group { name: name.into(), balance, places };
    Tree::new(vec![
        group(
            "",
            Balance::Weighted,
            vec![
                place(Member::Group(1), 1, 1, None),
                place(Member::Group(2), 1, 2, Some(0)),
                place(Member::Target(4), 1, 3, None),
            ],
        ),
        group(
            "near",
            Balance::RoundRobin,
            vec![place(Member::Target(0), 1, 1, None), place(Member::Target(1), 1, 1, None)],
        ),
        group(
            "far",
            Balance::Weighted,
            vec![place(Member::Target(2), 1, 1, None), place(Member::Target(3), 1, 2, None)],
        ),
    ])
    .unwrap()
}

#[test]
fn a_fallback_of_balances_of_conditions_is_tried_from_left_to_right() {
    let tree = nested();
    assert_eq!(order_at(&tree, at(0)), [0, 1, 2, 3, 4]);
    assert_eq!(order_at(&tree, at(1)), [1, 0, 2, 3, 4]);
    let denied = plan(&tree, &at(0), |_| Look::default(), |_| false);
    assert_eq!(order_of(&denied), [0, 1, 4]);
    assert_eq!(denied.verdicts()[2..4], [Verdict::Denied; 2]);
    let ill = |target| if target < 2 { stated(3) } else { ready() };
    let plan = plan(&tree, &at(0), ill, |_| true);
    assert_eq!((order_of(&plan), plan.is_balanced()), (vec![2, 3, 4], false), "its place alone decides");
    let well = self::plan(&tree, &at(0), |_| Look::default(), |_| true);
    assert_eq!((well.balance(), well.is_balanced()), (Balance::RoundRobin, true));
}

#[test]
fn a_condition_is_asked_once_and_never_for_a_group_that_takes_no_calls() {
    let mut tree = nested();
    let asked = std::cell::Cell::new(0);
    let count = |_| {
        asked.set(asked.get() + 1);
        true
    };
    let _ = plan(&tree, &at(0), |_| Look::default(), count);
    assert_eq!(asked.get(), 1);
    tree.groups[0].places[1].weight = 0;
    let plan = plan(&tree, &at(0), |_| Look::default(), count);
    assert_eq!((asked.get(), order_of(&plan)), (1, vec![0, 1, 4]));
}

#[test]
fn inner_and_outer_balances_do_not_move_in_step() {
    let pair = |a, b| vec![place(a, 1, 1, None), place(b, 1, 1, None)];
    let target = |index| Member::Target(index);
    let group = |balance, places| Group { balance, places, ..Group::default() };
    for balance in [Balance::Weighted, Balance::RoundRobin] {
        let tree = Tree::new(vec![
            group(balance, pair(Member::Group(1), Member::Group(2))),
            group(balance, pair(target(0), target(1))),
            group(balance, pair(target(2), target(3))),
        ]);
        let tree = tree.unwrap();
        let mut firsts = [0_u32; 4];
        (0..1000).for_each(|turn| firsts[order_at(&tree, at(turn))[0]] += 1);
        assert!(firsts.iter().all(|count| (240..=260).contains(count)), "{balance:?} {firsts:?}");
    }
}

#[test]
fn a_tree_as_deep_as_may_be_is_planned_to_its_leaves() {
    let inner = (1..DEPTH_MAX)
        .map(|next| Group { places: vec![place(Member::Group(next as u8), 1, 1, None)], ..Group::default() });
    let leaf = Group { places: vec![place(Member::Target(0), 1, 1, None)], ..Group::default() };
    let tree = Tree::new(inner.chain([leaf]).collect()).unwrap();
    assert_eq!(order_at(&tree, at(3)), [0]);
}

#[test]
fn a_plan_of_one_target_holds_it_alone() {
    let plan = Plan::only(2);
    assert_eq!(order_of(&plan), [2]);
    assert_eq!(plan.verdicts(), [Verdict::Pinned, Verdict::Pinned, Verdict::Ready]);
}

#[test]
fn the_short_way_of_one_target_is_the_long_way() {
    let flat = Tree::flat(Balance::Weighted, [(1, 1)]);
    let outer = Group { places: vec![place(Member::Group(1), 1, 1, None)], ..Group::default() };
    let inner = Group { places: vec![place(Member::Target(0), 1, 1, None)], ..Group::default() };
    let nested = Tree::new(vec![outer, inner]).unwrap();
    let looks = [ready(), failing(3), stated(4)]
        .into_iter()
        .chain([Verdict::Unserved, Verdict::Drained, Verdict::Region, Verdict::Context].map(Look::of));
    for look in looks {
        for (last_resort, passes_unfit) in [(false, false), (true, false), (false, true), (true, true)] {
            let panic = Panic { above: 50, last_resort };
            let ask = Ask { panic, passes_unfit, ..at(3) };
            let told = |tree: &Tree| {
                let plan = judged(tree, &[look], ask);
                let marks = (plan.is_panic(), plan.is_out(0), plan.is_loosened());
                (order_of(&plan), plan.soonest_recovery(), plan.verdicts().to_vec(), marks)
            };
            assert_eq!(told(&flat), told(&nested), "{look:?} {ask:?}");
        }
    }
}

#[test]
fn a_target_dead_to_probes_is_left_alone_and_asked_where_nobody_is_left() {
    let dead = || Look { until: until(9), ..Look::of(Verdict::Unhealthy) };
    let never = Panic { above: 100, last_resort: false };
    let ask = |panic| Ask { panic, ..at(3) };
    let tree = Tree::flat(Balance::Weighted, [(1, 1); 3]);
    let one = judged(&tree, &[dead(), ready(), ready()], ask(never));
    assert!(!order_of(&one).contains(&0) && !one.is_panic());
    assert_eq!(one.soonest_recovery(), Some(until(9)));
    // Too many are dead: behind the well one.
    let two = judged(&tree, &[dead(), ready(), dead()], ask(Panic::default()));
    assert_eq!((order_of(&two)[0], two.len(), two.is_panic()), (1, 3, true));
    // Those that calls have failed at are left alone even then, unless it is said otherwise.
    let none = judged(&tree, &[dead(), failing(5), dead()], ask(never));
    let mut order = order_of(&none);
    order.sort_unstable();
    assert_eq!((order, none.is_out(0), none.is_out(1)), (vec![0, 2], true, false));
    let alone = judged(&Tree::flat(Balance::Weighted, [(1, 1)]), &[dead()], ask(never));
    assert_eq!((order_of(&alone), alone.is_out(0)), (vec![0], true));
}

#[test]
fn a_target_with_too_long_a_queue_is_no_candidate_until_it_says_so() {
    let queued = Look { until: until(7), ..Look::of(Verdict::Crowded) };
    let tree = Tree::flat(Balance::Weighted, [(1, 1), (1, 2)]);
    let spilled = judged(&tree, &[queued, ready()], at(1));
    assert_eq!(order_of(&spilled), [1]);
    let full =
        judged(&tree, &[queued, queued], Ask { panic: Panic { above: 1, last_resort: true }, ..at(1) });
    assert!(full.is_empty() && !full.is_panic());
    assert_eq!(full.soonest_recovery(), Some(until(7)));
}

#[test]
fn a_plan_names_the_balance_of_its_model_also_where_nothing_is_left_to_decide() {
    let tree = Tree::flat(Balance::Fastest, [(1, 1), (1, 1)]);
    let one = judged(&tree, &[ready(), failing(3)], at(0));
    assert_eq!((one.balance(), one.is_balanced(), one.len()), (Balance::Fastest, false, 1));
    let none = judged(&tree, &[failing(3), failing(3)], at(0));
    assert_eq!((none.balance(), none.is_empty()), (Balance::Fastest, true));
}
