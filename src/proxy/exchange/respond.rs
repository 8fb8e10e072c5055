//! Answers that are not an upstream's stream: whole bodies, refusals, failures. The one place where
//! a failure becomes a status and words.

use super::attempt::Failure;
use super::downstream::{Downstream, Fields};
use super::dropped;
use super::heads::answer_fields;
use super::talk::Talk;
use super::translate::stream_type;
use crate::dialect::errors::{self, StreamForm, StreamPlace};
use crate::dialect::tap::StreamFault;
use crate::framing::FieldLines;
use crate::proxy::context::Ctx;
use crate::proxy::cost;
use crate::runtime::Edge;
use crate::types::{Dialect, Endpoint, FailureClass, Reason, Reject, RequestId};
use bytes::Bytes;
use http::{HeaderValue, header};
use std::time::Duration;

/// Refuses a request that nothing has been sent for. Boxed: every caller's future would hold it.
pub async fn refuse(edge: &Edge, down: &mut Downstream, ctx: &mut Ctx, reject: Reject) {
    Box::pin(send_reject(edge, down, ctx, &reject)).await;
}

/// Sends a reject as the whole answer.
pub async fn send_reject(edge: &Edge, down: &mut Downstream, ctx: &mut Ctx, reject: &Reject) {
    ctx.record.note_reject(reject);
    let id = ctx.id.to_string();
    let body = errors::render_body(ctx.dialect, reject, &id);
    let fields = reject_fields(edge, ctx, reject);
    finish_answer(down, ctx, reject.status, fields, Bytes::from(body)).await;
}

/// The fields of a refusal.
pub fn reject_fields(edge: &Edge, ctx: &mut Ctx, reject: &Reject) -> FieldLines {
    let mut fields = FieldLines::with_capacity(OWN_FIELDS_BYTES);
    push(&mut fields, "content-type", "application/json");
    push_own_fields(edge, ctx, &mut fields);
    push(&mut fields, "x-tidegate-reason", reject.reason.as_str());
    push(&mut fields, "x-tidegate-origin", reject.origin.as_str());
    if ctx.dialect == Dialect::Bedrock {
        // AWS SDKs choose the exception they raise by it.
        push(&mut fields, "x-amzn-errortype", errors::bedrock::error_type(reject.status));
    }
    push_retry_after(&mut fields, reject.retry_after);
    if let Some((name, value)) = reject.field {
        push(&mut fields, name, value);
    }
    fields
}

/// Sends an upstream's own error body: the client's mistake, told in the provider's words.
pub async fn send_client_fault(edge: &Edge, down: &mut Downstream, ctx: &mut Ctx, failure: Failure) {
    let status = failure.head.as_ref().map_or(502, |head| head.status);
    ctx.record.status = status;
    ctx.record.reason = Some(Reason::UpstreamError);
    ctx.record.origin = Some(crate::types::Origin::Provider);
    let upstream = failure.head.map(|head| head.fields).unwrap_or_default();
    let mut fields = answer_fields(&upstream, has_limits(ctx), OWN_FIELDS_BYTES);
    push_own_fields(edge, ctx, &mut fields);
    push(&mut fields, "x-tidegate-reason", Reason::UpstreamError.as_str());
    push(&mut fields, "x-tidegate-origin", "provider");
    finish_answer(down, ctx, status, fields, failure.body).await;
}

/// Sends an upstream's whole answer, byte for byte.
pub async fn send_whole(
    edge: &Edge,
    down: &mut Downstream,
    ctx: &mut Ctx,
    status: u16,
    upstream: &Fields,
    body: Bytes,
) {
    ctx.record.status = status;
    let mut fields = answer_fields(upstream, has_limits(ctx), OWN_FIELDS_BYTES);
    push_own_fields(edge, ctx, &mut fields);
    ctx.record.cost = cost::of(ctx);
    if let Some(money) = cost::charged(ctx) {
        fields.push_shown("x-tidegate-cost-usd", &money);
    }
    finish_answer(down, ctx, status, fields, body).await;
}

async fn finish_answer(down: &mut Downstream, ctx: &mut Ctx, status: u16, fields: FieldLines, body: Bytes) {
    if down.answer(status, &fields, body).await.is_err() {
        ctx.record.is_client_gone = true;
    }
    ctx.record.bytes_out = down.bytes_out;
}

/// The head of a stream: the upstream's fields and ours, and what keeps proxies from buffering it.
pub fn stream_fields(edge: &Edge, ctx: &mut Ctx, upstream: &Fields) -> FieldLines {
    let is_wrapped = is_wrapped(ctx);
    let is_ours = |name: &str| match name {
        "content-type" => is_wrapped,
        _ => matches!(name, "cache-control" | "x-accel-buffering"),
    };
    let kept: Fields = upstream.iter().filter(|(name, _)| !is_ours(name.as_str())).cloned().collect();
    let mut fields = answer_fields(&kept, has_limits(ctx), OWN_FIELDS_BYTES + 64);
    if is_wrapped {
        push(&mut fields, "content-type", stream_type(Endpoint::ConverseStream, false));
    }
    push(&mut fields, "cache-control", "no-cache");
    push(&mut fields, "x-accel-buffering", "no");
    push_own_fields(edge, ctx, &mut fields);
    fields
}

