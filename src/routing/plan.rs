//! The order in which a request tries its model's targets.
//!
//! Not the attempts themselves, see [`AttemptOrder`](super::AttemptOrder). A pure function of the
//! targets, their states and one number; lives on the stack.

use super::numbers::Numbers;
use super::{Balance, Target, TargetState};
use crate::types::Ticks;
use crate::types::bounds::TARGETS_MAX;

/// Targets by index, the first to be tried first. Cooling ones and those of weight zero are not in it.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    order: [u8; TARGETS_MAX],
    len: usize,
    soonest: Option<Ticks>,
}

impl Plan {
    /// Indexes into the model's targets.
    pub fn targets(&self) -> impl Iterator<Item = usize> + '_ {
        self.order.iter().take(self.len).map(|index| usize::from(*index))
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// When the first of the targets left out for cooling is ready again. With an empty plan, this
    /// is what `Retry-After` says; `None` then means that there are no targets at all.
    pub fn soonest_recovery(&self) -> Option<Ticks> {
        self.soonest
    }

    pub(super) fn at(&self, place: usize) -> Option<usize> {
        self.order.get(..self.len)?.get(place).map(|index| usize::from(*index))
    }

    fn push(&mut self, index: u8) {
        if let Some(place) = self.order.get_mut(self.len) {
            *place = index;
            self.len += 1;
        }
    }
}

/// Orders `targets`: by priority, and inside a priority by `balance`. `state` is asked once for each
/// target that takes calls, by its index; None is one that cannot serve this request. `random` is any number that differs from request to
/// request: a counter of the model will do for either balance. Targets beyond [`TARGETS_MAX`] are
/// not seen.
pub fn plan(
    targets: &[Target],
    balance: Balance,
    state: impl Fn(usize) -> Option<TargetState>,
    random: u64,
) -> Plan {
    let mut plan = Plan { order: [0; TARGETS_MAX], len: 0, soonest: None };
    let mut room = [Candidate::default(); TARGETS_MAX];
    let mut count = 0;
    for (index, target) in
        targets.iter().enumerate().take(TARGETS_MAX).filter(|(_, target)| target.weight > 0)
    {
        match (state(index), room.get_mut(count)) {
            (None, _) => {}
            (Some(TargetState::Cooling { until }), _) => {
                plan.soonest = Some(plan.soonest.map_or(until, |soonest| soonest.min(until)));
            }
            (Some(TargetState::Ready), Some(place)) => {
                *place = Candidate { index: index as u8, weight: target.weight, priority: target.priority };
                count += 1;
            }
            (Some(TargetState::Ready), None) => {}
        }
    }
    let ready = room.get_mut(..count).unwrap_or_default();
    ready.sort_unstable_by_key(|candidate| (candidate.priority, candidate.index));
    let mut numbers = Numbers::new(random);
    for tier in ready.chunk_by_mut(|a, b| a.priority == b.priority) {
        match balance {
            Balance::Weighted => shuffle_by_weight(tier, &mut numbers),
            Balance::RoundRobin => tier.rotate_left((random % tier.len() as u64) as usize),
        }
        tier.iter().for_each(|candidate| plan.push(candidate.index));
    }
    plan
}

/// A target that may be called, with what its order depends on.
#[derive(Clone, Copy, Default)]
struct Candidate {
    index: u8,
    weight: u32,
    priority: u32,
}

