//! The access log: one JSON line a request, to a sink that may be as slow as it likes.
//!
//! A line is appended to a buffer of its thread; a writer thread takes the buffers ten times a
//! second. Not a diagnostic log (that is the `log` crate) and not a ledger: lines may be lost.
//! Invariant: [`AccessLog::record`] never waits for the sink and never wakes the writer for a
//! line; a line that does not fit is dropped and counted.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::{self, Thread};
use std::time::Duration;

use prometheus::IntCounter;

use super::drain::{Shared, Writer};
use super::entry::Entry;
use super::shards::{Appended, Shards};
use super::sink::{LogSink, OpenSink};

/// What the log counts about itself; see [`super::Metrics::log_counters`].
#[derive(Clone, Debug)]
pub struct LogCounters {
    /// Lines the sink took.
    pub lines: IntCounter,
    /// Lines lost.
    pub dropped: IntCounter,
}

/// A running access log. Dropping it writes once more what is buffered, without waiting; call
/// [`AccessLog::flush`] first to be sure.
#[derive(Debug)]
pub struct AccessLog {
    /// Absent when the log is off.
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    shared: Arc<Shared>,
    writer: Thread,
}

// === impl AccessLog ===

impl AccessLog {
    /// Starts the writer thread. Call it after the process has become a daemon, if it does: threads
    /// do not survive a fork.
    ///
    /// At most `buffer_bytes_max` bytes of lines are held. A path that cannot be opened is no error
    /// here: it is told through `log`, and tried again until it can.
    pub fn start(sink: LogSink, buffer_bytes_max: usize, counters: LogCounters) -> io::Result<Self> {
        if sink == LogSink::Off {
            return Ok(Self { running: None });
        }
        Self::start_on(OpenSink::new(sink), buffer_bytes_max, counters)
    }

    pub(super) fn start_on(sink: OpenSink, bytes_max: usize, counters: LogCounters) -> io::Result<Self> {
        let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let shared = Arc::new(Shared::new(Shards::new(threads, bytes_max), counters));
        let writer = Writer::new(Arc::clone(&shared), sink);
        let handle = thread::Builder::new().name("access-log".into()).spawn(move || writer.run())?;
        // Never joined: a sink that blocks would block the end of the process with it.
        Ok(Self { running: Some(Running { shared, writer: handle.thread().clone() }) })
    }

    /// Logs one request.
    pub fn record(&self, entry: &Entry<'_>) {
        let Some(running) = &self.running else { return };
        match running.shared.shards.append(entry) {
            Appended::Kept => {}
            Appended::KeptHalfFull => running.writer.unpark(),
            Appended::Dropped => running.shared.counters.dropped.inc(),
        }
    }

    /// Waits until every line recorded before is with the sink; false when that took longer than
    /// `within`. Blocks the thread: for the end of the process, not for a request.
    pub fn flush(&self, within: Duration) -> bool {
        let Some(running) = &self.running else { return true };
        let ticket = running.shared.ask_flush();
        running.writer.unpark();
        running.shared.wait_flushed(ticket, within)
    }

    /// Closes the file and opens its path anew, after it was renamed for rotation. Does not wait.
    pub fn reopen(&self) {
        if let Some(running) = &self.running {
            running.shared.ask_reopen();
            running.writer.unpark();
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.shared.ask_stop();
            running.writer.unpark();
        }
    }
}