/// Whether the client reads Anthropic's events in Amazon's framing.
fn is_wrapped(ctx: &Ctx) -> bool {
    ctx.dialect == Dialect::Bedrock && ctx.record.endpoint == Some(Endpoint::Messages)
}

/// The head of a long answer; its length is not kept, as it is sent in pieces.
pub fn long_fields(edge: &Edge, ctx: &mut Ctx, upstream: &Fields) -> FieldLines {
    let mut fields = answer_fields(upstream, has_limits(ctx), OWN_FIELDS_BYTES);
    push_own_fields(edge, ctx, &mut fields);
    fields
}

/// The head that a keepalive commits before any upstream has answered.
pub fn early_stream_fields(edge: &Edge, ctx: &mut Ctx, endpoint: Endpoint, is_array: bool) -> FieldLines {
    let kind = stream_type(endpoint, is_array);
    let upstream = vec![(header::CONTENT_TYPE, HeaderValue::from_static(kind))];
    stream_fields(edge, ctx, &upstream)
}

/// What is told of a stream that failed so.
pub fn stream_reject(class: FailureClass) -> Reject {
    let message = match class {
        FailureClass::IdleTimeout => "the provider's stream fell silent",
        FailureClass::TotalTimeout => "the call took longer than its limit",
        FailureClass::Truncated => "the provider's stream broke before its end",
        _ => "the provider's stream was not understood",
    };
    Reject::new(Reason::StreamFailed, message)
}

/// Where in which stream a failure is told.
#[derive(Clone, Copy)]
pub struct Telling<'a> {
    pub endpoint: Endpoint,
    pub is_array: bool,
    /// Responses: the id the upstream gave, and how many events it sent.
    pub response_id: Option<&'a str>,
    pub events: u64,
}

impl Telling<'_> {
    /// Before any event of an upstream.
    pub fn early(endpoint: Endpoint, is_array: bool) -> Self {
        Self { endpoint, is_array, response_id: None, events: 0 }
    }
}

/// Tells a failure: as the answer where none has begun, else as the stream's last event.
pub async fn tell_failure(edge: &Edge, talk: &mut Talk<'_>, ctx: &mut Ctx, at: Telling<'_>, reject: &Reject) {
    Box::pin(tell(edge, talk, ctx, at, reject)).await;
}

async fn tell(edge: &Edge, talk: &mut Talk<'_>, ctx: &mut Ctx, at: Telling<'_>, reject: &Reject) {
    if talk.down.is_untouched() {
        return send_reject(edge, talk.down, ctx, reject).await;
    }
    ctx.record.reason = Some(reject.reason);
    ctx.record.origin = Some(reject.origin);
    ctx.record.status = 200;
    tell_event(talk, ctx.id, at, reject).await;
    ctx.record.bytes_out = talk.down.bytes_out;
}

/// Ends a stream that has begun with a failure.
pub async fn tell_event(talk: &mut Talk<'_>, id: RequestId, at: Telling<'_>, reject: &Reject) {
    let form = if at.is_array { StreamForm::JsonArray(talk.down.array_state()) } else { StreamForm::Sse };
    let id = id.to_string();
    let place = StreamPlace {
        endpoint: at.endpoint,
        form,
        request_id: &id,
        response_id: at.response_id,
        next_sequence: at.events,
    };
    let event = errors::render_stream_error(&place, reject);
    if talk.down.end(Bytes::from(event)).await.is_err() {
        talk.down.break_off().await;
    }
}

/// What a failed attempt is to the client when no other one follows. `needles`: hosts and
/// credentials of the provider, which no message may hold.
pub fn reject_of(failure: &Failure, needles: &[&[u8]]) -> Reject {
    let reject = match (failure.class, &failure.fault) {
        (_, Some(fault)) => fault_reject(Reason::UpstreamError, fault, needles),
        (FailureClass::Status(status), None) => errors::provider_reject(status, &failure.body, needles),
        (class, None) => class_reject(class),
    };
    match failure.retry_after {
        Some(span) => reject.with_retry_after(span),
        None => reject,
    }
}

/// A failure that the provider told inside its answer.
pub fn fault_reject(reason: Reason, fault: &StreamFault, needles: &[&[u8]]) -> Reject {
    let is_clean = !fault.message.trim().is_empty()
        && !errors::leaks(fault.message.as_bytes(), needles)
        && !fault.message.contains("://");
    let words = if is_clean { fault.message.clone() } else { "the provider failed".to_owned() };
    Reject::new(reason, words).with_status(fault.status).from_provider()
}

