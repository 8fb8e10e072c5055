//! What a node asks of the others: how much of its shared budgets to have lent, how much of its shared
//! limits to have leased, and what to give back.
//!
//! Pure: it looks at what is in use and makes requests, and takes answers in. Sending is the job of
//! `jobs`. Invariants: what is given back is out of use here before anybody is told so; an answer
//! that never comes changes nothing that was granted.

use super::gauge::Gauge;
use super::purse::Purse;
use super::state::{Inner, State};
use super::till::Till;
use crate::types::Ticks;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Requests of one round; the rest comes with the next.
pub const ROUND_MAX: usize = 512;
/// A purse that nothing was taken from for so long is given back.
const IDLE: Duration = Duration::from_secs(3);
/// What was spent is told at least so often.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// A lease in use is renewed so often.
const RENEW_EVERY: Duration = Duration::from_secs(3);
/// So much of what is spent in a second is kept at hand.
const SECONDS_AT_HAND: u64 = 2;
/// At most this part of what is left of a budget is kept at hand by all nodes together.
const PART_AT_HAND: u64 = 64;
/// So long before a window ends the next one is lent for.
const AHEAD_SECONDS: u64 = 5;
/// How long after its window the bank may forget an account.
const KEPT_SECONDS: u64 = 86_400;
/// A total has no end: it is kept for so long after it was last asked for.
const TOTAL_KEPT_SECONDS: u64 = 400 * 86_400;

/// One budget in one window; all numbers are totals since the window began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetAsk {
    pub account: Arc<str>,
    /// Start of the window, seconds since 1970.
    pub window: u64,
    pub amount: u64,
    /// When the account may be forgotten, seconds since 1970.
    pub expires: u64,
    pub granted: u64,
    pub spent: u64,
    pub wanted: u64,
}

/// The answer to a [`BudgetAsk`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetAnswer {
    pub account: String,
    pub window: u64,
    pub granted: u64,
    /// By all nodes.
    pub spent: u64,
}

/// One limit of one scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseAsk {
    pub name: String,
    /// The whole limit.
    pub amount: u64,
    /// What this node wants to hold; at least what it has in use.
    pub wanted: u64,
}

/// The answer to a [`LeaseAsk`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseAnswer {
    pub name: String,
    pub held: u64,
    /// What a node may hold while others want more than they have.
    pub fair: Option<u64>,
}

/// One round of requests.
#[derive(Debug, Default)]
pub struct Round {
    pub budgets: Vec<BudgetAsk>,
    pub leases: Vec<LeaseAsk>,
    lenders: HashMap<(Arc<str>, u64), (Arc<State>, BudgetAsk)>,
    lessors: HashMap<String, (Arc<State>, usize, u64)>,
}

impl Round {
    pub fn is_empty(&self) -> bool {
        self.budgets.is_empty() && self.leases.is_empty()
    }
}

impl Till {
    /// What is due now. `wall` in seconds since 1970; `is_last`: everything goes back.
    pub fn collect(&self, now: Ticks, wall: u64, is_last: bool) -> Round {
        let mut round = Round::default();
        for state in self.active() {
            if round.budgets.len() + round.leases.len() >= ROUND_MAX {
                break;
            }
            let mut inner = state.lock();
            if self.sharing().has_bank {
                self.collect_budgets(&state, &mut inner, &mut round, (now, wall, is_last));
            }
            if self.sharing().has_leases {
                self.collect_leases(&state, &mut inner, &mut round, now, is_last);
            }
        }
        round
    }

