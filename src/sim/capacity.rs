//! How much one model can do at once: so many slots, so many calls in line behind them, and whoever comes
//! beyond is refused. As inference servers do it; with `stretch` all take longer the fuller it is, as
//! their batches do.
//!
//! Invariant: a call that ends, in whatever way, gives back what it held.

use super::wire::{Broken, Wire};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Slots and calls in line that one model may have.
pub const CALLS_MAX: usize = 1 << 20;

/// Of one model or credential.
#[derive(Debug)]
pub struct Capacity {
    slots: Arc<Semaphore>,
    count: usize,
    /// With those in line.
    most: usize,
    inside: AtomicUsize,
    /// How much longer calls take with all slots in use, as a share.
    stretch: f64,
    /// What those are told who come beyond.
    pub status: u16,
}

/// A call inside, perhaps in line.
#[derive(Debug)]
pub struct Inside {
    capacity: Arc<Capacity>,
    slot: Option<OwnedSemaphorePermit>,
}

impl Capacity {
    pub fn new(slots: usize, line: usize, status: u16, stretch: f64) -> Self {
        let count = slots.clamp(1, CALLS_MAX);
        Self {
            slots: Arc::new(Semaphore::new(count)),
            count,
            most: count.saturating_add(line),
            inside: AtomicUsize::new(0),
            stretch,
            status,
        }
    }

    /// Lets a call in, unless there are too many.
    pub fn enter(self: &Arc<Self>) -> Option<Inside> {
        let next = |inside: usize| (inside < self.most).then(|| inside + 1);
        let entered = self.inside.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        entered.ok().map(|_| Inside { capacity: self.clone(), slot: None })
    }

    fn in_use(&self) -> usize {
        self.count.saturating_sub(self.slots.available_permits())
    }
}

impl Inside {
    /// Waits for a slot while the client is there.
    pub async fn work(&mut self, wire: &mut Wire) -> Result<(), Broken> {
        let slots = self.capacity.slots.clone();
        self.slot = tokio::select! {
            biased;
            slot = slots.acquire_owned() => slot.ok(),
            broken = wire.hold() => return Err(broken),
        };
        Ok(())
    }

    /// What becomes of a wait, as full as it is now.
    pub fn stretched(&self, span: Duration) -> Duration {
        let share = self.capacity.in_use() as f64 / self.capacity.count as f64;
        span.mul_f64((1.0 + self.capacity.stretch * share).clamp(1.0, 1000.0))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.slot = None;
        self.capacity.inside.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_beyond_slots_and_line_is_refused_until_somebody_leaves() {
        let capacity = Arc::new(Capacity::new(2, 1, 503, 0.0));
        let mut inside: Vec<Inside> = (0..3).map(|_| capacity.enter().unwrap()).collect();
        assert!(capacity.enter().is_none());
        inside.pop();
        assert!(capacity.enter().is_some());
        drop(inside);
        assert_eq!(capacity.inside.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn all_take_longer_the_fuller_it_is() {
        let capacity = Arc::new(Capacity::new(4, 0, 503, 1.0));
        let one = capacity.enter().unwrap();
        assert_eq!(one.stretched(Duration::from_millis(100)), Duration::from_millis(100));
        let _held: Vec<_> = (0..4).map(|_| capacity.slots.clone().try_acquire_owned().unwrap()).collect();
        assert_eq!(one.stretched(Duration::from_millis(100)), Duration::from_millis(200));
    }
}
