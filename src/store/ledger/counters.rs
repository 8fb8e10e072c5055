//! What the ledger counts; assembly registers them beside the other metrics.

use prometheus::{IntCounter, IntGauge};

#[derive(Clone, Debug)]
pub struct Counters {
    /// Calls given to the store, from memory or from the spool.
    pub written: IntCounter,
    /// Calls lost: the queue or the spool was full, or the disk did not take them.
    pub dropped: IntCounter,
    /// Calls that went through the spool.
    pub spooled: IntCounter,
    /// Bytes in the spool.
    pub spool_bytes: IntGauge,
    /// Whether the store took the last batch: 1 or 0.
    pub store_up: IntGauge,
    /// Calls ClickHouse has taken.
    pub pushed: IntCounter,
    /// Calls ClickHouse will not get: too many waited.
    pub push_dropped: IntCounter,
}

impl Counters {
    /// Of their own, registered nowhere.
    ///
    /// # Errors
    /// None: the names are right.
    pub fn unregistered() -> prometheus::Result<Self> {
        Ok(Self {
            written: IntCounter::new("ledger_written", "-")?,
            dropped: IntCounter::new("ledger_dropped", "-")?,
            spooled: IntCounter::new("ledger_spooled", "-")?,
            spool_bytes: IntGauge::new("ledger_spool_bytes", "-")?,
            store_up: IntGauge::new("ledger_store_up", "-")?,
            pushed: IntCounter::new("ledger_pushed", "-")?,
            push_dropped: IntCounter::new("ledger_push_dropped", "-")?,
        })
    }
}
