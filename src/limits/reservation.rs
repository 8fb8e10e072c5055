//! What one call holds of the limits and budgets of its chain, as a drop guard.
//!
//! Invariant: dropping it, on any path and in any panic, frees every slot exactly once, and returns
//! the tokens and the money unless they were settled.

use super::ask::{Ask, Settlement};
use super::gauge::Unfit;
use super::guards::Guards;
use super::limits::Chain;
use super::line::{Line, Lines};
use super::scope::{Rule, Scope};
use super::snapshot::{self, RateSnapshot};
use super::till::Till;
use super::{Exceeded, Refusal};
use crate::govern::LimitUnit;
use crate::types::Ticks;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// No call uses more; a larger number is an upstream's nonsense and must not wrap a sum.
const TOKENS_PER_CALL_MAX: u64 = 1 << 40;

/// A call let in by [`Limits::admit`](super::Limits::admit). Keep it until the last byte has gone to
/// the client.
#[must_use = "dropping a reservation ends the call it stands for"]
pub struct Reservation {
    /// `None` for a caller without limits and budgets: nothing to count, nothing to give back.
    held: Option<Box<Held>>,
}

pub(super) struct Held {
    pub(super) chain: Chain,
    pub(super) till: Arc<Till>,
    charges: Vec<Charge>,
    pub(super) lines: Lines,
    /// The model that limits were taken for.
    model: Option<Box<str>>,
    is_settled: bool,
    is_cancelled: bool,
}

/// A charge in a gauge, as needed to take it back.
#[derive(Clone, Copy, Debug)]
struct Charge {
    scope: u8,
    gauge: u32,
    unit: LimitUnit,
    slot: u64,
    amount: u64,
}

/// Of several refusals the one that holds the call up longest.
#[derive(Default)]
struct Worst {
    exceeded: Option<Exceeded>,
    is_cold: bool,
    closed: Option<super::Level>,
}

impl Reservation {
    /// Of a caller without limits, or of a call that has given all back.
    pub fn none() -> Self {
        Self { held: None }
    }

    pub(super) fn admit(
        chain: Chain,
        till: Arc<Till>,
        moment: (Ticks, bool),
        takes_place: bool,
    ) -> Result<Self, Refusal> {
        if chain.is_empty() {
            return Ok(Self { held: None });
        }
        let mut charges = Vec::with_capacity(8);
        {
            let mut guards = Guards::lock(&chain);
            // Before anything is refused: what is cold is warmed by the planner.
            guards.list(&till);
            let is_meant = |rule: &Rule| rule.is_for_all() && (takes_place || rule.per.is_some());
            take(&mut guards, &till, &mut charges, is_meant, moment)?;
        }
        let lines = Lines::default();
        let held = Held { chain, till, charges, lines, model: None, is_settled: false, is_cancelled: false };
        Ok(Self { held: Some(Box::new(held)) })
    }

    /// Adds a scope that only the body's model tells: a subscription's. Its limits count from the next
    /// [`reserve`](Self::reserve) on. To be called before the first of them.
    pub fn join(&mut self, scope: Arc<Scope>, till: &Arc<Till>) {
        match &mut self.held {
            // Places of scopes that were charged must not move.
            Some(held) if held.model.is_none() => {
                let joined = held.chain.with(scope);
                let place = |old: u8| {
                    let level = held.chain.scopes().get(usize::from(old)).map(|scope| scope.level());
                    let at = joined.scopes().iter().position(|scope| Some(scope.level()) == level);
                    at.and_then(|at| u8::try_from(at).ok()).unwrap_or(old)
                };
                for charge in &mut held.charges {
                    charge.scope = place(charge.scope);
                }
                held.chain = joined;
            }
            Some(_) => {}
            None => {
                self.held = Some(Box::new(Held {
                    chain: Chain::default().with(scope),
                    till: till.clone(),
                    charges: Vec::new(),
                    lines: Lines::default(),
                    model: None,
                    is_settled: false,
                    is_cancelled: false,
                }));
            }
        }
    }

    /// Takes what the body tells: the limits of its model, its tokens, the money for it; or all of that
    /// anew for another count or another model. All or nothing: where it fails, what was held before
    /// is held still.
    ///
    /// # Errors
    /// Why not. Follow with [`Reservation::cancel`] if the call is refused for it.
    pub fn reserve(&mut self, ask: &Ask<'_>) -> Result<(), Refusal> {
        let Some(held) = self.held.as_deref_mut().filter(|held| !held.is_settled) else { return Ok(()) };
        held.reserve(ask)
    }

    /// Whether the money for `output` tokens and some more is taken already.
    pub fn is_covered(&self, output: u64) -> bool {
        self.held.as_ref().is_none_or(|held| held.is_settled || !held.lines.needs_cover(output))
    }

