//! What clients may read again of their streams: the last events of each, while it runs and for a while
//! after.
//!
//! Opted in by a model's `resume`. In this process's memory: after a restart, or on another node, a stream
//! is not found. Invariants: events, bytes and streams are bounded, each stream's by its model and all
//! together by [`REPLAYS_MAX`] and [`REPLAY_BYTES_MAX`]; a stream is given to nobody but whose it is.

use crate::framing::sse_ids::{EventIds, Numbered};
use crate::types::{Endpoint, RequestId, Ticks};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Streams that are kept at once.
pub const REPLAYS_MAX: usize = 4096;
/// Bytes of all of them.
pub const REPLAY_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Who may read one stream at once: they take no place of their key's.
pub const READERS_MAX: usize = 4;

/// How much is kept of each stream of a model, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    pub events_max: usize,
    pub bytes_max: usize,
    pub keep: Duration,
}

/// All streams that can be read again.
#[derive(Debug, Default)]
pub struct Replays {
    streams: Mutex<HashMap<RequestId, (Arc<Replay>, Ticks)>>,
    bytes: Arc<AtomicUsize>,
}

/// One stream's last events.
#[derive(Debug)]
pub struct Replay {
    /// The key that made the call.
    owner: Box<str>,
    endpoint: Endpoint,
    pub rules: Resume,
    kept: Mutex<Kept>,
    /// Counted up by each change.
    changes: watch::Sender<u64>,
    /// Bytes of all streams.
    all_bytes: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<(u64, Bytes)>,
    bytes: usize,
    /// The number of the last event there was.
    last: u64,
    readers: usize,
    /// Somebody has read since this was looked at.
    was_read: bool,
    /// The last event that any reader had.
    had: u64,
    end: Option<ReplayEnd>,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayEnd {
    Complete,
    /// Without the end it should have had.
    Broken,
}

/// What a reader finds behind the event it had last.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// In order, in one piece, and the number of the last of them.
    Events(Bytes, u64),
    /// None yet.
    Nothing,
    /// Some that are not kept any more, or that there never were.
    Gone,
    End(ReplayEnd),
}

/// Keeps a stream while it is written; when dropped, the stream has ended.
#[derive(Debug)]
pub struct Replaying {
    ids: EventIds,
    replay: Arc<Replay>,
    away: Option<Away>,
}

/// A client that left, and is awaited.
#[derive(Debug)]
struct Away {
    /// The last event it may have.
    had: u64,
    until: Ticks,
}

/// Why a stream is not read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// There is none, or it is not the asker's.
    Unknown,
    /// As many read it as may.
    Crowded,
}

/// One that reads a stream again.
#[derive(Debug)]
pub struct Reader {
    replay: Arc<Replay>,
    changes: watch::Receiver<u64>,
    /// The event it had last.
    at: u64,
}

// === impl Replays ===

