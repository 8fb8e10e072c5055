//! Redis as the nodes' meeting place: the bank of budgets, and the lessor of limits.

use super::connection::Connection;
use super::lua;
use super::scale::Scale;
use crate::limits::plan::{LeaseAnswer, LeaseAsk};
use crate::store::{Bank, Grant, StoreError, Withdrawal};
use crate::types::{Clock, Secret};
use async_trait::async_trait;
use redis::Script;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a node's leases live without being renewed: what a dead node held is free again after it.
pub const LEASE_MILLIS: u64 = 12_000;
/// How long nothing new is lent after data was lost: longer than nodes take to say what they hold.
const RECOVERY_MILLIS: u64 = 2_000;
/// Accounts or limits in one script: Redis does nothing else meanwhile.
const BATCH: usize = 64;

/// How to reach it.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// `redis://` or `rediss://`.
    pub url: Secret,
    /// Of connecting, and of every command.
    pub timeout: Duration,
    /// Before every key.
    pub prefix: String,
}

/// One node's access.
#[derive(Debug)]
pub struct RedisBank {
    connection: Connection,
    prefix: String,
    /// Requests are numbered, so that one that comes late is passed over.
    number: AtomicU64,
    /// The epoch that Redis told last; 0 before.
    epoch: AtomicU64,
    meet: Script,
    withdraw: Script,
    lease: Script,
}

impl RedisBank {
    /// Nothing is sent yet. `seed`: any number that differs between nodes.
    ///
    /// # Errors
    /// Where the address is none.
    pub fn new(settings: &RedisSettings, clock: Arc<dyn Clock>, seed: u64) -> Result<Self, StoreError> {
        Ok(Self {
            connection: Connection::new(&settings.url, settings.timeout, clock, seed)?,
            prefix: settings.prefix.clone(),
            number: AtomicU64::new(0),
            epoch: AtomicU64::new(0),
            meet: Script::new(lua::MEET),
            withdraw: Script::new(lua::WITHDRAW),
            lease: Script::new(lua::LEASE),
        })
    }

    /// Says that `node` is there. Gives the number of nodes that are.
    ///
    /// # Errors
    /// When it cannot be reached in time, or what it holds is not ours.
    pub async fn meet(&self, node: &str) -> Result<u32, StoreError> {
        let mut call = self.meet.prepare_invoke();
        call.key(self.key("nodes", "")).key(self.key("epoch", ""));
        call.arg(node).arg(LEASE_MILLIS).arg(self.epoch.load(Ordering::Relaxed)).arg(RECOVERY_MILLIS);
        let (nodes, epoch): (u32, String) =
            self.connection.run(|mut redis| async move { call.invoke_async(&mut redis).await }).await?;
        let epoch = epoch.parse().map_err(|_| not_ours())?;
        self.epoch.store(epoch, Ordering::Relaxed);
        Ok(nodes)
    }

    /// Leases parts of limits.
    ///
    /// # Errors
    /// When it cannot be reached in time: nothing may be taken as leased.
    pub async fn lease(&self, node: &str, asks: &[LeaseAsk]) -> Result<Vec<LeaseAnswer>, StoreError> {
        let mut answers = Vec::with_capacity(asks.len());
        for asks in asks.chunks(BATCH) {
            let mut call = self.lease.prepare_invoke();
            call.arg(node).arg(self.next_number()).arg(LEASE_MILLIS);
            for ask in asks {
                let scale = Scale::of(ask.amount);
                call.key(self.key("limit", &format!("{}{}", ask.name, scale.suffix())));
                call.arg(scale.down(ask.amount)).arg(scale.up(ask.wanted));
            }
            let told: Vec<(String, i64)> =
                self.connection.run(|mut redis| async move { call.invoke_async(&mut redis).await }).await?;
            for (ask, (held, fair)) in asks.iter().zip(told) {
                let scale = Scale::of(ask.amount);
                let held = scale.back(held.parse().map_err(|_| not_ours())?);
                let fair = u64::try_from(fair).ok().map(|fair| scale.back(fair));
                answers.push(LeaseAnswer { name: ask.name.clone(), held, fair });
            }
        }
        Ok(answers)
    }

    fn next_number(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn key(&self, kind: &str, name: &str) -> String {
        if name.is_empty() {
            format!("{}:{kind}", self.prefix)
        } else {
            format!("{}:{kind}:{name}", self.prefix)
        }
    }
}

#[async_trait]
impl Bank for RedisBank {
    async fn withdraw(&self, node: &str, asks: &[Withdrawal]) -> Result<Vec<Grant>, StoreError> {
        let mut grants = Vec::with_capacity(asks.len());
        for asks in asks.chunks(BATCH) {
            let mut call = self.withdraw.prepare_invoke();
            call.key(self.key("epoch", "")).arg(node).arg(self.next_number());
            for ask in asks {
                let scale = Scale::of(ask.amount);
                let name = format!("{}@{}{}", ask.account.budget, ask.account.window, scale.suffix());
                call.key(self.key("budget", &name));
                call.arg(scale.down(ask.amount)).arg(ask.expires.min(1 << 40)).arg(scale.up(ask.granted));
                call.arg(scale.up(ask.spent)).arg(scale.up(ask.wanted));
            }
            let told: Vec<(String, String)> =
                self.connection.run(|mut redis| async move { call.invoke_async(&mut redis).await }).await?;
            for (ask, (granted, spent)) in asks.iter().zip(told) {
                let scale = Scale::of(ask.amount);
                grants.push(Grant {
                    account: ask.account.clone(),
                    granted: scale.back(granted.parse().map_err(|_| not_ours())?),
                    spent: scale.back(spent.parse().map_err(|_| not_ours())?),
                });
            }
        }
        Ok(grants)
    }
}

fn not_ours() -> StoreError {
    StoreError::Unusable("an answer of Redis is not understood".to_owned())
}
