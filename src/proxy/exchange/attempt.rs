//! One try at one target: open, send, head, and then as much of the answer as it takes to know
//! that it is one.

use super::bodies::{answer_head, is_stream};
use super::closing::Closing;
use super::cuts::Pieces;
use super::entire;
use super::following;
use super::hold;
use super::keeper::Keeper;
use super::listener::Listener;
use super::outgoing::{Outgoing, Wrapping, as_it_came, written};
use super::prefill::Beginning;
use super::prepare::Prepared;
use super::recast::Restreamed;
use super::talk::{Wake, Watch};
use super::translate::{Translated, endpoint_of, stream_type};
use super::vectors;
use crate::dialect::codec::{self, Owed, Translator};
use crate::dialect::tap::{BodyReading, StreamFault};
use crate::framing::inflate::ContentCoding;
use crate::meter::OutputCounter;
use crate::proxy::cost;
use crate::routing::retry_after;
use crate::runtime::{Account, Edge, Lane, ModelPolicy, Provider, Runtime};
use crate::types::{Endpoint, FailureClass, Reason, Reject, Ticks, bounds};
use crate::upstream::credentials::Credential;
use crate::upstream::{Call, Head, UpstreamError, UpstreamRequest};
use bytes::{Bytes, BytesMut};
use http::header;
use std::pin::pin;
use std::time::Duration;

/// What a stream may send before its first content (pings, roles, filters) and still fail over.
const HELD_BYTES_MAX: usize = 256 * 1024;
/// How long an error body is waited for.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// Where an attempt goes.
#[derive(Clone, Copy)]
pub struct Aim<'r> {
    pub runtime: &'r Runtime,
    pub policy: &'r ModelPolicy,
    /// Index into the policy's targets.
    pub target: usize,
    pub provider: &'r Provider,
    /// Index into the provider's accounts.
    pub account: usize,
    pub upstream_model: &'r str,
    /// Set where a stream that broke is gone on with.
    pub begun: Option<&'r Beginning>,
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
    /// None once it is of no more use.
    pub call: Option<Call>,
    pub head: Head,
    pub listener: Listener,
    /// When its first content came; what a hold adds is not the target's time.
    pub content_at: Ticks,
    /// Held until now: whole events up to the first content.
    pub pieces: Vec<Bytes>,
    /// The upstream has ended already.
    pub is_ended: bool,
    /// What was left out of the request.
    pub dropped: Vec<String>,
    /// Set where the answer is to be kept here.
    pub keeper: Option<Box<Keeper>>,
}

impl Live {
    /// Keeps the answer, once, when it is whole.
    pub fn keep(&mut self, edge: &Edge) {
        if let Some(response) = self.listener.hearing().finished()
            && let Some(keeper) = self.keeper.take()
            && let Err(why) = keeper.keep(edge, response)
        {
            log::debug!("a streamed response is not kept: {why}");
        }
    }
}

/// An answer read to its end.
pub struct Answer {
    pub head: Head,
    pub body: Bytes,
    pub reading: BodyReading,
    /// What was left out of the request.
    pub dropped: Vec<String>,
    /// Whether the body was written here.
    pub is_translated: bool,
    /// Set where the body is the stream that was asked for, written of an answer that came whole.
    pub restreamed: Option<Restreamed>,
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
    /// The body is in another shape than the client's.
    pub is_foreign: bool,
    /// An idle connection ended as it was used again, before any byte of an answer.
    pub is_stale: bool,
}

/// The deadlines of one attempt.
#[derive(Clone, Copy)]
pub struct Deadlines {
    connect: Ticks,
    header: Ticks,
    pub total: Ticks,
}

impl Failure {
    pub fn new(class: FailureClass, detail: impl std::fmt::Display) -> Self {
        Self {
            class,
            may_have_been_processed: true,
            detail: detail.to_string(),
            head: None,
            body: Bytes::new(),
            fault: None,
            retry_after: None,
            is_foreign: false,
            is_stale: false,
        }
    }
}

impl From<UpstreamError> for Failure {
    fn from(error: UpstreamError) -> Self {
        let UpstreamError { class, may_have_been_processed, is_stale, detail } = error;
        Self { may_have_been_processed, is_stale, ..Self::new(class, detail) }
    }
}

