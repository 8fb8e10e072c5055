//! What of each budget is lent out, and to which node.

use super::StoreError;
use async_trait::async_trait;

/// Accounts in one step at most.
pub const ASKS_MAX: usize = 1000;

/// A budget in one of its windows, as the bank knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Account {
    /// Who the budget belongs to and its name: `key/key_1/monthly`.
    pub budget: String,
    /// When the window begins, seconds since 1970, UTC; 0 for a total.
    pub window: u64,
}

/// What a node asks of the bank for one account: in pico dollars or tokens. All numbers are totals
/// since the window began, so that asking again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    pub account: Account,
    /// Rises by at least one with each new ask of this node for this account; the same one again is
    /// the same ask again. A lower one than the bank has seen comes late, and changes nothing but
    /// what is known to be spent.
    pub serial: u64,
    /// The whole budget.
    pub amount: u64,
    /// When the account may be forgotten, seconds since 1970, UTC.
    pub expires: u64,
    /// What this node has been granted so far, by its own reckoning.
    pub granted: u64,
    /// What this node has spent of it, settled.
    pub spent: u64,
    /// What it would like to have been granted. Less than `granted` gives the difference back: the
    /// node must not spend beyond it from before it asks.
    pub wanted: u64,
}

/// The bank's answer: totals again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub account: Account,
    /// What this node may spend in all in this window.
    pub granted: u64,
    /// What all nodes have spent, as far as the bank knows.
    pub spent: u64,
}

/// Lends budgets out in slices. Invariant: over all nodes, what is granted and not given back never
/// exceeds the amount. A node that is not heard of before its lease is over is taken to have spent
/// what it was granted: nobody can prove that it did not.
///
/// `node` names one life of a process, not a machine: a process that has forgotten what it spent
/// under a name would spend it again.
#[async_trait]
pub trait Bank: Send + Sync + std::fmt::Debug {
    /// One atomic step for each account, at most [`ASKS_MAX`]; a step sent twice counts once. Of an
    /// account named twice the higher serial counts. Grants come in the order of the asks.
    ///
    /// # Errors
    /// When it cannot be reached in time: nothing may be taken as granted.
    async fn withdraw(&self, node: &str, asks: &[Withdrawal]) -> Result<Vec<Grant>, StoreError>;
}
