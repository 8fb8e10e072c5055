//! What is counted of the ledger. Counted by `store`, which is handed these.

use prometheus::{IntCounter, IntGauge};

use super::families::Registrar;

#[derive(Debug)]
pub struct LedgerMetrics {
    /// Calls the store has taken.
    pub written: IntCounter,
    /// Calls lost.
    pub dropped: IntCounter,
    /// Calls that went through the spool.
    pub spooled: IntCounter,
    pub spool_bytes: IntGauge,
    /// Whether the store took the last batch.
    pub store_up: IntGauge,
    /// Calls ClickHouse has taken.
    pub pushed: IntCounter,
    /// Calls ClickHouse will not get.
    pub push_dropped: IntCounter,
}

impl LedgerMetrics {
    pub(super) fn register(r: &Registrar<'_>) -> prometheus::Result<Self> {
        Ok(Self {
            written: r.counter("ledger_written_total", "Calls the store has taken.")?,
            dropped: r.counter("ledger_dropped_total", "Calls lost: queue or spool full, or no disk.")?,
            spooled: r.counter("ledger_spooled_total", "Calls that went through the spool.")?,
            spool_bytes: r.gauge("ledger_spool_bytes", "Bytes in the spool.")?,
            store_up: r.gauge("ledger_store_up", "Whether the store took the last batch of calls.")?,
            pushed: r.counter("clickhouse_pushed_total", "Calls ClickHouse has taken.")?,
            push_dropped: r
                .counter("clickhouse_dropped_total", "Calls ClickHouse will not get: too many waited.")?,
        })
    }
}
