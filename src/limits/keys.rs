//! The limits of every key, by the key's index.
//!
//! What is in use belongs to the key's name, not to a configuration: a reload takes it over, so
//! changing a file neither resets a minute nor frees a slot. Calls begun on the old snapshot go on
//! counting in the new one.

use super::state::State;
use super::{Limit, LimitExceeded, RateSnapshot, Reservation};
use crate::types::Ticks;
use std::collections::HashMap;
use std::sync::Arc;

/// The limits of one key; `None` is unlimited, zero is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyLimits {
    pub requests_per_minute: Option<u64>,
    pub tokens_per_minute: Option<u64>,
    /// Calls at once, each counted until its stream has ended.
    pub concurrent: Option<u64>,
}

impl KeyLimits {
    fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }
}

/// The limits of all keys of a configuration.
#[derive(Debug, Default)]
pub struct Limits {
    /// By key index. No state for a key without limits: it costs a look into this list.
    keys: Vec<(KeyLimits, Option<Arc<State>>)>,
    by_id: HashMap<String, Arc<State>>,
}

impl Limits {
    /// `keys` in index order, each with its stable name. State of names known to `previous` goes
    /// on. A key that had no limits before starts at zero: its calls in flight were not counted.
    pub fn new(keys: &[(String, KeyLimits)], previous: Option<&Limits>) -> Self {
        let mut limits = Self::default();
        for (id, key) in keys {
            let state = (!key.is_unlimited()).then(|| {
                let known = previous.and_then(|previous| previous.by_id.get(id));
                known.cloned().unwrap_or_default()
            });
            if let Some(state) = &state {
                limits.by_id.insert(id.clone(), Arc::clone(state));
            }
            limits.keys.push((*key, state));
        }
        limits
    }

    /// Lets a call in, or takes nothing. `tokens` is the estimate; zero while it is not known yet
    /// (see [`Reservation::reserve`]).
    ///
    /// # Errors
    /// The first limit that does not allow the call: requests, then tokens, then concurrency. An
    /// unknown `key` is refused.
    pub fn admit(&self, key: usize, tokens: u64, now: Ticks) -> Result<Reservation, LimitExceeded> {
        match self.keys.get(key) {
            Some((_, None)) => Ok(Reservation::unlimited()),
            Some((limits, Some(state))) => {
                let (request, tokens) = state.admit(limits, tokens, now)?;
                Ok(Reservation::holding(Arc::clone(state), *limits, request, tokens))
            }
            None => Err(LimitExceeded { which: Limit::Requests, limit: 0, retry_after: None }),
        }
    }

    /// Whether `tokens` more would fit now. When an upper bound does, the exact count cannot change
    /// the decision and need not be made.
    pub fn would_fit(&self, key: usize, tokens: u64, now: Ticks) -> bool {
        match self.keys.get(key) {
            Some((_, None)) => true,
            Some((limits, Some(state))) => {
                limits.tokens_per_minute.is_none() || state.would_fit(limits, tokens, now)
            }
            None => false,
        }
    }

    /// What is left to a key, for a refusal's headers.
    pub fn snapshot(&self, key: usize, now: Ticks) -> RateSnapshot {
        match self.keys.get(key) {
            Some((limits, Some(state))) => state.snapshot(limits, now),
            _ => RateSnapshot::default(),
        }
    }

