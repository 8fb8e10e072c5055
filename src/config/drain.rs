//! `[server.drain]`: how the gateway leaves.

use super::collector::Collector;
use super::duration::duration_or_zero;
use super::reader::Reader;
use super::value::Value;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drain {
    /// Readiness is withdrawn this long before connections are refused.
    pub ready_grace: Duration,
    /// Longest a stream may outlive an upgrade or a stop.
    pub streams_max: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self { ready_grace: Duration::from_secs(5), streams_max: Duration::from_secs(600) }
    }
}

impl Drain {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let d = Self::default();
        let drain = Self {
            ready_grace: reader.or("ready_grace", d.ready_grace, duration_or_zero),
            streams_max: reader.or("streams_max", d.streams_max, duration_or_zero),
        };
        reader.done();
        Some(drain)
    }
}
