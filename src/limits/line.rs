//! What one call holds of budgets: reserved before it begins, extended while its answer comes,
//! settled at its end.

use super::ask::{Ask, Price, Settlement};
use super::guards::Guards;
use super::purse::{Account, Purse};
use super::reservation::Held;
use super::scope::{Fund, Scope};
use super::till::{OnLoss, Till};
use super::{Alert, Exhausted, Level, Refusal};
use crate::govern::OnUnpriced;
use crate::types::Ticks;
use std::time::Duration;

/// Output tokens that are paid for at a time while a stream runs.
pub const SLICE: u64 = 256;
/// Below so many paid tokens ahead of the stream the next slice is taken: time for the bank to lend
/// more before the stream gets there.
const AHEAD: u64 = 128;
/// Paid tokens that must be ahead of the stream, beside what its largest piece came to.
const AHEAD_MIN: u64 = 16;
/// How long the bank's word that it has no more holds.
const DRY_FOR: Duration = Duration::from_millis(500);

/// The budgets a call is charged to.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) all: Vec<Line>,
    price: Price,
    /// Output tokens that are paid for.
    covered: u64,
}

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Line {
    scope: u8,
    account: u32,
    /// Start of the window it is charged to, however long it takes.
    window: u64,
    is_money: bool,
    reserved: u64,
    /// Place in the scope's list.
    fund: u32,
}

impl Line {
    /// The lines of a call, checked against what their purses have, not taken yet. `old` lines are
    /// given back when they are.
    pub(super) fn check_all(
        guards: &mut Guards<'_>,
        till: &Till,
        old: &[Line],
        ask: &Ask<'_>,
    ) -> Result<Vec<Line>, Refusal> {
        let mut taken = Vec::new();
        for (place, scope, inner) in guards.iter_mut() {
            for (number, fund) in (0..).zip(&scope.budgets).filter(|(_, fund)| fund.is_for(ask.model)) {
                let Some(account) = inner.account(fund.account) else { continue };
                let need = need(fund, scope.level(), ask)?;
                let amount = account.amount;
                let Some(purse) = account.current(ask.wall, ask.now) else { continue };
                let window = purse.span.start;
                let freed = old
                    .iter()
                    .filter(|l| (l.scope, l.account, l.window) == (place, fund.account, window))
                    .map(|l| l.reserved)
                    .sum();
                match fits(purse, till, amount, need, freed, ask) {
                    Fit::Yes => {}
                    Fit::Wait => return Err(Refusal::Waiting),
                    Fit::Closed => return Err(Refusal::Unavailable(scope.level())),
                    Fit::No => {
                        return Err(Refusal::Budget(Box::new(exhausted(
                            fund,
                            scope.level(),
                            purse,
                            amount,
                            need,
                            ask,
                        ))));
                    }
                }
                let (account, is_money) = (fund.account, fund.is_money);
                taken.push(Line { scope: place, account, window, is_money, reserved: need, fund: number });
            }
        }
        Ok(taken)
    }

    fn account<'g>(&self, guards: &'g mut Guards<'_>) -> Option<&'g mut Account> {
        guards.inner(self.scope)?.account(self.account)
    }

    /// With the budget's amount.
    fn purse<'g>(&self, guards: &'g mut Guards<'_>) -> Option<(&'g mut Purse, u64)> {
        let account = self.account(guards)?;
        let amount = account.amount;
        Some((account.window(self.window)?, amount))
    }

    /// What `tokens` more of the answer come to.
    fn more(&self, tokens: u64, price: Price) -> u64 {
        if self.is_money { price.output.saturating_mul(tokens) } else { tokens }
    }
}

/// What a call needs of a budget before it begins.
fn need(fund: &Fund, level: Level, ask: &Ask<'_>) -> Result<u64, Refusal> {
    if !fund.is_money {
        return Ok(ask.prompt.saturating_add(ask.slice));
    }
    match (ask.price, fund.on_unpriced) {
        (Some(price), _) => Ok(ask.cost(price, ask.slice)),
        (None, OnUnpriced::SettleBound) => Ok(ask.cost(ask.bound, ask.slice)),
        (None, OnUnpriced::Refuse) => Err(Refusal::Unpriced(level)),
    }
}

enum Fit {
    Yes,
    No,
    Wait,
    Closed,
}

/// Whether `need` fits. `freed` of what is reserved comes back with it.
fn fits(purse: &mut Purse, till: &Till, amount: u64, need: u64, freed: u64, ask: &Ask<'_>) -> Fit {
    let committed = purse.committed().saturating_sub(freed);
    let sharing = till.sharing();
    if need == 0 {
        // A call that is free passes whatever is left.
        return Fit::Yes;
    }
    if !sharing.has_bank {
        let fits = committed.checked_add(need).is_some_and(|sum| sum <= till.own_share(amount));
        return if fits { Fit::Yes } else { Fit::No };
    }
    if till.is_lost() && sharing.on_loss == OnLoss::FailClosed {
        return Fit::Closed;
    }
    let sum = committed.saturating_add(need);
    if sum <= purse.granted.min(amount) {
        return Fit::Yes;
    }
    purse.lack(need);
    till.wake.notify_one();
    let is_dry = purse.bank.dry_at.is_some_and(|at| ask.now.since(at) < DRY_FOR);
    if need > amount || is_dry {
        return Fit::No;
    }
    if ask.may_wait && !till.is_lost() {
        return Fit::Wait;
    }
    // The bank cannot be reached, or did not answer in time.
    if sharing.on_loss == OnLoss::FailClosed {
        return Fit::Closed;
    }
    if !purse.bank.is_known && purse.granted == 0 {
        // Lent nothing so far: its own share, which it tells the bank as soon as there is one.
        purse.granted = till.own_share(amount);
    }
    if sum <= purse.granted { Fit::Yes } else { Fit::No }
}

