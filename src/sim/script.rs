//! Scripted answers: full control over the bytes of the next answers, for replays.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Answers that may wait.
const SCRIPTED_MAX: usize = 65_536;

/// One answer, byte for byte.
#[derive(Clone, Debug)]
pub struct ScriptedReply {
    pub status: u16,
    /// Written as given; framing headers are added by `framing`.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub split: Split,
    /// Between two pieces.
    pub gap: Duration,
    pub framing: ScriptFraming,
    pub end: ScriptEnd,
}

/// Where the body is cut into writes (and, when chunked, into chunks).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Split {
    Whole,
    EveryByte,
    /// At these offsets, ascending; those outside the body do nothing.
    At(Vec<usize>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptFraming {
    ContentLength,
    Chunked,
    /// Neither: the body ends where the connection does.
    Close,
    /// `body` is the whole answer, head included; nothing is added.
    Raw,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptEnd {
    Keep,
    /// Close cleanly. A chunked body gets its last chunk first; to cut one off use `Raw`.
    Close,
    /// Reset the connection, without the last chunk.
    Reset,
    /// Send no more, without the last chunk, until the client leaves.
    Hold,
}

impl Default for ScriptedReply {
    fn default() -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: Vec::new(),
            split: Split::Whole,
            gap: Duration::ZERO,
            framing: ScriptFraming::ContentLength,
            end: ScriptEnd::Keep,
        }
    }
}

impl ScriptedReply {
    /// A JSON answer.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self { status, headers, body: body.into(), ..Self::default() }
    }

    /// A chunked event stream.
    pub fn sse(body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), "text/event-stream; charset=utf-8".to_owned())];
        Self { headers, body: body.into(), framing: ScriptFraming::Chunked, ..Self::default() }
    }

    /// The body in pieces, in order, none empty.
    pub fn pieces(&self) -> Vec<&[u8]> {
        match &self.split {
            Split::Whole => vec![self.body.as_slice()],
            Split::EveryByte => self.body.chunks(1).collect(),
            Split::At(cuts) => {
                let mut pieces = Vec::new();
                let mut rest = self.body.as_slice();
                let mut done = 0;
                for cut in cuts {
                    if let Some((piece, tail)) =
                        cut.checked_sub(done).and_then(|length| rest.split_at_checked(length))
                    {
                        pieces.push(piece);
                        (rest, done) = (tail, *cut);
                    }
                }
                pieces.push(rest);
                pieces
            }
        }
        .into_iter()
        .filter(|piece| !piece.is_empty())
        .collect()
    }
}

/// The queue of answers to come.
#[derive(Debug, Default)]
pub struct Scripts {
    queue: Mutex<VecDeque<ScriptedReply>>,
    /// Length of the queue, so that the usual empty one costs no lock.
    waiting: AtomicUsize,
}

impl Scripts {
    /// Adds answers; those beyond the bound are dropped.
    pub fn add(&self, replies: Vec<ScriptedReply>) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let room = SCRIPTED_MAX.saturating_sub(queue.len());
        queue.extend(replies.into_iter().take(room));
        self.waiting.store(queue.len(), Ordering::Release);
    }

    pub fn take(&self) -> Option<ScriptedReply> {
        if self.waiting.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let reply = queue.pop_front();
        self.waiting.store(queue.len(), Ordering::Release);
        reply
    }

    pub fn clear(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.waiting.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_put_together_are_the_body_whatever_the_cuts() {
        for split in [Split::Whole, Split::EveryByte, Split::At(vec![2, 2, 5, 3, 99]), Split::At(vec![0, 6])]
        {
            let reply =
                ScriptedReply { body: b"abcdef".to_vec(), split: split.clone(), ..ScriptedReply::default() };
            assert_eq!(reply.pieces().concat(), b"abcdef", "{split:?}");
            assert!(reply.pieces().iter().all(|piece| !piece.is_empty()));
        }
    }
}
