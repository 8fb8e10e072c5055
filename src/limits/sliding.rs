//! What was used in the last span of time, in slots.
//!
//! Not a token bucket: a full bucket plus its refill lets twice the limit through in one span. A
//! charge leaves between one span and one span and a slot after it was made: never early, so no
//! rolling span ever holds more than the sum allows. Only slots that hold something are kept: a
//! scope that is hardly used costs hardly any memory. Invariants: `sum` is the total of `slots`;
//! slots are in order; there are at most [`Grain::slots`] and one of them.

use crate::govern::Window;
use crate::types::Ticks;
use std::collections::VecDeque;
use std::time::Duration;

/// How a span is cut into slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grain {
    /// Length of a slot.
    millis: u64,
    /// Slots in a span; the running one comes on top.
    slots: u64,
}

/// Usage in one unit over a rolling span. A slot is named by its number since the clock's start.
#[derive(Debug, Default)]
pub(super) struct Sliding {
    sum: u64,
    head: u64,
    slots: VecDeque<(u64, u64)>,
}

impl Grain {
    /// None for spans that limits do not know.
    pub(super) fn of(window: Window) -> Option<Self> {
        let (millis, slots) = match window {
            Window::Second => (20, 50),
            Window::Minute => (1_000, 60),
            Window::Hour => (60_000, 60),
            Window::Day => (900_000, 96),
            Window::Week | Window::Month | Window::Total => return None,
        };
        Some(Self { millis, slots })
    }

    fn slot(self, now: Ticks) -> u64 {
        u64::try_from(now.since_start().as_millis()).unwrap_or(u64::MAX) / self.millis
    }

    /// Until a charge in `slot` no longer counts.
    fn until_gone(self, slot: u64, now: Ticks) -> Duration {
        let end = slot.saturating_add(self.slots + 1).saturating_mul(self.millis);
        Ticks::from_start(Duration::from_millis(end)).since(now)
    }
}

impl Sliding {
    /// Lets go of what is older than the span. A `now` before the newest one seen (two threads read
    /// the clock, then came in the other order) counts as the newest.
    pub(super) fn advance(&mut self, grain: Grain, now: Ticks) {
        self.head = self.head.max(grain.slot(now));
        while let Some((slot, amount)) = self.slots.front().copied()
            && slot.saturating_add(grain.slots) < self.head
        {
            self.sum = self.sum.saturating_sub(amount);
            self.slots.pop_front();
        }
        if self.slots.is_empty() && self.slots.capacity() > 8 {
            self.slots = VecDeque::new();
        }
    }

    pub(super) fn sum(&self) -> u64 {
        self.sum
    }

    /// Charges `amount` now. Gives the slot, for a later [`Sliding::remove`].
    pub(super) fn add(&mut self, amount: u64) -> u64 {
        if amount > 0 {
            match self.slots.back_mut() {
                Some((slot, held)) if *slot == self.head => *held = held.saturating_add(amount),
                _ => self.slots.push_back((self.head, amount)),
            }
            self.sum = self.sum.saturating_add(amount);
        }
        self.head
    }

    /// How much of a charge made in `slot` still counts.
    pub(super) fn held(&self, slot: u64, amount: u64) -> u64 {
        self.place(slot).and_then(|place| self.slots.get(place)).map_or(0, |(_, held)| amount.min(*held))
    }

    /// Takes back a charge made in `slot`. When the slot has left the span the charge is gone
    /// already, and giving it back again would let more than the limit through.
    pub(super) fn remove(&mut self, slot: u64, amount: u64) {
        let Some((_, held)) = self.place(slot).and_then(|place| self.slots.get_mut(place)) else { return };
        let taken = amount.min(*held);
        *held -= taken;
        self.sum = self.sum.saturating_sub(taken);
    }

    /// Time until `amount` more fits under `limit`; zero when it does already, None when it never will.
    pub(super) fn until_fits(&self, grain: Grain, amount: u64, limit: u64, now: Ticks) -> Option<Duration> {
        let room = limit.checked_sub(amount)?;
        let mut excess = self.sum.saturating_sub(room);
        if excess == 0 {
            return Some(Duration::ZERO);
        }
        for (slot, held) in &self.slots {
            excess = excess.saturating_sub(*held);
            if excess == 0 {
                return Some(grain.until_gone(*slot, now));
            }
        }
        None
    }

