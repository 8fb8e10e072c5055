//! One try at one target: open, send, head, and then as much of the answer as it takes to know
//! that it is one.

use super::closing::Closing;
use super::cuts::Pieces;
use super::downstream::Fields;
use super::heads::{attempt_fields, translated_fields};
use super::listener::Listener;
use super::prepare::Prepared;
use super::talk::{Talk, Wake};
use super::translate::{Translated, answer, endpoint_of, read_answer, stream_type, translate};
use crate::chat::ThinkingEcho;
use crate::dialect::codec::{self, Owed, Translator};
use crate::dialect::tap::{BodyReading, StreamFault};
use crate::framing::inflate::ContentCoding;
use crate::meter::OutputCounter;
use crate::proxy::cost;
use crate::routing::retry_after;
use crate::runtime::{Account, Edge, Lane, ModelPolicy, Provider, Runtime};
use crate::types::{Endpoint, FailureClass, Protocol, Reason, Reject, Ticks, bounds};
use crate::upstream::{Call, Head, UpstreamError, UpstreamRequest};
use bytes::{Bytes, BytesMut};
use http::Method;
use http::header::{self, HeaderValue};
use std::borrow::Cow;
use std::pin::pin;
use std::time::Duration;

/// Answers up to this size are read whole before anything goes down, so that a broken one can
/// still fail over.
const WHOLE_BYTES_MAX: usize = 1024 * 1024;
/// What a stream may send before its first content (pings, roles, filters) and still fail over.
/// Longest answer that is translated whole (images come in it).
const TRANSLATED_BYTES_MAX: usize = 32 * 1024 * 1024;
const HELD_BYTES_MAX: usize = 256 * 1024;
/// How long an error body is waited for.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// Where an attempt goes.
pub struct Aim<'r> {
    pub runtime: &'r Runtime,
    pub policy: &'r ModelPolicy,
    /// Index into the policy's targets.
    pub target: usize,
    pub provider: &'r Provider,
    /// Index into the provider's accounts.
    pub account: usize,
    pub upstream_model: &'r str,
}

/// What an attempt came to.
pub enum Attempted {
    Streaming(Box<Live>),
    Whole(Box<Answer>),
    /// Too long to hold: it goes down as it comes.
    Long(Box<Long>),
    Failed(Box<Failure>),
    /// Nothing was sent: this target cannot be asked so.
    Unfit(Box<Reject>),
    Left,
    Cut,
}

/// A stream whose first content is here.
pub struct Live {
    pub call: Call,
    pub head: Head,
    pub listener: Listener,
    /// Held until now: whole events up to the first content.
    pub pieces: Vec<Bytes>,
    /// The upstream has ended already.
    pub is_ended: bool,
    /// What was left out of the request.
    pub dropped: Vec<String>,
}

/// An answer read to its end.
pub struct Answer {
    pub head: Head,
    pub body: Bytes,
    pub reading: BodyReading,
    /// What was left out of the request.
    pub dropped: Vec<String>,
}

/// The beginning of a long answer.
pub struct Long {
    pub call: Call,
    pub head: Head,
    pub begun: Bytes,
}

/// Why an attempt failed, and what the upstream said.
pub struct Failure {
    pub class: FailureClass,
    pub may_have_been_processed: bool,
    /// For the log.
    pub detail: String,
    pub head: Option<Head>,
    pub body: Bytes,
    pub fault: Option<StreamFault>,
    pub retry_after: Option<Duration>,
}

/// The deadlines of one attempt.
#[derive(Clone, Copy)]
struct Deadlines {
    connect: Ticks,
    header: Ticks,
    total: Ticks,
}

impl Failure {
    fn new(class: FailureClass, detail: impl std::fmt::Display) -> Self {
        Self {
            class,
            may_have_been_processed: true,
            detail: detail.to_string(),
            head: None,
            body: Bytes::new(),
            fault: None,
            retry_after: None,
        }
    }
}

impl From<UpstreamError> for Failure {
    fn from(error: UpstreamError) -> Self {
        let processed = error.may_have_been_processed;
        Self { may_have_been_processed: processed, ..Self::new(error.class, error.detail) }
    }
}

/// A step that did not give what was waited for.
enum Stop {
    Failed(Box<Failure>),
    Unfit(Box<Reject>),
    Left,
    Cut,
}

impl From<Stop> for Attempted {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Failed(failure) => Attempted::Failed(failure),
            Stop::Unfit(reject) => Attempted::Unfit(reject),
            Stop::Left => Attempted::Left,
            Stop::Cut => Attempted::Cut,
        }
    }
}