fn exhausted(fund: &Fund, level: Level, purse: &Purse, amount: u64, needed: u64, ask: &Ask<'_>) -> Exhausted {
    let ends = (purse.span.end != u64::MAX).then(|| purse.span.end.saturating_sub(ask.wall));
    Exhausted {
        level,
        name: fund.name.clone(),
        is_money: fund.is_money,
        amount,
        needed,
        resets_in: ends.map(Duration::from_secs),
        on_exhausted: fund.on_exhausted.clone(),
    }
}

impl Lines {
    /// Gives back what was held and takes what was checked.
    pub(super) fn replace(&mut self, guards: &mut Guards<'_>, taken: Vec<Line>, ask: &Ask<'_>) {
        self.give_back(guards);
        for line in &taken {
            if let Some((purse, _)) = line.purse(guards) {
                purse.reserved = purse.reserved.saturating_add(line.reserved);
                purse.open = purse.open.saturating_add(1);
            }
        }
        *self = Self { all: taken, price: ask.price.unwrap_or(ask.bound), covered: ask.slice };
    }

    /// Gives back all that is held.
    pub(super) fn give_back(&mut self, guards: &mut Guards<'_>) {
        for line in self.all.drain(..) {
            if let Some((purse, _)) = line.purse(guards) {
                purse.reserved = purse.reserved.saturating_sub(line.reserved);
                purse.open = purse.open.saturating_sub(1);
            }
        }
    }

    pub(super) fn needs_cover(&self, output: u64) -> bool {
        !self.all.is_empty() && output.saturating_add(AHEAD) > self.covered
    }

    /// What was reserved is spent as far as it was used.
    pub(super) fn settle(&mut self, guards: &mut Guards<'_>, till: &Till, used: Settlement) {
        for line in &self.all {
            let actual = match (used, line.is_money) {
                (Settlement::Nothing, _) => 0,
                (Settlement::Used { tokens, .. }, false) => tokens,
                (Settlement::Used { cost: Some(money), .. }, true) => money.pico(),
                (Settlement::Used { cost: None, .. }, true) | (Settlement::Unknown, _) => line.reserved,
            };
            let fund = guards.scope(line.scope).and_then(|scope| scope.budgets.get(line.fund as usize));
            let level = guards.scope(line.scope).map_or(Level::Key, Scope::level);
            let Some(account) = line.account(guards) else { continue };
            let (amount, id) = (account.amount, account.id.clone());
            let Some(purse) = account.window(line.window) else { continue };
            purse.spent = purse.spent.saturating_add(actual);
            let alerts = fund.map_or(&[] as &[u8], |fund| &fund.alerts);
            if let Some(percent) = passed(purse, alerts, amount) {
                let spent = purse.spent.saturating_add(purse.elsewhere);
                let account = id.to_string();
                till.alerts.raise(Alert { account, level, window: line.window, percent, spent, amount });
            }
        }
        self.give_back(guards);
    }
}

/// The highest threshold that was passed and not told yet.
fn passed(purse: &mut Purse, alerts: &[u8], amount: u64) -> Option<u8> {
    let spent = u128::from(purse.spent.saturating_add(purse.elsewhere)) * 100;
    let is_passed = |percent: &u8| spent >= u128::from(*percent) * u128::from(amount);
    let highest = alerts.iter().copied().filter(is_passed).max()?;
    (highest > purse.told).then(|| {
        purse.told = highest;
        highest
    })
}

impl Held {
    /// Pays for the next slice; for less of it where there is not enough for all.
    pub(super) fn cover(&mut self, output: u64, now: Ticks) -> bool {
        let Self { chain, till, lines, .. } = self;
        let mut guards = Guards::lock(chain);
        let must = output.saturating_add(AHEAD_MIN).saturating_sub(lines.covered);
        let mut step = output.saturating_add(SLICE).saturating_sub(lines.covered);
        while step > must.max(8) {
            if lines.extend(&mut guards, till, step, now) {
                return true;
            }
            step /= 4;
        }
        must == 0 || lines.extend(&mut guards, till, must, now)
    }
}

impl Lines {
    fn extend(&mut self, guards: &mut Guards<'_>, till: &Till, tokens: u64, now: Ticks) -> bool {
        for line in &self.all {
            let more = line.more(tokens, self.price);
            let Some((purse, amount)) = line.purse(guards) else { continue };
            let sum = purse.committed().saturating_add(more);
            let has_bank = till.sharing().has_bank;
            let limit = if has_bank { purse.granted.min(amount) } else { till.own_share(amount) };
            if more > 0 && sum > limit {
                if has_bank {
                    purse.lack(more);
                }
                purse.used_at = purse.used_at.max(now);
                till.wake.notify_one();
                return false;
            }
        }
        for line in &mut self.all {
            let more = line.more(tokens, self.price);
            line.reserved = line.reserved.saturating_add(more);
            if let Some((purse, _)) = line.purse(guards) {
                purse.reserved = purse.reserved.saturating_add(more);
            }
        }
        self.covered = self.covered.saturating_add(tokens);
        true
    }
}
