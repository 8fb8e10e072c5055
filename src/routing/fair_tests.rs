//! Shares, priorities and bounds of those who wait, with seeds.

use super::fair::{Aims, Fair, Place};
use super::numbers::Numbers;
use crate::types::Priority;
use std::collections::{BTreeMap, VecDeque};

const ANY: Aims = Aims { full: 1, away: 0 };
const NORMAL: Priority = Priority::Normal;

fn push<T: std::fmt::Debug>(fair: &mut Fair<T>, tenant: u64, item: T) -> Place {
    fair.push((NORMAL, tenant), ANY, None, item).unwrap().0
}

fn served<T>(fair: &mut Fair<T>) -> Vec<T> {
    std::iter::from_fn(|| fair.pop(1, false)).collect()
}

#[test]
fn a_burst_of_one_tenant_does_not_hold_up_another() {
    let mut fair = Fair::new(1000);
    for n in 0..100 {
        push(&mut fair, 1, (1, n));
    }
    for n in 0..3 {
        push(&mut fair, 2, (2, n));
    }
    let order = served(&mut fair);
    let of_two: Vec<usize> = (0..order.len()).filter(|at| order[*at].0 == 2).collect();
    assert!(of_two.iter().all(|at| *at <= 6), "{of_two:?}");
    let of_one: Vec<i32> = order.iter().filter(|(tenant, _)| *tenant == 1).map(|(_, n)| *n).collect();
    assert_eq!(of_one, (0..100).collect::<Vec<_>>(), "who came first is first");
    assert!(fair.is_empty());
}

#[test]
fn tenants_that_all_have_some_in_line_are_served_alike() {
    let mut numbers = Numbers::new(42);
    let mut fair = Fair::new(10_000);
    for n in 0..3000_u64 {
        // One asks for nine tenths of all.
        let tenant = if numbers.below(10) < 9 { 0 } else { 1 + n % 3 };
        push(&mut fair, tenant, tenant);
    }
    let mut counts = BTreeMap::new();
    (0..200).for_each(|_| *counts.entry(fair.pop(1, false).unwrap()).or_insert(0) += 1);
    assert!(counts.values().all(|count| (49..=51).contains(count)), "{counts:?}");
}

#[test]
fn who_was_away_does_not_make_up_for_it() {
    let mut fair = Fair::new(1000);
    for _ in 0..200 {
        push(&mut fair, 1, 1);
    }
    for _ in 0..100 {
        fair.pop(1, false);
    }
    for _ in 0..100 {
        push(&mut fair, 2, 2);
    }
    let next: Vec<i32> = (0..20).filter_map(|_| fair.pop(1, false)).collect();
    let of_two = next.iter().filter(|tenant| **tenant == 2).count();
    assert!((9..=11).contains(&of_two), "{next:?}");
}

#[test]
fn those_who_left_cost_their_tenant_nothing() {
    let mut fair = Fair::new(1000);
    let places: Vec<Place> = (0..50).map(|n| push(&mut fair, 1, (1, n))).collect();
    places.iter().take(45).for_each(|place| assert!(fair.remove(*place).is_some()));
    assert!(fair.remove(places[0]).is_none(), "nobody leaves twice");
    for n in 0..50 {
        push(&mut fair, 2, (2, n));
    }
    let next: Vec<i32> = (0..10).filter_map(|_| fair.pop(1, false)).map(|(tenant, _)| tenant).collect();
    assert_eq!(next.iter().filter(|tenant| **tenant == 1).count(), 5, "{next:?}");
}

