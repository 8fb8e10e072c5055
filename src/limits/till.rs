//! What the scopes of a node have in common: whether limits and budgets are shared with other nodes,
//! which scopes are in use, and the alerts.
//!
//! Not here: talking to the bank (`jobs`), deciding what to ask for (`plan`). It outlives
//! configurations.

use super::alert::Alerts;
use super::gauge::Lease;
use super::state::State;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// What a node does while it cannot reach what it shares with the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnLoss {
    /// Goes on with what it has been lent, and with its share where it was lent nothing.
    #[default]
    LocalShare,
    /// Lets nothing in that a shared limit or budget is for.
    FailClosed,
}

/// How a node shares with others. By default it is alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// Budgets are lent out by a bank.
    pub has_bank: bool,
    /// The bank lends to this node alone, and other nodes have banks of their own.
    pub has_own_bank: bool,
    /// Limits are leased in parts.
    pub has_leases: bool,
    pub on_loss: OnLoss,
    /// This node's part of every limit where it has to do without the others, in thousandths; None: an
    /// equal one, by the number of nodes last heard of.
    pub share: Option<u32>,
    /// How long a first call may wait for the first answer about its limits and budgets.
    pub wait: Duration,
}

/// What all scopes of a process share.
#[derive(Debug, Default)]
pub struct Till {
    sharing: Sharing,
    is_lost: AtomicBool,
    /// Nodes that share, this one included, by the bank's last answer.
    nodes: AtomicU32,
    active: Mutex<Vec<Arc<State>>>,
    /// Told when something should be asked at once.
    pub wake: Notify,
    /// Told when answers are in.
    pub answered: Notify,
    pub alerts: Alerts,
}

/// How much of a limit may be used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cap {
    Amount(u64),
    Cold,
    Closed,
}

impl Default for Sharing {
    fn default() -> Self {
        Self {
            has_bank: false,
            has_own_bank: false,
            has_leases: false,
            on_loss: OnLoss::LocalShare,
            share: None,
            wait: Duration::ZERO,
        }
    }
}

impl Till {
    pub fn new(sharing: Sharing) -> Self {
        Self { sharing, nodes: AtomicU32::new(1), ..Self::default() }
    }

    pub fn sharing(&self) -> &Sharing {
        &self.sharing
    }

    /// Whether the others cannot be reached.
    pub fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Acquire)
    }

    /// Notes whether they can. Who waits is told to look again.
    pub fn set_lost(&self, is_lost: bool) {
        self.is_lost.store(is_lost, Ordering::Release);
        self.answered.notify_waiters();
    }

    pub fn nodes(&self) -> u32 {
        self.nodes.load(Ordering::Relaxed).max(1)
    }

    pub fn set_nodes(&self, nodes: u32) {
        self.nodes.store(nodes, Ordering::Relaxed);
    }

    /// This node's part of `amount` where it has to do without the others: at least one.
    pub(super) fn own_share(&self, amount: u64) -> u64 {
        let part = match self.sharing.share {
            Some(share) => u128::from(amount) * u128::from(share.min(1000)) / 1000,
            None => u128::from(amount / u64::from(self.nodes())),
        };
        u64::try_from(part).unwrap_or(amount).max(1).min(amount)
    }

    /// What of a budget of `amount` there is for this node to ask for.
    pub(super) fn fund(&self, amount: u64) -> u64 {
        let is_split = self.sharing.has_own_bank && self.sharing.share.is_some();
        if is_split { self.own_share(amount) } else { amount }
    }

    /// How much of a limit of `amount` may be used here now. `may_wait`: the caller asks again when it is
    /// cold.
    pub(super) fn cap(&self, amount: u64, lease: &mut Lease, may_wait: bool) -> Cap {
        lease.amount = amount;
        if self.is_lost() || (lease.held.is_none() && !may_wait) {
            return match self.sharing.on_loss {
                OnLoss::LocalShare => Cap::Amount(self.own_share(amount)),
                OnLoss::FailClosed => Cap::Closed,
            };
        }
        match lease.held {
            Some(held) => Cap::Amount(held.min(lease.target).min(amount)),
            None => Cap::Cold,
        }
    }

    /// Takes a scope in use into the list that the planner goes through.
    pub(super) fn list(&self, state: &Arc<State>) {
        self.active.lock().unwrap_or_else(PoisonError::into_inner).push(state.clone());
    }

    /// The scopes in use.
    pub(super) fn active(&self) -> Vec<Arc<State>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Leaves out the scopes that `is_done` says are in use no more.
    pub(super) fn unlist(&self, is_done: impl Fn(&State) -> bool) {
        self.active.lock().unwrap_or_else(PoisonError::into_inner).retain(|state| !is_done(state));
    }
}
