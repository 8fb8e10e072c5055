//! Calls in flight that are shared: one upstream call, and everybody who asked for the same meanwhile reads
//! its answer, each at their own pace.
//!
//! Opted in by a model's `coalesce`. In this process's memory. Not here: what makes two requests the same
//! (`proxy::exchange::coalesce`). Invariants: a passenger gets the answer from its first byte or does not
//! board; what is kept of each flight and of all together is bounded; a flight that nobody reads takes nobody
//! on any more.

use crate::framing::FieldLines;
use crate::types::{Origin, Reason, RequestId};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Flights at once that may be boarded.
pub const FLIGHTS_MAX: usize = 4096;
/// Bytes kept of all of them.
pub const FLIGHT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// How calls of a model are shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coalesce {
    /// Bytes of an answer that are kept: for who boards late, and for who reads slowly.
    pub bytes_max: usize,
    /// Calls that share one, the first of them included.
    pub passengers_max: usize,
}

/// What makes calls the same: a digest of all that an answer may depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlightKey(pub [u8; 32]);

/// All flights.
#[derive(Debug, Default)]
pub struct Flights {
    open: Mutex<HashMap<FlightKey, Arc<Flight>>>,
    bytes: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Flight {
    /// Of the call that is made.
    id: RequestId,
    rules: Coalesce,
    log: Mutex<Log>,
    /// Something was written, or it landed.
    grown: watch::Sender<()>,
    /// Somebody read, or left.
    read: watch::Sender<()>,
    all_bytes: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Log {
    head: Option<Arc<Head>>,
    pieces: VecDeque<Bytes>,
    /// Pieces that are not kept any more.
    gone: u64,
    /// Of the pieces kept.
    bytes: usize,
    written: u64,
    /// Bytes that the fastest passenger has read.
    furthest: u64,
    passengers: usize,
    is_closed: bool,
    landed: Option<Landing>,
}

/// The head of a shared answer.
#[derive(Debug)]
pub struct Head {
    pub status: u16,
    pub fields: FieldLines,
    /// The body comes in one piece; else it is a stream.
    pub is_whole: bool,
}

/// What the call came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Landing {
    /// The answer has the end it should have.
    pub is_complete: bool,
    pub reason: Option<Reason>,
    pub origin: Option<Origin>,
}

/// How a call that may share goes on.
pub enum Boarding {
    /// It makes the call, and reads it like the others.
    First(Flying, Passenger),
    /// Another one, which began meanwhile, makes it.
    Next(Passenger),
    /// There is no room to share.
    Alone,
}

/// Writes a flight; when dropped without a landing, it has broken.
#[derive(Debug)]
pub struct Flying {
    flights: Arc<Flights>,
    key: FlightKey,
    flight: Arc<Flight>,
}

/// Nobody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deserted;

/// One who reads a flight.
#[derive(Debug)]
pub struct Passenger {
    flight: Arc<Flight>,
    grown: watch::Receiver<()>,
    has_head: bool,
    /// Pieces and bytes it has read.
    pieces: u64,
    bytes: u64,
}

/// What a passenger finds.
#[derive(Debug)]
pub enum Next {
    /// The head, and what there is behind it.
    Begin(Arc<Head>, Bytes),
    More(Bytes),
    /// Nothing yet.
    Nothing,
    /// It read too slowly: what comes next for it is not kept any more.
    Behind,
    End(Landing),
}

// === impl Flights ===

impl Flights {
    /// A seat in the flight of these calls, if there is one that takes more.
    pub fn board(&self, key: &FlightKey) -> Option<Passenger> {
        let flight = self.lock().get(key)?.clone();
        flight.board()
    }

    /// Begins a flight, or boards one that has begun since [`board`](Self::board) was asked.
    pub fn begin(self: &Arc<Self>, key: FlightKey, id: RequestId, rules: Coalesce) -> Boarding {
        let mut open = self.lock();
        if let Some(passenger) = open.get(&key).and_then(|flight| flight.clone().board()) {
            return Boarding::Next(passenger);
        }
        // One that takes nobody any more is replaced.
        let is_full = open.len() >= FLIGHTS_MAX && !open.contains_key(&key);
        if is_full || self.bytes.load(Ordering::Relaxed) >= FLIGHT_BYTES_MAX {
            return Boarding::Alone;
        }
        let flight = Arc::new(Flight {
            id,
            rules,
            log: Mutex::default(),
            grown: watch::Sender::new(()),
            read: watch::Sender::new(()),
            all_bytes: self.bytes.clone(),
        });
        let Some(passenger) = flight.clone().board() else { return Boarding::Alone };
        open.insert(key, flight.clone());
        drop(open);
        Boarding::First(Flying { flights: self.clone(), key, flight }, passenger)
    }

    /// Flights that may be boarded.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FlightKey, Arc<Flight>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Flight ===

impl Flight {
    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn board(self: Arc<Self>) -> Option<Passenger> {
        let mut log = self.lock();
        let is_over = log.is_closed || log.landed.is_some() || log.gone > 0;
        if is_over || log.passengers >= self.rules.passengers_max {
            return None;
        }
        log.passengers += 1;
        drop(log);
        let grown = self.grown.subscribe();
        Some(Passenger { flight: self, grown, has_head: false, pieces: 0, bytes: 0 })
    }

