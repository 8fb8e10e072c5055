//! Where calls of one model wait for one of its targets, in the order of `fair`.
//!
//! Not here: how long (who waits keeps the time), and whether a call may wait at all. Who is called gets
//! the place with the call. Invariant: whoever is gone, for whatever reason, is out of line at once, and
//! a place that was given to it goes on to the next.

use super::fair::{Aims, Fair, Place};
use super::gate::Slot;
use super::live::TargetLive;
use crate::types::Priority;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;

/// A line that is bounded.
#[derive(Debug)]
pub struct Lobby {
    line: Mutex<Fair<Waiter>>,
    /// What a wait lately came to, in milliseconds.
    usual: AtomicU32,
}

/// A place at a target.
#[derive(Debug)]
pub struct Grant {
    pub target: usize,
    pub slot: Slot,
}

/// What somebody in line is told.
#[derive(Debug)]
pub enum Called {
    Place(Grant),
    /// What it waits for has changed: it is to look again, and may come back to its place in line.
    Again,
}

/// Somebody in line. As a future: what it is told, or None where others have pushed it out. Leaves the
/// line when dropped.
#[derive(Debug)]
pub struct Ticket {
    lobby: Arc<Lobby>,
    place: Place,
    answer: oneshot::Receiver<Called>,
}

/// There is no room in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowded;

/// One of a model's targets that somebody waits for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its index, below 64.
    pub target: usize,
    pub cell: Arc<TargetLive>,
    /// Left alone now; else it is full.
    pub is_away: bool,
}

#[derive(Debug)]
struct Waiter {
    sender: oneshot::Sender<Called>,
    wanted: Vec<Wanted>,
}

impl Lobby {
    /// For at most `most` at once.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { line: Mutex::new(Fair::new(most)), usual: AtomicU32::new(0) })
    }

    /// Those who wait.
    pub fn len(&self) -> usize {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub fn is_empty(&self) -> bool {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Gets in line. `tenant`: whose share it is; `before`: the place it had and was called from in vain.
    ///
    /// # Errors
    /// The line is full of those with at least as good a right.
    pub fn enter(
        self: &Arc<Self>,
        of: (Priority, u64),
        wanted: Vec<Wanted>,
        before: Option<Place>,
    ) -> Result<Ticket, Crowded> {
        for one in &wanted {
            one.cell.attach(self, bit(one.target));
        }
        let cells: Vec<Wanted> = wanted.iter().filter(|one| !one.is_away).cloned().collect();
        let aims = wanted.iter().fold(Aims::default(), |aims, one| match one.is_away {
            true => Aims { away: aims.away | bit(one.target), ..aims },
            false => Aims { full: aims.full | bit(one.target), ..aims },
        });
        let (sender, answer) = oneshot::channel();
        let (place, displaced) = {
            let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
            let waiter = Waiter { sender, wanted };
            waiter.count(true);
            match line.push(of, aims, before, waiter) {
                Ok((place, displaced)) => {
                    displaced.iter().for_each(|waiter| waiter.count(false));
                    (place, displaced)
                }
                Err(waiter) => {
                    waiter.count(false);
                    return Err(Crowded);
                }
            }
        };
        // Its sender is gone, which it sees.
        drop(displaced);
        let ticket = Ticket { lobby: self.clone(), place, answer };
        // A place may have become free before anybody was in line for it.
        cells.iter().for_each(|one| one.cell.pump());
        Ok(ticket)
    }

    /// Notes what a wait came to.
    pub fn note_wait(&self, span: Duration) {
        let span = u32::try_from(span.as_millis()).unwrap_or(u32::MAX);
        let held = self.usual.load(Ordering::Relaxed);
        self.usual.store(held - held / 8 + span / 8, Ordering::Relaxed);
    }

    /// What a wait lately came to.
    pub fn usual_wait(&self) -> Duration {
        Duration::from_millis(u64::from(self.usual.load(Ordering::Relaxed)))
    }

    /// Hands `slot` to who is next of those who wait for the target of this bit.
    pub(super) fn call(&self, bit: u64, is_back: bool, mut slot: Slot) -> Result<(), Slot> {
        loop {
            let next = {
                let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
                let next = line.pop(bit, is_back);
                next.iter().for_each(|waiter| waiter.count(false));
                next
            };
            let Some(waiter) = next else { return Err(slot) };
            let target = bit.trailing_zeros() as usize;
            match waiter.sender.send(Called::Place(Grant { target, slot })) {
                // Gone a moment ago.
                Err(Called::Place(grant)) => slot = grant.slot,
                Ok(()) | Err(Called::Again) => return Ok(()),
            }
        }
    }

    /// For at most `most` at once from now on; those who are in line stay.
    pub fn set_most(&self, most: usize) {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).set_most(most);
    }

    /// Tells all who wait for the target of this bit to look again.
    pub(super) fn recall(&self, bit: u64) {
        let all = {
            let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
            let all = line.take_all(bit);
            all.iter().for_each(|waiter| waiter.count(false));
            all
        };
        for waiter in all {
            // Who is gone does not look.
            let _ = waiter.sender.send(Called::Again);
        }
    }
}

fn bit(target: usize) -> u64 {
    u32::try_from(target).ok().and_then(|target| 1_u64.checked_shl(target)).unwrap_or(0)
}

impl Waiter {
    /// Tells the targets that one more, or one less, waits. Under the line's lock.
    fn count(&self, is_more: bool) {
        for one in &self.wanted {
            let gate = &one.cell.gate;
            let counter = if one.is_away { &gate.expecting } else { &gate.waiting };
            match is_more {
                true => counter.fetch_add(1, Ordering::SeqCst),
                false => counter.fetch_sub(1, Ordering::SeqCst),
            };
        }
    }
}

impl Ticket {
    /// To stand there again, where the call came in vain.
    pub fn place(&self) -> Place {
        self.place
    }
}

impl Future for Ticket {
    type Output = Option<Called>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answer).poll(cx).map(Result::ok)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let gone = {
            let mut line = self.lobby.line.lock().unwrap_or_else(PoisonError::into_inner);
            let gone = line.remove(self.place);
            gone.iter().for_each(|waiter| waiter.count(false));
            gone
        };
        // A grant that nobody looked at goes with the receiver, and its place to the next.
        drop(gone);
    }
}