fn fail(failure: Failure) -> Stop {
    Stop::Failed(Box::new(failure))
}

/// Runs one attempt. `total` is the deadline of the whole call.
pub async fn run(
    talk: &mut Talk<'_>,
    edge: &Edge,
    call: &Prepared<'_>,
    aim: &Aim<'_>,
    total: Ticks,
) -> Attempted {
    match attempt(talk, edge, call, aim, total).await {
        Ok(attempted) => attempted,
        Err(stop) => stop.into(),
    }
}

async fn attempt(
    talk: &mut Talk<'_>,
    edge: &Edge,
    prepared: &Prepared<'_>,
    aim: &Aim<'_>,
    total: Ticks,
) -> Result<Attempted, Stop> {
    let account = aim.provider.accounts.get(aim.account).ok_or_else(no_account)?;
    let deadlines = Deadlines::new(edge.now(), aim.policy, total);
    let lane = aim.provider.lane(prepared.endpoint).ok_or_else(no_account)?;
    check_priced(aim)?;
    let translated = match (lane, prepared.endpoint.protocol()) {
        (Lane::Translated(way), Some(from)) => {
            let translated = translate(edge, prepared, aim, from, way.protocol);
            Some(translated.map_err(|reject| Stop::Unfit(Box::new(reject)))?)
        }
        _ => None,
    };
    let mut request = request(prepared, aim, account, lane, translated.as_ref());
    if let (Lane::Same(_), Some(protocol)) = (lane, prepared.endpoint.protocol())
        && must_be_written_anew(protocol, prepared, aim)
    {
        let opened = translate(edge, prepared, aim, protocol, protocol);
        request.body = opened.map_err(|reject| Stop::Unfit(Box::new(reject)))?.body;
    }
    let opened = talk.until(deadlines.connect, pin!(Call::open(&account.link))).await;
    let (mut call, was_reused) =
        landed(opened, deadlines.class(deadlines.connect, FailureClass::Connect), "connection")?;
    aim.provider.metrics.connection(was_reused);
    let sent_at = edge.now();
    let answered = talk
        .until(
            deadlines.header,
            pin!(async {
                call.send(&request).await?;
                call.head().await
            }),
        )
        .await;
    let class = deadlines.class(deadlines.header, FailureClass::HeaderTimeout);
    let head = landed(answered, class, "response head")?;
    let head_at = edge.now();
    aim.provider.metrics.head(head_at.since(sent_at));
    if !(200..300).contains(&head.status) {
        return Err(refused(talk, edge, call, head).await);
    }
    let is_array = prepared.is_array && translated.is_none();
    let is_stream = prepared.is_stream && is_stream(&head, is_array);
    let answering = Answering { call, head, head_at, deadlines, translated };
    if is_stream {
        stream(talk, edge, prepared, aim, answering).await
    } else {
        whole(talk, edge, prepared, aim.policy, answering).await
    }
}

struct Answering {
    call: Call,
    head: Head,
    head_at: Ticks,
    deadlines: Deadlines,
    translated: Option<Translated>,
}

impl Deadlines {
    /// What it is when `deadline` passes: the call's own end, or `otherwise`, a target's slowness.
    fn class(&self, deadline: Ticks, otherwise: FailureClass) -> FailureClass {
        if deadline >= self.total { FailureClass::TotalTimeout } else { otherwise }
    }

    fn new(now: Ticks, policy: &ModelPolicy, total: Ticks) -> Self {
        let after = |span: Duration| now.plus(span).min(total);
        Self { connect: after(policy.timeouts.connect), header: after(policy.timeouts.header), total }
    }
}

fn no_account() -> Stop {
    fail(Failure::new(FailureClass::Connect, "the provider has no account"))
}

fn request(
    prepared: &Prepared<'_>,
    aim: &Aim<'_>,
    account: &Account,
    lane: Lane<'_>,
    translated: Option<&Translated>,
) -> UpstreamRequest {
    let (Lane::Same(way) | Lane::Translated(way)) = lane;
    match translated {
        None => UpstreamRequest {
            method: prepared.method.clone(),
            path: prepared.upstream_path(&way.base_path, aim.upstream_model),
            fields: attempt_fields(&prepared.client_fields, way.protocol, aim.provider, account),
            body: prepared.upstream_body(aim.upstream_model, aim.provider.takes_stream_options),
        },
        Some(translated) => UpstreamRequest {
            method: Method::POST,
            path: format!("{}{}", way.base_path, translated.path),
            fields: translated_fields(&prepared.client_fields, way.protocol, aim.provider, account),
            body: translated.body.clone(),
        },
    }
}

