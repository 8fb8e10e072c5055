//! Per provider: how long a failing one is left alone, and how long connections idle.

use super::collector::Collector;
use super::duration::duration;
use super::reader::Reader;
use super::value::Value;
use std::time::Duration;

/// `cooldown`: a failure without a `Retry-After` of its own sets a target aside for `base`,
/// doubled each time it fails again, at most `max`; up to a tenth is added at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cooldown {
    pub base: Duration,
    /// Also the most a `Retry-After` is believed.
    pub max: Duration,
    /// How long after an outage a target takes less than its share.
    pub slow_start: Duration,
}

/// `pool`: idle connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// How long an idle connection is kept; below the server's own time.
    pub idle_timeout: Duration,
}

impl Default for Cooldown {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            max: Duration::from_secs(60),
            slow_start: Duration::from_secs(10),
        }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self { idle_timeout: Duration::from_secs(60) }
    }
}

impl Cooldown {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let d = Self::default();
        let base = reader.take("base", duration);
        let max = reader.take("max", duration);
        let slow_start = reader.or("slow_start", d.slow_start, duration);
        if let (Some(base), Some(max)) = (base, max)
            && base > max
        {
            reader.fail("`base` is longer than `max`", None);
        }
        reader.done();
        // One that was not written follows the one that was.
        let max = max.unwrap_or_else(|| d.max.max(base.unwrap_or_default()));
        Some(Self { base: base.unwrap_or_else(|| d.base.min(max)), max, slow_start })
    }
}

impl Pool {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let d = Self::default();
        let pool = Self { idle_timeout: reader.or("idle_timeout", d.idle_timeout, duration) };
        reader.done();
        Some(pool)
    }
}