impl Replays {
    /// Begins to keep a stream; None where as many are kept as may be.
    pub fn begin(
        &self,
        id: RequestId,
        owner: &str,
        endpoint: Endpoint,
        rules: Resume,
        now: Ticks,
    ) -> Option<Replaying> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if streams.len() >= REPLAYS_MAX || self.bytes.load(Ordering::Relaxed) >= REPLAY_BYTES_MAX {
            streams.retain(|_, (replay, since)| !replay.is_over(*since, now));
        }
        if streams.len() >= REPLAYS_MAX || self.bytes.load(Ordering::Relaxed) >= REPLAY_BYTES_MAX {
            return None;
        }
        let replay = Arc::new(Replay {
            owner: owner.into(),
            endpoint,
            rules,
            kept: Mutex::default(),
            changes: watch::Sender::new(0),
            all_bytes: self.bytes.clone(),
        });
        streams.insert(id, (replay.clone(), now));
        Some(Replaying { ids: EventIds::default(), replay, away: None })
    }

    /// Notes that a stream's maker is done with it: from now on it is kept for `keep`.
    pub fn ended(&self, id: RequestId, now: Ticks) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, since)) = streams.get_mut(&id) {
            *since = now;
        }
        // What nobody came for is let go here, so that the last of them does not wait for the next call.
        streams.retain(|_, (replay, since)| !replay.is_over(*since, now));
    }

    /// Whether there is a stream `id`, whoever's it is.
    pub fn has(&self, id: RequestId) -> bool {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&id)
    }

    /// The stream `id` behind its event `at`, for its owner.
    ///
    /// # Errors
    /// [`Unread`].
    pub fn find(
        &self,
        id: RequestId,
        owner: &str,
        endpoint: Endpoint,
        at: u64,
        now: Ticks,
    ) -> Result<Reader, Unread> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let (replay, since) = streams.get(&id).ok_or(Unread::Unknown)?;
        if replay.is_over(*since, now) {
            streams.remove(&id);
            return Err(Unread::Unknown);
        }
        if *replay.owner != *owner || replay.endpoint != endpoint {
            return Err(Unread::Unknown);
        }
        let replay = replay.clone();
        drop(streams);
        {
            let mut kept = replay.lock();
            if kept.readers >= READERS_MAX {
                return Err(Unread::Crowded);
            }
            kept.readers += 1;
        }
        let changes = replay.changes.subscribe();
        Ok(Reader { replay, changes, at })
    }

    /// Streams kept.
    pub fn len(&self) -> usize {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

// === impl Replay ===

impl Replay {
    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self, since: Ticks, now: Ticks) -> bool {
        self.lock().end.is_some() && now.since(since) > self.rules.keep
    }

    fn keep(&self, events: &[Numbered]) {
        let mut kept = self.lock();
        let before = kept.bytes;
        let others = self.all_bytes.load(Ordering::Relaxed).saturating_sub(before);
        for Numbered { id, bytes } in events {
            let Some(id) = *id else { continue };
            kept.last = id;
            kept.bytes += bytes.len();
            kept.events.push_back((id, bytes.clone()));
            let is_over = |kept: &Kept| {
                kept.events.len() > self.rules.events_max
                    || kept.bytes > self.rules.bytes_max
                    || others.saturating_add(kept.bytes) > REPLAY_BYTES_MAX
            };
            while is_over(&kept) {
                let Some((_, gone)) = kept.events.pop_front() else { break };
                kept.bytes -= gone.len();
            }
        }
        let after = kept.bytes;
        drop(kept);
        self.all_bytes.fetch_add(after, Ordering::Relaxed);
        self.all_bytes.fetch_sub(before, Ordering::Relaxed);
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn end(&self, end: ReplayEnd) {
        self.lock().end.get_or_insert(end);
        self.changes.send_modify(|changes| *changes += 1);
    }
}

impl Kept {
    /// Whether all behind the event `at` is here still.
    fn holds(&self, at: u64) -> bool {
        at >= self.last || self.events.front().is_some_and(|(first, _)| *first <= at + 1)
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        let bytes = self.lock().bytes;
        self.all_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

// === impl Replaying ===

impl Replaying {
    /// Numbers the events of `piece` and keeps them. Gives what goes to the client.
    pub fn keep(&mut self, piece: &[u8]) -> Bytes {
        let numbered = self.ids.number(piece);
        self.replay.keep(&numbered);
        match numbered.as_slice() {
            [one] => one.bytes.clone(),
            all => Bytes::from(all.iter().map(|one| &*one.bytes).collect::<Vec<_>>().concat()),
        }
    }

    pub fn complete(&self) {
        self.replay.end(ReplayEnd::Complete);
    }

    /// The client is away from now on, unless it was before.
    pub fn note_left(&mut self, now: Ticks) {
        let (had, until) = (self.ids.last(), now.plus(self.replay.rules.keep));
        self.away.get_or_insert(Away { had, until });
    }

    /// Until when a client that is away is waited for, as far as is known; None while it is there.
    pub fn awaited_until(&self) -> Option<Ticks> {
        self.away.as_ref().map(|away| away.until)
    }

    /// Whether anybody can still get the stream whole: the client, or, once it is away, who reads it
    /// again, or may come back. Reading puts the end of the wait off; who has fallen behind what is kept
    /// can get no more of it, and is not waited for.
    pub fn is_awaited(&mut self, now: Ticks) -> bool {
        let Some(away) = &mut self.away else { return true };
        let mut kept = self.replay.lock();
        if std::mem::take(&mut kept.was_read) || kept.readers > 0 {
            away.had = away.had.max(kept.had);
            away.until = now.plus(self.replay.rules.keep);
        }
        now < away.until && kept.holds(away.had)
    }
}

impl Drop for Replaying {
    fn drop(&mut self) {
        self.replay.end(ReplayEnd::Broken);
    }
}

// === impl Reader ===

impl Reader {
    /// What comes next.
    pub fn read(&mut self) -> Found {
        self.changes.borrow_and_update();
        let mut kept = self.replay.lock();
        if self.at > kept.last || !kept.holds(self.at) {
            return Found::Gone;
        }
        if self.at == kept.last {
            kept.had = kept.had.max(self.at);
            return kept.end.map_or(Found::Nothing, Found::End);
        }
        let behind = kept.events.iter().filter(|(id, _)| *id > self.at);
        let bytes = Bytes::from(behind.map(|(_, bytes)| &**bytes).collect::<Vec<_>>().concat());
        self.at = kept.last;
        kept.had = kept.had.max(self.at);
        Found::Events(bytes, kept.last)
    }

    /// Ends when there may be something next.
    pub async fn changed(&mut self) {
        // The sender lives as long as the stream is held here.
        let _ = self.changes.changed().await;
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut kept = self.replay.lock();
        kept.readers = kept.readers.saturating_sub(1);
        kept.was_read = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ids::RequestIds;

    const RULES: Resume = Resume { events_max: 4, bytes_max: 200, keep: Duration::from_secs(60) };

    fn at(seconds: u64) -> Ticks {
        Ticks::from_start(Duration::from_secs(seconds))
    }

    fn begin(replays: &Replays, id: RequestId, rules: Resume) -> Replaying {
        replays.begin(id, "key", Endpoint::ChatCompletions, rules, at(0)).unwrap()
    }

    fn find(replays: &Replays, id: RequestId, after: u64) -> Option<Reader> {
        replays.find(id, "key", Endpoint::ChatCompletions, after, at(1)).ok()
    }

    #[test]
    fn a_reader_gets_what_is_behind_its_last_event_and_then_what_comes() {
        let (replays, id) = (Replays::default(), RequestIds::new(1).next());
        let mut stream = begin(&replays, id, RULES);
        stream.keep(b"data: 1\n\ndata: 2\n\n");
        let mut reader = find(&replays, id, 1).unwrap();
        assert_eq!(reader.read(), Found::Events("data: 2\nid: 2\n\n".into(), 2));
        assert_eq!(reader.read(), Found::Nothing);
        stream.keep(b": keepalive\n\n");
        assert_eq!(reader.read(), Found::Nothing, "a comment is nothing to read again");
        stream.keep(b"data: 3\n\n");
        assert_eq!(reader.read(), Found::Events("data: 3\nid: 3\n\n".into(), 3));
        stream.complete();
        assert_eq!(reader.read(), Found::End(ReplayEnd::Complete));
        drop((reader, stream));
        assert_eq!(find(&replays, id, 3).unwrap().read(), Found::End(ReplayEnd::Complete), "said once");
    }

    #[test]
    fn only_so_many_events_and_bytes_are_kept() {
        let (replays, ids) = (Replays::default(), RequestIds::new(1));
        let (by_events, by_bytes) = (ids.next(), ids.next());
        let mut stream = begin(&replays, by_events, RULES);
        (0..5).for_each(|_| drop(stream.keep(b"data: x\n\n")));
        assert_eq!(find(&replays, by_events, 0).unwrap().read(), Found::Gone);
        assert!(matches!(find(&replays, by_events, 1).unwrap().read(), Found::Events(_, 5)));
        let mut long = begin(&replays, by_bytes, RULES);
        long.keep(format!("data: {}\n\n", "x".repeat(150)).as_bytes());
        long.keep(format!("data: {}\n\n", "x".repeat(150)).as_bytes());
        assert_eq!(find(&replays, by_bytes, 0).unwrap().read(), Found::Gone);
        assert!(replays.bytes.load(Ordering::Relaxed) < 400);
    }

    #[test]
    fn a_stream_is_its_owners_and_of_its_endpoint_only() {
        let (replays, id) = (Replays::default(), RequestIds::new(1).next());
        let _stream = begin(&replays, id, RULES);
        assert!(replays.find(id, "other", Endpoint::ChatCompletions, 0, at(1)).is_err());
        assert!(replays.find(id, "key", Endpoint::Messages, 0, at(1)).is_err());
        assert!(find(&replays, RequestIds::new(2).next(), 0).is_none());
        assert_eq!(find(&replays, id, 7).unwrap().read(), Found::Gone, "an event there never was");
    }

    #[test]
    fn it_is_kept_for_its_time_after_its_end_and_its_bytes_come_back() {
        let (replays, id) = (Replays::default(), RequestIds::new(1).next());
        let mut stream = begin(&replays, id, RULES);
        stream.keep(b"data: 1\n\n");
        replays.ended(id, at(100));
        assert_eq!(replays.len(), 1, "one that runs is kept, however long");
        drop(stream);
        replays.ended(id, at(100));
        let late = |seconds| replays.find(id, "key", Endpoint::ChatCompletions, 0, at(seconds)).is_ok();
        assert!(late(160));
        assert!(!late(161));
        assert_eq!((replays.len(), replays.bytes.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn a_stream_dropped_without_its_end_is_broken() {
        let (replays, id) = (Replays::default(), RequestIds::new(1).next());
        drop(begin(&replays, id, RULES));
        assert_eq!(find(&replays, id, 0).unwrap().read(), Found::End(ReplayEnd::Broken));
    }

    #[test]
    fn a_client_that_is_away_is_waited_for_until_its_time_is_over_or_what_it_missed_is_gone() {
        let (replays, ids) = (Replays::default(), RequestIds::new(1));
        let mut stream = begin(&replays, ids.next(), RULES);
        stream.keep(b"data: 1\n\n");
        assert!(stream.is_awaited(at(9)) && stream.awaited_until().is_none(), "it is there");
        stream.note_left(at(10));
        assert_eq!(stream.awaited_until(), Some(at(70)));
        stream.note_left(at(20));
        assert!(stream.is_awaited(at(69)) && !stream.is_awaited(at(70)), "it leaves once");
        (0..4).for_each(|_| drop(stream.keep(b"data: x\n\n")));
        assert!(stream.is_awaited(at(11)));
        stream.keep(b"data: x\n\n");
        assert!(!stream.is_awaited(at(11)), "the event behind its last is not kept any more");
    }

    #[test]
    fn an_event_larger_than_all_that_is_kept_is_waited_for_by_nobody() {
        let (replays, id) = (Replays::default(), RequestIds::new(1).next());
        let mut stream = begin(&replays, id, RULES);
        stream.keep(b"data: 1\n\n");
        stream.note_left(at(1));
        stream.keep(format!("data: {}\n\n", "x".repeat(300)).as_bytes());
        assert!(!stream.is_awaited(at(2)));
        assert_eq!(find(&replays, id, 1).unwrap().read(), Found::Gone);
    }

    #[test]
    fn who_reads_it_again_puts_the_end_of_the_wait_off_as_long_as_it_keeps_up() {
        let (replays, id) = (Replays::default(), RequestIds::new(1).next());
        let mut stream = begin(&replays, id, RULES);
        stream.keep(b"data: 1\n\n");
        stream.note_left(at(0));
        let mut reader = find(&replays, id, 0).unwrap();
        reader.read();
        for second in [50, 100, 150] {
            (0..4).for_each(|_| drop(stream.keep(b"data: x\n\n")));
            assert!(stream.is_awaited(at(second)), "{second}");
            reader.read();
        }
        drop(reader);
        assert!(stream.is_awaited(at(200)), "it has read a moment ago");
        assert!(!stream.is_awaited(at(260)));
        let mut slow = find(&replays, id, 12).unwrap();
        slow.read();
        (0..5).for_each(|_| drop(stream.keep(b"data: x\n\n")));
        assert!(!stream.is_awaited(at(270)), "it is there, and can get no more");
        assert_eq!(slow.read(), Found::Gone);
    }

    #[test]
    fn only_so_many_read_one_stream_at_once() {
        let (replays, id) = (Replays::default(), RequestIds::new(1).next());
        let _stream = begin(&replays, id, RULES);
        let mut readers: Vec<Reader> = (0..READERS_MAX).map(|_| find(&replays, id, 0).unwrap()).collect();
        let more = || replays.find(id, "key", Endpoint::ChatCompletions, 0, at(1));
        assert_eq!(more().err(), Some(Unread::Crowded));
        readers.pop();
        assert!(more().is_ok());
    }

    #[test]
    fn streams_beyond_the_bound_are_not_kept_until_others_are_over() {
        let (replays, ids) = (Replays::default(), RequestIds::new(1));
        let all: Vec<Replaying> = (0..REPLAYS_MAX).map(|_| begin(&replays, ids.next(), RULES)).collect();
        let more = || replays.begin(ids.next(), "key", Endpoint::ChatCompletions, RULES, at(61));
        assert!(more().is_none());
        drop(all);
        assert!(more().is_some());
    }
}
