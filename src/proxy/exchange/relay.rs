//! The rest of a stream, once its first content is here: events go down as they come.

use super::attempt::Live;
use super::downstream::Gone;
use super::listener::Heard;
use super::talk::{Talk, Wake};
use crate::dialect::tap::StreamFault;
use crate::limits::Reservation;
use crate::runtime::{Edge, ModelPolicy, OnDisconnect};
use crate::types::{FailureClass, Ticks};
use bytes::Bytes;
use std::pin::pin;
use std::time::Duration;

/// How long the upstream's own end is waited for once the stream has said its last word.
const LAST_WORD_GRACE: Duration = Duration::from_secs(1);

/// How a stream ended.
pub enum StreamEnd {
    Complete,
    /// It said so itself.
    Fault(StreamFault),
    Failed(FailureClass, String),
    /// The client left, and the call was cancelled (or its drain ran out).
    Left,
    /// The client left, and the stream was read to its end.
    LeftDrained,
    /// The money ended before it did, or before its drain.
    Spent,
    Cut,
}

/// Passes a stream on until it ends, whichever way.
pub async fn run(
    talk: &mut Talk<'_>,
    edge: &Edge,
    policy: &ModelPolicy,
    live: &mut Live,
    total: Ticks,
    reservation: Option<&mut Reservation>,
) -> StreamEnd {
    let reservation = reservation.filter(|reservation| reservation.has_budget());
    let mut relay = Relay {
        edge,
        policy,
        total,
        drained_by: None,
        reservation,
        heard: live.listener.output_before(),
        largest: 0,
    };
    for piece in std::mem::take(&mut live.pieces) {
        if let Some(end) = relay.pass(talk, Some(piece)).await {
            return end;
        }
    }
    if live.is_ended {
        return StreamEnd::Complete;
    }
    if talk.down.is_gone()
        && let Some(end) = relay.left(talk)
    {
        return end;
    }
    let end = relay.follow(talk, live).await;
    match (end, relay.drained_by) {
        (StreamEnd::Complete, Some(_)) => StreamEnd::LeftDrained,
        (StreamEnd::Failed(..), Some(_)) => StreamEnd::Left,
        (end, _) => end,
    }
}

struct Relay<'r> {
    edge: &'r Edge,
    policy: &'r ModelPolicy,
    total: Ticks,
    /// Set when the client has left for good and the stream is read on for its usage. For one that may
    /// come back, `Replaying` knows until when.
    drained_by: Option<Ticks>,
    /// Where a budget is charged.
    reservation: Option<&'r mut Reservation>,
    /// Output tokens of the stream so far, and the most that came in one piece, by the bound.
    heard: u64,
    largest: u64,
}

