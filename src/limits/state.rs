//! What one key has in use, behind one short lock.
//!
//! The lock is held for some arithmetic, never across a call out and never across `.await`. All
//! three limits are under it, so that a call is let in by all of them or by none.

use super::window::Window;
use super::{Allowance, KeyLimits, Limit, LimitExceeded, RateSnapshot};
use crate::types::Ticks;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A hint where no clock tells: calls in flight end when they end.
const CONCURRENCY_RETRY_AFTER: Duration = Duration::from_secs(1);
/// No call uses more; a larger number is an upstream's nonsense and must not wrap a sum.
const TOKENS_PER_CALL_MAX: u64 = 1 << 40;

/// A charge in a window, as needed to take it back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Charge {
    pub(super) slot: u64,
    pub(super) amount: u64,
}

#[derive(Debug, Default)]
pub(super) struct State {
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    requests: Window,
    tokens: Window,
    in_flight: u64,
}

impl State {
    /// Checks all, then takes all: the charges for the request and for its tokens.
    pub(super) fn admit(
        &self,
        limits: &KeyLimits,
        tokens: u64,
        now: Ticks,
    ) -> Result<(Charge, Charge), LimitExceeded> {
        let mut used = self.lock(now);
        check(&used.requests, Limit::Requests, limits.requests_per_minute, 1, now)?;
        check(&used.tokens, Limit::Tokens, limits.tokens_per_minute, tokens, now)?;
        if let Some(limit) = limits.concurrent.filter(|limit| used.in_flight >= *limit) {
            // A limit of zero is a closed door, not one to come back to.
            let retry_after = (limit > 0).then_some(CONCURRENCY_RETRY_AFTER);
            return Err(LimitExceeded { which: Limit::Concurrency, limit, retry_after });
        }
        used.in_flight += 1;
        let request = Charge { slot: used.requests.add(1), amount: 1 };
        Ok((request, used.charge_tokens(tokens)))
    }

    /// Replaces a charge for tokens by another, which must fit; else the old one stays.
    pub(super) fn recharge(
        &self,
        limits: &KeyLimits,
        old: Charge,
        tokens: u64,
        now: Ticks,
    ) -> Result<Charge, LimitExceeded> {
        let mut used = self.lock(now);
        // What the old charge still occupies is free for the new one.
        let freed = used.tokens.remove(old.slot, old.amount);
        match check(&used.tokens, Limit::Tokens, limits.tokens_per_minute, tokens, now) {
            Ok(()) => Ok(used.charge_tokens(tokens)),
            Err(exceeded) => {
                used.tokens.restore(old.slot, freed);
                Err(exceeded)
            }
        }
    }

    /// Corrects a charge to the truth: a refund where it was made, an extra charge now.
    pub(super) fn settle(&self, charge: Charge, actual: u64, now: Ticks) {
        let mut used = self.lock(now);
        match charge.amount.checked_sub(actual) {
            Some(refund) => {
                used.tokens.remove(charge.slot, refund);
            }
            None => {
                used.charge_tokens(actual.saturating_sub(charge.amount));
            }
        }
    }

    /// The end of a call: its slot comes back, and the charges that are not to stay.
    pub(super) fn release(&self, request: Option<Charge>, tokens: Option<Charge>) {
        let mut used = self.lock_as_is();
        used.in_flight = used.in_flight.saturating_sub(1);
        if let Some(charge) = request {
            used.requests.remove(charge.slot, charge.amount);
        }
        if let Some(charge) = tokens {
            used.tokens.remove(charge.slot, charge.amount);
        }
    }

    pub(super) fn would_fit(&self, limits: &KeyLimits, tokens: u64, now: Ticks) -> bool {
        check(&self.lock(now).tokens, Limit::Tokens, limits.tokens_per_minute, tokens, now).is_ok()
    }

    pub(super) fn snapshot(&self, limits: &KeyLimits, now: Ticks) -> RateSnapshot {
        let used = self.lock(now);
        let left = |window: &Window, limit: u64| Allowance {
            limit,
            remaining: limit.saturating_sub(window.sum()),
            reset: window.until_empty(now),
        };
        RateSnapshot {
            requests: limits.requests_per_minute.map(|limit| left(&used.requests, limit)),
            tokens: limits.tokens_per_minute.map(|limit| left(&used.tokens, limit)),
        }
    }

    pub(super) fn in_flight(&self) -> u64 {
        self.lock_as_is().in_flight
    }

    fn lock(&self, now: Ticks) -> MutexGuard<'_, Used> {
        let mut used = self.lock_as_is();
        used.requests.advance(now);
        used.tokens.advance(now);
        used
    }

    /// Nothing panics under the lock; if something did, the numbers are still the best there are.
    fn lock_as_is(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Used {
    fn charge_tokens(&mut self, tokens: u64) -> Charge {
        let amount = tokens.min(TOKENS_PER_CALL_MAX);
        Charge { slot: self.tokens.add(amount), amount }
    }
}

fn check(
    window: &Window,
    which: Limit,
    limit: Option<u64>,
    amount: u64,
    now: Ticks,
) -> Result<(), LimitExceeded> {
    let Some(limit) = limit else { return Ok(()) };
    if window.sum().checked_add(amount).is_some_and(|sum| sum <= limit) {
        return Ok(());
    }
    Err(LimitExceeded { which, limit, retry_after: window.until_fits(amount, limit, now) })
}
