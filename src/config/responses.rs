//! `[responses]`: responses and conversations that the gateway keeps itself, for models whose provider
//! keeps none.

use super::collector::Collector;
use super::duration::duration;
use super::number::integer;
use super::reader::Reader;
use super::size::{MIB, size};
use super::value::Value;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Responses {
    /// Of all keys together; zero keeps nothing.
    pub bytes_max: usize,
    /// Of one key; zero keeps nothing.
    pub entries_max: usize,
    pub ttl: Duration,
    /// Of all keys in the store, where there is one; zero keeps nothing beyond the process.
    pub store_bytes_max: usize,
}

impl Default for Responses {
    fn default() -> Self {
        Self {
            bytes_max: 128 * MIB,
            entries_max: 1000,
            ttl: Duration::from_secs(24 * 60 * 60),
            store_bytes_max: 1024 * MIB,
        }
    }
}

impl Responses {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let d = Self::default();
        let responses = Self {
            bytes_max: reader.or("bytes_max", d.bytes_max, size(0..=64 * 1024 * MIB)),
            entries_max: reader.or("entries_max", d.entries_max, integer(0..=1_000_000)),
            ttl: reader.or("ttl", d.ttl, duration),
            store_bytes_max: reader.or("store_bytes_max", d.store_bytes_max, size(0..=1024 * 1024 * MIB)),
        };
        reader.done();
        Some(responses)
    }
}
