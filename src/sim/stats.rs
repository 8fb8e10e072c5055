//! What the simulator saw: counters for `/sim/stats`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// Different names counted in `by_path` and in `by_model`; the rest goes under `(other)`.
const NAMES_MAX: usize = 256;
/// A name counted by itself is at most this long.
const NAME_BYTES_MAX: usize = 200;

/// Figures at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StatsSnapshot {
    /// Requests whose head was read, `/sim/*` apart.
    pub requests: u64,
    pub in_flight: u64,
    pub streams_open: u64,
    pub connections_open: u64,
    pub connections_total: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Requests whose client left before the answer was complete.
    pub aborted: u64,
    /// Calls beyond what their model can do at once.
    pub refused: u64,
    /// Content events that were written, over all streams.
    pub content_events: u64,
    /// Prompt tokens of the generations that were begun, as their usage has them.
    pub prompt_tokens: u64,
    /// Tokens that were written: one a content event of a stream, one a word of a whole answer.
    pub output_tokens: u64,
    /// Answers that were gone on with where the request said that they were begun.
    pub prefills: u64,
    /// Such requests whose beginning is not that of the answer.
    pub prefills_unknown: u64,
    pub by_path: BTreeMap<String, u64>,
    pub by_model: BTreeMap<String, u64>,
}

/// The counters behind [`StatsSnapshot`].
#[derive(Debug, Default)]
pub struct Stats {
    pub requests: AtomicU64,
    pub in_flight: AtomicU64,
    pub streams_open: AtomicU64,
    pub connections_open: AtomicU64,
    pub connections_total: AtomicU64,
    pub bytes_in: AtomicU64,
    pub bytes_out: AtomicU64,
    pub aborted: AtomicU64,
    pub refused: AtomicU64,
    pub content_events: AtomicU64,
    pub prompt_tokens: AtomicU64,
    pub output_tokens: AtomicU64,
    pub prefills: AtomicU64,
    pub prefills_unknown: AtomicU64,
    by_path: Mutex<BTreeMap<String, u64>>,
    by_model: Mutex<BTreeMap<String, u64>>,
}

/// Holds a gauge up by one until it is dropped, so that an ended task leaves none behind.
pub struct Held<'a>(&'a AtomicU64);

impl<'a> Held<'a> {
    pub fn new(gauge: &'a AtomicU64) -> Self {
        gauge.fetch_add(1, Ordering::Relaxed);
        Self(gauge)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Stats {
    pub fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }

    pub fn count_path(&self, path: &str) {
        count_name(&self.by_path, path);
    }

    pub fn count_model(&self, model: &str) {
        count_name(&self.by_model, model);
    }

    pub fn snapshot(&self) -> StatsSnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let names =
            |map: &Mutex<BTreeMap<String, u64>>| map.lock().unwrap_or_else(PoisonError::into_inner).clone();
        StatsSnapshot {
            requests: read(&self.requests),
            in_flight: read(&self.in_flight),
            streams_open: read(&self.streams_open),
            connections_open: read(&self.connections_open),
            connections_total: read(&self.connections_total),
            bytes_in: read(&self.bytes_in),
            bytes_out: read(&self.bytes_out),
            aborted: read(&self.aborted),
            refused: read(&self.refused),
            content_events: read(&self.content_events),
            prompt_tokens: read(&self.prompt_tokens),
            output_tokens: read(&self.output_tokens),
            prefills: read(&self.prefills),
            prefills_unknown: read(&self.prefills_unknown),
            by_path: names(&self.by_path),
            by_model: names(&self.by_model),
        }
    }

    /// Back to nothing; gauges stay, for what they count is still there.
    pub fn reset(&self) {
        for counter in [
            &self.requests,
            &self.connections_total,
            &self.bytes_in,
            &self.bytes_out,
            &self.aborted,
            &self.refused,
            &self.content_events,
            &self.prompt_tokens,
            &self.output_tokens,
            &self.prefills,
            &self.prefills_unknown,
        ] {
            counter.store(0, Ordering::Relaxed);
        }
        for names in [&self.by_path, &self.by_model] {
            names.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}

fn count_name(names: &Mutex<BTreeMap<String, u64>>, name: &str) {
    let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(count) = names.get_mut(name) {
        *count += 1;
        return;
    }
    let is_own = names.len() < NAMES_MAX && name.len() <= NAME_BYTES_MAX;
    *names.entry(if is_own { name } else { "(other)" }.to_owned()).or_insert(0) += 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded() {
        let stats = Stats::default();
        for number in 0..1000 {
            stats.count_model(&format!("m{number}"));
        }
        stats.count_model(&"x".repeat(5000));
        let seen = stats.snapshot().by_model;
        assert_eq!(seen.len(), NAMES_MAX + 1);
        assert_eq!(seen.values().sum::<u64>(), 1001);
    }

    #[test]
    fn a_dropped_hold_lowers_its_gauge_and_reset_keeps_gauges() {
        let stats = Stats::default();
        let held = Held::new(&stats.in_flight);
        Stats::add(&stats.requests, 4);
        stats.reset();
        assert_eq!((stats.snapshot().requests, stats.snapshot().in_flight), (0, 1));
        drop(held);
        assert_eq!(stats.snapshot().in_flight, 0);
    }
}