    /// Makes sure that the money for `output` tokens and some more is taken, while a stream runs.
    /// False when there is not enough for these: the stream must end.
    pub fn cover(&mut self, output: u64, now: Ticks) -> bool {
        let Some(held) = self.held.as_deref_mut().filter(|held| !held.is_settled) else { return true };
        !held.lines.needs_cover(output) || held.cover(output, now)
    }

    /// Ends the call: its slots come back, and the estimates are corrected to what was used. Less is given
    /// back, where it still counts; more is charged now, over the limit if need be. Only the first
    /// settlement counts.
    pub fn settle(&mut self, used: Settlement, now: Ticks) {
        if let Some(held) = self.held.as_deref_mut().filter(|held| !held.is_settled) {
            held.is_settled = true;
            held.settle(used, now);
        }
    }

    /// Ends a call that is refused after all: the request is not counted either.
    pub fn cancel(mut self) {
        if let Some(held) = &mut self.held {
            held.is_cancelled = true;
        }
    }

    /// What is left of the tightest limits, this call included.
    pub fn snapshot(&self, now: Ticks) -> RateSnapshot {
        let Some(held) = &self.held else { return RateSnapshot::default() };
        snapshot::of(&held.chain, &held.till, held.model.as_deref(), now)
    }

    /// Whether a budget in money or tokens is charged for this call.
    pub fn has_budget(&self) -> bool {
        self.held.as_ref().is_some_and(|held| !held.lines.all.is_empty())
    }

    pub fn chain(&self) -> Option<&Chain> {
        self.held.as_ref().map(|held| &held.chain)
    }
}

impl Held {
    fn reserve(&mut self, ask: &Ask<'_>) -> Result<(), Refusal> {
        let Self { chain, till, charges, lines, model, .. } = self;
        let mut guards = Guards::lock(chain);
        guards.list(till);
        let is_new = model.as_deref() != Some(ask.model);
        let mut worst = Worst::default();
        for (place, scope, inner) in guards.iter_mut() {
            for rule in scope.rules.iter().filter(|rule| rule.is_for(ask.model)) {
                let Some(gauge) = inner.gauge(rule.gauge) else { continue };
                let old = charges.iter().find(|c| (c.scope, c.gauge) == (place, rule.gauge));
                let amount = match (rule.unit, old) {
                    (LimitUnit::Tokens, _) => tokens(ask, rule.amount),
                    // Taken with the head, or with an earlier count.
                    (_, Some(_)) => continue,
                    (_, None) => 1,
                };
                let old = old.map(|charge| (charge.slot, charge.amount));
                if let Err(unfit) = gauge.check(till, rule.amount, amount, old, (ask.now, ask.may_wait)) {
                    worst.note(scope, rule, unfit);
                }
            }
        }
        worst.into_result()?;
        let taken = Line::check_all(&mut guards, till, &lines.all, ask)?;
        // From here on nothing fails.
        if is_new {
            drop_strange(&mut guards, charges, ask.model);
            *model = Some(ask.model.into());
        }
        recharge(&mut guards, charges, ask);
        lines.replace(&mut guards, taken, ask);
        Ok(())
    }

    fn settle(&mut self, used: Settlement, now: Ticks) {
        let Self { chain, till, charges, lines, .. } = self;
        let mut guards = Guards::lock(chain);
        let actual = used.tokens().min(TOKENS_PER_CALL_MAX);
        for charge in charges.iter_mut().filter(|charge| charge.unit == LimitUnit::Tokens) {
            let gauge = guards.inner(charge.scope).and_then(|inner| inner.gauge(charge.gauge));
            let Some(gauge) = gauge else { continue };
            match charge.amount.checked_sub(actual) {
                Some(refund) => gauge.refund(charge.slot, refund),
                None => {
                    gauge.charge(actual - charge.amount, now);
                }
            }
        }
        for charge in charges.iter().filter(|charge| charge.unit == LimitUnit::Concurrent) {
            if let Some(gauge) = guards.inner(charge.scope).and_then(|inner| inner.gauge(charge.gauge)) {
                gauge.refund(charge.slot, charge.amount);
            }
        }
        lines.settle(&mut guards, till, used);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.is_settled {
            return;
        }
        let mut guards = Guards::lock(&self.chain);
        for charge in &self.charges {
            let gives_back = charge.unit != LimitUnit::Requests || self.is_cancelled;
            let gauge = guards.inner(charge.scope).and_then(|inner| inner.gauge(charge.gauge));
            if let Some(gauge) = gauge.filter(|_| gives_back) {
                gauge.refund(charge.slot, charge.amount);
            }
        }
        self.lines.give_back(&mut guards);
    }
}

