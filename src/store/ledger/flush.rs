//! The ledger's thread: from the queue to the store, or to the spool and later to the store.
//!
//! Invariant: one thing at a time is under way with the store; what comes meanwhile goes to the spool,
//! so that a store that hangs costs no more memory than one that is down.

use super::clickhouse::Pusher;
use super::counters::Counters;
use super::queue::Queue;
use super::spool::Spool;
use super::{Parts, SpoolPlace};
use crate::govern::Call;
use crate::store::{Retention, Store, StoreError};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

/// Calls in one transaction.
const BATCH: usize = 5_000;
/// Between two rounds of pruning.
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// What the store gets for the last calls, before they go to the spool instead.
const LAST_CALLS: Duration = Duration::from_secs(2);

pub(super) struct Flusher {
    queue: Arc<Queue>,
    store: Arc<dyn Store>,
    spool: Spool,
    pusher: Option<Pusher>,
    counters: Counters,
    retention: Retention,
    flush: Duration,
    now_ms: fn() -> u64,
    stopped: watch::Receiver<bool>,
    /// What is under way, at most one.
    under_way: JoinSet<(Work, Result<bool, StoreError>)>,
    /// The calls that are under way, while they are nowhere else.
    at_risk: Option<Arc<Vec<Call>>>,
    /// The store did not take the last batch.
    is_down: bool,
    prune_at: Instant,
}

/// What is done with the store.
enum Work {
    Calls(Arc<Vec<Call>>),
    Spooled(PathBuf, usize),
    Prune,
}

impl Flusher {
    pub fn new(parts: Parts, queue: Arc<Queue>, stopped: watch::Receiver<bool>) -> io::Result<Self> {
        let SpoolPlace { folder, bytes_max } = &parts.spool;
        let spool = Spool::open(folder, *bytes_max, parts.seed, parts.counters.clone())?;
        Ok(Self {
            queue,
            store: parts.store,
            spool,
            pusher: parts.clickhouse.map(|to| Pusher::new(to, parts.counters.clone())),
            counters: parts.counters,
            retention: parts.retention,
            flush: parts.flush,
            now_ms: parts.now_ms,
            stopped,
            under_way: JoinSet::new(),
            at_risk: None,
            is_down: false,
            prune_at: Instant::now() + PRUNE_EVERY,
        })
    }

    pub async fn run(mut self) {
        let mut ticks = tokio::time::interval(self.flush);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pushing = JoinSet::new();
        if let Some(pusher) = &self.pusher {
            let pusher = pusher.clone();
            pushing.spawn(async move { pusher.run().await });
        }
        loop {
            tokio::select! {
                _ = ticks.tick() => self.tick(),
                Some(done) = self.under_way.join_next() => if let Ok((work, outcome)) = done {
                    self.landed(work, outcome);
                    self.deliver();
                },
                changed = self.stopped.changed() => if changed.is_err() || *self.stopped.borrow() {
                    break;
                },
            }
        }
        self.last().await;
        pushing.abort_all();
    }

    fn tick(&mut self) {
        let calls = self.take();
        if !calls.is_empty() {
            if self.is_down || !self.under_way.is_empty() {
                self.keep(&calls);
            } else {
                self.begin(Work::Calls(calls));
            }
        }
        self.deliver();
        if self.under_way.is_empty() && !self.is_down && Instant::now() >= self.prune_at {
            self.prune_at = Instant::now() + PRUNE_EVERY;
            self.begin(Work::Prune);
        }
    }

    /// All that was recorded, which ClickHouse is to have too.
    fn take(&self) -> Arc<Vec<Call>> {
        let calls = Arc::new(self.queue.take());
        if let Some(pusher) = self.pusher.as_ref().filter(|_| !calls.is_empty()) {
            pusher.add(&calls);
        }
        calls
    }