#[test]
fn a_higher_priority_goes_first_whoever_has_it() {
    let mut fair = Fair::new(100);
    for (n, priority) in
        [Priority::Low, Priority::Normal, Priority::High].into_iter().cycle().take(30).enumerate()
    {
        fair.push((priority, n as u64 % 2), ANY, None, priority).unwrap();
    }
    let order = served(&mut fair);
    assert_eq!(order.len(), 30);
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn a_freed_target_goes_to_who_can_use_it() {
    let mut fair = Fair::new(100);
    let full = |full| Aims { full, away: 0 };
    fair.push((NORMAL, 1), full(0b01), None, "first").unwrap();
    fair.push((NORMAL, 1), full(0b10), None, "second").unwrap();
    fair.push((NORMAL, 1), Aims { full: 0b01, away: 0b10 }, None, "third").unwrap();
    assert_eq!(fair.pop(0b10, false), Some("second"));
    assert_eq!(fair.pop(0b10, false), None, "one that is back is no place that is free");
    assert_eq!(fair.pop(0b100, true), None);
    assert_eq!(fair.pop(0b10, true), Some("third"));
    assert_eq!(fair.pop(0b01, false), Some("first"));
}

#[test]
fn in_a_full_line_room_is_made_by_who_has_least_right_to_it() {
    let mut fair = Fair::new(10);
    for n in 0..10 {
        push(&mut fair, 1, (1, n));
    }
    let of = |fair: &mut Fair<(u64, i32)>, priority, tenant, n| {
        fair.push((priority, tenant), ANY, None, (tenant, n)).map(|(_, displaced)| displaced)
    };
    assert_eq!(of(&mut fair, NORMAL, 1, 10), Err((1, 10)), "its own tenant has all of it");
    assert_eq!(of(&mut fair, NORMAL, 2, 0), Ok(Some((1, 9))), "the last of the tenant with most");
    assert_eq!(of(&mut fair, Priority::Low, 3, 0), Err((3, 0)), "the low make nobody go");
    assert_eq!(of(&mut fair, Priority::High, 1, 11), Ok(Some((1, 8))));
    // One more would only turn them round.
    let taken = (1..9).filter(|n| of(&mut fair, NORMAL, 2, *n).is_ok()).count();
    assert_eq!((taken, fair.len()), (3, 10));
}

#[test]
fn who_was_called_in_vain_has_its_place_back() {
    let mut fair = Fair::new(10);
    let place = push(&mut fair, 1, "old");
    push(&mut fair, 1, "young");
    assert_eq!(fair.pop(1, false), Some("old"));
    fair.push((NORMAL, 1), ANY, Some(place), "old").unwrap();
    assert_eq!(served(&mut fair), ["old", "young"]);
}

/// Against a model that is nothing but lists: same length, nobody lost, nobody twice, within the bound.
#[test]
fn whatever_happens_nobody_is_lost_and_nobody_is_served_twice() {
    for seed in 0..50 {
        let mut numbers = Numbers::new(seed);
        let mut fair = Fair::new(40);
        let mut inside: VecDeque<(Place, u64)> = VecDeque::new();
        for item in 0..2_000_u64 {
            match numbers.below(4) {
                0 | 1 => {
                    let priority = Priority::ALL[numbers.below(3) as usize];
                    let aims = Aims { full: 1 + numbers.below(3), away: numbers.below(4) };
                    match fair.push((priority, numbers.below(5)), aims, None, item) {
                        Ok((place, displaced)) => {
                            inside.retain(|(_, held)| Some(*held) != displaced);
                            inside.push_back((place, item));
                        }
                        Err(back) => assert_eq!((back, fair.len()), (item, 40), "seed {seed}"),
                    }
                }
                2 => {
                    if let Some(item) = fair.pop(1 + numbers.below(3), numbers.below(2) == 0) {
                        let at = inside.iter().position(|(_, held)| *held == item);
                        assert!(at.and_then(|at| inside.remove(at)).is_some(), "seed {seed}");
                    }
                }
                _ if !inside.is_empty() => {
                    let at = numbers.below(inside.len() as u64) as usize;
                    let (place, item) = inside.remove(at).unwrap();
                    assert_eq!(fair.remove(place), Some(item), "seed {seed}");
                }
                _ => {}
            }
            assert_eq!(fair.len(), inside.len(), "seed {seed}");
            assert!(fair.len() <= 40);
        }
        while fair.pop(u64::MAX, true).is_some() {
            inside.pop_front();
        }
        assert!(inside.is_empty() && fair.is_empty(), "seed {seed}");
    }
}
