//! The scopes of a configuration, and the chain of them that each caller passes.
//!
//! What is in use belongs to a scope's name, not to a configuration: a reload takes it over, so
//! changing a file neither resets a minute nor frees a slot nor gives money back. Calls begun on the
//! old snapshot go on counting in the new one.

use super::calendar::ZoneError;
use super::reservation::Reservation;
use super::scope::{Scope, ScopeSpec};
use super::snapshot::RateSnapshot;
use super::till::Till;
use super::{Level, Refusal, snapshot};
use crate::types::Ticks;
use std::collections::HashMap;
use std::sync::Arc;

/// The scopes one caller's calls pass, from the key outwards; at most one of each level.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    scopes: Arc<[Arc<Scope>]>,
}

/// The limits and budgets of a configuration.
#[derive(Debug)]
pub struct Limits {
    till: Arc<Till>,
    scopes: HashMap<Arc<str>, Arc<Scope>>,
    /// By key index.
    chains: Vec<Chain>,
}

impl Limits {
    /// `scopes` as the configuration has them; those without a limit and a budget may be left out.
    /// `keys`, in index order: the names of the scopes that each key's calls pass, in any order; names
    /// of scopes there are not are passed over. State of names known to `previous` goes on. A limit
    /// that was not there before starts at zero: calls in flight were not counted.
    ///
    /// # Errors
    /// Where a budget names no time zone.
    pub fn new<'k, K>(
        specs: &[ScopeSpec],
        keys: impl IntoIterator<Item = K>,
        previous: Option<&Limits>,
        till: Arc<Till>,
    ) -> Result<Self, ZoneError>
    where
        K: IntoIterator<Item = &'k str>,
    {
        let mut scopes = HashMap::with_capacity(specs.len());
        // Amounts depend on how limits are shared.
        let is_same_till = previous.is_some_and(|previous| Arc::ptr_eq(&previous.till, &till));
        for spec in specs {
            if spec.policy.limits.is_empty() && spec.policy.budgets.is_empty() {
                continue;
            }
            let known = previous.and_then(|previous| previous.scopes.get_key_value(&spec.name));
            // Of a hundred thousand keys one has changed: the others are the same objects as before.
            if let Some((name, known)) = known.filter(|(_, known)| is_same_till && known.is_of(spec)) {
                scopes.insert(name.clone(), known.clone());
                continue;
            }
            let scope = Scope::new(spec, known.map(|(_, scope)| &scope.state), &till)?;
            scopes.insert(scope.state.name.clone(), Arc::new(scope));
        }
        let mut limits = Self { till, scopes, chains: Vec::new() };
        limits.chains = keys.into_iter().map(|names| limits.chain(names)).collect();
        Ok(limits)
    }

    /// No limits at all.
    pub fn none() -> Self {
        Self { till: Arc::default(), scopes: HashMap::new(), chains: Vec::new() }
    }

    /// The chain of the scopes of these names. Of two of one level the first is taken.
    pub fn chain<'k>(&self, names: impl IntoIterator<Item = &'k str>) -> Chain {
        let mut scopes: Vec<Arc<Scope>> =
            names.into_iter().filter_map(|name| self.scopes.get(name).cloned()).collect();
        // Stable: the first of a level stays the first.
        scopes.sort_by_key(|scope| scope.level());
        scopes.dedup_by_key(|scope| scope.level());
        Chain { scopes: scopes.into() }
    }

    /// One scope, such as a subscription's, for [`Reservation::join`].
    pub fn scope(&self, name: &str) -> Option<&Arc<Scope>> {
        self.scopes.get(name)
    }

    /// The chain of a key; None for an index that no key has.
    pub fn of_key(&self, key: usize) -> Option<&Chain> {
        self.chains.get(key)
    }

    pub fn till(&self) -> &Arc<Till> {
        &self.till
    }

    /// Lets a call in as far as its head tells: requests, calls at once, and nothing of its tokens
    /// yet (see [`Reservation::reserve`]). `may_wait` as in [`Ask`](super::Ask).
    ///
    /// # Errors
    /// Of the limits that do not allow the call the one that holds it up longest.
    pub fn admit(&self, chain: &Chain, now: Ticks, may_wait: bool) -> Result<Reservation, Refusal> {
        Reservation::admit(chain.clone(), self.till.clone(), (now, may_wait), true)
    }

    /// As [`Limits::admit`], for what goes on with a call that has a place, or had: it counts as a
    /// request, and takes no place among the calls at once.
    ///
    /// # Errors
    /// As [`Limits::admit`].
    pub fn admit_again(&self, chain: &Chain, now: Ticks, may_wait: bool) -> Result<Reservation, Refusal> {
        Reservation::admit(chain.clone(), self.till.clone(), (now, may_wait), false)
    }

    /// What is left to the callers of a chain, for a refusal's headers.
    pub fn snapshot(&self, chain: &Chain, now: Ticks) -> RateSnapshot {
        snapshot::of(chain, &self.till, None, now)
    }

    /// Calls of a scope that are under way, as its limit of calls at once counts them.
    pub fn in_flight(&self, name: &str, now: Ticks) -> u64 {
        let Some(scope) = self.scopes.get(name) else { return 0 };
        let mut inner = scope.state.lock();
        let concurrent = |rule: &&super::scope::Rule| rule.per.is_none();
        let places: Vec<u32> = scope.rules.iter().filter(concurrent).map(|rule| rule.gauge).collect();
        places.into_iter().filter_map(|place| Some(inner.gauge(place)?.used(now))).max().unwrap_or(0)
    }
}

impl Chain {
    pub fn is_empty(&self) -> bool {
        self.scopes.is_empty()
    }

    pub(super) fn scopes(&self) -> &[Arc<Scope>] {
        &self.scopes
    }

    /// The chain with one scope more; unchanged where it has one of that level.
    pub(super) fn with(&self, scope: Arc<Scope>) -> Chain {
        let mut scopes = self.scopes.to_vec();
        match scopes.binary_search_by_key(&scope.level(), |other| other.level()) {
            Ok(_) => self.clone(),
            Err(place) => {
                scopes.insert(place, scope);
                Chain { scopes: scopes.into() }
            }
        }
    }

    /// Whether any scope has a limit of requests or tokens, to be told in headers.
    pub fn has_rates(&self) -> bool {
        self.scopes.iter().any(|scope| scope.rules.iter().any(|rule| rule.per.is_some()))
    }

    /// Whether any scope has a budget.
    pub fn has_budgets(&self) -> bool {
        self.scopes.iter().any(|scope| !scope.budgets.is_empty())
    }

    /// Whether a budget in money is for calls of `model`.
    pub fn needs_price(&self, model: &str) -> bool {
        let is_money = |scope: &Arc<Scope>| scope.budgets.iter().any(|b| b.is_money && b.is_for(model));
        self.scopes.iter().any(is_money)
    }

    /// The outermost level there is, for messages.
    pub fn level(&self) -> Level {
        self.scopes.last().map_or(Level::Key, |scope| scope.level())
    }
}
