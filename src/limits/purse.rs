//! What this node may spend of one budget in one of its windows: `granted − spent − reserved`.
//!
//! Invariants: `reserved` is the sum of what open calls hold; nothing is reserved beyond what is
//! granted; `spent` only grows.

use super::calendar::{Calendar, Span};
use crate::types::Ticks;
use std::sync::Arc;

/// Windows of one budget that are remembered: after a jump of the clock, there and back, the money
/// spent before it is still spent.
const WINDOWS_KEPT: usize = 4;

/// One budget of one scope, over reloads.
#[derive(Debug)]
pub(super) struct Account {
    /// Scope, name, unit and period: what the bank knows it by.
    pub(super) id: Arc<str>,
    /// Pico dollars, or tokens.
    pub(super) amount: u64,
    pub(super) calendar: Calendar,
    pub(super) purses: Vec<Purse>,
}

#[derive(Clone, Debug)]
pub(super) struct Purse {
    pub(super) span: Span,
    /// By the bank; of no meaning without one.
    pub(super) granted: u64,
    pub(super) spent: u64,
    pub(super) reserved: u64,
    /// Calls that will settle here.
    pub(super) open: u32,
    /// Spent by other nodes, as far as the bank knows.
    pub(super) elsewhere: u64,
    /// The highest threshold an alert was raised for.
    pub(super) told: u8,
    pub(super) used_at: Ticks,
    pub(super) bank: BankView,
}

/// What a node and the bank have told each other about a purse.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BankView {
    /// The bank has answered since the window began.
    pub(super) is_known: bool,
    /// When the bank last said that it has no more.
    pub(super) dry_at: Option<Ticks>,
    /// What calls lacked since the last request, all together, and the most that one of them did.
    pub(super) short: u64,
    pub(super) least: u64,
    pub(super) asked_at: Option<Ticks>,
    /// `spent` when the bank was last told, and acknowledged.
    pub(super) told_spent: u64,
    /// Spent and reserved when the planner last looked, and how fast that grows, in a second.
    pub(super) seen: u64,
    pub(super) seen_at: Option<Ticks>,
    pub(super) flow: u64,
}

impl Purse {
    fn new(span: Span, now: Ticks) -> Self {
        Self {
            span,
            granted: 0,
            spent: 0,
            reserved: 0,
            open: 0,
            elsewhere: 0,
            told: 0,
            used_at: now,
            bank: BankView::default(),
        }
    }

    /// Spent or held for calls that are under way.
    pub(super) fn committed(&self) -> u64 {
        self.spent.saturating_add(self.reserved)
    }

    pub(super) fn free(&self) -> u64 {
        self.granted.saturating_sub(self.committed())
    }

    /// Notes for the planner that a call lacked `need`.
    pub(super) fn lack(&mut self, need: u64) {
        self.bank.short = self.bank.short.saturating_add(need);
        self.bank.least = self.bank.least.max(need);
    }
}

impl Account {
    /// The purse of the window that `wall` (seconds since 1970) lies in.
    pub(super) fn current(&mut self, wall: u64, now: Ticks) -> Option<&mut Purse> {
        let found = self.purses.iter().position(|purse| purse.span.holds(wall));
        let place = match found {
            Some(place) => place,
            None => {
                let span = self.calendar.span(wall);
                match self.purses.iter().position(|purse| purse.span.start == span.start) {
                    Some(place) => place,
                    None => self.begin(span, now),
                }
            }
        };
        let purse = self.purses.get_mut(place)?;
        purse.used_at = purse.used_at.max(now);
        Some(purse)
    }

    pub(super) fn window(&mut self, start: u64) -> Option<&mut Purse> {
        self.purses.iter_mut().find(|purse| purse.span.start == start)
    }

    fn begin(&mut self, span: Span, now: Ticks) -> usize {
        if self.purses.len() >= WINDOWS_KEPT {
            let idle = self.purses.iter().enumerate().filter(|(_, purse)| purse.open == 0);
            if let Some((oldest, _)) = idle.min_by_key(|(_, purse)| purse.used_at) {
                self.purses.swap_remove(oldest);
            }
        }
        self.purses.push(Purse::new(span, now));
        self.purses.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::govern::Window;
    use std::time::Duration;

    fn account() -> Account {
        let calendar = Calendar::new(Window::Hour, "UTC").unwrap();
        Account { id: "key/a/b".into(), amount: 100, calendar, purses: Vec::new() }
    }

    fn at(seconds: u64) -> Ticks {
        Ticks::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_jump_there_and_back_finds_the_old_window_as_it_was() {
        let mut account = account();
        let year = 365 * 86_400;
        account.current(1_000_000_000, at(0)).unwrap().spent = 40;
        for away in [1_000_000_000 + year, 1_000_000_000 + 3600, 1_000_000_000 - 3600] {
            assert_eq!(account.current(away, at(1)).unwrap().spent, 0);
            assert_eq!(account.current(1_000_000_000, at(2)).unwrap().spent, 40);
        }
    }

    #[test]
    fn windows_are_bounded_and_one_with_open_calls_stays() {
        let mut account = account();
        account.current(0, at(0)).unwrap().open = 1;
        for hour in 1..50 {
            account.current(hour * 3600, at(hour)).unwrap();
            assert!(account.purses.len() <= WINDOWS_KEPT);
        }
        assert_eq!(account.window(0).unwrap().open, 1);
    }

    #[test]
    fn the_window_that_was_not_used_longest_is_forgotten_first() {
        let mut account = account();
        for (second, hour) in [(0, 1), (1, 2), (2, 3), (3, 4), (4, 1), (5, 5)] {
            account.current(hour * 3600, at(second)).unwrap().spent += 1;
        }
        let mut kept: Vec<(u64, u64)> =
            account.purses.iter().map(|p| (p.span.start / 3600, p.spent)).collect();
        kept.sort_unstable();
        assert_eq!(kept, [(1, 2), (3, 1), (4, 1), (5, 1)]);
    }
}