    /// The oldest that is on disk, if nothing else is under way. While the store is down this is how
    /// it is found to be back.
    fn deliver(&mut self) {
        if !self.under_way.is_empty() {
            return;
        }
        match self.spool.oldest() {
            Some((path, calls)) => {
                let count = calls.len();
                self.begin_with(Work::Spooled(path, count), Arc::new(calls));
            }
            // Nothing to find it out with: the next calls will.
            None => self.is_down = false,
        }
    }

    fn begin(&mut self, work: Work) {
        let calls = match &work {
            Work::Calls(calls) => calls.clone(),
            _ => Arc::default(),
        };
        self.begin_with(work, calls);
    }

    fn begin_with(&mut self, work: Work, calls: Arc<Vec<Call>>) {
        if let Work::Calls(calls) = &work {
            self.at_risk = Some(calls.clone());
        }
        let (store, retention, now_ms) = (self.store.clone(), self.retention, (self.now_ms)());
        self.under_way.spawn(async move {
            let outcome = match &work {
                Work::Prune => store.prune(&retention, now_ms).await.map(|pruned| pruned.has_more),
                _ => add(&*store, &calls).await.map(|()| false),
            };
            (work, outcome)
        });
    }

    fn landed(&mut self, work: Work, outcome: Result<bool, StoreError>) {
        self.at_risk = None;
        match (work, outcome) {
            (Work::Prune, outcome) => {
                if matches!(outcome, Ok(true)) {
                    // Small steps, with room for flushes between them.
                    self.prune_at = Instant::now();
                }
            }
            (Work::Calls(calls), Ok(_)) => self.taken(calls.len()),
            (Work::Spooled(path, count), Ok(_)) => {
                self.spool.remove(&path);
                self.taken(count);
            }
            (Work::Calls(calls), Err(error)) => {
                self.refused(&error);
                self.keep(&calls);
            }
            (Work::Spooled(..), Err(error)) => self.refused(&error),
        }
    }

    fn taken(&mut self, count: usize) {
        self.is_down = false;
        self.counters.written.inc_by(count as u64);
        if self.counters.store_up.get() == 0 {
            log::info!("the store takes the ledger's calls");
        }
        self.counters.store_up.set(1);
    }

    fn refused(&mut self, error: &StoreError) {
        if !self.is_down && self.counters.store_up.get() == 1 {
            log::error!("calls go to the spool: {}", error.told());
        }
        self.is_down = true;
        self.counters.store_up.set(0);
    }

    fn keep(&mut self, calls: &[Call]) {
        if let Err(error) = self.spool.append(calls, (self.now_ms)()) {
            log::error!("calls are lost, the spool does not take them: {error}");
        }
    }

    /// The end: what there is goes to the store if it is quick, else to the spool.
    async fn last(&mut self) {
        let calls = self.take();
        let end = Instant::now() + LAST_CALLS;
        match tokio::time::timeout_at(end, self.under_way.join_next()).await {
            Ok(Some(Ok((work, outcome)))) => self.landed(work, outcome),
            Ok(_) => {}
            Err(_) => {
                self.is_down = true;
                if let Some(calls) = self.at_risk.take() {
                    self.keep(&calls);
                }
            }
        }
        if calls.is_empty() {
            return self.last_push(end).await;
        }
        let store = self.store.clone();
        let is_added =
            !self.is_down && matches!(tokio::time::timeout_at(end, add(&*store, &calls)).await, Ok(Ok(())));
        if is_added {
            self.taken(calls.len());
        } else {
            self.keep(&calls);
        }
        self.last_push(end).await;
    }

    async fn last_push(&self, end: Instant) {
        if let Some(pusher) = &self.pusher {
            let _ = tokio::time::timeout_at(end, pusher.empty()).await;
        }
    }
}

/// In batches; what was added before an error will be found to be there.
async fn add(store: &dyn Store, calls: &[Call]) -> Result<(), StoreError> {
    for batch in calls.chunks(BATCH) {
        store.append_calls(batch).await?;
    }
    Ok(())
}
