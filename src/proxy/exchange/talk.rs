//! The conversation with a client while something is awaited: notices that it leaves, keeps a
//! silent stream alive, and holds the deadlines.

use super::downstream::{Downstream, Gone};
use super::vigil::Vigil;
use crate::dialect::keepalive::{self, KeepaliveState};
use crate::framing::FieldLines;
use crate::runtime::Edge;
use crate::types::{Endpoint, Ticks};
use bytes::Bytes;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

/// How a wait ended.
pub enum Wake<T> {
    Done(T),
    /// The client left; said once.
    Left,
    Deadline,
    /// The process ends and streams are cut.
    Cut,
}

/// Who watches over an attempt: its client, or, where two attempts run at once, who runs them.
pub enum Watch<'t, 's> {
    Client(&'t mut Talk<'s>),
    /// Nobody but the clock; where somebody asks whether content has come, it is told here.
    Alone(&'t Edge, Option<&'t AtomicBool>),
}

/// Why a wait was interrupted inside.
enum Event<T> {
    Done(T),
    Left,
    Cut,
    Alarm,
}

pub struct Talk<'s> {
    pub down: &'s mut Downstream,
    edge: Arc<Edge>,
    endpoint: Endpoint,
    /// The connection's; given back at the end.
    vigil: Option<Vigil>,
    keepalive: Option<Keepalive>,
    /// What is awaited is not the client's alone: it may leave and come back.
    goes_on_alone: bool,
}

/// Keepalives of a stream. What is sent always ends between two events, so one may go out at any
/// time.
struct Keepalive {
    every: Duration,
    last_sent: Ticks,
    state: KeepaliveState,
    /// The head to commit with, where the first keepalive comes before any answer.
    head: FieldLines,
}

impl<'s> Talk<'s> {
    pub fn new(down: &'s mut Downstream, edge: &Arc<Edge>, endpoint: Endpoint) -> Self {
        let vigil = down.vigil.take().unwrap_or_else(|| Vigil::new(edge));
        Self { down, edge: edge.clone(), endpoint, vigil: Some(vigil), keepalive: None, goes_on_alone: false }
    }

    /// Turns keepalives on: after `every` of silence. `head` is what is sent as the answer's head
    /// if the first of them comes before the upstream's.
    pub fn keep_alive(&mut self, every: Duration, head: FieldLines, state: KeepaliveState) {
        if !every.is_zero() {
            self.keepalive = Some(Keepalive { every, last_sent: self.edge.now(), state, head });
        }
    }

    /// Notes that bytes went to the client now, which puts the next keepalive off.
    pub fn spoke(&mut self, now: Ticks, state: KeepaliveState) {
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.last_sent = now;
            keepalive.state = state;
        }
    }

    /// Whether a client that leaves a stream which it may read again is no reason to stop waiting.
    pub fn go_on_alone(&mut self, goes_on: bool) {
        self.goes_on_alone = goes_on;
    }

    /// The client left. Whether the wait goes on.
    fn is_left_behind(&mut self) -> bool {
        let now = self.edge.now();
        let Some(replaying) = self.down.replaying.as_mut().filter(|_| self.goes_on_alone) else {
            return false;
        };
        replaying.note_left(now);
        true
    }

    /// Waits for `work`, at most until `deadline`. It comes pinned: taken by value it would stand
    /// twice in the caller's future, and futures are what a held stream costs.
    pub async fn until<T>(
        &mut self,
        deadline: Ticks,
        mut work: Pin<&mut impl Future<Output = T>>,
    ) -> Wake<T> {
        loop {
            let due = self.keepalive.as_ref().map(|k| k.last_sent.plus(k.every));
            let next = due.map_or(deadline, |due| due.min(deadline));
            match self.event(next, work.as_mut()).await {
                Event::Done(value) => return Wake::Done(value),
                Event::Left if self.is_left_behind() => {}
                Event::Left => return Wake::Left,
                Event::Cut => return Wake::Cut,
                Event::Alarm if self.edge.now() >= deadline => return Wake::Deadline,
                Event::Alarm => {
                    if self.send_keepalive().await.is_err() && !self.is_left_behind() {
                        return Wake::Left;
                    }
                }
            }
        }
    }

    async fn event<T>(&mut self, next: Ticks, mut work: Pin<&mut impl Future<Output = T>>) -> Event<T> {
        let Self { down, vigil, .. } = self;
        let mut left = pin!(down.left());
        std::future::poll_fn(|cx| {
            if let Poll::Ready(value) = work.as_mut().poll(cx) {
                return Poll::Ready(Event::Done(value));
            }
            if left.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Event::Left);
            }
            let Some(vigil) = vigil.as_mut() else { return Poll::Pending };
            if vigil.poll_cut(cx) {
                return Poll::Ready(Event::Cut);
            }
            vigil.poll_deadline(cx, next).map(|()| Event::Alarm)
        })
        .await
    }

    async fn send_keepalive(&mut self) -> Result<(), Gone> {
        let Some(keepalive) = &mut self.keepalive else { return Ok(()) };
        if self.down.is_gone() {
            keepalive.last_sent = self.edge.now();
            return Ok(());
        }
        let bytes = keepalive::keepalive(self.endpoint, keepalive.state);
        if self.down.is_nothing(&bytes) {
            // The client's protocol has no sign of life: nothing is committed for one.
            keepalive.last_sent = self.edge.now();
            return Ok(());
        }
        if self.down.is_untouched() {
            // This commits the status: from here on a failure can only be told inside the stream.
            self.down.open(200, &keepalive.head, Bytes::new()).await?;
        }
        keepalive.last_sent = self.edge.now();
        self.edge.metrics.keepalives_sent.inc();
        self.down.send(Bytes::from(bytes.into_owned())).await
    }
}

impl Watch<'_, '_> {
    /// The first content has come: who runs the attempt need not look elsewhere.
    pub fn note_content(&self) {
        if let Watch::Alone(_, Some(has_content)) = self {
            has_content.store(true, Ordering::Relaxed);
        }
    }

    /// Waits for `work`, at most until `deadline`.
    pub async fn until<T>(&mut self, deadline: Ticks, work: Pin<&mut impl Future<Output = T>>) -> Wake<T> {
        match self {
            Watch::Client(talk) => talk.until(deadline, work).await,
            Watch::Alone(edge, _) => match pingora_timeout::timeout(deadline.since(edge.now()), work).await {
                Ok(done) => Wake::Done(done),
                Err(_) => Wake::Deadline,
            },
        }
    }
}

impl Drop for Talk<'_> {
    fn drop(&mut self) {
        self.down.vigil = self.vigil.take();
    }
}