    fn collect_budgets(
        &self,
        state: &Arc<State>,
        inner: &mut Inner,
        round: &mut Round,
        (now, wall, is_last): (Ticks, u64, bool),
    ) {
        for account in &mut inner.accounts {
            let is_busy = |purse: &Purse| purse.bank.flow > 0 && purse.span.end != u64::MAX;
            let ending = account.purses.iter().find(|purse| purse.span.holds(wall) && is_busy(purse));
            let ending = ending.filter(|purse| wall + AHEAD_SECONDS >= purse.span.end);
            if let Some((end, flow)) = ending.map(|purse| (purse.span.end, purse.bank.flow))
                && let Some(next) = account.current(end, now)
            {
                next.bank.flow = next.bank.flow.max(flow);
            }
            let (id, amount) = (account.id.clone(), account.amount);
            for purse in &mut account.purses {
                let is_over = (is_last || wall >= purse.span.end) && purse.open == 0;
                let Some(wanted) = due(purse, amount, u64::from(self.nodes()), is_over, now) else {
                    continue;
                };
                let expires = match purse.span.end {
                    u64::MAX => wall + TOTAL_KEPT_SECONDS,
                    end => end + KEPT_SECONDS,
                };
                // Given back here before it is there.
                purse.granted = purse.granted.min(wanted);
                purse.bank.asked_at = Some(now);
                purse.bank.short = 0;
                purse.bank.least = 0;
                let window = purse.span.start;
                let (granted, spent) = (purse.granted, purse.spent);
                let ask = BudgetAsk { account: id.clone(), window, amount, expires, granted, spent, wanted };
                round.budgets.push(ask.clone());
                round.lenders.insert((id.clone(), window), (state.clone(), ask));
            }
        }
    }

    fn collect_leases(
        &self,
        state: &Arc<State>,
        inner: &mut Inner,
        round: &mut Round,
        now: Ticks,
        is_last: bool,
    ) {
        for (place, gauge) in inner.gauges.iter_mut().enumerate() {
            let Some(wanted) = lease_due(gauge, u64::from(self.nodes()), is_last, now) else { continue };
            let name = lease_name(&state.name, gauge);
            let Some(lease) = gauge.lease() else { continue };
            lease.asked_at = Some(now);
            lease.short = 0;
            round.leases.push(LeaseAsk { name: name.clone(), amount: lease.amount, wanted: wanted.keep });
            round.lessors.insert(name, (state.clone(), place, wanted.target));
        }
    }

    /// Takes the answers to a round in.
    pub fn apply(&self, round: &Round, budgets: &[BudgetAnswer], leases: &[LeaseAnswer], now: Ticks) {
        for answer in budgets {
            let key = (Arc::from(answer.account.as_str()), answer.window);
            let Some((state, ask)) = round.lenders.get(&key) else { continue };
            let mut inner = state.lock();
            let account = inner.accounts.iter_mut().find(|account| account.id == ask.account);
            let Some(purse) = account.and_then(|account| account.window(ask.window)) else { continue };
            purse.granted = answer.granted;
            purse.elsewhere = answer.spent.saturating_sub(ask.spent);
            purse.bank.is_known = true;
            purse.bank.told_spent = ask.spent;
            purse.bank.dry_at = (answer.granted < ask.wanted).then_some(now);
        }
        for answer in leases {
            let Some((state, place, target)) = round.lessors.get(&answer.name) else { continue };
            let mut inner = state.lock();
            let Some(lease) = inner.gauges.get_mut(*place).and_then(Gauge::lease) else { continue };
            lease.held = Some(answer.held);
            lease.fair = answer.fair;
            lease.target = *target;
        }
        if self.sharing().has_bank || self.sharing().has_leases {
            self.unlist_idle(now);
        }
        self.answered.notify_waiters();
    }

    /// Forgets what was leased: the others may have it by now.
    pub fn forget_leases(&self) {
        for state in self.active() {
            for lease in state.lock().gauges.iter_mut().filter_map(Gauge::lease) {
                lease.held = None;
            }
        }
    }

    fn unlist_idle(&self, now: Ticks) {
        self.unlist(|state| {
            let mut inner = state.lock();
            let purses = inner.accounts.iter().flat_map(|account| &account.purses);
            let is_settled = |purse: &Purse| {
                purse.open == 0 && purse.granted == purse.spent && purse.bank.told_spent == purse.spent
            };
            let are_settled = purses.clone().all(is_settled);
            let is_free = |gauge: &mut Gauge| {
                gauge.used(now) == 0 && gauge.lease().and_then(|lease| lease.held).unwrap_or(0) == 0
            };
            let is_done = are_settled && inner.gauges.iter_mut().all(is_free);
            if is_done {
                inner.is_listed = false;
                inner.gauges.iter_mut().filter_map(Gauge::lease).for_each(|lease| lease.held = None);
            }
            is_done
        });
    }
}

