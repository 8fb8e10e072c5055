//! The store of a configuration, and the ledger that writes to it.

use super::AssembleError;
use crate::config::{self, Config};
use crate::runtime::{Keeping, Keepsakes};
use crate::store::ledger::{ClickHouse, ClickHouseUrl, Counters, Ledger, Parts, SpoolPlace};
use crate::store::{self, KeptBounds, Options, Retention, StoreError, StoreUrl};
use crate::telemetry::{Metrics, WallClock};
use std::sync::Arc;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Opens what `config` names; None where it names no store. One that is away is no reason not to
/// serve: it is reached later.
///
/// # Errors
/// A store that cannot be used, or a spool folder.
pub fn keeping(config: &Config, metrics: &Arc<Metrics>, seed: u64) -> Result<Option<Keeping>, AssembleError> {
    let Some(settings) = &config.store else { return Ok(None) };
    let (store, bank) = open(settings, true)?;
    let ledger = &config.ledger;
    let clickhouse = ledger.clickhouse.as_ref().map(clickhouse).transpose()?;
    let counters = counters(metrics);
    let parts = Parts {
        store: store.clone(),
        flush: ledger.flush,
        rows_max: ledger.queue_max,
        spool: SpoolPlace {
            folder: ledger.spool.clone(),
            bytes_max: u64::try_from(ledger.spool_bytes_max).unwrap_or(u64::MAX),
        },
        retention: Retention {
            calls_ms: u64::from(ledger.keep.calls) * DAY_MS,
            minutes_ms: u64::from(ledger.keep.minutes) * DAY_MS,
            hours_ms: u64::from(ledger.keep.hours) * DAY_MS,
        },
        clickhouse,
        counters,
        now_ms: || WallClock.unix_ms(),
        seed,
    };
    let ledger = Ledger::start(parts).map_err(AssembleError::Spool)?;
    let keepsakes = Keepsakes::new(store.clone(), WallClock, metrics.clone());
    Ok(Some(Keeping { store, bank, ledger, keepsakes }))
}

/// How much of responses and conversations the store holds.
pub fn bounds(responses: &config::Responses) -> KeptBounds {
    KeptBounds { entries_max: responses.entries_max as u64, bytes_max: responses.store_bytes_max as u64 }
}

/// Opens a store, waiting for it.
///
/// # Errors
/// The store's own, in words.
pub fn open(settings: &config::Store, may_be_away: bool) -> Result<store::Opened, AssembleError> {
    let unusable = |error: StoreError| AssembleError::Store(error.told());
    let url =
        StoreUrl::parse(settings.url.expose()).map_err(|error| AssembleError::Store(error.to_string()))?;
    let options = Options {
        timeout: settings.timeout,
        password: settings.password.clone(),
        connections: settings.connections,
        may_be_away,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| AssembleError::Store(error.to_string()))?;
    runtime.block_on(store::open(&url, &options)).map_err(unusable)
}

fn clickhouse(settings: &config::ClickHouse) -> Result<ClickHouse, AssembleError> {
    let url = ClickHouseUrl::parse(&settings.url).map_err(|error| AssembleError::Store(error.to_string()))?;
    let (table, user, password) = (settings.table.clone(), settings.user.clone(), settings.password.clone());
    Ok(ClickHouse { url, table, user, password })
}

fn counters(metrics: &Metrics) -> Counters {
    let ledger = &metrics.ledger;
    Counters {
        written: ledger.written.clone(),
        dropped: ledger.dropped.clone(),
        spooled: ledger.spooled.clone(),
        spool_bytes: ledger.spool_bytes.clone(),
        store_up: ledger.store_up.clone(),
        pushed: ledger.pushed.clone(),
        push_dropped: ledger.push_dropped.clone(),
    }
}
