//! What one scope has in use, behind one short lock.
//!
//! The lock is held for some arithmetic, never across a call out and never across `.await`. Locks of
//! several scopes are taken in the order of their levels. All limits and budgets of a scope are under
//! it, so that a call is let in by all of them or by none.

use super::Level;
use super::calendar::{Calendar, ZoneError};
use super::gauge::{Gauge, GaugeKey};
use super::purse::Account;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Limits and budgets that one scope may have had in the life of the process, the ones there are no
/// more included. A scope that was changed more often begins anew.
pub(super) const PARTS_MAX: usize = 256;

#[derive(Debug)]
pub(super) struct State {
    pub(super) name: Arc<str>,
    pub(super) level: Level,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
pub(super) struct Inner {
    /// Only added to, so that a place means the same over reloads.
    pub(super) gauges: Vec<Gauge>,
    pub(super) accounts: Vec<Account>,
    /// Whether the till looks after it.
    pub(super) is_listed: bool,
}

impl State {
    pub(super) fn new(name: Arc<str>, level: Level) -> Self {
        Self { name, level, inner: Mutex::default() }
    }

    /// Nothing panics under the lock; if something did, the numbers are still the best there are.
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    pub(super) fn is_full(&self) -> bool {
        self.gauges.len() >= PARTS_MAX || self.accounts.len() >= PARTS_MAX
    }

    /// The place of a limit, made where it is new.
    pub(super) fn gauge_place(&mut self, key: &GaugeKey) -> u32 {
        let found = self.gauges.iter().position(|gauge| gauge.key == *key);
        let place = found.unwrap_or_else(|| {
            // Most scopes have one or two: room for four would be most of what they take.
            self.gauges.reserve_exact(1);
            self.gauges.push(Gauge::new(key.clone()));
            self.gauges.len() - 1
        });
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    /// The place of a budget, made where it is new; its amount and calendar are what they are now.
    pub(super) fn account_place(
        &mut self,
        id: &str,
        amount: u64,
        calendar: Result<Calendar, ZoneError>,
    ) -> Result<u32, ZoneError> {
        let calendar = calendar?;
        let place = match self.accounts.iter_mut().enumerate().find(|(_, account)| *account.id == *id) {
            Some((place, account)) => {
                account.amount = amount;
                account.calendar = calendar;
                place
            }
            None => {
                self.accounts.reserve_exact(1);
                self.accounts.push(Account { id: id.into(), amount, calendar, purses: Vec::new() });
                self.accounts.len() - 1
            }
        };
        Ok(u32::try_from(place).unwrap_or(u32::MAX))
    }

    pub(super) fn gauge(&mut self, place: u32) -> Option<&mut Gauge> {
        self.gauges.get_mut(place as usize)
    }

    pub(super) fn account(&mut self, place: u32) -> Option<&mut Account> {
        self.accounts.get_mut(place as usize)
    }
}
