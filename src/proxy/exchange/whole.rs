//! Answers that are not streams: whole ones, a stream written of one, and those too long to hold.

use super::attempt::{Answer, Long};
use super::keeper::Keeper;
use super::prepare::Prepared;
use super::race::Track;
use super::respond::{self, Telling};
use super::talk::{Talk, Wake};
use super::{count, downstream, pins};
use crate::archive::NotKept;
use crate::proxy::context::Ctx;
use crate::proxy::cost;
use crate::runtime::Edge;
use crate::types::{Endpoint, Reason, Reject, Usage};
use bytes::Bytes;
use std::pin::pin;
use std::sync::Arc;

/// Sends a whole answer.
pub async fn whole(
    edge: &Arc<Edge>,
    talk: &mut Talk<'_>,
    ctx: &mut Ctx,
    prepared: &Prepared<'_>,
    track: &Track<'_>,
    answer: Answer,
) {
    let Answer { head, body, reading, dropped, is_translated, restreamed } = answer;
    let told = restreamed.as_ref().and_then(|made| made.whole.clone()).unwrap_or_else(|| body.clone());
    ctx.record.service = cost::service(reading.service, &prepared.body, &dropped);
    ctx.record.dropped = dropped;
    if prepared.endpoint == Endpoint::Responses
        && is_translated
        && let Some(keeper) = Keeper::of(ctx, prepared)
        && let Ok(response) = std::str::from_utf8(&told)
    {
        ctx.record.not_kept = keeper.keep(edge, response).err().map(NotKept::as_str);
    }
    ctx.record.usage = match reading.usage {
        // A stored answer repeats the usage of the call that made it, which has been charged.
        _ if prepared.endpoint == Endpoint::ResponseById => None,
        Some(usage) => Some(usage),
        None => Box::pin(count::estimate(track.runtime, track.policy, prepared, &told)).await,
    };
    if let Some(id) = &reading.response_id {
        pins::keep(edge, ctx, track, prepared, id);
    }
    if restreamed.is_some() {
        return restreamed_answer(edge, talk, ctx, &head.fields, body).await;
    }
    if talk.down.is_untouched() {
        return respond::send_whole(edge, talk.down, ctx, head.status, &head.fields, body).await;
    }
    // A keepalive has promised a stream, and the upstream answered whole: that cannot be told.
    let reject = Reject::new(Reason::UpstreamProtocol, "the provider sent no stream where one was asked for");
    let early = Telling::early(prepared.endpoint, prepared.is_array);
    respond::tell_failure(edge, talk, ctx, early, &reject).await;
}

/// Sends a stream that was written of a whole answer.
async fn restreamed_answer(
    edge: &Edge,
    talk: &mut Talk<'_>,
    ctx: &mut Ctx,
    upstream: &downstream::Fields,
    body: Bytes,
) {
    ctx.record.first_token = Some(edge.now().since(ctx.started));
    ctx.record.status = 200;
    let sent = if talk.down.is_untouched() {
        let fields = respond::stream_fields(edge, ctx, upstream);
        talk.down.open(200, &fields, body).await
    } else {
        talk.down.send(body).await
    };
    if sent.is_err() || talk.down.close().await.is_err() {
        ctx.record.is_client_gone = true;
    }
    ctx.record.bytes_out = talk.down.bytes_out;
}

/// An answer too long to hold goes down as it comes; its usage stands near its end.
pub async fn long(
    edge: &Arc<Edge>,
    talk: &mut Talk<'_>,
    ctx: &mut Ctx,
    prepared: &Prepared<'_>,
    track: &Track<'_>,
    long: Long,
) {
    let Long { mut call, head, begun } = long;
    ctx.record.status = head.status;
    let fields = respond::long_fields(edge, ctx, &head.fields);
    ctx.record.service = cost::service(None, &prepared.body, &[]);
    let mut tail = count::Tail::new(&begun);
    if talk.down.open(head.status, &fields, begun).await.is_err() {
        ctx.record.is_client_gone = true;
        return;
    }
    let ended = loop {
        let deadline = edge.now().plus(track.policy.timeouts.idle).min(track.total);
        match talk.until(deadline, pin!(call.chunk())).await {
            Wake::Done(Ok(Some(chunk))) => {
                tail.push(&chunk);
                if talk.down.send(chunk).await.is_err() {
                    break false;
                }
            }
            Wake::Done(Ok(None)) => break true,
            _ => break false,
        }
    };
    ctx.record.usage = match tail.usage(prepared.endpoint) {
        _ if prepared.endpoint == Endpoint::ResponseById => None,
        Some(usage) => Some(usage),
        None => {
            let input = count::prompt(track.runtime, track.policy, prepared).await;
            Some(Usage { input, is_estimated: true, ..Usage::default() })
        }
    };
    ctx.record.bytes_out = talk.down.bytes_out;
    if ended {
        call.finish();
        ctx.record.is_client_gone = talk.down.close().await.is_err();
        return;
    }
    ctx.record.is_client_gone = talk.down.is_gone();
    if !ctx.record.is_client_gone {
        ctx.record.reason = Some(Reason::UpstreamTruncated);
    }
    talk.down.break_off().await;
}