    /// Time until nothing is left in the span.
    pub(super) fn until_empty(&self, grain: Grain, now: Ticks) -> Duration {
        let newest = self.slots.iter().rev().find(|(_, amount)| *amount > 0);
        newest.map_or(Duration::ZERO, |(slot, _)| grain.until_gone(*slot, now))
    }

    fn place(&self, slot: u64) -> Option<usize> {
        self.slots.binary_search_by_key(&slot, |(slot, _)| *slot).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Ticks {
        Ticks::from_start(Duration::from_millis(millis))
    }

    fn minute() -> Grain {
        Grain::of(Window::Minute).unwrap()
    }

    fn filled(charges: &[(u64, u64)]) -> Sliding {
        let mut sliding = Sliding::default();
        for (millis, amount) in charges {
            sliding.advance(minute(), at(*millis));
            sliding.add(*amount);
        }
        sliding
    }

    #[test]
    fn a_charge_stays_a_full_span_and_is_gone_a_slot_later() {
        for (window, span, slot) in [
            (Window::Second, 1_000, 20),
            (Window::Minute, 60_000, 1_000),
            (Window::Hour, 3_600_000, 60_000),
            (Window::Day, 86_400_000, 900_000),
        ] {
            let grain = Grain::of(window).unwrap();
            let mut sliding = Sliding::default();
            let charged = 10 * slot + slot - 1;
            sliding.advance(grain, at(charged));
            sliding.add(5);
            sliding.advance(grain, at(charged + span));
            assert_eq!(sliding.sum(), 5, "{window:?}");
            sliding.advance(grain, at(charged + span + 1));
            assert_eq!(sliding.sum(), 0, "{window:?}");
        }
        assert_eq!(Grain::of(Window::Month), None);
    }

    #[test]
    fn a_span_of_any_load_keeps_a_bounded_number_of_slots() {
        let mut sliding = Sliding::default();
        for millis in (0..600_000).step_by(37) {
            sliding.advance(minute(), at(millis));
            sliding.add(1);
            assert!(sliding.slots.len() <= 61);
        }
        sliding.advance(minute(), at(86_400_000));
        assert_eq!((sliding.sum(), sliding.slots.len(), sliding.slots.capacity()), (0, 0, 0));
    }

    #[test]
    fn a_refund_goes_to_the_slot_of_its_charge_and_not_after_it_has_left() {
        let mut sliding = filled(&[(0, 10), (5_000, 10)]);
        sliding.remove(0, 10);
        sliding.advance(minute(), at(61_500));
        assert_eq!(sliding.sum(), 10);
        sliding.remove(0, 10);
        assert_eq!((sliding.sum(), sliding.held(0, 10), sliding.held(5, 7)), (10, 0, 7));
    }

    #[test]
    fn waiting_as_long_as_told_is_enough_and_one_nanosecond_less_is_not() {
        let mut sliding = filled(&[(500, 60), (2_500, 30), (3_000, 10)]);
        let now = at(3_200);
        let wait = sliding.until_fits(minute(), 70, 100, now).unwrap();
        sliding.advance(minute(), now.plus(wait - Duration::from_nanos(1)));
        assert!(sliding.sum() + 70 > 100);
        sliding.advance(minute(), now.plus(wait));
        assert!(sliding.sum() + 70 <= 100);
        assert_eq!(Sliding::default().until_fits(minute(), 101, 100, at(0)), None);
        assert_eq!(Sliding::default().until_fits(minute(), 100, 100, at(0)), Some(Duration::ZERO));
    }

    #[test]
    fn the_reset_is_when_the_last_charge_leaves() {
        let sliding = filled(&[(500, 1), (2_500, 1)]);
        assert_eq!(sliding.until_empty(minute(), at(3_000)), Duration::from_secs(60));
        assert_eq!(Sliding::default().until_empty(minute(), at(3_000)), Duration::ZERO);
    }

    #[test]
    fn a_clock_read_out_of_order_does_not_move_the_span_back() {
        let mut sliding = filled(&[(5_000, 1)]);
        sliding.advance(minute(), at(4_990));
        assert_eq!((sliding.add(1), sliding.sum()), (5, 2));
    }
}
