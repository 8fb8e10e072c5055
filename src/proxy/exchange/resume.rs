//! Reading a stream again: its events are kept, numbered, while it is written, and who lost the
//! connection gets those it missed, and then what comes.
//!
//! Opted in by a model's `resume`. The client asks again on the same path, with the key it had, the call's
//! id in `x-tidegate-resume` and the last event's number in `Last-Event-ID`. No upstream is asked and
//! nothing is charged for it. Not here: what is kept (`runtime::replays`), and how long the upstream is
//! read on for a client that is away (`relay`).

use super::downstream::Downstream;
use super::prepare::Prepared;
use super::respond::{self, Telling};
use super::talk::{Talk, Wake};
use crate::dialect::keepalive::KeepaliveState;
use crate::framing::ClientHead;
use crate::proxy::context::Ctx;
use crate::runtime::replays::{Found, Reader, ReplayEnd, Unread};
use crate::runtime::{Edge, ModelPolicy};
use crate::types::{Endpoint, Reason, Reject, RequestId};
use bytes::Bytes;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

const RESUME: &str = "x-tidegate-resume";
/// Longest one is waited for what comes next; its upstream has a deadline of its own.
const NEXT_MAX: Duration = Duration::from_secs(3600);
/// One of those who read it may be a connection whose loss is not known yet.
const CROWDED_RETRY: Duration = Duration::from_secs(5);

/// A stream that is asked for again.
pub struct Asked {
    id: RequestId,
    /// The number of the last event the client has.
    after: u64,
}

/// What the request says of it, if it does.
pub fn asked(client: &ClientHead) -> Option<Result<Asked, Reject>> {
    if !client.has(RESUME) {
        return None;
    }
    let after = match client.has("last-event-id") {
        true => client.text("last-event-id").and_then(|after| after.trim().parse().ok()),
        false => Some(0),
    };
    let asked = id_of(client).zip(after).map(|(id, after)| Asked { id, after });
    let wrong = "x-tidegate-resume is the id of a request, and Last-Event-ID the number of its last event";
    Some(asked.ok_or_else(|| Reject::new(Reason::InvalidRequest, wrong)))
}

/// Whether it reads on a stream that is kept here, whoever's: its call has been let in before, and goes on.
/// Nothing else is done for who says so.
pub fn goes_on(edge: &Edge, client: &ClientHead) -> bool {
    client.has(RESUME) && id_of(client).is_some_and(|id| edge.replays.has(id))
}

fn id_of(client: &ClientHead) -> Option<RequestId> {
    RequestId::parse(client.text(RESUME)?.trim())
}

/// Begins to keep a stream, where the model has its streams kept and the client reads events of SSE.
pub fn begin(edge: &Edge, ctx: &Ctx, prepared: &Prepared<'_>, policy: &ModelPolicy, down: &mut Downstream) {
    let (Some(rules), Some(caller)) = (policy.streams.resume, &ctx.caller) else { return };
    let is_sse = !matches!(prepared.endpoint, Endpoint::ConverseStream | Endpoint::OllamaChat);
    if !is_sse || prepared.is_array || prepared.hit.is_wrapped() {
        return;
    }
    let owner = &caller.principal.key_id;
    down.replaying = edge.replays.begin(ctx.id, owner, prepared.endpoint, rules, edge.now()).map(Box::new);
}

/// Answers with the rest of a stream.
pub async fn run(
    edge: &Arc<Edge>,
    down: &mut Downstream,
    ctx: &mut Ctx,
    prepared: &Prepared<'_>,
    asked: Result<Asked, Reject>,
) {
    ctx.record.is_stream = true;
    let mut reader = match asked.and_then(|asked| find(edge, ctx, prepared, &asked)) {
        Ok(reader) => reader,
        Err(reject) => return respond::refuse(edge, down, ctx, reject).await,
    };
    let first = reader.read();
    if first == Found::Gone {
        let message = "events behind this one are not kept any more, or never were";
        return respond::refuse(edge, down, ctx, Reject::new(Reason::NotFound, message).with_status(409))
            .await;
    }
    let mut talk = Talk::new(down, edge, prepared.endpoint);
    let head = respond::early_stream_fields(edge, ctx, prepared.endpoint, false);
    talk.keep_alive(ctx.runtime.edge.stream_keepalive, head, KeepaliveState::BeforeFirstEvent);
    let head = respond::early_stream_fields(edge, ctx, prepared.endpoint, false);
    ctx.record.status = 200;
    edge.metrics.routes.resumed.inc();
    if talk.down.open(200, &head, Bytes::new()).await.is_err() {
        ctx.record.is_client_gone = true;
        return;
    }
    if let Err(reject) = follow(edge, &mut talk, &mut reader, first).await {
        let at = Telling::early(prepared.endpoint, false);
        respond::tell_failure(edge, &mut talk, ctx, at, &reject).await;
    }
    ctx.record.is_client_gone |= talk.down.is_gone();
    ctx.record.bytes_out = talk.down.bytes_out;
}

fn find(edge: &Edge, ctx: &Ctx, prepared: &Prepared<'_>, asked: &Asked) -> Result<Reader, Reject> {
    let owner = ctx.caller.as_ref().map_or("", |caller| &*caller.principal.key_id);
    let found = edge.replays.find(asked.id, owner, prepared.endpoint, asked.after, edge.now());
    found.map_err(|why| match why {
        Unread::Unknown => {
            let message = "no stream of this id is kept for this key, on this path, at this node";
            Reject::new(Reason::NotFound, message)
        }
        Unread::Crowded => {
            let message = "as many read this stream at once as may";
            Reject::new(Reason::ConcurrencyLimited, message).with_retry_after(CROWDED_RETRY)
        }
    })
}

/// Passes on what is there and what comes, until the stream or the client ends.
async fn follow(edge: &Edge, talk: &mut Talk<'_>, reader: &mut Reader, first: Found) -> Result<(), Reject> {
    let mut found = first;
    loop {
        match found {
            Found::Events(bytes, _) => {
                if talk.down.send(bytes).await.is_err() {
                    return Ok(());
                }
                talk.spoke(edge.now(), KeepaliveState::BetweenEvents { open_block: None });
            }
            Found::Nothing => match talk.until(edge.now().plus(NEXT_MAX), pin!(reader.changed())).await {
                Wake::Done(()) => {}
                Wake::Left => return Ok(()),
                Wake::Cut => return Err(Reject::new(Reason::Draining, "the gateway is shutting down")),
                Wake::Deadline => return Err(Reject::new(Reason::StreamFailed, "the stream fell silent")),
            },
            Found::End(ReplayEnd::Complete) => {
                let _ = talk.down.close().await;
                return Ok(());
            }
            Found::End(ReplayEnd::Broken) => {
                return Err(Reject::new(Reason::StreamFailed, "the stream broke before its end"));
            }
            Found::Gone => {
                let message = "the stream ran ahead: events behind the last one are not kept any more";
                return Err(Reject::new(Reason::StreamFailed, message));
            }
        }
        found = reader.read();
    }
}