    /// Calls of a key that are under way; zero for a key without limits.
    pub fn in_flight(&self, key: usize) -> u64 {
        self.keys.get(key).and_then(|(_, state)| state.as_ref()).map_or(0, |state| state.in_flight())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NONE: KeyLimits =
        KeyLimits { requests_per_minute: None, tokens_per_minute: None, concurrent: None };

    fn one(limits: KeyLimits) -> Limits {
        Limits::new(&[("ci".into(), limits)], None)
    }

    fn at(seconds: u64) -> Ticks {
        Ticks::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn requests_beyond_the_limit_are_refused_until_the_oldest_minute_ends() {
        let limits = one(KeyLimits { requests_per_minute: Some(2), ..NONE });
        limits.admit(0, 0, at(0)).unwrap().settle(0, at(0));
        limits.admit(0, 0, at(10)).unwrap().settle(0, at(10));
        let refused = limits.admit(0, 0, at(20)).unwrap_err();
        let wait = Some(Duration::from_secs(41));
        assert_eq!(refused, LimitExceeded { which: Limit::Requests, limit: 2, retry_after: wait });
        assert!(limits.admit(0, 0, at(61)).is_ok());
    }

    #[test]
    fn a_refused_call_uses_nothing_of_any_limit() {
        let limits = one(KeyLimits {
            requests_per_minute: Some(10),
            tokens_per_minute: Some(100),
            concurrent: Some(1),
        });
        let held = limits.admit(0, 40, at(0)).unwrap();
        let before = limits.snapshot(0, at(0));
        assert_eq!(limits.admit(0, 61, at(0)).unwrap_err().which, Limit::Tokens);
        assert_eq!(limits.admit(0, 60, at(0)).unwrap_err().which, Limit::Concurrency);
        assert_eq!((limits.snapshot(0, at(0)), limits.in_flight(0)), (before, 1));
        drop(held);
        assert_eq!(limits.in_flight(0), 0);
    }

    #[test]
    fn settling_gives_back_or_charges_the_difference() {
        let limits = one(KeyLimits { tokens_per_minute: Some(100), ..NONE });
        limits.admit(0, 50, at(0)).unwrap().settle(20, at(1));
        assert_eq!(limits.snapshot(0, at(1)).tokens.unwrap().remaining, 80);
        limits.admit(0, 10, at(2)).unwrap().settle(95, at(3));
        assert_eq!(limits.snapshot(0, at(3)).tokens.unwrap().remaining, 0);
        assert!(!limits.would_fit(0, 1, at(3)) && limits.would_fit(0, 5, at(61)));
    }

    #[test]
    fn a_second_settlement_changes_nothing() {
        let limits = one(KeyLimits { tokens_per_minute: Some(100), ..NONE });
        let mut call = limits.admit(0, 50, at(0)).unwrap();
        call.settle(20, at(0));
        call.settle(0, at(0));
        assert_eq!(call.reserve(100, at(0)), Ok(()));
        assert_eq!(call.snapshot(at(0)).tokens.unwrap().remaining, 80);
    }

    #[test]
    fn a_call_dropped_unsettled_returns_its_tokens_but_was_a_request() {
        let limits = one(KeyLimits { requests_per_minute: Some(5), tokens_per_minute: Some(100), ..NONE });
        drop(limits.admit(0, 50, at(0)).unwrap());
        let left = limits.snapshot(0, at(0));
        assert_eq!((left.requests.unwrap().remaining, left.tokens.unwrap().remaining), (4, 100));
    }

    #[test]
    fn a_cancelled_call_was_no_request_either() {
        let limits = one(KeyLimits { requests_per_minute: Some(5), tokens_per_minute: Some(10), ..NONE });
        let mut call = limits.admit(0, 0, at(0)).unwrap();
        assert_eq!(call.reserve(11, at(2)).unwrap_err().retry_after, None);
        call.cancel();
        let left = limits.snapshot(0, at(3));
        assert_eq!((left.requests.unwrap().remaining, left.requests.unwrap().reset), (5, Duration::ZERO));
    }

    #[test]
    fn an_estimate_can_be_replaced_and_a_failed_replacement_keeps_the_old_one() {
        let limits = one(KeyLimits { tokens_per_minute: Some(100), ..NONE });
        let mut call = limits.admit(0, 90, at(0)).unwrap();
        assert!(call.reserve(101, at(1)).is_err());
        assert_eq!(call.snapshot(at(1)).tokens.unwrap().remaining, 10);
        assert_eq!(call.reserve(100, at(1)), Ok(()));
        assert_eq!(call.snapshot(at(1)).tokens.unwrap().remaining, 0);
        drop(call);
        assert_eq!(limits.snapshot(0, at(1)).tokens.unwrap().remaining, 100);
    }

    #[test]
    fn a_key_without_limits_is_always_let_in_and_reports_nothing() {
        let limits = one(NONE);
        let calls: Vec<_> = (0..1000).map(|_| limits.admit(0, u64::MAX, at(0)).unwrap()).collect();
        assert_eq!(calls[0].snapshot(at(0)), RateSnapshot::default());
        assert!(limits.would_fit(0, u64::MAX, at(0)));
    }

    #[test]
    fn an_unknown_key_and_a_limit_of_zero_are_closed() {
        let limits = one(KeyLimits { concurrent: Some(0), ..NONE });
        assert!(limits.admit(1, 0, at(0)).is_err() && !limits.would_fit(1, 0, at(0)));
        assert_eq!(limits.admit(0, 0, at(0)).unwrap_err().retry_after, None);
    }

    #[test]
    fn a_reload_keeps_minutes_and_slots_by_key_name() {
        let limit = KeyLimits { requests_per_minute: Some(3), concurrent: Some(2), ..NONE };
        let old = one(limit);
        let call = old.admit(0, 0, at(0)).unwrap();
        let new = Limits::new(&[("other".into(), limit), ("ci".into(), limit)], Some(&old));
        assert_eq!((new.in_flight(0), new.in_flight(1)), (0, 1));
        assert_eq!(new.snapshot(1, at(1)).requests.unwrap().remaining, 2);
        drop(call);
        assert_eq!(new.in_flight(1), 0);
    }
}
