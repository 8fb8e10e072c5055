//! What one call holds of its key's limits, as a drop guard.
//!
//! Invariant: dropping it, on any path and in any panic, frees the slot exactly once, and returns
//! the tokens unless they were settled.

use super::state::{Charge, State};
use super::{KeyLimits, LimitExceeded, RateSnapshot};
use crate::types::Ticks;
use std::fmt;
use std::sync::Arc;

/// A call let in by [`Limits::admit`](super::Limits::admit). Keep it until the last byte has gone to
/// the client.
#[must_use = "dropping a reservation ends the call it stands for"]
pub struct Reservation {
    /// `None` for a key without limits: nothing to count, nothing to give back.
    held: Option<Held>,
}

struct Held {
    state: Arc<State>,
    limits: KeyLimits,
    request: Charge,
    tokens: Charge,
    is_settled: bool,
    is_cancelled: bool,
}

impl Reservation {
    pub fn unlimited() -> Self {
        Self { held: None }
    }

    pub(super) fn holding(state: Arc<State>, limits: KeyLimits, request: Charge, tokens: Charge) -> Self {
        Self { held: Some(Held { state, limits, request, tokens, is_settled: false, is_cancelled: false }) }
    }

    /// Changes the estimate: from nothing once the body is read, from a bound to the exact count.
    ///
    /// # Errors
    /// When `tokens` does not fit; the old estimate then stays. Follow with
    /// [`Reservation::cancel`] if the call is refused for it.
    pub fn reserve(&mut self, tokens: u64, now: Ticks) -> Result<(), LimitExceeded> {
        let Some(held) = self.held.as_mut().filter(|held| !held.is_settled) else { return Ok(()) };
        held.tokens = held.state.recharge(&held.limits, held.tokens, tokens, now)?;
        Ok(())
    }

    /// Corrects the estimate to what was used. Less is given back, if the minute of the estimate has
    /// not passed; more is charged now, over the limit if need be. Only the first call counts.
    pub fn settle(&mut self, actual_tokens: u64, now: Ticks) {
        if let Some(held) = self.held.as_mut().filter(|held| !held.is_settled) {
            held.is_settled = true;
            held.state.settle(held.tokens, actual_tokens, now);
        }
    }

    /// Ends a call that is refused after all: the request is not counted either.
    pub fn cancel(mut self) {
        if let Some(held) = &mut self.held {
            held.is_cancelled = true;
        }
    }

    /// What is left of the key's limits, this call included.
    pub fn snapshot(&self, now: Ticks) -> RateSnapshot {
        self.held.as_ref().map(|held| held.state.snapshot(&held.limits, now)).unwrap_or_default()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let request = self.is_cancelled.then_some(self.request);
        let tokens = (!self.is_settled).then_some(self.tokens);
        self.state.release(request, tokens);
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tokens = self.held.as_ref().map(|held| held.tokens.amount);
        f.debug_struct("Reservation").field("tokens", &tokens).finish_non_exhaustive()
    }
}
