//! What is known of targets by calling them: how busy, how fast, how often wrong, how much of the rate
//! limit is left, what a call came to.
//!
//! Not here: whether a target cools (`cooldown`). One cell for each upstream model of a provider,
//! lock-free, told where calls end; it goes on over reloads by a stable key. Invariant: what is busy is
//! what holds a [`Slot`], whatever way the holder ends. How many may be at once: `gate`.

use super::decayed::{Averages, Pair, PeakTime, Share, stamp};
use super::gate::{Gate, Slot};
use crate::types::{Ticks, Usage};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// The state of one target.
#[derive(Debug, Default)]
pub struct TargetLive {
    pub(super) busy: AtomicU32,
    pub(super) gate: Gate,
    /// To the first content of a stream.
    first: PeakTime,
    /// To the end of an answer that does not stream.
    whole: PeakTime,
    /// Between two tokens.
    token: PeakTime,
    errors: Share,
    /// Share of the prompt that was read from the provider's cache; tokens of an answer.
    mix: Averages,
    /// Share of the rate limit that is left, and until when that is true.
    headroom: Pair,
    is_drained: AtomicBool,
}

/// A moment's view of a target's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    pub busy: u32,
    /// Seconds; None: never measured.
    pub first: Option<f32>,
    pub whole: Option<f32>,
    pub token: Option<f32>,
    /// Share of calls that fail.
    pub errors: f32,
    /// Share of the prompt the provider has in its cache, and tokens of an answer.
    pub mix: Option<(f32, f32)>,
    /// Share of the rate limit that is left, 1 where nobody says.
    pub headroom: f32,
}

/// Cells by index, as in [`CooldownSet`](super::CooldownSet).
#[derive(Debug, Default)]
pub struct LiveSet {
    cells: Vec<Arc<TargetLive>>,
    by_key: HashMap<String, Arc<TargetLive>>,
}

impl TargetLive {
    /// Takes a place for a call, whatever the limit.
    pub fn enter(self: &Arc<Self>) -> Slot {
        self.busy.fetch_add(1, Ordering::SeqCst);
        Slot::of(Arc::clone(self))
    }

    pub fn busy(&self) -> u32 {
        self.busy.load(Ordering::Relaxed)
    }

    /// The first content of a stream came, or a whole answer, so long after the attempt began.
    pub fn note_success(&self, is_stream: bool, span: Duration, now: Ticks) {
        if is_stream {
            self.first.note(span, now)
        } else {
            self.whole.note(span, now)
        }
        self.errors.note(false, now);
    }

    /// An attempt failed after `span`. A quick failure is no quick answer: it raises what is expected
    /// and never lowers it.
    pub fn note_failure(&self, is_stream: bool, span: Duration, now: Ticks) {
        self.note_late(is_stream, span, now);
        self.errors.note(true, now);
    }

    /// An attempt was given up after `span` because another one was quicker.
    pub fn note_late(&self, is_stream: bool, span: Duration, now: Ticks) {
        let time = if is_stream { &self.first } else { &self.whole };
        if time.get(now).is_none_or(|held| span.as_secs_f32() > held) {
            time.note(span, now);
        }
    }

    /// What a call used, and how long its tokens took after the first.
    pub fn note_usage(&self, usage: &Usage, after_first: Option<Duration>, now: Ticks) {
        if usage.input > 0 {
            let cached = usage.cache_read.min(usage.input) as f32 / usage.input as f32;
            self.mix.note(cached, usage.output as f32);
        }
        if let (Some(span), Ok(tokens @ 8..)) = (after_first, u32::try_from(usage.output)) {
            self.token.note(span / tokens, now);
        }
    }

    /// The provider says that `left` (0 to 1) of its rate limit is left, for `span`.
    pub fn note_headroom(&self, left: f32, span: Duration, now: Ticks) {
        self.headroom.set(left.clamp(0.0, 1.0).to_bits(), stamp(now.plus(span)));
    }

    /// Takes the target out of service, or back into it, by hand. Who waits for it looks elsewhere then.
    pub fn set_drained(&self, is_drained: bool) {
        self.is_drained.store(is_drained, Ordering::SeqCst);
        if is_drained {
            self.recall();
        }
    }

    pub fn is_drained(&self) -> bool {
        self.is_drained.load(Ordering::Relaxed)
    }

    pub fn measured(&self, now: Ticks) -> Measured {
        Measured {
            busy: self.busy(),
            first: self.first.get(now),
            whole: self.whole.get(now),
            token: self.token.get(now),
            errors: self.errors.get(now),
            mix: self.mix.get(),
            headroom: self.headroom(now),
        }
    }

