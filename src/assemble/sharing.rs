//! What limits and budgets are shared through: Redis for several nodes, the store's bank for budgets
//! where there is no Redis, else nothing but this process's memory.

use super::AssembleError;
use crate::cluster::{RedisBank, RedisSettings};
use crate::config::{self, Config};
use crate::limits::{OnLoss, Sharing};
use crate::runtime::{Keeping, Shared};
use crate::telemetry::SystemClock;
use std::sync::Arc;
use std::time::Duration;

/// How long a budget's first call waits for the store to lend something.
const FIRST_GRANT: Duration = Duration::from_millis(250);

/// How this node shares.
pub fn of(config: &Config) -> Sharing {
    let store = config.store.as_ref();
    // A file is this machine's: nobody else borrows there.
    let is_file = store.is_some_and(|store| store.url.expose().starts_with("sqlite:"));
    let alone =
        Sharing { has_bank: store.is_some(), has_own_bank: is_file, wait: FIRST_GRANT, ..Sharing::default() };
    let Some(cluster) = &config.cluster else { return alone };
    let has_redis = cluster.url.is_some();
    Sharing {
        has_bank: has_redis || alone.has_bank,
        has_own_bank: alone.has_own_bank && !has_redis,
        has_leases: has_redis,
        on_loss: match cluster.on_loss {
            config::OnLoss::LocalShare => OnLoss::LocalShare,
            config::OnLoss::FailClosed => OnLoss::FailClosed,
        },
        share: cluster.share.map(|share| (share * 1000.0).round() as u32),
        wait: cluster.wait,
    }
}

/// Where budgets are lent out, and limits leased.
///
/// # Errors
/// An address of Redis that is none.
pub fn meeting_place(
    config: &Config,
    keeping: Option<&Keeping>,
    clock: SystemClock,
    seed: u64,
) -> Result<Option<Shared>, AssembleError> {
    let cluster = config.cluster.as_ref();
    // Totals begin anew with each process: so does its name.
    let name = cluster.and_then(|cluster| cluster.node.as_deref()).unwrap_or("node");
    let node = format!("{name}-{seed:016x}");
    if let Some((cluster, url)) = cluster.and_then(|cluster| Some((cluster, cluster.url.as_ref()?))) {
        let settings =
            RedisSettings { url: url.clone(), timeout: cluster.timeout, prefix: cluster.prefix.clone() };
        let redis = Arc::new(RedisBank::new(&settings, Arc::new(clock), seed)?);
        return Ok(Some(Shared { node, bank: redis.clone(), redis: Some(redis) }));
    }
    Ok(keeping.map(|keeping| Shared { node, bank: keeping.bank.clone(), redis: None }))
}
