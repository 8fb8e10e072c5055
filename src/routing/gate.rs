//! The door of one target: how many calls it takes at once, and who gets the place of one that ends.
//!
//! Not here: the order of those who wait (`lobby`), nor how a limit is learned (`adaptive`). A place that
//! is given up goes straight to who is next, so nobody else is woken and nobody overtakes. Invariant:
//! where there is a limit, no more calls hold a [`Slot`] than it says, unless it was lowered since; and
//! no place stays free while somebody waits for it.

use super::adaptive::{Adaptive, Bounds};
use super::live::TargetLive;
use super::lobby::Lobby;
use crate::types::Ticks;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// How often one of those who waited for a target to be back is let through to it: it has just said
/// that it had enough.
pub const PACE: Duration = Duration::from_millis(2);

/// How many calls a target takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency {
    pub max: u32,
    /// Learned between this and `max`; None: `max` it is.
    pub min: Option<u32>,
}

/// A call under way at a target.
#[derive(Debug)]
pub struct Slot(Option<Arc<TargetLive>>);

#[derive(Debug, Default)]
pub(super) struct Gate {
    /// Calls at once; 0 for any number.
    limit: AtomicU32,
    /// Who waits for a place here; and for this target to be back.
    pub(super) waiting: AtomicU32,
    pub(super) expecting: AtomicU32,
    /// Where they wait, and which of its targets this is there, as a bit.
    lobbies: Mutex<Vec<(Weak<Lobby>, u64)>>,
    /// Which of the lobbies is asked first.
    turn: AtomicU32,
    /// When the next one is let through who waited for it to be back.
    pass_at: AtomicU64,
    adaptive: Mutex<Option<Adaptive>>,
}

impl TargetLive {
    /// Sets how many calls it takes at once; None: any number. What was learned goes on where it can.
    pub fn set_concurrency(self: &Arc<Self>, rules: Option<Concurrency>, now: Ticks) {
        let mut held = self.gate.adaptive.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = match rules {
            None => 0,
            Some(Concurrency { max, min: None }) => max.max(1),
            Some(Concurrency { max, min: Some(min) }) => {
                let bounds = Bounds { min, max };
                let adaptive = held.get_or_insert_with(|| Adaptive::new(bounds, now));
                adaptive.set_bounds(bounds);
                adaptive.limit()
            }
        };
        if rules.is_none_or(|rules| rules.min.is_none()) {
            *held = None;
        }
        self.gate.limit.store(limit, Ordering::SeqCst);
        drop(held);
        self.pump();
    }

    /// Calls it takes at once; None: any number.
    pub fn limit(&self) -> Option<u32> {
        Some(self.gate.limit.load(Ordering::Relaxed)).filter(|limit| *limit > 0)
    }

    /// Who waits for it.
    pub fn waiting(&self) -> u32 {
        let gate = &self.gate;
        gate.waiting.load(Ordering::Relaxed).saturating_add(gate.expecting.load(Ordering::Relaxed))
    }

    /// Whether somebody waits for it to be back.
    pub fn is_expected(&self) -> bool {
        self.gate.expecting.load(Ordering::Relaxed) > 0
    }

    /// Whether a call that comes now gets no place: there is none, or others wait for it.
    pub fn is_full(&self) -> bool {
        self.waiting() > 0 || self.limit().is_some_and(|limit| self.busy() >= limit)
    }

    /// Takes a place for a call that comes now; none where it is full.
    pub fn try_enter(self: &Arc<Self>) -> Option<Slot> {
        if self.waiting() > 0 {
            return None;
        }
        self.take().then(|| Slot::of(self.clone()))
    }

    /// A stream had its first content so long after its call began.
    pub fn note_first(self: &Arc<Self>, span: Duration, now: Ticks) {
        let busy = self.busy();
        self.adapt(|adaptive| adaptive.note_first(span, busy, now));
    }

    /// A call was refused for load, or not answered in time.
    pub fn note_drop(self: &Arc<Self>, now: Ticks) {
        let busy = self.busy();
        self.adapt(|adaptive| adaptive.note_drop(busy, now));
    }