    /// Keeps a piece, and lets go of the oldest ones where that is too much. The newest is always kept.
    fn keep(&self, piece: &[u8]) {
        let mut log = self.lock();
        let before = log.bytes;
        let others = self.all_bytes.load(Ordering::Relaxed).saturating_sub(before);
        log.bytes += piece.len();
        log.written += piece.len() as u64;
        // A copy: a slice of what was read would keep all of that.
        log.pieces.push_back(Bytes::copy_from_slice(piece));
        let bytes_max = self.rules.bytes_max.min(FLIGHT_BYTES_MAX.saturating_sub(others));
        while log.bytes > bytes_max && log.pieces.len() > 1 {
            let Some(oldest) = log.pieces.pop_front() else { break };
            log.bytes -= oldest.len();
            log.gone += 1;
        }
        let after = log.bytes;
        drop(log);
        self.all_bytes.fetch_add(after, Ordering::Relaxed);
        self.all_bytes.fetch_sub(before, Ordering::Relaxed);
        self.grown.send_replace(());
    }

    fn land(&self, landing: Landing) {
        self.lock().landed.get_or_insert(landing);
        self.grown.send_replace(());
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let bytes = self.lock().bytes;
        self.all_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

// === impl Flying ===

impl Flying {
    pub fn begin(&self, head: Head) {
        self.flight.lock().head.get_or_insert(Arc::new(head));
        self.flight.grown.send_replace(());
    }

    /// Writes a piece of the body. Waits until the fastest passenger has read all but half of what is kept:
    /// it sets the pace. Cancel-safe: the piece is written at once.
    ///
    /// # Errors
    /// [`Deserted`].
    pub async fn piece(&self, piece: &[u8]) -> Result<(), Deserted> {
        if !piece.is_empty() {
            self.flight.keep(piece);
        }
        // One passenger rides in the task of who writes: it is let read before the next piece.
        tokio::task::yield_now().await;
        self.paced().await
    }

    /// Writes a whole body. Nothing comes behind it that would have to be held back.
    ///
    /// # Errors
    /// [`Deserted`].
    pub fn whole(&self, body: &[u8]) -> Result<(), Deserted> {
        self.flight.keep(body);
        if self.flight.lock().passengers == 0 { Err(Deserted) } else { Ok(()) }
    }

    async fn paced(&self) -> Result<(), Deserted> {
        let pace = self.flight.rules.bytes_max as u64 / 2;
        self.until(|log| log.passengers == 0 || log.written - log.furthest <= pace).await;
        if self.flight.lock().passengers == 0 { Err(Deserted) } else { Ok(()) }
    }

    /// Ends when nobody reads any more; from then on nobody boards.
    pub async fn deserted(&self) {
        self.until(|log| {
            log.is_closed |= log.passengers == 0;
            log.is_closed
        })
        .await;
    }

    /// What the call came to; from here on passengers find its end.
    pub fn land(self, landing: Landing) {
        self.flight.land(landing);
    }

    async fn until(&self, mut is_so: impl FnMut(&mut Log) -> bool) {
        let mut read = self.flight.read.subscribe();
        loop {
            read.borrow_and_update();
            if is_so(&mut self.flight.lock()) {
                return;
            }
            // The sender lives as long as the flight.
            let _ = read.changed().await;
        }
    }
}

impl Drop for Flying {
    fn drop(&mut self) {
        let mut open = self.flights.lock();
        if open.get(&self.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
            open.remove(&self.key);
        }
        drop(open);
        self.flight.land(Landing::default());
    }
}

// === impl Passenger ===

impl Passenger {
    /// The call that is made for all.
    pub fn flight(&self) -> RequestId {
        self.flight.id
    }

    pub fn read(&mut self) -> Next {
        self.grown.borrow_and_update();
        let mut log = self.flight.lock();
        let Some(head) = log.head.clone() else { return log.landed.map_or(Next::Nothing, Next::End) };
        if self.pieces < log.gone {
            return Next::Behind;
        }
        let unread = log.pieces.len() as u64 + log.gone - self.pieces;
        let is_first = !std::mem::replace(&mut self.has_head, true);
        if unread == 0 && !is_first {
            return log.landed.map_or(Next::Nothing, Next::End);
        }
        let skipped = usize::try_from(self.pieces - log.gone).unwrap_or(usize::MAX);
        let body = joined(log.pieces.iter().skip(skipped));
        self.pieces += unread;
        self.bytes = log.written;
        log.furthest = log.furthest.max(self.bytes);
        drop(log);
        self.flight.read.send_replace(());
        if is_first { Next::Begin(head, body) } else { Next::More(body) }
    }

    /// Ends when there may be something next.
    pub async fn changed(&mut self) {
        // The sender lives as long as the flight, which is held here.
        let _ = self.grown.changed().await;
    }
}

impl Drop for Passenger {
    fn drop(&mut self) {
        let mut log = self.flight.lock();
        log.passengers = log.passengers.saturating_sub(1);
        drop(log);
        self.flight.read.send_replace(());
    }
}

fn joined<'p>(mut pieces: impl Iterator<Item = &'p Bytes>) -> Bytes {
    let Some(first) = pieces.next() else { return Bytes::new() };
    let Some(second) = pieces.next() else { return first.clone() };
    let mut all = [&**first, &**second].concat();
    pieces.for_each(|piece| all.extend_from_slice(piece));
    Bytes::from(all)
}

#[cfg(test)]
#[path = "flights_tests.rs"]
mod tests;
