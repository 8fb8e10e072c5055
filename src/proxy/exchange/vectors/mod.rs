//! One try at a provider of another shape, for vectors or a ranking: the calls it takes, at once but
//! bounded, and one answer of them.
//!
//! Not here: calls in the provider's own shape, which pass unread (`attempt`). Invariant: all calls of
//! a try succeed, or the try has failed and another target gets all inputs.

mod plan;
mod reading;

use super::aside::aside;
use super::attempt::{Aim, Answer, Attempted, Failure, Stop, fail, judged, no_account};
use super::bodies::answer_head;
use super::count;
use super::heads::head_count;
use super::outgoing::{place, translated_request};
use super::prepare::Prepared;
use super::talk::{Wake, Watch};
use crate::dialect::tap::BodyReading;
use crate::framing::inflate::{ContentCoding, inflate_all};
use crate::runtime::{Account, Edge, ModelPolicy, Way};
use crate::types::{FailureClass, Reason, Reject, Ticks, Usage, bounds};
use crate::upstream::{Call, Head, UpstreamError, UpstreamRequest, several};
use bytes::{Bytes, BytesMut};
use http::header;
use plan::Order;
use reading::Told;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Calls of one try under way at once.
const CALLS_AT_ONCE: usize = 4;
/// All answers of one try together: two thousand vectors of three thousand numbers.
const ANSWERS_BYTES_MAX: usize = 96 * 1024 * 1024;

/// What one call needs besides its request.
struct Caller<'a> {
    edge: &'a Edge,
    aim: &'a Aim<'a>,
    account: &'a Account,
    /// Bytes that answers may still have.
    room: AtomicUsize,
}

/// Runs one attempt. `total` is the deadline of the whole call.
pub async fn attempt(
    talk: &mut Watch<'_, '_>,
    edge: &Edge,
    prepared: &Prepared<'_>,
    aim: &Aim<'_>,
    way: &Way,
    total: Ticks,
) -> Result<Attempted, Stop> {
    let account = aim.provider.accounts.get(aim.account).ok_or_else(no_account)?;
    let order = Order::of(edge, prepared, aim, way);
    let planned = aside(prepared.body.len(), move || order.plan()).await.ok_or_else(ending)?;
    let plan = planned.map_err(|reject| Stop::Unfit(Box::new(reject)))?;
    let caller = Caller { edge, aim, account, room: AtomicUsize::new(ANSWERS_BYTES_MAX) };
    let call = |body: &Bytes| {
        // No front tells calls for vectors apart by more than their path.
        let path = place(way, prepared.endpoint, aim.upstream_model, false, (&plan.path, None));
        caller.call(translated_request(prepared, aim, way, path, body.clone()))
    };
    let calls: Vec<_> = plan.bodies.iter().map(call).collect();
    let told = match talk.until(total, pin!(several(calls, CALLS_AT_ONCE))).await {
        Wake::Done(Ok(told)) => told,
        Wake::Done(Err(failure)) => return Err(Stop::Failed(failure)),
        Wake::Left => return Err(Stop::Left),
        Wake::Cut => return Err(Stop::Cut),
        Wake::Deadline => return Err(fail(Failure::new(FailureClass::TotalTimeout, "no answer in time"))),
    };
    let estimate = match plan.reading.may_lack_usage() {
        true => {
            let input = count::prompt(aim.runtime, aim.policy, prepared).await;
            Some(Usage { input, is_estimated: true, ..Usage::default() })
        }
        false => None,
    };
    let plan::Plan { reading, dropped, .. } = plan;
    let bytes = told.iter().map(|told| told.body.len()).sum();
    let answered = aside(bytes, move || reading.answer(&told, estimate)).await.ok_or_else(ending)?;
    let (body, usage) = answered.map_err(|e| fail(Failure::new(FailureClass::BadBody, e)))?;
    let head = Head { status: 200, fields: answer_head("application/json"), length: None };
    let reading = BodyReading { usage, is_expected_shape: true, ..BodyReading::default() };
    Ok(Attempted::Whole(Box::new(Answer {
        head,
        body,
        reading,
        dropped,
        is_translated: true,
        restreamed: None,
    })))
}

