//! What was used in the last minute, in slots of one second.
//!
//! Not a token bucket: a full bucket plus its refill lets twice the limit through in one minute.
//! The ring holds the running second and the sixty before it, so a charge leaves between 60 and
//! 61 seconds after it was made: never early, so no rolling minute ever holds more than the sum
//! allows. Invariant: `sum` is the total of `slots`.

use crate::types::Ticks;
use std::time::Duration;

/// The running second and the sixty before it.
const SLOTS: u64 = 61;

/// Usage of one key in one unit, over a rolling minute. A slot is named by its second since the
/// clock's start.
#[derive(Debug)]
pub(super) struct Window {
    sum: u64,
    head: u64,
    slots: [u64; SLOTS as usize],
}

impl Default for Window {
    fn default() -> Self {
        Self { sum: 0, head: 0, slots: [0; SLOTS as usize] }
    }
}

impl Window {
    /// Lets go of what is older than a minute. A `now` before the newest one seen (two threads read
    /// the clock, then came in the other order) counts as the newest.
    pub(super) fn advance(&mut self, now: Ticks) {
        let second = now.since_start().as_secs();
        if second <= self.head {
            return;
        }
        let passed = (second - self.head).min(SLOTS);
        for slot in (second + 1).saturating_sub(passed)..=second {
            let left = self.slot_mut(slot).map(std::mem::take).unwrap_or_default();
            self.sum = self.sum.saturating_sub(left);
        }
        self.head = second;
    }

    pub(super) fn sum(&self) -> u64 {
        self.sum
    }

    /// Charges `amount` now. Returns the slot, for a later [`Window::remove`].
    pub(super) fn add(&mut self, amount: u64) -> u64 {
        let head = self.head;
        if let Some(slot) = self.slot_mut(head) {
            *slot = slot.saturating_add(amount);
        }
        self.sum = self.sum.saturating_add(amount);
        head
    }

    /// Takes back a charge made in `slot`. When the slot has left the window the charge is gone
    /// already, and giving it back again would let more than the limit through. Returns what was
    /// still there to take.
    pub(super) fn remove(&mut self, slot: u64, amount: u64) -> u64 {
        if slot > self.head || self.head - slot >= SLOTS {
            return 0;
        }
        let Some(held) = self.slot_mut(slot) else { return 0 };
        let taken = amount.min(*held);
        *held -= taken;
        self.sum = self.sum.saturating_sub(taken);
        taken
    }

    /// Puts back what [`Window::remove`] just took from `slot`.
    pub(super) fn restore(&mut self, slot: u64, amount: u64) {
        if let Some(held) = self.slot_mut(slot) {
            *held = held.saturating_add(amount);
        }
        self.sum = self.sum.saturating_add(amount);
    }

    /// Time until `amount` more fits under `limit`; zero when it does already, `None` when it never will.
    pub(super) fn until_fits(&self, amount: u64, limit: u64, now: Ticks) -> Option<Duration> {
        let room = limit.checked_sub(amount)?;
        let mut excess = self.sum.saturating_sub(room);
        if excess == 0 {
            return Some(Duration::ZERO);
        }
        for slot in self.head.saturating_sub(SLOTS - 1)..=self.head {
            excess = excess.saturating_sub(self.slot(slot));
            if excess == 0 {
                return Some(until_gone(slot, now));
            }
        }
        None
    }

    /// Time until nothing is left in the window.
    pub(super) fn until_empty(&self, now: Ticks) -> Duration {
        if self.sum == 0 {
            return Duration::ZERO;
        }
        let oldest = self.head.saturating_sub(SLOTS - 1);
        let newest = (oldest..=self.head).rev().find(|slot| self.slot(*slot) > 0);
        newest.map_or(Duration::ZERO, |slot| until_gone(slot, now))
    }

    fn slot(&self, slot: u64) -> u64 {
        self.slots.get((slot % SLOTS) as usize).copied().unwrap_or_default()
    }

    fn slot_mut(&mut self, slot: u64) -> Option<&mut u64> {
        self.slots.get_mut((slot % SLOTS) as usize)
    }
}

fn until_gone(slot: u64, now: Ticks) -> Duration {
    Ticks::from_start(Duration::from_secs(slot.saturating_add(SLOTS))).since(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Ticks {
        Ticks::from_start(Duration::from_millis(millis))
    }

    fn window_with(charges: &[(u64, u64)]) -> Window {
        let mut window = Window::default();
        for (millis, amount) in charges {
            window.advance(at(*millis));
            window.add(*amount);
        }
        window
    }

    #[test]
    fn a_charge_stays_a_full_minute_and_is_gone_a_second_later() {
        let mut window = window_with(&[(10_900, 5)]);
        window.advance(at(70_999));
        assert_eq!(window.sum(), 5);
        window.advance(at(71_000));
        assert_eq!(window.sum(), 0);
    }

    #[test]
    fn a_long_silence_empties_the_window() {
        let mut window = window_with(&[(0, 1), (30_000, 2)]);
        window.advance(at(86_400_000));
        assert_eq!((window.sum(), window.slots.iter().sum::<u64>()), (0, 0));
    }

    #[test]
    fn a_refund_goes_to_the_second_of_its_charge() {
        let mut window = window_with(&[(0, 10), (5_000, 10)]);
        window.remove(0, 10);
        window.advance(at(61_500));
        assert_eq!(window.sum(), 10);
    }

    #[test]
    fn a_refund_after_its_second_has_left_gives_nothing_back() {
        let mut window = window_with(&[(0, 10), (61_000, 10)]);
        window.remove(0, 10);
        assert_eq!(window.sum(), 10);
        window.remove(1_000, 10);
        assert_eq!(window.sum(), 10);
    }

    #[test]
    fn waiting_as_long_as_told_is_enough_and_one_nanosecond_less_is_not() {
        let mut window = window_with(&[(500, 60), (2_500, 30), (3_000, 10)]);
        let now = at(3_200);
        let wait = window.until_fits(70, 100, now).unwrap();
        window.advance(now.plus(wait - Duration::from_nanos(1)));
        assert!(window.sum() + 70 > 100);
        window.advance(now.plus(wait));
        assert!(window.sum() + 70 <= 100);
    }

    #[test]
    fn more_than_the_limit_never_fits() {
        assert_eq!(Window::default().until_fits(101, 100, at(0)), None);
        assert_eq!(Window::default().until_fits(100, 100, at(0)), Some(Duration::ZERO));
    }

    #[test]
    fn the_reset_is_when_the_last_charge_leaves() {
        let window = window_with(&[(500, 1), (2_500, 1)]);
        assert_eq!(window.until_empty(at(3_000)), Duration::from_secs(60));
        assert_eq!(Window::default().until_empty(at(3_000)), Duration::ZERO);
    }

    #[test]
    fn a_clock_read_out_of_order_does_not_move_the_window_back() {
        let mut window = window_with(&[(5_000, 1)]);
        window.advance(at(4_990));
        assert_eq!((window.add(1), window.sum()), (5, 2));
    }
}
