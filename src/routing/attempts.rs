//! One request's way through its plan.
//!
//! Invariant: [`AttemptOrder::next`] yields at most `attempts` targets in total, and the one that
//! just failed only when no other may be called.

use super::Plan;

/// Gives out the targets of a plan, round and round, until the attempts are used up.
#[derive(Clone, Debug)]
pub struct AttemptOrder {
    plan: Plan,
    attempts_left: u8,
    /// Where to look first.
    place: usize,
    last: Option<usize>,
    /// Bit per target that must not see this request again.
    excluded: u64,
}

impl AttemptOrder {
    /// `attempts` counts the first call too.
    pub fn new(plan: Plan, attempts: u8) -> Self {
        Self { plan, attempts_left: attempts, place: 0, last: None, excluded: 0 }
    }

    /// As after a call of `last` that failed: another target comes first.
    pub fn after(plan: Plan, attempts: u8, last: Option<usize>) -> Self {
        let place = last.and_then(|last| plan.targets().position(|target| target == last));
        Self { last, place: place.map_or(0, |place| place + 1), ..Self::new(plan, attempts) }
    }

    pub fn attempts_left(&self) -> u8 {
        self.attempts_left
    }

    /// The next target to call, by index. `may_call` is asked about targets in order until it says
    /// yes, and that target is then the answer: so it may claim a probe. `None` ends the request.
    pub fn next(&mut self, may_call: impl FnMut(usize) -> bool) -> Option<usize> {
        if self.attempts_left == 0 {
            return None;
        }
        let place = self.find(may_call)?;
        let target = self.plan.at(place)?;
        self.attempts_left -= 1;
        self.place = place + 1;
        self.last = Some(target);
        Some(target)
    }

    /// Keeps the request away from `target` from now on: it may have processed the call already.
    pub fn exclude(&mut self, target: usize) {
        self.excluded |= u32::try_from(target).ok().and_then(|bit| 1_u64.checked_shl(bit)).unwrap_or(0);
    }

    /// The place of the first target that may be called: the others in turn, the last one last.
    fn find(&self, mut may_call: impl FnMut(usize) -> bool) -> Option<usize> {
        let count = self.plan.len();
        let round = (self.place..self.place + count).map(|place| place % count);
        let again = round.clone().filter(|place| self.plan.at(*place) == self.last);
        let others = round.filter(|place| self.plan.at(*place) != self.last);
        others.chain(again).find(|place| {
            let target = self.plan.at(*place).filter(|target| !self.is_excluded(*target));
            target.is_some_and(&mut may_call)
        })
    }

    fn is_excluded(&self, target: usize) -> bool {
        let bit = u32::try_from(target).ok().and_then(|bit| self.excluded.checked_shr(bit));
        bit.is_some_and(|bits| bits & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::{Ask, Balance, Look, Tree, plan};

    fn order_of(count: usize, attempts: u8) -> AttemptOrder {
        let tree = Tree::flat(Balance::RoundRobin, vec![(1, 1); count]);
        AttemptOrder::new(plan(&tree, &Ask::default(), |_| Look::default(), |_| true), attempts)
    }

    fn all(mut order: AttemptOrder) -> Vec<usize> {
        std::iter::from_fn(|| order.next(|_| true)).collect()
    }

    #[test]
    fn three_attempts_over_two_targets_are_three_calls_and_none_twice_in_a_row() {
        assert_eq!(all(order_of(2, 3)), [0, 1, 0]);
    }

    #[test]
    fn attempts_end_before_the_targets_do_and_after() {
        assert_eq!(all(order_of(5, 2)), [0, 1]);
        assert_eq!(all(order_of(1, 3)), [0, 0, 0]);
        assert!(all(order_of(3, 0)).is_empty());
        assert!(all(order_of(0, 3)).is_empty());
    }

    #[test]
    fn after_a_failed_call_another_target_comes_first_and_the_failed_one_last() {
        let order = |count| {
            let new = order_of(count, 2);
            AttemptOrder::after(new.plan, 2, Some(0))
        };
        assert_eq!(all(order(3)), [1, 2]);
        assert_eq!(order(1).next(|_| true), Some(0), "it is asked again where there is no other");
        assert_eq!(order(2).next(|target| target == 0), Some(0));
    }

    #[test]
    fn a_target_that_may_not_be_called_is_passed_over_without_using_an_attempt() {
        let mut order = order_of(3, 2);
        assert_eq!(order.next(|target| target != 0), Some(1));
        assert_eq!(order.attempts_left(), 1);
        assert_eq!(order.next(|target| target == 0), Some(0));
        assert_eq!(order.next(|_| true), None);
    }

    #[test]
    fn the_failed_target_is_repeated_only_when_no_other_may_be_called() {
        let mut order = order_of(3, 9);
        assert_eq!(order.next(|_| true), Some(0));
        assert_eq!(order.next(|target| target == 0 || target == 2), Some(2));
        assert_eq!(order.next(|target| target == 2), Some(2));
        assert_eq!(order.next(|_| false), None);
    }

    #[test]
    fn whoever_asks_for_permission_is_asked_no_further_than_the_yes() {
        let mut asked = Vec::new();
        let target = order_of(4, 1).next(|target| {
            asked.push(target);
            target == 1
        });
        assert_eq!((target, asked), (Some(1), vec![0, 1]));
    }

    #[test]
    fn an_excluded_target_never_sees_the_request_again() {
        let mut order = order_of(2, 9);
        assert_eq!(order.next(|_| true), Some(0));
        order.exclude(0);
        assert_eq!(order.next(|_| true), Some(1));
        assert_eq!(order.next(|_| true), Some(1));
        order.exclude(1);
        assert_eq!(order.next(|_| true), None);
    }

    #[test]
    fn the_last_target_of_a_full_plan_can_be_excluded() {
        let mut order = order_of(64, 255);
        order.exclude(63);
        assert!(!(0..200).filter_map(|_| order.next(|_| true)).any(|target| target == 63));
    }
}