    /// Share of the rate limit that is left; all of it where nobody says, or what was said is old.
    pub fn headroom(&self, now: Ticks) -> f32 {
        match self.headroom.get() {
            (_, 0) => 1.0,
            (left, until) if until.wrapping_sub(stamp(now)) < u32::MAX / 2 => f32::from_bits(left),
            _ => 1.0,
        }
    }
}

impl LiveSet {
    /// `keys` in index order, stable over reloads. Equal keys share one cell; cells known to
    /// `previous` go on.
    pub fn new<'k>(keys: impl IntoIterator<Item = &'k str>, previous: Option<&LiveSet>) -> Self {
        let mut set = Self::default();
        for key in keys {
            let known = || previous.and_then(|previous| previous.by_key.get(key)).cloned();
            let cell = set.by_key.entry(key.to_owned()).or_insert_with(|| known().unwrap_or_default());
            set.cells.push(Arc::clone(cell));
        }
        set
    }

    pub fn get(&self, index: usize) -> Option<&Arc<TargetLive>> {
        self.cells.get(index)
    }

    pub fn by_key(&self, key: &str) -> Option<&Arc<TargetLive>> {
        self.by_key.get(key)
    }

    /// All cells once, by key in order.
    pub fn all(&self) -> Vec<(&str, &Arc<TargetLive>)> {
        let mut all: Vec<_> = self.by_key.iter().map(|(key, cell)| (key.as_str(), cell)).collect();
        all.sort_by_key(|(key, _)| *key);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Ticks {
        Ticks::from_start(Duration::from_millis(millis))
    }

    #[test]
    fn a_slot_is_given_back_however_its_holder_ends() {
        let cell = Arc::new(TargetLive::default());
        let slots = [cell.enter(), cell.enter()];
        assert_eq!(cell.busy(), 2);
        drop(slots);
        let held = cell.clone();
        let ended = std::thread::spawn(move || {
            let _slot = held.enter();
            panic!("a call that ends badly");
        });
        assert!(ended.join().is_err());
        assert_eq!(cell.busy(), 0);
    }

    #[test]
    fn a_quick_failure_never_makes_a_target_look_fast() {
        let cell = TargetLive::default();
        cell.note_success(true, Duration::from_millis(800), at(1));
        for _ in 0..100 {
            cell.note_failure(true, Duration::from_millis(1), at(1));
        }
        let seen = cell.measured(at(1));
        assert_eq!(seen.first, Some(0.8));
        assert!(seen.errors > 0.99);
        cell.note_failure(true, Duration::from_secs(30), at(1));
        assert_eq!(cell.measured(at(1)).first, Some(30.0), "a slow one makes it look slow");
    }

    #[test]
    fn streams_and_whole_answers_are_measured_apart() {
        let cell = TargetLive::default();
        cell.note_success(false, Duration::from_secs(20), at(1));
        cell.note_success(true, Duration::from_millis(300), at(1));
        let seen = cell.measured(at(1));
        assert_eq!((seen.first, seen.whole), (Some(0.3), Some(20.0)));
    }

    #[test]
    fn headroom_is_believed_until_its_limit_is_whole_again() {
        let cell = TargetLive::default();
        assert_eq!(cell.headroom(at(5)), 1.0);
        cell.note_headroom(0.25, Duration::from_secs(10), at(5));
        assert_eq!(cell.headroom(at(10_000)), 0.25);
        assert_eq!(cell.headroom(at(10_006)), 1.0);
    }

    #[test]
    fn cells_go_on_over_reloads_by_their_key_and_equal_keys_are_one() {
        let first = LiveSet::new(["a/x", "b/x", "a/x"], None);
        let slot = first.get(0).unwrap().enter();
        first.by_key("b/x").unwrap().set_drained(true);
        let next = LiveSet::new(["b/x", "a/x", "c/x"], Some(&first));
        assert_eq!(first.get(2).unwrap().busy(), 1);
        assert_eq!(next.get(1).unwrap().busy(), 1);
        assert!(next.get(0).unwrap().is_drained() && !next.get(2).unwrap().is_drained());
        drop(slot);
        assert_eq!(next.get(1).unwrap().busy(), 0);
        assert_eq!(next.all().iter().map(|(key, _)| *key).collect::<Vec<_>>(), ["a/x", "b/x", "c/x"]);
    }

    #[test]
    fn what_calls_used_is_learned() {
        let cell = TargetLive::default();
        let usage = Usage { input: 1000, cache_read: 900, output: 100, ..Usage::default() };
        cell.note_usage(&usage, Some(Duration::from_secs(2)), at(1));
        let seen = cell.measured(at(1));
        assert_eq!((seen.mix, seen.token), (Some((0.9, 100.0)), Some(0.02)));
    }
}