/// A step that did not give what was waited for.
pub enum Stop {
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

pub fn fail(failure: Failure) -> Stop {
    Stop::Failed(Box::new(failure))
}

/// Runs one attempt, given when it begins and the deadline of the whole call.
///
/// # Errors
/// A step that did not give what was waited for; it is an [`Attempted`] too.
pub async fn run(
    talk: &mut Watch<'_, '_>,
    edge: &Edge,
    prepared: &Prepared<'_>,
    aim: &Aim<'_>,
    (begun, total): (Ticks, Ticks),
) -> Result<Attempted, Stop> {
    let account = aim.provider.accounts.get(aim.account).ok_or_else(no_account)?;
    let mut deadlines = Deadlines::new(begun, aim.policy, total);
    let lane = aim.provider.lane(prepared.endpoint, aim.upstream_model).ok_or_else(no_account)?;
    check_priced(aim)?;
    if let (Lane::Translated(way), None) = (lane, prepared.endpoint.protocol()) {
        return Box::pin(vectors::attempt(talk, edge, prepared, aim, way, total)).await;
    }
    let unfit = |reject| Stop::Unfit(Box::new(reject));
    let outgoing = match as_it_came(prepared, aim, lane).map_err(unfit)? {
        Some(outgoing) => outgoing,
        None => encoded(talk, edge, prepared, aim, lane, total).await?,
    };
    let Outgoing { mut request, translated, dropped, wrapping, is_foreign } = outgoing;
    match &account.credential {
        Credential::None => {}
        Credential::Fixed(name, value) => request.fields.push((name.clone(), value.clone())),
        Credential::Token(_) | Credential::Aws { .. } => {
            authorize(talk, account, &mut request, &deadlines).await?;
            // A first token may have taken long: that is not the provider's time.
            deadlines = Deadlines::new(edge.now(), aim.policy, total);
        }
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
        return Err(Box::pin(refused(talk, edge, call, head, is_foreign)).await);
    }
    let is_array = prepared.is_array && translated.is_none();
    let has_events = is_stream(&head, is_array);
    let answering = Answering { call, head, head_at, deadlines, translated, dropped, wrapping };
    match (prepared.is_stream, prepared.endpoint.protocol()) {
        (true, _) if has_events => Box::pin(stream(talk, edge, prepared, aim, answering)).await,
        // Nobody asked for events: they are gathered.
        (false, Some(client)) if has_events => {
            Box::pin(entire::gathered(talk, edge, prepared, aim.policy, answering, client)).await
        }
        _ => entire::whole(talk, edge, prepared, aim.policy, answering).await,
    }
}

/// An answer whose head is here.
pub struct Answering {
    pub call: Call,
    pub head: Head,
    pub head_at: Ticks,
    pub deadlines: Deadlines,
    pub translated: Option<Translated>,
    pub dropped: Vec<String>,
    pub wrapping: Wrapping,
}

impl Deadlines {
    /// What it is when `deadline` passes: the call's own end, or `otherwise`, a target's slowness.
    pub fn class(&self, deadline: Ticks, otherwise: FailureClass) -> FailureClass {
        if deadline >= self.total { FailureClass::TotalTimeout } else { otherwise }
    }