/// The total this purse should have been granted; None where nothing needs to be said.
fn due(purse: &mut Purse, amount: u64, nodes: u64, is_over: bool, now: Ticks) -> Option<u64> {
    let since = |at: Option<Ticks>| at.map_or(Duration::MAX, |at| now.since(at));
    measure(purse, now);
    let has_news = purse.spent != purse.bank.told_spent || !purse.bank.is_known;
    let is_idle = purse.open == 0 && purse.bank.short == 0 && now.since(purse.used_at) > IDLE;
    if is_over || is_idle {
        let wanted = purse.committed();
        let is_due = purse.granted > wanted || (has_news && purse.bank.is_known) || purse.bank.short > 0;
        return (is_due && since(purse.bank.asked_at) >= Duration::from_millis(50)).then_some(wanted);
    }
    let left = amount.saturating_sub(purse.committed()).saturating_sub(purse.elsewhere);
    let at_hand = (purse.bank.flow.saturating_mul(SECONDS_AT_HAND)).min(left / (PART_AT_HAND * nodes));
    // Calls that wait: all of them, as far as that is no more than a fair part, but one at least.
    let lacking = purse.bank.short.min(left / (4 * nodes)).max(purse.bank.least);
    let base = purse.committed();
    let wanted = base.saturating_add(at_hand).max(base.saturating_add(lacking)).min(amount.max(base));
    let is_short = purse.bank.short > 0 || purse.free() < at_hand / 2;
    let is_much = purse.granted > wanted.saturating_add(at_hand / 2).saturating_add(amount / 2000);
    let tells = has_news && since(purse.bank.asked_at) >= TELL_EVERY;
    if is_short || is_much {
        return Some(wanted);
    }
    tells.then_some(purse.granted.max(base))
}

/// How fast the purse is emptied, in a second.
fn measure(purse: &mut Purse, now: Ticks) {
    let Some(seen_at) = purse.bank.seen_at else {
        purse.bank.seen_at = Some(now);
        purse.bank.seen = purse.committed();
        return;
    };
    let millis = u64::try_from(now.since(seen_at).as_millis()).unwrap_or(u64::MAX);
    if millis < 50 {
        return;
    }
    let grown = u128::from(purse.committed().saturating_sub(purse.bank.seen)) * 1000 / u128::from(millis);
    let grown = u64::try_from(grown).unwrap_or(u64::MAX);
    purse.bank.flow = (purse.bank.flow / 4).saturating_mul(3).saturating_add(grown / 4);
    purse.bank.seen = purse.committed();
    purse.bank.seen_at = Some(now);
}

/// What a node wants of a limit.
struct Wanted {
    /// What it lets itself use.
    target: u64,
    /// What it must hold meanwhile: what is in use cannot be given back.
    keep: u64,
}

fn lease_due(gauge: &mut Gauge, nodes: u64, is_last: bool, now: Ticks) -> Option<Wanted> {
    let used = gauge.used(now);
    let lease = gauge.lease()?;
    let is_idle = is_last || (used == 0 && lease.short == 0 && now.since(lease.used_at) > IDLE);
    let room = (lease.amount / (4 * nodes)).max(lease.short).max(1);
    let target = match (is_idle, lease.fair) {
        (true, _) => 0,
        (false, Some(fair)) => used.saturating_add(room).min(fair),
        (false, None) => used.saturating_add(room),
    };
    let target = target.min(lease.amount);
    let keep = used.max(target);
    let held = lease.held.unwrap_or(0);
    // Given back here before it is there.
    lease.target = lease.target.min(target.max(if lease.fair.is_some() { 0 } else { used }));
    let is_cold = lease.held.is_none() && !is_idle;
    let is_short = lease.short > 0 && keep > held || held < keep.min(used.saturating_add(room / 2));
    let is_much =
        held > keep.saturating_add(room) || (is_idle && held > 0) || (lease.fair.is_some() && held > keep);
    let is_old = lease.asked_at.is_none_or(|at| now.since(at) >= RENEW_EVERY) && held > 0;
    (is_cold || is_short || is_much || is_old).then_some(Wanted { target, keep })
}

/// Scope, unit, span and model of a limit.
fn lease_name(scope: &str, gauge: &Gauge) -> String {
    let unit = match gauge.key.unit {
        crate::govern::LimitUnit::Requests => "requests",
        crate::govern::LimitUnit::Tokens => "tokens",
        crate::govern::LimitUnit::Concurrent => "concurrent",
    };
    let per = gauge.key.per.map_or("now", super::scope::word);
    format!("{scope}/{unit}/{per}/{}", gauge.key.model.as_deref().unwrap_or_default())
}
