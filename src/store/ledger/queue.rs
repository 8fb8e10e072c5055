//! Where calls wait for the next flush: appended by the workers, taken all at once.
//!
//! Nobody is woken. Invariant: it holds no more calls than its bound; one more is dropped, and
//! counted.

use crate::govern::Call;
use prometheus::IntCounter;
use std::cell::Cell;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

thread_local! {
    /// The shard of this thread, from the first time it records.
    static SHARD: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Gives each thread the next number.
static THREADS: AtomicUsize = AtomicUsize::new(0);

#[derive(Debug)]
pub(super) struct Queue {
    shards: Box<[Mutex<Vec<Call>>]>,
    each_max: usize,
    dropped: IntCounter,
}

impl Queue {
    /// `rows_max` is of all shards together.
    pub fn new(shards: NonZeroUsize, rows_max: usize, dropped: IntCounter) -> Self {
        let each_max = rows_max.div_ceil(shards.get()).max(1);
        Self { shards: (0..shards.get()).map(|_| Mutex::default()).collect(), each_max, dropped }
    }

    pub fn push(&self, call: Call) {
        let number = SHARD.with(|shard| {
            let number = shard.get().unwrap_or_else(|| THREADS.fetch_add(1, Ordering::Relaxed));
            shard.set(Some(number));
            number
        });
        let Some(shard) = self.shards.get(number % self.shards.len().max(1)) else { return };
        let mut calls = lock(shard);
        if calls.len() >= self.each_max {
            drop(calls);
            self.dropped.inc();
            return;
        }
        calls.push(call);
    }

    /// All there are; in the order of their time within each shard.
    pub fn take(&self) -> Vec<Call> {
        let mut taken = Vec::new();
        for shard in &self.shards {
            let mut calls = lock(shard);
            // As much room as was needed last time: growing happens on the path of requests.
            let room = Vec::with_capacity(calls.len());
            let mut calls = std::mem::replace(&mut *calls, room);
            taken.append(&mut calls);
        }
        taken
    }
}

fn lock(shard: &Mutex<Vec<Call>>) -> MutexGuard<'_, Vec<Call>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::line::tests::calls;
    use super::*;

    #[test]
    fn beyond_the_bound_calls_are_dropped_and_counted() {
        let dropped = IntCounter::new("d", "d").unwrap();
        let queue = Queue::new(NonZeroUsize::MIN, 3, dropped.clone());
        let made = calls(5);
        made.iter().for_each(|call| queue.push(call.clone()));
        assert_eq!(queue.take(), made[..3]);
        assert_eq!(dropped.get(), 2);
        // There is room again.
        queue.push(made[4].clone());
        assert_eq!(queue.take(), made[4..]);
        assert!(queue.take().is_empty());
    }

    #[test]
    fn threads_lose_nothing_to_one_another() {
        let dropped = IntCounter::new("d", "d").unwrap();
        let queue = Queue::new(NonZeroUsize::new(3).unwrap(), 30_000, dropped.clone());
        let made = calls(1000);
        let taken = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| made.iter().for_each(|call| queue.push(call.clone()))))
                .collect();
            let mut taken = 0;
            while !writers.iter().all(|writer| writer.is_finished()) {
                taken += queue.take().len();
            }
            taken
        });
        assert_eq!(taken + queue.take().len(), 8000);
        assert_eq!(dropped.get(), 0);
    }
}
