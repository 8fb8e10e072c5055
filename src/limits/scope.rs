//! The limits and budgets of one key, app, team, tenant or subscription.

use super::Level;
use super::calendar::{Calendar, ZoneError};
use super::gauge::GaugeKey;
use super::state::State;
use super::till::Till;
use crate::govern::{Budget, BudgetUnit, Limit, LimitUnit, OnExhausted, OnUnpriced, Policy, Window};
use crate::types::Glob;
use std::sync::Arc;

/// What is asked for a scope.
#[derive(Clone, Debug)]
pub struct ScopeSpec {
    /// Stable over reloads, unique among all scopes: `key/ci`, `team/team_1`. What is in use belongs
    /// to it.
    pub name: Arc<str>,
    pub level: Level,
    /// Its limits and budgets. The same one again means that nothing has changed.
    pub policy: Arc<Policy>,
}

impl ScopeSpec {
    pub fn new(name: Arc<str>, level: Level, limits: Vec<Limit>, budgets: Vec<Budget>) -> Self {
        Self { name, level, policy: Arc::new(Policy { limits, budgets, ..Policy::default() }) }
    }
}

/// A scope of one configuration. What is in use outlives it.
#[derive(Debug)]
pub struct Scope {
    /// What it was made of.
    policy: Arc<Policy>,
    pub(super) rules: Box<[Rule]>,
    pub(super) budgets: Box<[Fund]>,
    pub(super) state: Arc<State>,
}

/// One limit.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) unit: LimitUnit,
    pub(super) per: Option<Window>,
    pub(super) amount: u64,
    pub(super) model: Option<Glob>,
    pub(super) gauge: u32,
}

/// One budget.
#[derive(Debug)]
pub(super) struct Fund {
    pub(super) name: Box<str>,
    pub(super) is_money: bool,
    pub(super) model: Option<Glob>,
    pub(super) alerts: Box<[u8]>,
    pub(super) on_exhausted: OnExhausted,
    pub(super) on_unpriced: OnUnpriced,
    pub(super) account: u32,
}

impl Scope {
    /// With the state of the same name in the configuration before, if there is one.
    ///
    /// # Errors
    /// Where a budget names no time zone.
    pub(super) fn new(
        spec: &ScopeSpec,
        previous: Option<&Arc<State>>,
        till: &Till,
    ) -> Result<Self, ZoneError> {
        let known = previous.filter(|state| !state.lock().is_full()).cloned();
        let state = known.unwrap_or_else(|| Arc::new(State::new(spec.name.clone(), spec.level)));
        let mut inner = state.lock();
        let rules = spec.policy.limits.iter().map(|limit| {
            let per = (limit.unit != LimitUnit::Concurrent).then(|| limit.per.unwrap_or(Window::Minute));
            let key = GaugeKey { unit: limit.unit, per, model: limit.model.as_deref().map(Arc::from) };
            Rule {
                unit: limit.unit,
                per,
                amount: limit.amount,
                model: limit.model.as_deref().map(Glob::new),
                gauge: inner.gauge_place(&key),
            }
        });
        let rules = rules.collect();
        let mut budgets = Vec::with_capacity(spec.policy.budgets.len());
        for budget in &spec.policy.budgets {
            let (is_money, amount) = match budget.unit {
                BudgetUnit::Usd(money) => (true, money.pico()),
                BudgetUnit::Tokens(tokens) => (false, tokens),
            };
            let id = account_id(&spec.name, budget);
            let calendar = Calendar::new(budget.per, &budget.time_zone);
            budgets.push(Fund {
                name: budget.name.as_str().into(),
                is_money,
                model: budget.model.as_deref().map(Glob::new),
                alerts: budget.alerts.as_slice().into(),
                on_exhausted: budget.on_exhausted.clone(),
                on_unpriced: budget.on_unpriced,
                account: inner.account_place(&id, till.fund(amount), calendar)?,
            });
        }
        drop(inner);
        Ok(Self { policy: spec.policy.clone(), rules, budgets: budgets.into(), state })
    }

    /// Whether it would be made anew just as it is.
    pub(super) fn is_of(&self, spec: &ScopeSpec) -> bool {
        Arc::ptr_eq(&self.policy, &spec.policy)
    }

    pub fn name(&self) -> &str {
        &self.state.name
    }

    pub fn level(&self) -> Level {
        self.state.level
    }
}

impl Rule {
    /// Whether it is known to hold before the body has named a model.
    pub(super) fn is_for_all(&self) -> bool {
        self.model.is_none()
    }

    pub(super) fn is_for(&self, model: &str) -> bool {
        self.model.as_ref().is_none_or(|glob| glob.matches(model))
    }
}

impl Fund {
    pub(super) fn is_for(&self, model: &str) -> bool {
        self.model.as_ref().is_none_or(|glob| glob.matches(model))
    }
}

/// Unit and period are in it: a budget of another unit or period is another budget.
fn account_id(scope: &str, budget: &Budget) -> String {
    let unit = match budget.unit {
        BudgetUnit::Usd(_) => "usd",
        BudgetUnit::Tokens(_) => "tokens",
    };
    format!("{scope}/{}/{unit}/{}", budget.name, word(budget.per))
}

/// The word for a span in names and messages.
pub(super) fn word(per: Window) -> &'static str {
    match per {
        Window::Second => "second",
        Window::Minute => "minute",
        Window::Hour => "hour",
        Window::Day => "day",
        Window::Week => "week",
        Window::Month => "month",
        Window::Total => "total",
    }
}