/// Draws one after the other to the front, each with a chance of its weight over the weights not
/// drawn yet.
fn shuffle_by_weight(mut tier: &mut [Candidate], numbers: &mut Numbers) {
    let mut total: u64 = tier.iter().map(|candidate| u64::from(candidate.weight)).sum();
    while tier.len() > 1 {
        let mut drawn = numbers.below(total);
        let place = tier.iter().position(|candidate| match drawn.checked_sub(u64::from(candidate.weight)) {
            Some(beyond) => {
                drawn = beyond;
                false
            }
            None => true,
        });
        tier.swap(0, place.unwrap_or(0));
        let Some((first, rest)) = tier.split_first_mut() else { return };
        total -= u64::from(first.weight);
        tier = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn target(weight: u32, priority: u32) -> Target {
        Target { provider: 0, model: None, weight, priority }
    }

    fn order(targets: &[Target], balance: Balance, random: u64) -> Vec<usize> {
        plan(targets, balance, |_| Some(TargetState::Ready), random).targets().collect()
    }

    #[test]
    fn lower_priority_numbers_come_first_whatever_the_weights() {
        let targets = [target(100, 2), target(1, 1), target(100, 3), target(1, 1)];
        for random in 0..200 {
            let order = order(&targets, Balance::Weighted, random);
            assert_eq!(order[2..], [0, 2]);
            assert!(order[..2] == [1, 3] || order[..2] == [3, 1]);
        }
    }

    #[test]
    fn first_places_over_many_requests_follow_the_weights_within_one_percent() {
        let targets = [target(3, 1), target(1, 1), target(6, 1)];
        let mut firsts = [0_u32; 3];
        for random in 0..100_000 {
            firsts[order(&targets, Balance::Weighted, random)[0]] += 1;
        }
        for (first, share) in firsts.iter().zip([0.3, 0.1, 0.6]) {
            assert!((f64::from(*first) / 100_000.0 - share).abs() < 0.01 * share.max(0.5), "{firsts:?}");
        }
    }

    #[test]
    fn second_places_follow_the_weights_of_those_left() {
        let targets = [target(3, 1), target(1, 1), target(6, 1)];
        let orders = (0..100_000).map(|random| order(&targets, Balance::Weighted, random));
        let after_last: Vec<usize> = orders.filter(|order| order[0] == 2).map(|order| order[1]).collect();
        let share = after_last.iter().filter(|second| **second == 0).count() as f64 / after_last.len() as f64;
        assert!((share - 0.75).abs() < 0.01, "{share}");
    }

    #[test]
    fn round_robin_takes_each_in_turn() {
        let targets = [target(1, 1), target(9, 1), target(1, 1)];
        let firsts: Vec<usize> = (0..6).map(|turn| order(&targets, Balance::RoundRobin, turn)[0]).collect();
        assert_eq!(firsts, [0, 1, 2, 0, 1, 2]);
        assert_eq!(order(&targets, Balance::RoundRobin, 1), [1, 2, 0]);
    }

    #[test]
    fn weight_zero_is_never_planned_and_never_a_recovery() {
        let cooling = |_| Some(TargetState::Cooling { until: Ticks::default() });
        for balance in [Balance::Weighted, Balance::RoundRobin] {
            let targets = [target(0, 1), target(1, 1), target(0, 2)];
            assert!((0..100).all(|random| order(&targets, balance, random) == [1]));
            let plan = plan(&[target(0, 1)], balance, cooling, 0);
            assert!(plan.is_empty() && plan.soonest_recovery().is_none());
        }
    }

    #[test]
    fn cooling_targets_are_left_out_and_the_soonest_recovery_told() {
        let until = |seconds| Ticks::from_start(Duration::from_secs(seconds));
        let state = |index| {
            Some(match index {
                0 => TargetState::Cooling { until: until(9) },
                1 => TargetState::Cooling { until: until(4) },
                _ => TargetState::Ready,
            })
        };
        let targets = [target(1, 1), target(1, 1), target(1, 2)];
        let plan = plan(&targets, Balance::Weighted, state, 5);
        assert_eq!(plan.targets().collect::<Vec<_>>(), [2]);
        assert_eq!(plan.soonest_recovery(), Some(until(4)));
    }

    #[test]
    fn one_number_gives_one_order_and_every_target_is_in_it_once() {
        let targets = vec![target(5, 1); TARGETS_MAX + 3];
        let mut first = order(&targets, Balance::Weighted, 77);
        assert_eq!(first, order(&targets, Balance::Weighted, 77));
        assert_ne!(first, order(&targets, Balance::Weighted, 78));
        first.sort_unstable();
        assert_eq!(first, (0..TARGETS_MAX).collect::<Vec<_>>());
    }
}
