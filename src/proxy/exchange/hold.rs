//! The hold of a stream: its first content is kept back for a moment, so that a break within it moves on
//! to the next target unseen.
//!
//! Not here: what comes before content, which is always kept back (`attempt`). Invariant: the hold ends at
//! the first of its bounds, whatever comes or does not come.

use super::attempt::{Aim, Attempted, Deadlines, Failure, Live, Stop, fail, landed, put, stream_fault};
use super::listener::Heard;
use super::talk::{Wake, Watch};
use crate::runtime::{Edge, Hold, OnDisconnect};
use crate::types::{FailureClass, Ticks};
use bytes::Bytes;
use std::pin::pin;

/// The bounds of one hold.
#[derive(Clone, Copy, Debug)]
struct Holding {
    rules: Hold,
    until: Ticks,
}

/// Reads on until the hold is over, where the model has one; from then on the stream is the client's.
///
/// # Errors
/// It broke before: nothing of it was sent.
pub async fn keep(
    talk: &mut Watch<'_, '_>,
    edge: &Edge,
    aim: &Aim<'_>,
    live: Box<Live>,
    deadlines: Deadlines,
) -> Result<Attempted, Stop> {
    match aim.policy.streams.hold {
        // A stream that is gone on with has been begun long ago.
        Some(rules) if aim.begun.is_none() => Box::pin(held(talk, edge, aim, live, deadlines, rules)).await,
        _ => Ok(Attempted::Streaming(live)),
    }
}

async fn held(
    talk: &mut Watch<'_, '_>,
    edge: &Edge,
    aim: &Aim<'_>,
    mut live: Box<Live>,
    deadlines: Deadlines,
    rules: Hold,
) -> Result<Attempted, Stop> {
    let mut now = edge.now();
    let holding = Holding { rules, until: now.plus(rules.time) };
    let mut bytes = live.pieces.iter().map(Bytes::len).sum();
    while !live.is_ended
        && !live.listener.is_terminated()
        && !holding.is_full(|| live.listener.output_counted(), bytes, now)
    {
        let idle = now.plus(aim.policy.timeouts.idle).min(deadlines.total);
        let Some(call) = &mut live.call else { break };
        let wake = talk.until(holding.until.min(idle), pin!(call.chunk())).await;
        now = edge.now();
        if matches!(wake, Wake::Deadline) && now >= holding.until {
            break;
        }
        let drains = matches!(aim.policy.on_disconnect, OnDisconnect::Drain(_));
        if matches!(wake, Wake::Left) && drains {
            // It is read on for its usage, as one whose client leaves later.
            break;
        }
        let class = deadlines.class(idle, FailureClass::IdleTimeout);
        let taken = landed(wake, class, "more content").and_then(|chunk| take(&mut live, chunk, now));
        match taken {
            Ok(more) => bytes += more,
            Err(stop) => {
                if matches!(stop, Stop::Failed(_)) {
                    edge.metrics.routes.held_breaks.inc();
                }
                return Err(stop);
            }
        }
    }
    Ok(Attempted::Streaming(live))
}

/// Takes what came, or the end. Gives the bytes there are more of it.
fn take(live: &mut Live, chunk: Option<Bytes>, now: Ticks) -> Result<usize, Stop> {
    let is_end = chunk.is_none();
    let heard = match chunk {
        None => Ok(live.listener.end()),
        Some(chunk) => live.listener.hear(chunk, now),
    };
    let Heard { pieces, fault, .. } = heard.map_err(|e| fail(Failure::new(FailureClass::Protocol, e)))?;
    if let Some(fault) = fault {
        return Err(fail(stream_fault(fault)));
    }
    let bytes = put(&mut live.pieces, pieces);
    live.is_ended = is_end;
    if is_end && !live.listener.is_terminated() {
        return Err(fail(Failure::new(FailureClass::Truncated, "the stream ended within its hold")));
    }
    Ok(bytes)
}

impl Holding {
    /// Whether what is kept back is enough.
    fn is_full(&self, tokens: impl FnOnce() -> u64, bytes: usize, now: Ticks) -> bool {
        now >= self.until || bytes >= self.rules.bytes_max || tokens() >= self.rules.tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(ms: u64) -> Ticks {
        Ticks::from_start(Duration::from_millis(ms))
    }

    #[test]
    fn it_ends_at_the_first_of_tokens_bytes_and_time() {
        let rules = Hold { tokens: 8, time: Duration::from_millis(50), bytes_max: 1000 };
        let holding = Holding { rules, until: at(150) };
        assert!(!holding.is_full(|| 7, 999, at(149)));
        assert!(holding.is_full(|| 8, 1, at(100)));
        assert!(holding.is_full(|| 1, 1000, at(100)));
        assert!(holding.is_full(|| 1, 1, at(150)));
    }

    #[test]
    fn tokens_are_not_counted_where_another_bound_has_decided() {
        let rules = Hold { tokens: 8, time: Duration::from_millis(50), bytes_max: 1000 };
        let holding = Holding { rules, until: at(150) };
        assert!(holding.is_full(|| panic!("counted"), 1000, at(100)));
        assert!(holding.is_full(|| panic!("counted"), 1, at(150)));
    }
}
