//! Keeps this node's part of shared limits and budgets: asks for more before it is used up, gives back
//! what is not used, and notices when the others cannot be reached.
//!
//! One request at a time, so that an answer always belongs to the newest one.

use crate::limits::Till;
use crate::limits::plan::{BudgetAnswer, Round};
use crate::runtime::{Edge, Shared};
use crate::store::{Account, StoreError, Withdrawal};
use pingora_core::server::ShutdownWatch;
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked whether something is due.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Between two rounds at least, however often somebody wakes the job.
const ROUND_EVERY: Duration = Duration::from_millis(10);
/// How often a node says that it is there, also when nothing is due.
const MEET_EVERY: Duration = Duration::from_secs(1);

/// Runs to the end of the process: calls that are still under way when it is told to stop settle too.
pub async fn run(edge: &Arc<Edge>, mut shutdown: ShutdownWatch) {
    let Some(shared) = &edge.shared else { return };
    let till = edge.runtime().limits.till().clone();
    let mut is_last = false;
    let mut met_at = None;
    // Of the rounds: one more for each ask.
    let mut serial = 0u64;
    loop {
        serial += 1;
        let now = edge.now();
        let is_due = met_at.is_none_or(|at| now.since(at) >= MEET_EVERY) || till.is_lost();
        let met = if is_due { meet(shared, &till).await } else { Ok(()) };
        if is_due && met.is_ok() {
            met_at = Some(now);
        }
        let outcome = match met {
            Ok(()) => round(edge, shared, &till, (serial, is_last)).await,
            Err(error) => Err(error),
        };
        note(edge, &till, outcome.as_ref().err());
        if is_last && outcome.is_ok_and(|had_work| !had_work) && edge.metrics.budget_calls.get() == 0 {
            return;
        }
        tokio::time::sleep(ROUND_EVERY).await;
        tokio::select! {
            () = till.wake.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = shutdown.changed(), if !is_last => is_last = true,
        }
    }
}

async fn meet(shared: &Shared, till: &Till) -> Result<(), StoreError> {
    if let Some(redis) = &shared.redis {
        till.set_nodes(redis.meet(&shared.node).await?);
    }
    Ok(())
}

/// One exchange. Gives whether anything was due.
async fn round(
    edge: &Edge,
    shared: &Shared,
    till: &Till,
    (serial, is_last): (u64, bool),
) -> Result<bool, StoreError> {
    let round = till.collect(edge.now(), edge.wall.unix_ms() / 1000, is_last);
    if round.is_empty() {
        return Ok(false);
    }
    let budgets = withdraw(shared, serial, &round).await?;
    let leases = match &shared.redis {
        Some(redis) => redis.lease(&shared.node, &round.leases).await?,
        None => Vec::new(),
    };
    till.apply(&round, &budgets, &leases, edge.now());
    Ok(true)
}

async fn withdraw(shared: &Shared, serial: u64, round: &Round) -> Result<Vec<BudgetAnswer>, StoreError> {
    if round.budgets.is_empty() {
        return Ok(Vec::new());
    }
    let asks = round.budgets.iter().map(|ask| Withdrawal {
        account: Account { budget: ask.account.to_string(), window: ask.window },
        serial,
        amount: ask.amount,
        expires: ask.expires,
        granted: ask.granted,
        spent: ask.spent,
        wanted: ask.wanted,
    });
    let asks: Vec<Withdrawal> = asks.collect();
    let grants = shared.bank.withdraw(&shared.node, &asks).await?;
    let answer = |grant: crate::store::Grant| BudgetAnswer {
        account: grant.account.budget,
        window: grant.account.window,
        granted: grant.granted,
        spent: grant.spent,
    };
    Ok(grants.into_iter().map(answer).collect())
}

/// Tells metrics, log and waiting calls whether the others are there.
fn note(edge: &Edge, till: &Till, error: Option<&StoreError>) {
    match error {
        None if till.is_lost() => {
            log::info!("limits and budgets are shared again");
            edge.metrics.sharing_lost.set(0);
            till.set_lost(false);
        }
        None => {}
        Some(error) => {
            edge.metrics.sharing_failures.inc();
            if !till.is_lost() {
                let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
                log::warn!("limits and budgets are not shared: {error}{}", cause.unwrap_or_default());
                edge.metrics.sharing_lost.set(1);
                // The others may have what was leased here as soon as it is not renewed.
                till.forget_leases();
                till.set_lost(true);
            }
        }
    }
}