/// Whether the provider would refuse the client's own bytes: another vendor's proofs stand in the
/// history, or thinking that it wants back does not.
fn must_be_written_anew(protocol: Protocol, prepared: &Prepared<'_>, aim: &Aim<'_>) -> bool {
    codec::holds_foreign(protocol, &prepared.body)
        || (protocol == Protocol::Chat
            && codec::chat::lacks_reasoning(&prepared.body)
            && aim.provider.target(&aim.runtime.catalog, aim.upstream_model).echo
                == ThinkingEcho::ReasoningContent)
}

/// A model whose calls nobody could bill is not called, where the policy says so.
fn check_priced(aim: &Aim<'_>) -> Result<(), Stop> {
    if !aim.policy.refuses_unpriced || cost::has_price(aim.runtime, aim.provider, aim.upstream_model) {
        return Ok(());
    }
    let message = format!("`{}` has no price, and this gateway refuses calls without one", aim.policy.name);
    Err(Stop::Unfit(Box::new(Reject::new(Reason::ModelNotAllowed, message).with_param("model"))))
}

/// The value of a wait, or why there is none.
fn landed<T>(wake: Wake<Result<T, UpstreamError>>, on_deadline: FailureClass, what: &str) -> Result<T, Stop> {
    match wake {
        Wake::Done(Ok(value)) => Ok(value),
        Wake::Done(Err(error)) => Err(fail(error.into())),
        Wake::Left => Err(Stop::Left),
        Wake::Cut => Err(Stop::Cut),
        Wake::Deadline => {
            let mut failure = Failure::new(on_deadline, format!("no {what} in time"));
            failure.may_have_been_processed = on_deadline != FailureClass::Connect;
            Err(fail(failure))
        }
    }
}