/// The thread for long work is gone: the process ends.
fn ending() -> Stop {
    Stop::Unfit(Box::new(Reject::new(Reason::Draining, "the gateway is shutting down")))
}

impl Caller<'_> {
    async fn authorize(&self, request: &mut UpstreamRequest) -> Result<(), Failure> {
        let authority = self.account.link.origin.authority.as_str();
        let work = self.account.credential.authorize(request, authority);
        let refused = match pingora_timeout::timeout(self.aim.policy.timeouts.header, work).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no credential in time".to_owned(),
        };
        let mut failure = Failure::new(FailureClass::Credential, refused);
        failure.may_have_been_processed = false;
        Err(failure)
    }

    /// One call from its connection to the last byte of its answer.
    async fn call(&self, request: UpstreamRequest) -> Result<Told, Box<Failure>> {
        self.answer(request).await.map_err(Box::new)
    }

    async fn answer(&self, mut request: UpstreamRequest) -> Result<Told, Failure> {
        let (metrics, policy) = (&self.aim.provider.metrics, self.aim.policy);
        self.authorize(&mut request).await?;
        let opened = within(policy.timeouts.connect, Call::open(&self.account.link), FailureClass::Connect);
        let (mut call, was_reused) = opened.await?;
        metrics.connection(was_reused);
        let sent_at = self.edge.now();
        let answered = async {
            call.send(&request).await?;
            call.head().await
        };
        let head = within(policy.timeouts.header, answered, FailureClass::HeaderTimeout).await?;
        metrics.head(self.edge.now().since(sent_at));
        if !(200..300).contains(&head.status) {
            // An error body that does not come, or is too long, is left out.
            let room = AtomicUsize::new(bounds::ERROR_BODY_BYTES_MAX);
            let body = read(&mut call, policy, &room).await.unwrap_or_default();
            return Err(judged(self.edge, head, body, true));
        }
        let body = read(&mut call, policy, &self.room).await?;
        call.finish();
        let body = plain(&head, body)
            .ok_or_else(|| Failure::new(FailureClass::Protocol, "the answer's coding cannot be undone"))?;
        Ok(Told { body, counted: head_count(&head) })
    }
}

/// The whole body, as long as there is room for it.
async fn read(call: &mut Call, policy: &ModelPolicy, room: &AtomicUsize) -> Result<Bytes, Failure> {
    let mut body = BytesMut::new();
    let mut limit = (policy.timeouts.first_token, FailureClass::FirstTokenTimeout);
    while let Some(chunk) = within(limit.0, call.chunk(), limit.1).await? {
        let takes = |left: usize| left.checked_sub(chunk.len());
        if room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, takes).is_err() {
            return Err(Failure::new(FailureClass::BadBody, "the answer is too long to translate"));
        }
        body.extend_from_slice(&chunk);
        limit = (policy.timeouts.idle, FailureClass::IdleTimeout);
    }
    Ok(body.freeze())
}

async fn within<T>(
    span: Duration,
    step: impl Future<Output = Result<T, UpstreamError>>,
    class: FailureClass,
) -> Result<T, Failure> {
    match pingora_timeout::timeout(span, step).await {
        Ok(done) => done.map_err(Failure::from),
        Err(_) => {
            let mut failure = Failure::new(class, "no answer in time");
            failure.may_have_been_processed = class != FailureClass::Connect;
            Err(failure)
        }
    }
}

/// A body without its content coding.
fn plain(head: &Head, body: Bytes) -> Option<Vec<u8>> {
    let named = head.field(&header::CONTENT_ENCODING).unwrap_or("identity");
    match ContentCoding::parse(named).ok()? {
        ContentCoding::Identity => Some(Vec::from(body)),
        coding => inflate_all(coding, &body, ANSWERS_BYTES_MAX).ok(),
    }
}
