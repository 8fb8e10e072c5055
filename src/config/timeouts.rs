//! `timeouts`: the deadlines of a call.

use super::collector::Collector;
use super::duration::duration;
use super::reader::Reader;
use super::value::Value;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP and TLS of one attempt.
    pub connect: Duration,
    /// From the request sent to the response head, of one attempt.
    pub header: Duration,
    /// From the response head to the first content, of one attempt.
    pub first_token: Duration,
    /// Between two events of a stream.
    pub idle: Duration,
    /// The whole call, all attempts together.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            header: Duration::from_secs(60),
            first_token: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(30 * 60),
        }
    }
}

impl Timeouts {
    /// One that is written longer than `total` is a contradiction; a default gives way to it.
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let d = Self::default();
        let total = reader.or("total", d.total, duration);
        let within = |value: &Value<'_>, collector: &mut Collector<'_>| {
            let span = duration(value, collector)?;
            if span > total {
                value.fail(collector, "longer than `total`, so it could never be reached");
            }
            Some(span)
        };
        let timeouts = Self {
            connect: reader.or("connect", d.connect.min(total), within),
            header: reader.or("header", d.header.min(total), within),
            first_token: reader.or("first_token", d.first_token.min(total), within),
            idle: reader.or("idle", d.idle.min(total), within),
            total,
        };
        reader.done();
        Some(timeouts)
    }
}
