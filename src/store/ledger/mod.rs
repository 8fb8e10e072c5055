//! The write-behind: every call becomes a row of the store, and no request waits for that.
//!
//! A call is appended to a queue; a thread takes the queue at an interval and gives it to the store in
//! batches, prunes what is old, and passes everything on to ClickHouse where one is configured. While
//! the store does not take them, calls go to a spool on disk and are delivered later; a call has an id,
//! so that delivering it twice counts once. Invariant: a crash loses the calls of one interval and
//! those the store was just being given, and none that reached the spool.

mod clickhouse;
mod counters;
mod flush;
mod line;
mod post;
mod queue;
mod record;
mod spool;

use super::{Retention, Store};
use crate::govern::Call;
use std::io;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::sync::watch;

pub use clickhouse::{ClickHouse, ClickHouseUrl, ClickHouseUrlError};
pub use counters::Counters;
pub(super) use line::write as write_line;

/// Shards of the queue at most; more threads share them.
const SHARDS_MAX: usize = 16;

/// What a ledger is made of.
pub struct Parts {
    pub store: Arc<dyn Store>,
    /// Between two flushes.
    pub flush: Duration,
    /// Calls waiting in memory at most.
    pub rows_max: usize,
    pub spool: SpoolPlace,
    pub retention: Retention,
    pub clickhouse: Option<ClickHouse>,
    pub counters: Counters,
    /// Milliseconds since 1970, UTC.
    pub now_ms: fn() -> u64,
    /// Any number that differs between processes.
    pub seed: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolPlace {
    pub folder: PathBuf,
    pub bytes_max: u64,
}

/// A running ledger. Dropping it ends its thread after a last flush, without waiting for it; call
/// [`Ledger::finish`] first to be sure.
#[derive(Debug)]
pub struct Ledger {
    queue: Arc<queue::Queue>,
    stop: watch::Sender<bool>,
    ended: Arc<(Mutex<bool>, Condvar)>,
}

impl Ledger {
    /// Starts the thread, after the process has become a daemon if it does.
    ///
    /// # Errors
    /// A spool folder that cannot be used, or no thread.
    pub fn start(parts: Parts) -> io::Result<Self> {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(SHARDS_MAX);
        let shards = NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN);
        let queue = Arc::new(queue::Queue::new(shards, parts.rows_max, parts.counters.dropped.clone()));
        let (stop, stopped) = watch::channel(false);
        let ended: Arc<(Mutex<bool>, Condvar)> = Arc::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let flusher = flush::Flusher::new(parts, queue.clone(), stopped)?;
        let tell = ended.clone();
        let run = move || {
            runtime.block_on(flusher.run());
            *tell.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
            tell.1.notify_all();
        };
        thread::Builder::new().name("ledger".to_owned()).spawn(run)?;
        Ok(Self { queue, stop, ended })
    }

    /// Adds one call: a lock nobody holds for long, and no system call.
    pub fn record(&self, call: Call) {
        self.queue.push(call);
    }

    /// Gives the store, or the spool, what there is, and ends; false when that took longer than
    /// `within`. Blocks the thread: for the end of the process.
    pub fn finish(&self, within: Duration) -> bool {
        self.stop.send_replace(true);
        let (ended, told) = &*self.ended;
        let guard = ended.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = told.wait_timeout_while(guard, within, |ended| !*ended);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
