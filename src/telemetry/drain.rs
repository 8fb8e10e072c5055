//! The writer thread: takes the shards' lines on a timer and writes them to the sink.
//!
//! The only part that may wait for the sink. Invariant: lines leave in whole, in the order of their
//! shard; what the sink will not take is kept and tried again, and only a line half written to a
//! file that was then replaced is given up, and counted.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::access_log::LogCounters;
use super::shards::{Batch, Shards};
use super::sink::{OpenSink, is_passing};

/// How long lines wait before they are written, and how soon a failing sink is tried again.
const NAP: Duration = Duration::from_millis(100);
/// First pause after a pipe was full; doubles up to [`NAP`].
const FULL_PIPE_NAP: Duration = Duration::from_millis(2);

/// What the writer thread and the rest share.
#[derive(Debug)]
pub(super) struct Shared {
    pub shards: Shards,
    pub counters: LogCounters,
    orders: Mutex<Orders>,
    flushed: Condvar,
}

/// What the writer is asked to do.
#[derive(Clone, Copy, Debug, Default)]
struct Orders {
    /// Flushes asked for, and the last one done. A counter, so that each caller waits for its own.
    flush_asked: u64,
    flush_done: u64,
    reopen: bool,
    stop: bool,
}

/// The writer thread's own state.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    sink: OpenSink,
    batch: Batch,
    /// How much of the batch is written.
    written: usize,
    /// The error last told, so that a failing sink is told once and not ten times a second.
    failing: Option<io::ErrorKind>,
    nap: Duration,
}

// === impl Shared ===

impl Shared {
    pub fn new(shards: Shards, counters: LogCounters) -> Self {
        Self { shards, counters, orders: Mutex::default(), flushed: Condvar::new() }
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a flush; the ticket is for [`Shared::wait_flushed`].
    pub fn ask_flush(&self) -> u64 {
        let mut orders = self.orders();
        orders.flush_asked += 1;
        orders.flush_asked
    }

    /// Waits until the flush with this ticket is done; false when `within` passed before.
    pub fn wait_flushed(&self, ticket: u64, within: Duration) -> bool {
        let waited = self.flushed.wait_timeout_while(self.orders(), within, |o| o.flush_done < ticket);
        waited.unwrap_or_else(PoisonError::into_inner).0.flush_done >= ticket
    }

    pub fn ask_reopen(&self) {
        self.orders().reopen = true;
    }

    pub fn ask_stop(&self) {
        self.orders().stop = true;
    }

    fn take_orders(&self) -> Orders {
        let mut orders = self.orders();
        let taken = *orders;
        orders.reopen = false;
        taken
    }

    fn tell_flushed(&self, ticket: u64) {
        self.orders().flush_done = ticket;
        self.flushed.notify_all();
    }
}

// === impl Writer ===

impl Writer {
    pub fn new(shared: Arc<Shared>, sink: OpenSink) -> Self {
        Self { shared, sink, batch: Batch::default(), written: 0, failing: None, nap: NAP }
    }

    /// Runs until told to stop; then writes what there is, once, and ends.
    pub fn run(mut self) {
        loop {
            let orders = self.shared.take_orders();
            if orders.reopen {
                self.reopen();
            }
            match self.round() {
                Ok(()) => self.recovered(orders.flush_asked),
                Err(error) => self.failed(&error),
            }
            if orders.stop {
                return;
            }
            thread::park_timeout(self.nap);
        }
    }

    /// Writes what was left over, then every shard.
    fn round(&mut self) -> io::Result<()> {
        self.write_batch()?;
        for index in 0..self.shared.shards.count() {
            self.shared.shards.take(index, &mut self.batch);
            self.write_batch()?;
        }
        Ok(())
    }

    fn write_batch(&mut self) -> io::Result<()> {
        while let Some(rest) = self.batch.bytes.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.sink.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(taken) => {
                    self.written += taken;
                    self.nap = NAP;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.shared.counters.lines.inc_by(self.batch.lines);
        self.batch.recycle();
        self.written = 0;
        Ok(())
    }

    /// A line half written to the old file must not end in the new one.
    fn reopen(&mut self) {
        self.sink.reopen();
        let (done, rest) = self.batch.bytes.split_at_checked(self.written).unwrap_or_default();
        if done.last().is_none_or(|byte| *byte == b'\n') {
            return;
        }
        let torn = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
        self.written += torn;
        self.batch.lines = self.batch.lines.saturating_sub(1);
        self.shared.counters.dropped.inc();
    }

    fn recovered(&mut self, flush_asked: u64) {
        self.nap = NAP;
        if self.failing.take().is_some() {
            log::info!("the access log is written again");
        }
        self.shared.tell_flushed(flush_asked);
    }

    fn failed(&mut self, error: &io::Error) {
        if is_passing(error) {
            self.nap = if self.nap >= NAP { FULL_PIPE_NAP } else { (self.nap * 2).min(NAP - FULL_PIPE_NAP) };
            return;
        }
        self.nap = NAP;
        if self.failing.replace(error.kind()) != Some(error.kind()) {
            log::error!(
                "the access log cannot be written, lines will be lost when its buffer is full: {error}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::super::metrics::Metrics;
    use super::*;

    fn writer(text: &[u8], lines: u64, written: usize) -> Writer {
        let counters = Metrics::new().unwrap().log_counters();
        let shards = Shards::new(NonZeroUsize::MIN, 1 << 20);
        let shared = Arc::new(Shared::new(shards, counters));
        let null = std::fs::File::options().write(true).open("/dev/null").unwrap();
        let batch = Batch { bytes: text.to_vec(), lines };
        Writer { batch, written, ..Writer::new(shared, OpenSink::on(null)) }
    }

    #[test]
    fn a_line_half_written_to_the_old_file_is_given_up_and_counted() {
        let mut writer = writer(b"{1}\n{2}\n{3}\n", 3, 6);
        writer.reopen();
        assert_eq!(writer.written, 8, "goes on with the third line");
        writer.round().unwrap();
        let counters = &writer.shared.counters;
        assert_eq!((counters.lines.get(), counters.dropped.get()), (2, 1));
    }

    #[test]
    fn whole_lines_that_wait_go_to_the_new_file() {
        for written in [0, 4] {
            let mut writer = writer(b"{1}\n{2}\n", 2, written);
            writer.reopen();
            assert_eq!(writer.written, written);
            assert_eq!(writer.shared.counters.dropped.get(), 0);
        }
    }

    #[test]
    fn a_full_pipe_is_tried_again_soon_and_then_less_often() {
        let mut writer = writer(b"", 0, 0);
        let full = io::Error::from(io::ErrorKind::WouldBlock);
        let naps: Vec<_> = (0..8)
            .map(|_| {
                writer.failed(&full);
                writer.nap
            })
            .collect();
        assert_eq!(naps.first(), Some(&FULL_PIPE_NAP));
        assert!(naps.is_sorted() && naps.iter().all(|nap| *nap < NAP));
    }
}
