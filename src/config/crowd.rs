//! What a model does with more calls than its targets take: `concurrency` and `queue`.

use super::choice::choice;
use super::collector::Collector;
use super::duration::{duration, duration_or_zero};
use super::number::integer;
use super::reader::Reader;
use super::value::Value;
use crate::types::Priority;
use std::time::Duration;

/// Calls at once that a target may be asked to serve.
const CALLS_MAX: u64 = 1_000_000;
/// Calls of one model that may wait: each holds its body.
const WAITING_MAX: u64 = 100_000;

/// `concurrency` of a model or a target: how many calls a target takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency {
    pub max: u32,
    /// Whether it is learned, between `min` and `max`.
    pub adaptive: bool,
    pub min: u32,
}

/// `queue` of a model: calls that wait until a target has room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// At once.
    pub max: usize,
    /// How long a call waits that says nothing about it.
    pub wait: Duration,
    /// How long one may wait that asks for more.
    pub wait_max: Duration,
}

pub(super) const PRIORITIES: &[(&str, Priority)] =
    &[("low", Priority::Low), ("normal", Priority::Normal), ("high", Priority::High)];

pub(super) fn priority(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Priority> {
    choice(PRIORITIES, &[])(value, collector)
}

impl Concurrency {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let max = reader.need("max", "such as concurrency = { max = 64 }", integer(1..=CALLS_MAX));
        let adaptive = reader.or("adaptive", false, |v, c| v.boolean(c));
        let min = reader.take("min", integer(1..=CALLS_MAX));
        if min.is_some() && !adaptive {
            reader.fail("`min` is for a limit that is learned", Some("add adaptive = true"));
        }
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            reader.fail(format!("`min` ({min}) is more than `max` ({max})"), None);
        }
        reader.done();
        let max: u32 = max?;
        Some(Self { max, adaptive, min: min.unwrap_or(4).min(max) })
    }
}

impl Queue {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let wait_max = reader.or("wait_max", Duration::from_secs(5), duration);
        let wait = reader.or("wait", wait_max, duration_or_zero);
        let queue = Self { max: reader.or("max", 100, integer(1..=WAITING_MAX)), wait, wait_max };
        if wait > wait_max {
            reader.fail("`wait` is longer than `wait_max`", None);
        }
        reader.done();
        Some(queue)
    }
}