    fn new(now: Ticks, policy: &ModelPolicy, total: Ticks) -> Self {
        let after = |span: Duration| now.plus(span).min(total);
        Self { connect: after(policy.timeouts.connect), header: after(policy.timeouts.header), total }
    }
}

/// The client's request in the target's protocol, made while the client is watched: something may
/// have to be fetched for it.
async fn encoded(
    talk: &mut Watch<'_, '_>,
    edge: &Edge,
    prepared: &Prepared<'_>,
    aim: &Aim<'_>,
    lane: Lane<'_>,
    total: Ticks,
) -> Result<Outgoing, Stop> {
    let mut work = Box::pin(written(edge, prepared, aim, lane));
    match talk.until(total, work.as_mut()).await {
        Wake::Done(done) => done.map_err(|reject| Stop::Unfit(Box::new(reject))),
        Wake::Left => Err(Stop::Left),
        Wake::Cut => Err(Stop::Cut),
        Wake::Deadline => Err(fail(Failure::new(FailureClass::TotalTimeout, "no request in time"))),
    }
}

pub fn no_account() -> Stop {
    fail(Failure::new(FailureClass::Connect, "the provider has no account"))
}

/// Puts the gateway's own credential on a request that is otherwise ready. Waits only where there is
/// none that holds.
async fn authorize(
    talk: &mut Watch<'_, '_>,
    account: &Account,
    request: &mut UpstreamRequest,
    deadlines: &Deadlines,
) -> Result<(), Stop> {
    let authority = account.link.origin.authority.as_str();
    // Boxed: a fetch is rare, and its future is large.
    let work = Box::pin(account.credential.authorize(request, authority));
    let refused = match talk.until(deadlines.header, pin!(work)).await {
        Wake::Done(Ok(())) => return Ok(()),
        Wake::Left => return Err(Stop::Left),
        Wake::Cut => return Err(Stop::Cut),
        Wake::Done(Err(error)) => error.to_string(),
        Wake::Deadline => "no credential in time".to_owned(),
    };
    let mut failure = Failure::new(FailureClass::Credential, refused);
    failure.may_have_been_processed = false;
    Err(fail(failure))
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
pub fn landed<T>(
    wake: Wake<Result<T, UpstreamError>>,
    on_deadline: FailureClass,
    what: &str,
) -> Result<T, Stop> {
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

/// An answer outside 2xx: its body is read, bounded, to be shown or to learn when to come back.
async fn refused(
    talk: &mut Watch<'_, '_>,
    edge: &Edge,
    mut call: Call,
    head: Head,
    is_foreign: bool,
) -> Stop {
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
    fail(judged(edge, head, body.freeze(), is_foreign))
}

/// What an answer outside 2xx means.
pub fn judged(edge: &Edge, head: Head, body: Bytes, is_foreign: bool) -> Failure {
    let class = if head.status >= 400 { FailureClass::Status(head.status) } else { FailureClass::Protocol };
    let mut failure = Failure::new(class, format!("status {}", head.status));
    let field =
        |name: &str| head.fields.iter().find(|(n, _)| n.as_str() == name).and_then(|(_, v)| v.to_str().ok());
    failure.retry_after = retry_after(field, &body, edge.wall.now());
    failure.body = body;
    failure.is_foreign = is_foreign;
    failure.head = Some(head);
    failure
}

/// Reads a stream up to its first content: until then it may fail over.
async fn stream(
    talk: &mut Watch<'_, '_>,
    edge: &Edge,
    prepared: &Prepared<'_>,
    aim: &Aim<'_>,
    answering: Answering,
) -> Result<Attempted, Stop> {
    let Answering { mut call, mut head, head_at, deadlines, translated, dropped, wrapping } = answering;
    let by = head_at.plus(aim.policy.timeouts.first_token).min(deadlines.total);
    let class = deadlines.class(by, FailureClass::FirstTokenTimeout);
    let coding = coding(&head)?;
    // What goes down is plain: it was inflated to be listened to.
    head.fields.retain(|(name, _)| name != header::CONTENT_ENCODING);
    let kind = stream_type(prepared.endpoint, prepared.is_array);
    if translated.is_some() {
        head.fields = answer_head(kind);
    } else if wrapping == Wrapping::Invoke {
        head.fields.retain(|(name, _)| name != header::CONTENT_TYPE);
        head.fields.extend(answer_head(kind));
    }
    let mut listener = listener(edge, prepared, aim, coding, translated);
    if wrapping == Wrapping::Invoke {
        listener.unwrap_events();
    }
    following::follow(&mut listener, edge, prepared, aim);
    let mut pieces = Vec::new();
    let mut held = 0usize;
    loop {
        let chunk = talk.until(by, pin!(call.chunk())).await;
        let chunk = landed(chunk, class, "content")?;
        let Some(chunk) = chunk else {
            return stream_ended_early((call, head, edge.now()), listener, pieces, dropped);
        };
        let now = edge.now();
        let heard = listener.hear(chunk, now).map_err(|e| fail(Failure::new(FailureClass::Protocol, e)))?;
        if let Some(fault) = heard.fault {
            return Err(fail(stream_fault(fault)));
        }
        held += put(&mut pieces, heard.pieces);
        check_said_something(&listener)?;
        if heard.has_content || listener.is_terminated() || held > HELD_BYTES_MAX {
            talk.note_content();
            let (call, content_at, is_ended) = (Some(call), now, false);
            let live = Live { call, head, listener, content_at, pieces, is_ended, dropped, keeper: None };
            return hold::keep(talk, edge, aim, Box::new(live), deadlines).await;
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
    if let (Some(begun), Some(client)) = (aim.begun, prepared.endpoint.protocol()) {
        let upstream = translated.map_or(client, |translated| translated.protocol);
        let decoder = codec::Continued::new(codec::decoder(upstream), begun.seam.clone());
        let translator = Translator::new(Box::new(decoder), Box::new(begun.recorder.clone()));
        let told = (prepared.endpoint, prepared.is_array);
        return Listener::translating(endpoint_of(upstream, true), translator, told, coding, output);
    }
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
pub fn owed_in_kind(edge: &Edge, prepared: &Prepared<'_>) -> Owed {
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

pub fn put(pieces: &mut Vec<Bytes>, heard: Pieces) -> usize {
    let Some(bytes) = heard.into_bytes() else { return 0 };
    let length = bytes.len();
    pieces.push(bytes);
    length
}

pub fn coding(head: &Head) -> Result<ContentCoding, Stop> {
    let named = head.field(&header::CONTENT_ENCODING).unwrap_or("identity");
    ContentCoding::parse(named).map_err(|e| fail(Failure::new(FailureClass::Protocol, e)))
}

pub fn stream_fault(fault: StreamFault) -> Failure {
    if fault.is_nonsense() {
        return Failure::new(FailureClass::BadBody, fault.message);
    }
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
    (call, head, content_at): (Call, Head, Ticks),
    mut listener: Listener,
    mut pieces: Vec<Bytes>,
    dropped: Vec<String>,
) -> Result<Attempted, Stop> {
    let heard = listener.end();
    if let Some(fault) = heard.fault {
        return Err(fail(stream_fault(fault)));
    }
    put(&mut pieces, heard.pieces);
    check_said_something(&listener)?;
    if listener.is_terminated() {
        return Ok(Attempted::Streaming(Box::new(Live {
            call: Some(call),
            head,
            listener,
            content_at,
            pieces,
            is_ended: true,
            dropped,
            keeper: None,
        })));
    }
    Err(fail(Failure::new(FailureClass::Truncated, "the stream ended before any content")))
}