fn is_stream(head: &Head, is_array: bool) -> bool {
    const STREAMS: [&str; 3] =
        ["text/event-stream", "application/vnd.amazon.eventstream", "application/x-ndjson"];
    let kind = head.field(&header::CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    STREAMS.iter().any(|stream| kind.eq_ignore_ascii_case(stream))
        || (is_array && kind.eq_ignore_ascii_case("application/json"))
}

/// An answer outside 2xx: its body is read, bounded, to be shown or to learn when to come back.
async fn refused(talk: &mut Talk<'_>, edge: &Edge, mut call: Call, head: Head) -> Stop {
    let mut body = BytesMut::new();
    let deadline = edge.now().plus(ERROR_BODY_TIMEOUT);
    let is_whole = loop {
        match talk.until(deadline, pin!(call.chunk())).await {
            Wake::Done(Ok(Some(bytes))) if body.len() + bytes.len() <= bounds::ERROR_BODY_BYTES_MAX => {
                body.extend_from_slice(&bytes);
            }
            Wake::Done(Ok(None)) => break true,
            Wake::Left => return Stop::Left,
            Wake::Cut => return Stop::Cut,
            Wake::Done(_) | Wake::Deadline => break false,
        }
    };
    if is_whole {
        call.finish();
    }
    let class = if head.status >= 400 { FailureClass::Status(head.status) } else { FailureClass::Protocol };
    let mut failure = Failure::new(class, format!("status {}", head.status));
    let field =
        |name: &str| head.fields.iter().find(|(n, _)| n.as_str() == name).and_then(|(_, v)| v.to_str().ok());
    failure.retry_after = retry_after(field, &body, edge.wall.now());
    failure.body = body.freeze();
    failure.head = Some(head);
    fail(failure)
}

/// Reads a stream up to its first content: until then it may fail over.
async fn stream(
    talk: &mut Talk<'_>,
    edge: &Edge,
    prepared: &Prepared<'_>,
    aim: &Aim<'_>,
    answering: Answering,
) -> Result<Attempted, Stop> {
    let Answering { mut call, mut head, head_at, deadlines, translated } = answering;
    let by = head_at.plus(aim.policy.timeouts.first_token).min(deadlines.total);
    let class = deadlines.class(by, FailureClass::FirstTokenTimeout);
    let coding = coding(&head)?;
    // What goes down is plain: it was inflated to be listened to.
    head.fields.retain(|(name, _)| name != header::CONTENT_ENCODING);
    if translated.is_some() {
        head.fields = answer_head(stream_type(prepared.endpoint, prepared.is_array));
    }
    let dropped = translated.as_ref().map(|translated| translated.dropped.clone()).unwrap_or_default();
    let mut listener = listener(edge, prepared, aim, coding, translated);
    let mut pieces = Vec::new();
    let mut held = 0usize;
    loop {
        let chunk = talk.until(by, pin!(call.chunk())).await;
        let chunk = landed(chunk, class, "content")?;
        let Some(chunk) = chunk else {
            return stream_ended_early(call, head, listener, pieces, dropped);
        };
        let heard =
            listener.hear(chunk, edge.now()).map_err(|e| fail(Failure::new(FailureClass::Protocol, e)))?;
        if let Some(fault) = heard.fault {
            return Err(fail(stream_fault(fault)));
        }
        held += hold(&mut pieces, heard.pieces);
        check_said_something(&listener)?;
        if heard.has_content || listener.is_terminated() || held > HELD_BYTES_MAX {
            return Ok(Attempted::Streaming(Box::new(Live {
                call,
                head,
                listener,
                pieces,
                is_ended: false,
                dropped,
            })));
        }
    }
}

fn listener(
    edge: &Edge,
    prepared: &Prepared<'_>,
    aim: &Aim<'_>,
    coding: ContentCoding,
    translated: Option<Translated>,
) -> Listener {
    let family = aim.policy.family(aim.target, &prepared.model);
    let output: OutputCounter = aim.runtime.counter.output(family);
    if let (Some(translated), Some(client)) = (translated, prepared.endpoint.protocol()) {
        let upstream = endpoint_of(translated.protocol, true);
        let decoder = codec::decoder(translated.protocol);
        let translator = Translator::new(decoder, codec::encoder(client, translated.owed));
        let told = (prepared.endpoint, prepared.is_array);
        return Listener::translating(upstream, translator, told, coding, output);
    }
    let mut listener = Listener::new(prepared.endpoint, prepared.is_array, coding, output);
    if prepared.hides_usage(aim.provider.takes_stream_options) {
        listener.hide_usage();
    }
    if prepared.is_budgeted {
        listener.prepare_closing(Closing::of(prepared.endpoint, owed_in_kind(edge, prepared)));
    }
    listener
}

/// What the end of a stream that was not translated must hold.
fn owed_in_kind(edge: &Edge, prepared: &Prepared<'_>) -> Owed {
    Owed {
        model: prepared.model.clone(),
        token: format!("{:016x}{:016x}", edge.dice.roll(), edge.dice.roll()),
        created: edge.wall.unix_ms() / 1000,
        wants_usage: prepared.head.as_ref().is_some_and(|head| head.client_wants_usage()),
        is_array: prepared.is_array,
        echo: String::new(),
    }
}

/// A stream that says it is done before it has said anything, a finish reason included, is no answer.
fn check_said_something(listener: &Listener) -> Result<(), Stop> {
    let is_chat = matches!(listener.endpoint, Endpoint::ChatCompletions | Endpoint::Completions);
    if is_chat && listener.is_terminated() && !listener.hearing().has_content() {
        return Err(fail(Failure::new(FailureClass::BadBody, "the stream ended with nothing in it")));
    }
    Ok(())
}

fn hold(pieces: &mut Vec<Bytes>, heard: Pieces) -> usize {
    let Some(bytes) = heard.into_bytes() else { return 0 };
    let length = bytes.len();
    pieces.push(bytes);
    length
}

fn coding(head: &Head) -> Result<ContentCoding, Stop> {
    let named = head.field(&header::CONTENT_ENCODING).unwrap_or("identity");
    ContentCoding::parse(named).map_err(|e| fail(Failure::new(FailureClass::Protocol, e)))
}

fn stream_fault(fault: StreamFault) -> Failure {
    // A provider that answers 200 and means 400 has judged the request: no other target judges it
    // better. Everything else it may say there is its own failure.
    let is_judged = matches!(fault.status, 400 | 404 | 413 | 422);
    let class = if is_judged { FailureClass::Status(fault.status) } else { FailureClass::StreamError };
    let mut failure = Failure::new(class, &fault.code);
    failure.fault = Some(fault);
    failure
}

/// The upstream ended before any content: an empty answer if it ended as it should, else a break.
fn stream_ended_early(
    call: Call,
    head: Head,
    mut listener: Listener,
    mut pieces: Vec<Bytes>,
    dropped: Vec<String>,
) -> Result<Attempted, Stop> {
    let heard = listener.end();
    if let Some(fault) = heard.fault {
        return Err(fail(stream_fault(fault)));
    }
    hold(&mut pieces, heard.pieces);
    check_said_something(&listener)?;
    if listener.is_terminated() {
        return Ok(Attempted::Streaming(Box::new(Live {
            call,
            head,
            listener,
            pieces,
            is_ended: true,
            dropped,
        })));
    }
    Err(fail(Failure::new(FailureClass::Truncated, "the stream ended before any content")))
}

/// Reads an answer to its end, or until it is too long to hold.
async fn whole(
    talk: &mut Talk<'_>,
    edge: &Edge,
    prepared: &Prepared<'_>,
    policy: &ModelPolicy,
    answering: Answering,
) -> Result<Attempted, Stop> {
    let Answering { mut call, mut head, head_at, deadlines, translated } = answering;
    let bytes_max = if translated.is_some() { TRANSLATED_BYTES_MAX } else { WHOLE_BYTES_MAX };
    let mut by = head_at.plus(policy.timeouts.first_token).min(deadlines.total);
    let mut class = deadlines.class(by, FailureClass::FirstTokenTimeout);
    let mut first: Option<Bytes> = None;
    let mut more = BytesMut::new();
    loop {
        let held = first.as_ref().map_or(0, Bytes::len) + more.len();
        if held > bytes_max && translated.is_some() {
            return Err(fail(Failure::new(FailureClass::BadBody, "the answer is too long to translate")));
        }
        if held > bytes_max {
            let begun = joined(first, more);
            return Ok(Attempted::Long(Box::new(Long { call, head, begun })));
        }
        let chunk = talk.until(by, pin!(call.chunk())).await;
        match landed(chunk, class, "body")? {
            Some(bytes) if first.is_none() => first = Some(bytes),
            Some(bytes) => more.extend_from_slice(&bytes),
            None => break,
        }
        by = edge.now().plus(policy.timeouts.idle).min(deadlines.total);
        class = deadlines.class(by, FailureClass::IdleTimeout);
    }
    call.finish();
    let body = joined(first, more);
    let upstream = translated.as_ref().map_or(prepared.endpoint, |t| endpoint_of(t.protocol, false));
    let plain = plain(&head, &body);
    let mut reading = read_answer(upstream, &plain);
    if let Some(fault) = reading.fault {
        return Err(fail(stream_fault(fault)));
    }
    if !reading.is_expected_shape {
        return Err(fail(Failure::new(FailureClass::BadBody, "not the body this endpoint answers with")));
    }
    let (Some(translated), Some(client)) = (translated, prepared.endpoint.protocol()) else {
        drop(plain);
        return Ok(Attempted::Whole(Box::new(Answer { head, body, reading, dropped: Vec::new() })));
    };
    let answered = answer(&translated, client, &plain);
    let (body, usage) = answered.map_err(|e| fail(Failure::new(FailureClass::BadBody, e)))?;
    reading.usage = usage.or(reading.usage);
    reading.response_id = None;
    head.fields = answer_head("application/json");
    Ok(Attempted::Whole(Box::new(Answer { head, body, reading, dropped: translated.dropped })))
}

/// The head of an answer written here: the provider's fields describe another one.
fn answer_head(content_type: &'static str) -> Fields {
    vec![(header::CONTENT_TYPE, HeaderValue::from_static(content_type))]
}

/// A body without its content coding; empty where that cannot be undone.
fn plain<'b>(head: &Head, body: &'b Bytes) -> Cow<'b, [u8]> {
    let coding =
        head.field(&header::CONTENT_ENCODING).map_or(Ok(ContentCoding::Identity), ContentCoding::parse);
    match coding {
        Ok(ContentCoding::Identity) => Cow::Borrowed(body),
        Ok(coding) => {
            let plain = crate::framing::inflate::inflate_all(coding, body, 16 * WHOLE_BYTES_MAX);
            Cow::Owned(plain.unwrap_or_default().to_vec())
        }
        Err(_) => Cow::Borrowed(&[]),
    }
}

fn joined(first: Option<Bytes>, more: BytesMut) -> Bytes {
    match first {
        None => more.freeze(),
        Some(first) if more.is_empty() => first,
        Some(first) => {
            let mut all = BytesMut::with_capacity(first.len() + more.len());
            all.extend_from_slice(&first);
            all.extend_from_slice(&more);
            all.freeze()
        }
    }
}
