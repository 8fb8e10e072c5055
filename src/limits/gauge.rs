//! What one limit of one scope has in use, and how much of the limit this node may use.

use super::sliding::{Grain, Sliding};
use super::till::{Cap, Till};
use crate::govern::{LimitUnit, Window};
use crate::types::Ticks;
use std::sync::Arc;
use std::time::Duration;

/// What a limit is told apart by within its scope: its amount may change, and what is in use stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GaugeKey {
    pub(super) unit: LimitUnit,
    pub(super) per: Option<Window>,
    pub(super) model: Option<Arc<str>>,
}

#[derive(Debug)]
pub(super) struct Gauge {
    pub(super) key: GaugeKey,
    in_flight: u64,
    /// Only once something was used: of a hundred thousand keys few call at one time.
    sliding: Option<Box<Sliding>>,
    /// Only where limits are shared: most are not.
    lease: Option<Box<Lease>>,
}

/// The part of a limit shared between nodes that this one holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lease {
    /// What the cluster says this node holds; None before its first answer.
    pub(super) held: Option<u64>,
    /// What the node lets itself use of it, while it gives a part back.
    pub(super) target: u64,
    /// The whole limit, when it was last looked at.
    pub(super) amount: u64,
    /// What calls lacked since the last request to the cluster.
    pub(super) short: u64,
    /// What a node may hold while others want more than they have; None while they do not.
    pub(super) fair: Option<u64>,
    pub(super) used_at: Ticks,
    pub(super) asked_at: Option<Ticks>,
}

/// Why a charge does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// Until it fits, where a clock tells; None when it never will.
    Full(Option<Duration>),
    /// The cluster has not said yet how much this node may use.
    Cold,
    /// Without the cluster nothing is let in.
    Closed,
}

/// A hint where no clock tells: calls in flight end when they end, other nodes give back when they do.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Gauge {
    pub(super) fn new(key: GaugeKey) -> Self {
        Self { key, in_flight: 0, sliding: None, lease: None }
    }

    /// None for what knows no time.
    fn grain(&self) -> Option<Grain> {
        self.key.per.and_then(Grain::of)
    }

    pub(super) fn used(&mut self, now: Ticks) -> u64 {
        let Some(grain) = self.grain() else { return self.in_flight };
        self.sliding.as_mut().map_or(0, |sliding| {
            sliding.advance(grain, now);
            sliding.sum()
        })
    }

    /// Whether `amount` more fits under `limit`, where a charge of `old` in slot `slot` goes away.
    pub(super) fn check(
        &mut self,
        till: &Till,
        limit: u64,
        amount: u64,
        old: Option<(u64, u64)>,
        (now, may_wait): (Ticks, bool),
    ) -> Result<(), Unfit> {
        let used = self.used(now);
        let held = |(slot, amount)| self.sliding.as_ref().map_or(0, |sliding| sliding.held(slot, amount));
        let freed = old.map_or(0, held);
        let sum = (used - freed.min(used)).checked_add(amount);
        let cap = match self.cap(till, limit, now, may_wait) {
            Cap::Amount(cap) => cap,
            Cap::Cold => {
                self.lack(till, amount);
                return Err(Unfit::Cold);
            }
            Cap::Closed => return Err(Unfit::Closed),
        };
        if sum.is_some_and(|sum| sum <= cap) {
            return Ok(());
        }
        if amount > limit || limit == 0 {
            return Err(Unfit::Full(None));
        }
        self.lack(till, amount);
        let Some(grain) = self.grain() else { return Err(Unfit::Full(Some(RETRY_AFTER))) };
        let wait = self.sliding.get_or_insert_default().until_fits(grain, amount, cap, now);
        Err(Unfit::Full(Some(wait.unwrap_or(RETRY_AFTER))))
    }

    /// How much of `limit` may be used here.
    pub(super) fn cap(&mut self, till: &Till, limit: u64, now: Ticks, may_wait: bool) -> Cap {
        if !till.sharing().has_leases {
            return Cap::Amount(till.own_share(limit));
        }
        let lease = self.lease.get_or_insert_default();
        lease.used_at = lease.used_at.max(now);
        till.cap(limit, lease, may_wait)
    }

    /// What is leased; None where limits are not shared, or this one was never looked at.
    pub(super) fn lease(&mut self) -> Option<&mut Lease> {
        self.lease.as_deref_mut()
    }

    /// Notes for the planner that a call lacked `amount`.
    fn lack(&mut self, till: &Till, amount: u64) {
        if let Some(lease) = &mut self.lease {
            lease.short = lease.short.saturating_add(amount.max(1));
            till.wake.notify_one();
        }
    }

    /// Charges; gives the slot for [`Gauge::refund`].
    pub(super) fn charge(&mut self, amount: u64, now: Ticks) -> u64 {
        match self.grain() {
            Some(grain) => {
                let sliding = self.sliding.get_or_insert_default();
                sliding.advance(grain, now);
                sliding.add(amount)
            }
            None => {
                self.in_flight = self.in_flight.saturating_add(amount);
                0
            }
        }
    }

    pub(super) fn refund(&mut self, slot: u64, amount: u64) {
        match &mut self.sliding {
            Some(sliding) => sliding.remove(slot, amount),
            None => self.in_flight = self.in_flight.saturating_sub(amount),
        }
    }

    pub(super) fn until_empty(&self, now: Ticks) -> Duration {
        let used = self.grain().zip(self.sliding.as_ref());
        used.map_or(Duration::ZERO, |(grain, sliding)| sliding.until_empty(grain, now))
    }
}