fn class_reject(class: FailureClass) -> Reject {
    let (reason, message) = match class {
        FailureClass::Dns | FailureClass::Connect | FailureClass::Tls => {
            (Reason::UpstreamConnect, "the provider cannot be reached")
        }
        FailureClass::Credential => {
            (Reason::UpstreamCredential, "the gateway cannot get its own credential for the provider")
        }
        FailureClass::HeaderTimeout => (Reason::UpstreamTimeout, "the provider did not answer in time"),
        FailureClass::FirstTokenTimeout => (Reason::UpstreamTimeout, "the provider sent no content in time"),
        FailureClass::IdleTimeout => (Reason::UpstreamTimeout, "the provider's stream fell silent"),
        FailureClass::TotalTimeout => (Reason::UpstreamTimeout, "the call took longer than its limit"),
        FailureClass::Truncated => (Reason::UpstreamTruncated, "the provider's answer ended before its end"),
        _ => (Reason::UpstreamProtocol, "the provider's answer was not understood"),
    };
    Reject::new(reason, message)
}

/// The fields every answer of an LLM call carries.
pub fn push_own_fields(edge: &Edge, ctx: &mut Ctx, fields: &mut FieldLines) {
    fields.push("x-tidegate-request-id", &ctx.id.text());
    let record = &ctx.record;
    if let Some(provider) = record.provider.and_then(|index| ctx.runtime.providers.get(index)) {
        push(fields, "x-tidegate-provider", &provider.name);
    }
    if let Some(model) = &record.upstream_model {
        push(fields, "x-tidegate-upstream-model", model);
    }
    if record.attempts > 0 {
        fields.push_number("x-tidegate-attempts", u64::from(record.attempts));
    }
    if let Some(route) = &record.route {
        fields.push_shown("x-tidegate-route", route);
    }
    if let Some(span) = record.queued {
        fields.push_number("x-tidegate-queue-ms", u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
    }
    if !record.failures.is_empty() {
        push(fields, "x-tidegate-failures", &failures(ctx));
    }
    if !record.dropped.is_empty() {
        push(fields, "x-tidegate-dropped", &dropped::listed(&record.dropped));
    }
    if let Some(why) = record.not_kept {
        push(fields, "x-tidegate-not-stored", why);
    }
    if let Some(model) = &record.downgraded_to {
        push(fields, "x-tidegate-downgraded-to", model);
    }
    if ctx.runtime.limits.till().is_lost() {
        push(fields, "x-tidegate-sharing", "lost");
    }
    if let Some(counted) = record.counted_input {
        fields.push_number("x-tidegate-input-tokens", counted);
    }
    let now = edge.now();
    push_limits(ctx, fields, now);
    let overhead = now.since(ctx.started).saturating_sub(ctx.record.waited);
    ctx.record.overhead = Some(overhead);
    fields.push_number("x-tidegate-overhead-us", u64::try_from(overhead.as_micros()).unwrap_or(u64::MAX));
}

/// `provider:class` of each failed attempt, in order.
fn failures(ctx: &Ctx) -> String {
    let name = |index: usize| ctx.runtime.providers.get(index).map_or("", |provider| provider.name.as_str());
    let all: Vec<String> = ctx
        .record
        .failures
        .iter()
        .map(|(index, class)| format!("{}:{}", name(*index), class.as_str()))
        .collect();
    all.join(",")
}

fn push_limits(ctx: &Ctx, fields: &mut FieldLines, now: crate::types::Ticks) {
    let snapshot = match (&ctx.told, &ctx.caller) {
        (Some(told), _) => *told,
        (None, Some(caller)) => caller.reservation.snapshot(now),
        (None, None) => return,
    };
    for (allowance, names) in [(snapshot.requests, REQUEST_NAMES), (snapshot.tokens, TOKEN_NAMES)] {
        let Some(allowance) = allowance else { continue };
        let [limit, remaining, reset] = names;
        fields.push_number(limit, allowance.limit);
        fields.push_number(remaining, allowance.remaining);
        fields.push(reset, crate::limits::GoDuration(allowance.reset).text().as_str().as_bytes());
    }
}

const REQUEST_NAMES: [&str; 3] =
    ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"];
const TOKEN_NAMES: [&str; 3] =
    ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];

fn has_limits(ctx: &Ctx) -> bool {
    ctx.caller.as_ref().is_some_and(|caller| caller.has_limits)
}

/// Whole seconds, rounded up, at least one (RFC 9110 §10.2.3); and milliseconds for SDKs that read
/// them.
fn push_retry_after(fields: &mut FieldLines, span: Option<Duration>) {
    let Some(span) = span else { return };
    fields.push_shown("retry-after", &span.as_millis().div_ceil(1000).max(1));
    fields.push_shown("retry-after-ms", &span.as_millis().max(1));
}

/// Room for the fields that are added here.
const OWN_FIELDS_BYTES: usize = 768;

fn push(fields: &mut FieldLines, name: &str, value: &str) {
    fields.push(name, value.as_bytes());
}
