//! What was used in the last span of time, in slots.
//!
//! Not a token bucket: a full bucket plus its refill lets twice the limit through in one span. A slot
//! leaves one span after the newest charge in it: never early, so no rolling span ever holds more than
//! the sum allows, and never later than a span from now, so nobody is told to wait for longer. Only
//! slots that hold something are kept: a scope that is hardly used costs hardly any memory.
//! Invariants: `sum` is the total of `slots`; slots are in order; there are at most [`Grain::slots`] and
//! one of them.

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

/// Usage in one unit over a rolling span.
#[derive(Debug, Default)]
pub(super) struct Sliding {
    sum: u64,
    /// The newest moment seen, and its slot.
    now: Ticks,
    head: u64,
    slots: VecDeque<Slot>,
}

#[derive(Debug)]
struct Slot {
    /// Since the clock's start.
    number: u64,
    amount: u64,
    /// When the newest charge was made.
    newest: Ticks,
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

    /// When a charge made at `moment` no longer counts.
    fn end_of(self, moment: Ticks) -> Ticks {
        moment.plus(Duration::from_millis(self.millis.saturating_mul(self.slots)))
    }
}

impl Sliding {
    /// Lets go of what is older than the span. A `now` before the newest one seen (two threads read
    /// the clock, then came in the other order) counts as the newest.
    pub(super) fn advance(&mut self, grain: Grain, now: Ticks) {
        self.now = self.now.max(now);
        self.head = grain.slot(self.now);
        while let Some(oldest) = self.slots.front()
            && grain.end_of(oldest.newest) <= self.now
        {
            self.sum = self.sum.saturating_sub(oldest.amount);
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
                Some(slot) if slot.number == self.head => {
                    slot.amount = slot.amount.saturating_add(amount);
                    slot.newest = self.now;
                }
                _ => self.slots.push_back(Slot { number: self.head, amount, newest: self.now }),
            }
            self.sum = self.sum.saturating_add(amount);
        }
        self.head
    }

    /// How much of a charge made in `slot` still counts.
    pub(super) fn held(&self, slot: u64, amount: u64) -> u64 {
        self.place(slot).and_then(|place| self.slots.get(place)).map_or(0, |held| amount.min(held.amount))
    }

    /// Takes back a charge made in `slot`. When the slot has left the span the charge is gone
    /// already, and giving it back again would let more than the limit through.
    pub(super) fn remove(&mut self, slot: u64, amount: u64) {
        let Some(held) = self.place(slot).and_then(|place| self.slots.get_mut(place)) else { return };
        let taken = amount.min(held.amount);
        held.amount -= taken;
        self.sum = self.sum.saturating_sub(taken);
    }

    /// Time until `amount` more fits under `limit`; zero when it does already, None when it never will.
    pub(super) fn until_fits(&self, grain: Grain, amount: u64, limit: u64, now: Ticks) -> Option<Duration> {
        let room = limit.checked_sub(amount)?;
        let mut excess = self.sum.saturating_sub(room);
        if excess == 0 {
            return Some(Duration::ZERO);
        }
        for slot in &self.slots {
            excess = excess.saturating_sub(slot.amount);
            if excess == 0 {
                return Some(grain.end_of(slot.newest).since(now));
            }
        }
        None
    }

    /// Time until nothing is left in the span.
    pub(super) fn until_empty(&self, grain: Grain, now: Ticks) -> Duration {
        let last = self.slots.iter().rev().find(|slot| slot.amount > 0);
        last.map_or(Duration::ZERO, |slot| grain.end_of(slot.newest).since(now))
    }

    fn place(&self, slot: u64) -> Option<usize> {
        self.slots.binary_search_by_key(&slot, |held| held.number).ok()
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
    fn a_charge_stays_a_full_span_and_no_longer() {
        for (window, span, slot) in [
            (Window::Second, 1_000, 20),
            (Window::Minute, 60_000, 1_000),
            (Window::Hour, 3_600_000, 60_000),
            (Window::Day, 86_400_000, 900_000),
        ] {
            let grain = Grain::of(window).unwrap();
            for charged in [10 * slot, 10 * slot + slot / 2, 10 * slot + slot - 1] {
                let mut sliding = Sliding::default();
                sliding.advance(grain, at(charged));
                sliding.add(5);
                sliding.advance(grain, at(charged + span - 1));
                assert_eq!(sliding.sum(), 5, "{window:?}");
                sliding.advance(grain, at(charged + span));
                assert_eq!(sliding.sum(), 0, "{window:?}");
            }
        }
        assert_eq!(Grain::of(Window::Month), None);
    }

    #[test]
    fn what_a_slot_holds_waits_for_its_newest_charge() {
        let mut sliding = filled(&[(5_100, 1), (5_900, 1)]);
        assert_eq!(sliding.until_fits(minute(), 1, 2, at(5_900)), Some(Duration::from_secs(60)));
        sliding.advance(minute(), at(65_899));
        assert_eq!(sliding.sum(), 2);
        sliding.advance(minute(), at(65_900));
        assert_eq!(sliding.sum(), 0);
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
        assert_eq!(sliding.until_empty(minute(), at(3_000)), Duration::from_millis(59_500));
        assert_eq!(Sliding::default().until_empty(minute(), at(3_000)), Duration::ZERO);
    }

    #[test]
    fn a_clock_read_out_of_order_does_not_move_the_span_back() {
        let mut sliding = filled(&[(5_000, 1)]);
        sliding.advance(minute(), at(4_990));
        assert_eq!((sliding.add(1), sliding.sum()), (5, 2));
    }
}
