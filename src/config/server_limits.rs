//! `[server.limits]`: what one client may take of the gateway.

use super::collector::Collector;
use super::duration::duration;
use super::number::integer;
use super::reader::Reader;
use super::size::{KIB, MIB, size};
use super::value::Value;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    pub header_bytes_max: usize,
    /// The whole request head, from accept to its last byte.
    pub header_timeout: Duration,
    /// After decompression too.
    pub body_bytes_max: usize,
    /// The whole request body.
    pub body_timeout: Duration,
    /// One write to a client that does not read.
    pub downstream_write_timeout: Duration,
    pub connections_max: usize,
    /// Open connections of one client address.
    pub connections_per_address_max: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            header_bytes_max: 64 * KIB,
            header_timeout: Duration::from_secs(10),
            body_bytes_max: 32 * MIB,
            body_timeout: Duration::from_secs(30),
            downstream_write_timeout: Duration::from_secs(30),
            connections_max: 20_000,
            connections_per_address_max: 1000,
        }
    }
}

impl ServerLimits {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let d = Self::default();
        let limits = Self {
            // Pingora itself stops at 1 MiB.
            header_bytes_max: reader.or("header_bytes_max", d.header_bytes_max, size(KIB..=MIB)),
            header_timeout: reader.or("header_timeout", d.header_timeout, duration),
            body_bytes_max: reader.or("body_bytes_max", d.body_bytes_max, size(KIB..=1024 * MIB)),
            body_timeout: reader.or("body_timeout", d.body_timeout, duration),
            downstream_write_timeout: reader.or(
                "downstream_write_timeout",
                d.downstream_write_timeout,
                duration,
            ),
            connections_max: reader.or("connections_max", d.connections_max, integer(1..=1_000_000)),
            connections_per_address_max: reader.or(
                "connections_per_address_max",
                d.connections_per_address_max,
                integer(1..=1_000_000),
            ),
        };
        reader.done();
        Some(limits)
    }
}
