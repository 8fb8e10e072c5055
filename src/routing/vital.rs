//! What is known of a server by asking it, beside its calls: whether it answers probes, and the load it
//! tells.
//!
//! Not here: when it is asked and how (`jobs`), what a failing call means (`cooldown`). One writer, many
//! readers, no locks. Invariant: a server that was never asked is well, and of no load.

use super::decayed::{Pair, stamp};
use super::scraped::Gauges;
use crate::types::Ticks;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// After how many answers in a row a server is another than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VitalRules {
    pub unhealthy_after: u32,
    pub healthy_after: u32,
}

/// A change for those who tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VitalTurn {
    Down,
    Up,
}

/// The state of one server.
#[derive(Debug, Default)]
pub struct Vital {
    /// Probes in a row that speak against the state it is in.
    against: AtomicU32,
    is_down: AtomicBool,
    running: AtomicU32,
    /// Calls there that are not ours, and calls that wait.
    calls: Pair,
    /// Bits of the used part of the KV cache, and when all this was so; 0: never.
    kv: Pair,
    started: AtomicU64,
}

/// The load of a server, as it said.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    pub running: u32,
    pub waiting: u32,
    /// Calls there that did not come from here.
    pub elsewhere: u32,
    /// Used part of the KV cache, up to 1.
    pub kv: Option<f32>,
}

/// No part of a cache.
const NO_KV: u32 = u32::MAX;

impl Vital {
    /// A probe was answered well, or not.
    pub fn note(&self, is_well: bool, rules: VitalRules) -> Option<VitalTurn> {
        let was_down = self.is_down();
        if is_well != was_down {
            self.against.store(0, Ordering::Relaxed);
            return None;
        }
        let against = self.against.load(Ordering::Relaxed).saturating_add(1);
        let (needed, turn) = match is_well {
            true => (rules.healthy_after, VitalTurn::Up),
            false => (rules.unhealthy_after, VitalTurn::Down),
        };
        let turns = against >= needed;
        self.against.store(if turns { 0 } else { against }, Ordering::Relaxed);
        if turns {
            self.is_down.store(!was_down, Ordering::Release);
        }
        turns.then_some(turn)
    }

    /// Whether it does not answer probes.
    pub fn is_down(&self) -> bool {
        self.is_down.load(Ordering::Acquire)
    }

    /// It told its load, with so many calls of ours under way. True where it was started anew since it was
    /// last asked: what it had in its cache is gone.
    pub fn note_load(&self, gauges: &Gauges, ours: u32, now: Ticks) -> bool {
        let there = gauges.running.saturating_add(gauges.waiting);
        self.running.store(gauges.running, Ordering::Relaxed);
        self.calls.set(there.saturating_sub(ours), gauges.waiting);
        self.kv.set(gauges.kv.map_or(NO_KV, f32::to_bits), stamp(now));
        let started = gauges.started.unwrap_or_default();
        let before = self.started.swap(started, Ordering::Relaxed);
        before != 0 && started != 0 && started != before
    }

    /// The load it told within `fresh`.
    pub fn load(&self, now: Ticks, fresh: Duration) -> Option<Load> {
        let (kv, at) = self.kv.get();
        let age = stamp(now).wrapping_sub(at);
        // A moment a little before the stamp, by another thread, is now.
        let is_fresh = age > u32::MAX / 2 || u128::from(age) <= fresh.as_millis();
        if at == 0 || !is_fresh {
            return None;
        }
        let (elsewhere, waiting) = self.calls.get();
        let running = self.running.load(Ordering::Relaxed);
        Some(Load { running, waiting, elsewhere, kv: (kv != NO_KV).then(|| f32::from_bits(kv)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: VitalRules = VitalRules { unhealthy_after: 3, healthy_after: 2 };

    fn at(millis: u64) -> Ticks {
        Ticks::from_start(Duration::from_millis(millis))
    }

    #[test]
    fn it_takes_some_answers_in_a_row_to_change_the_state_either_way() {
        let vital = Vital::default();
        let told: Vec<_> = [false, false, true, false, false, false, false, true, false, true, true, true]
            .map(|is_well| vital.note(is_well, RULES))
            .into();
        let mut expected = vec![None; 12];
        expected[5] = Some(VitalTurn::Down);
        expected[10] = Some(VitalTurn::Up);
        assert_eq!(told, expected);
        assert!(!vital.is_down());
        let again = [false; 3].map(|is_well| vital.note(is_well, RULES));
        assert_eq!((again[2], vital.is_down()), (Some(VitalTurn::Down), true));
    }

    #[test]
    fn what_it_told_is_believed_for_a_while_and_our_own_calls_are_taken_off() {
        let vital = Vital::default();
        let fresh = Duration::from_secs(3);
        assert_eq!(vital.load(at(10), fresh), None);
        let gauges = Gauges { running: 7, waiting: 2, kv: Some(0.5), started: Some(100) };
        assert!(!vital.note_load(&gauges, 4, at(1000)));
        let load = Load { running: 7, waiting: 2, elsewhere: 5, kv: Some(0.5) };
        assert_eq!(vital.load(at(4000), fresh), Some(load));
        assert_eq!(vital.load(at(990), fresh), Some(load));
        assert_eq!(vital.load(at(4001), fresh), None);
        vital.note_load(&Gauges { kv: None, ..gauges }, 40, at(5000));
        assert_eq!(vital.load(at(5000), fresh).map(|load| (load.elsewhere, load.kv)), Some((0, None)));
    }

    #[test]
    fn a_server_that_was_started_anew_is_noticed_once() {
        let vital = Vital::default();
        let started = |started| Gauges { started, ..Gauges::default() };
        let noted =
            [None, Some(5), Some(5), Some(9), None, Some(9)].map(|s| vital.note_load(&started(s), 0, at(1)));
        assert_eq!(noted, [false, false, false, true, false, false]);
    }
}