    /// Lets the next one through who waits for this target, which is back; not more often than
    /// [`PACE`]. Gives when the next one may be.
    pub fn pass(self: &Arc<Self>, now: Ticks) -> Ticks {
        let at = |moment: Ticks| u64::try_from(moment.since_start().as_nanos()).unwrap_or(u64::MAX);
        let next = now.plus(PACE);
        let due = self.gate.pass_at.load(Ordering::Acquire);
        if at(now) < due {
            return Ticks::from_start(Duration::from_nanos(due));
        }
        let swapped =
            self.gate.pass_at.compare_exchange(due, at(next), Ordering::AcqRel, Ordering::Acquire).is_ok();
        if swapped && self.take() && !self.hand_over(true) {
            self.give_back();
        }
        next
    }

    /// Makes `lobby` one of those whose waiters are asked when a place is free. `bit`: this target there.
    pub(super) fn attach(&self, lobby: &Arc<Lobby>, bit: u64) {
        let mut lobbies = self.gate.lobbies.lock().unwrap_or_else(PoisonError::into_inner);
        let lobby = Arc::downgrade(lobby);
        if lobbies.iter().any(|(held, other)| held.ptr_eq(&lobby) && *other == bit) {
            return;
        }
        // Those of configurations that are over.
        lobbies.retain(|(held, _)| held.strong_count() > 0);
        lobbies.push((lobby, bit));
    }

    /// Tells all who wait for it to look again.
    pub(super) fn recall(&self) {
        let lobbies = self.gate.lobbies.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (lobby, bit) in lobbies {
            if let Some(lobby) = lobby.upgrade() {
                lobby.recall(bit);
            }
        }
    }

    /// Gives free places to those who wait for one.
    pub(super) fn pump(self: &Arc<Self>) {
        while self.gate.waiting.load(Ordering::SeqCst) > 0 && self.take() {
            if !self.hand_over(false) {
                self.busy.fetch_sub(1, Ordering::SeqCst);
            }
        }
    }

    /// Takes a place, whoever waits.
    fn take(&self) -> bool {
        let limit = self.gate.limit.load(Ordering::SeqCst);
        if limit == 0 {
            self.busy.fetch_add(1, Ordering::SeqCst);
            return true;
        }
        let next = |busy: u32| (busy < limit).then(|| busy + 1);
        self.busy.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next).is_ok()
    }

    /// Gives a place that is held to who is next; false where nobody takes it, and it is held still.
    fn hand_over(self: &Arc<Self>, is_back: bool) -> bool {
        let lobbies = self.gate.lobbies.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let first = self.gate.turn.fetch_add(1, Ordering::Relaxed) as usize;
        let count = lobbies.len();
        let mut slot = Slot::of(self.clone());
        for at in 0..count {
            let Some((lobby, bit)) = lobbies.get((first + at) % count) else { continue };
            let Some(lobby) = lobby.upgrade() else { continue };
            match lobby.call(*bit, is_back, slot) {
                Ok(()) => return true,
                Err(back) => slot = back,
            }
        }
        slot.forget();
        false
    }

    /// A call has ended.
    fn release(self: &Arc<Self>) {
        let limit = self.gate.limit.load(Ordering::SeqCst);
        let has_waiters = self.gate.waiting.load(Ordering::SeqCst) > 0;
        let is_wanted = has_waiters && (limit == 0 || self.busy() <= limit);
        if !(is_wanted && self.hand_over(false)) {
            self.give_back();
        }
    }

    /// A place is free. Whoever came to wait meanwhile has seen it taken.
    fn give_back(self: &Arc<Self>) {
        self.busy.fetch_sub(1, Ordering::SeqCst);
        if self.gate.waiting.load(Ordering::SeqCst) > 0 {
            self.pump();
        }
    }

    fn adapt(self: &Arc<Self>, learn: impl FnOnce(&mut Adaptive)) {
        let mut held = self.gate.adaptive.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(adaptive) = held.as_mut() else { return };
        learn(adaptive);
        let limit = adaptive.limit();
        let before = self.gate.limit.swap(limit, Ordering::SeqCst);
        drop(held);
        if limit > before {
            self.pump();
        }
    }
}

impl Slot {
    pub(super) fn of(cell: Arc<TargetLive>) -> Self {
        Self(Some(cell))
    }

    /// Ends without giving its place up.
    fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(cell) = self.0.take() {
            cell.release();
        }
    }
}