impl Relay<'_> {
    async fn follow(&mut self, talk: &mut Talk<'_>, live: &mut Live) -> StreamEnd {
        let mut heard_at = self.edge.now();
        loop {
            let deadline = self.deadline(talk, heard_at, live.listener.is_terminated());
            let Some(call) = &mut live.call else { return self.ended(talk, live).await };
            let wake = talk.until(deadline, pin!(call.chunk())).await;
            match wake {
                Wake::Done(Ok(Some(chunk))) => {
                    let now = self.edge.now();
                    heard_at = now;
                    let heard = match live.listener.hear(chunk, now) {
                        Ok(heard) => heard,
                        Err(error) => return StreamEnd::Failed(FailureClass::Protocol, error.to_string()),
                    };
                    talk.spoke(now, live.listener.keepalive_state());
                    live.keep(self.edge);
                    if let Some(end) = self.pass_heard(talk, heard).await {
                        return end;
                    }
                    if talk.down.replaying.is_some() && !talk.down.has_reader(now) {
                        return StreamEnd::Left;
                    }
                    if !self.is_paid(live, now) {
                        return StreamEnd::Spent;
                    }
                }
                Wake::Done(Ok(None)) => return self.ended(talk, live).await,
                Wake::Done(Err(_)) if live.listener.is_terminated() => return StreamEnd::Complete,
                Wake::Done(Err(error)) => return StreamEnd::Failed(error.class, error.detail),
                Wake::Deadline => {
                    if let Some(end) = self.late(talk, live, deadline) {
                        return end;
                    }
                }
                Wake::Cut => return StreamEnd::Cut,
                Wake::Left => {
                    if let Some(end) = self.left(talk) {
                        return end;
                    }
                }
            }
        }
    }

    /// Whether the stream may go on: another piece like the largest so far must be paid for, since what
    /// has come is owed to the provider. Tokens are counted only where the bound says that it matters.
    fn is_paid(&mut self, live: &mut Live, now: Ticks) -> bool {
        let Some(reservation) = &mut self.reservation else { return true };
        let bound = live.listener.output_bound();
        self.largest = self.largest.max(bound.saturating_sub(self.heard));
        self.heard = bound;
        if live.listener.is_terminated() || reservation.is_covered(bound.saturating_add(self.largest)) {
            return true;
        }
        self.heard = live.listener.output_counted();
        reservation.cover(self.heard.saturating_add(self.largest), now)
    }

    fn deadline(&self, talk: &Talk<'_>, heard_at: Ticks, is_terminated: bool) -> Ticks {
        let idle = if is_terminated { LAST_WORD_GRACE } else { self.policy.timeouts.idle };
        let deadline = heard_at.plus(idle).min(self.total);
        self.away_until(talk).map_or(deadline, |by| by.min(deadline))
    }

    /// Until when the stream is read on without its client.
    fn away_until(&self, talk: &Talk<'_>) -> Option<Ticks> {
        let awaited = talk.down.replaying.as_ref().and_then(|replaying| replaying.awaited_until());
        awaited.or(self.drained_by)
    }

    /// None where the time was the client's to come back, and it has.
    fn late(&self, talk: &mut Talk<'_>, live: &Live, deadline: Ticks) -> Option<StreamEnd> {
        if live.listener.is_terminated() {
            return Some(StreamEnd::Complete);
        }
        if self.away_until(talk).is_some_and(|by| by <= deadline) {
            let is_read = talk.down.replaying.is_some() && talk.down.has_reader(self.edge.now());
            return (!is_read).then_some(StreamEnd::Left);
        }
        Some(match deadline >= self.total {
            true => StreamEnd::Failed(FailureClass::TotalTimeout, "the call took too long".to_owned()),
            false => StreamEnd::Failed(FailureClass::IdleTimeout, "the stream fell silent".to_owned()),
        })
    }

    async fn pass_heard(&mut self, talk: &mut Talk<'_>, heard: Heard) -> Option<StreamEnd> {
        if let Some(end) = self.pass(talk, heard.pieces.into_bytes()).await {
            return Some(end);
        }
        heard.fault.map(|fault| match fault.is_nonsense() {
            true => StreamEnd::Failed(FailureClass::BadBody, fault.message),
            false => StreamEnd::Fault(fault),
        })
    }

    async fn pass(&mut self, talk: &mut Talk<'_>, piece: Option<Bytes>) -> Option<StreamEnd> {
        let piece = piece?;
        if talk.down.is_gone() {
            talk.down.keep(&piece);
            return None;
        }
        match talk.down.send(piece).await {
            Ok(()) => None,
            Err(Gone) => self.left(talk),
        }
    }

    /// The client left: the end of the call, or the beginning of its drain.
    fn left(&mut self, talk: &mut Talk<'_>) -> Option<StreamEnd> {
        if let Some(replaying) = &mut talk.down.replaying {
            // It may come back for the rest.
            replaying.note_left(self.edge.now());
            return None;
        }
        match self.policy.on_disconnect {
            OnDisconnect::Abort => Some(StreamEnd::Left),
            OnDisconnect::Drain(at_most) => {
                let by = self.edge.now().plus(at_most);
                self.drained_by.get_or_insert(by);
                None
            }
        }
    }

    async fn ended(&mut self, talk: &mut Talk<'_>, live: &mut Live) -> StreamEnd {
        let heard = live.listener.end();
        live.keep(self.edge);
        if let Some(end) = self.pass_heard(talk, heard).await {
            return end;
        }
        if live.listener.is_terminated() {
            return StreamEnd::Complete;
        }
        StreamEnd::Failed(FailureClass::Truncated, "the stream ended without its last event".to_owned())
    }
}