/// Checks all rules that are meant, then takes one call of all of them.
fn take(
    guards: &mut Guards<'_>,
    till: &Till,
    charges: &mut Vec<Charge>,
    is_meant: impl Fn(&Rule) -> bool,
    at: (Ticks, bool),
) -> Result<(), Refusal> {
    // Tokens are not known yet.
    let of = |unit| u64::from(unit != LimitUnit::Tokens);
    let mut worst = Worst::default();
    for (_, scope, inner) in guards.iter_mut() {
        for rule in scope.rules.iter().filter(|rule| is_meant(rule)) {
            let Some(gauge) = inner.gauge(rule.gauge) else { continue };
            if let Err(unfit) = gauge.check(till, rule.amount, of(rule.unit), None, at) {
                worst.note(scope, rule, unfit);
            }
        }
    }
    worst.into_result()?;
    for (place, scope, inner) in guards.iter_mut() {
        for rule in scope.rules.iter().filter(|rule| is_meant(rule)) {
            let Some(gauge) = inner.gauge(rule.gauge) else { continue };
            let amount = of(rule.unit);
            let slot = gauge.charge(amount, at.0);
            charges.push(Charge { scope: place, gauge: rule.gauge, unit: rule.unit, slot, amount });
        }
    }
    Ok(())
}

/// What a call takes of a limit of `limit` tokens. What is only expected never makes a call too large
/// for it: at most the rest of it, and a guess no more than an eighth.
fn tokens(ask: &Ask<'_>, limit: u64) -> u64 {
    let most = if ask.is_stated { limit.saturating_sub(ask.prompt) } else { limit / 8 };
    ask.prompt.saturating_add(ask.output.min(most)).min(TOKENS_PER_CALL_MAX)
}

/// Gives back what was taken for another model and is not for this one.
fn drop_strange(guards: &mut Guards<'_>, charges: &mut Vec<Charge>, model: &str) {
    charges.retain(|charge| {
        let rules = guards.scope(charge.scope).map(|scope| &scope.rules);
        let is_meant = rules
            .is_some_and(|rules| rules.iter().any(|rule| rule.gauge == charge.gauge && rule.is_for(model)));
        if !is_meant
            && let Some(gauge) = guards.inner(charge.scope).and_then(|inner| inner.gauge(charge.gauge))
        {
            gauge.refund(charge.slot, charge.amount);
        }
        is_meant
    });
}

/// Replaces the charges for tokens, and takes what is new.
fn recharge(guards: &mut Guards<'_>, charges: &mut Vec<Charge>, ask: &Ask<'_>) {
    let now = ask.now;
    for (place, scope, inner) in guards.iter_mut() {
        for rule in scope.rules.iter().filter(|rule| rule.is_for(ask.model)) {
            let Some(gauge) = inner.gauge(rule.gauge) else { continue };
            let amount = if rule.unit == LimitUnit::Tokens { tokens(ask, rule.amount) } else { 1 };
            let old = charges.iter_mut().find(|c| (c.scope, c.gauge) == (place, rule.gauge));
            match old {
                Some(charge) if rule.unit == LimitUnit::Tokens => {
                    gauge.refund(charge.slot, charge.amount);
                    *charge = Charge { slot: gauge.charge(amount, now), amount, ..*charge };
                }
                Some(_) => {}
                None => {
                    let slot = gauge.charge(amount, now);
                    charges.push(Charge { scope: place, gauge: rule.gauge, unit: rule.unit, slot, amount });
                }
            }
        }
    }
}

impl Worst {
    fn note(&mut self, scope: &Scope, rule: &Rule, unfit: Unfit) {
        let retry_after = match unfit {
            Unfit::Cold => {
                self.is_cold = true;
                return;
            }
            Unfit::Closed => {
                self.closed = Some(scope.level());
                return;
            }
            Unfit::Full(wait) => wait,
        };
        let (unit, per, limit) = (rule.unit, rule.per, rule.amount);
        let exceeded = Exceeded { level: scope.level(), unit, per, limit, retry_after };
        let span = |exceeded: &Exceeded| exceeded.retry_after.unwrap_or(Duration::MAX);
        if self.exceeded.is_none_or(|worst| span(&exceeded) > span(&worst)) {
            self.exceeded = Some(exceeded);
        }
    }

    fn into_result(self) -> Result<(), Refusal> {
        match self {
            Worst { exceeded: Some(exceeded), .. } => Err(Refusal::Limit(exceeded)),
            Worst { closed: Some(level), .. } => Err(Refusal::Unavailable(level)),
            Worst { is_cold: true, .. } => Err(Refusal::Waiting),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let charges = self.held.as_ref().map(|held| held.charges.len());
        f.debug_struct("Reservation").field("charges", &charges).finish_non_exhaustive()
    }
}
