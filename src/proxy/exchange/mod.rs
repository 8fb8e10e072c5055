//! The exchange lane: every LLM endpoint, inside one phase. Body, model, count, plan, race, relay,
//! answer: each step is a file.

mod affine;
mod alarm;
mod aside;
mod attempt;
mod bodies;
pub mod body;
mod chat_form;
mod closing;
mod coalesce;
mod copied;
mod count;
mod cuts;
pub mod downstream;
mod dropped;
mod entire;
mod following;
mod gate;
mod heads;
mod health;
mod hearing;
mod hedge;
mod hold;
mod keeper;
mod kept;
mod listener;
mod mirror;
mod needles;
mod outgoing;
mod pins;
mod prefill;
mod prepare;
mod queue;
mod race;
mod recall;
mod recast;
mod recover;
mod relay;
mod remember;
mod remote;
pub mod respond;
pub mod resume;
mod route;
mod splitter;
mod talk;
mod translate;
mod undress;
mod unserved;
mod vectors;
pub mod vigil;
mod whole;

pub use health::account;
pub use prepare::PRIORITY;

use super::context::Ctx;
use super::cost;
use super::local;
use crate::dialect::errors;
use crate::dialect::keepalive::KeepaliveState;
use crate::dialect::paths::Hit;
use crate::framing::ClientHead;
use crate::runtime::{Edge, ModelPolicy, Runtime};
use crate::telemetry::{AttemptOutcome, GaugeGuard};
use crate::types::{Endpoint, FailureClass, Reason, Reject, Usage};
use attempt::{Failure, Live};
use body::NoBody;
use bytes::Bytes;
use coalesce::Sharing;
use count::Turned;
use downstream::Downstream;
use keeper::Keeper;
use needles::{held_needles, needles};
use pins::Pinned;
use prepare::Prepared;
use race::{Raced, Track};
use relay::StreamEnd;
use respond::Telling;
use std::sync::Arc;
use talk::Talk;

/// Runs one call from its body to its last byte.
pub async fn run(edge: &Arc<Edge>, down: &mut Downstream, ctx: &mut Ctx, client: &ClientHead, hit: Hit<'_>) {
    let mut prepared = match prepare(edge, down, ctx, client, hit).await {
        Ok(prepared) => prepared,
        Err(NoBody::Rejected(reject)) => return respond::refuse(edge, down, ctx, reject).await,
        Err(NoBody::Gone) => {
            ctx.record.is_client_gone = true;
            down.end_keepalive();
            return;
        }
    };
    if let Some(asked) = resume::asked(client) {
        return Box::pin(resume::run(edge, down, ctx, &prepared, asked)).await;
    }
    if edge.keeping.is_some() && prepared.may_be_about_kept() {
        Box::pin(remember::fetch(edge, ctx, &prepared)).await;
    }
    match kept::answer(edge, ctx, &prepared) {
        Some(Ok(answer)) => return respond::send_whole(edge, down, ctx, 200, &json_fields(), answer).await,
        Some(Err(reject)) => return respond::refuse(edge, down, ctx, reject).await,
        None => {}
    }
    let runtime = ctx.runtime.clone();
    let place = match place(edge, &runtime, ctx, &mut prepared) {
        Ok(place) => place,
        Err(reject) => return respond::refuse(edge, down, ctx, reject).await,
    };
    let sharing = Sharing::of(ctx, place.0, &prepared, place.1.is_some());
    if let Some(passenger) = sharing.as_ref().and_then(|sharing| sharing.board(edge)) {
        return Box::pin(coalesce::follow(edge, down, ctx, &prepared, passenger)).await;
    }
    let (policy, pinned) = match reserved(edge, &runtime, ctx, &mut prepared, place).await {
        Ok(place) => place,
        Err(reject) => return respond::refuse(edge, down, ctx, reject).await,
    };
    if let Some(answer) = count::local_answer(&runtime, ctx, policy, &prepared).await {
        return Box::pin(respond::send_whole(edge, down, ctx, 200, &json_fields(), answer)).await;
    }
    prepared.is_budgeted = ctx.caller.as_ref().is_some_and(|caller| caller.reservation.has_budget());
    let _budgeted = prepared.is_budgeted.then(|| GaugeGuard::raise(&edge.metrics.budget_calls));
    let total = ctx.started.plus(policy.timeouts.total);
    let track = Track { runtime: &runtime, policy, pinned, total, begun: None };
    match sharing.filter(|_| ctx.record.downgraded_to.is_none()) {
        None => converse(edge, down, ctx, &mut prepared, &track).await,
        Some(sharing) => {
            Box::pin(coalesce::lead(edge, down, ctx, &mut prepared, &track, sharing)).await;
        }
    }
}

async fn prepare<'u>(
    edge: &Edge,
    down: &mut Downstream,
    ctx: &mut Ctx,
    client: &'u ClientHead,
    hit: Hit<'u>,
) -> Result<Prepared<'u>, NoBody> {
    let begun = edge.now();
    let body = body::read(down, client, &ctx.runtime.edge).await;
    ctx.record.waited += edge.now().since(begun);
    let body = body?;
    ctx.record.bytes_in = body.len() as u64;
    let fields = heads::client_fields(client);
    let read = if matches!(hit.endpoint, Endpoint::ResponseById | Endpoint::Conversations) {
        Ok(pins::prepare(client.method.clone(), hit, client.query(), body, fields))
    } else {
        Prepared::read(client, hit, body, fields)
    };
    let prepared = read.map_err(NoBody::Rejected)?;
    ctx.record.is_stream = prepared.is_stream;
    if ctx.record.endpoint != Some(prepared.endpoint) {
        // The body said what it is: the caller must be allowed that too.
        ctx.record.endpoint = Some(prepared.endpoint);
        let address = ctx.record.client;
        let principal = ctx.caller.as_ref().map(|caller| caller.principal.clone());
        principal.map_or(Ok(()), |p| p.admit_call(prepared.endpoint, address)).map_err(NoBody::Rejected)?;
    }
    if prepared.hit.is_wrapped() {
        down.wrap_events();
    }
    Ok(prepared)
}

/// Where a call goes: its policy, and the account where only one can serve it.
type Place<'r> = (&'r ModelPolicy, Option<Pinned>);

/// Takes what the call needs; where its budget is spent and says so, of another model.
async fn reserved<'r>(
    edge: &Edge,
    runtime: &'r Runtime,
    ctx: &mut Ctx,
    prepared: &mut Prepared<'_>,
    (policy, pinned): Place<'r>,
) -> Result<Place<'r>, Reject> {
    let model = match count::reserve(edge, ctx, policy, prepared).await {
        Ok(()) => return Ok((policy, pinned)),
        Err(Turned::Refused(reject)) => return Err(reject),
        Err(Turned::Downgrade(model)) => model,
    };
    log::debug!("{} goes to {model}: a budget is spent", ctx.id);
    ctx.record.downgraded_to = Some(model.clone());
    prepared.model = model;
    let policy = runtime.table.resolve(&prepared.model).and_then(|index| runtime.models.get(index));
    let policy = policy.ok_or_else(|| local::unknown_model(ctx, &prepared.model))?;
    match count::reserve(edge, ctx, policy, prepared).await {
        Ok(()) => Ok((policy, None)),
        Err(Turned::Refused(reject)) => Err(reject),
        Err(Turned::Downgrade(_)) => Err(Reject::new(Reason::Internal, "downgraded twice")),
    }
}

/// Finds the policy that serves a call.
fn place<'r>(
    edge: &Edge,
    runtime: &'r Runtime,
    ctx: &mut Ctx,
    prepared: &mut Prepared<'_>,
) -> Result<Place<'r>, Reject> {
    if prepared.endpoint == Endpoint::ResponseById {
        return pins::find(edge, runtime, ctx, prepared).map(|(policy, pinned)| (policy, Some(pinned)));
    }
    let policy = find_model(edge, runtime, ctx, prepared)?;
    recall::recall(edge, ctx, prepared)?;
    Ok((policy, pins::of_previous(edge, runtime, ctx, policy, prepared)?))
}

/// Whether the caller may use the model. A subscription that opens it brings its plan's limits and
/// margin.
pub(super) fn admit_model(edge: &Edge, ctx: &mut Ctx, name: &str) -> Result<(), Reject> {
    let Some(caller) = &mut ctx.caller else { return Err(crate::auth::AuthError::Invalid.into()) };
    let principal = caller.principal.clone();
    let Some(subscribed) = principal.admit_model(name)? else { return Ok(()) };
    caller.margin_bp = subscribed.margin_bp;
    if let Some(scope) = edge.governed().scope(&subscribed.scope.name) {
        caller.reservation.join(scope.clone(), ctx.runtime.limits.till());
    }
    Ok(())
}

/// The model's policy, if it exists, this caller may use it, and it speaks the endpoint's dialect.
fn find_model<'r>(
    edge: &Edge,
    runtime: &'r Runtime,
    ctx: &mut Ctx,
    prepared: &Prepared<'_>,
) -> Result<&'r ModelPolicy, Reject> {
    let name = prepared.model.as_str();
    let policy = runtime.table.resolve(name).and_then(|index| runtime.models.get(index));
    let Some(policy) = policy else { return Err(local::unknown_model(ctx, name)) };
    ctx.record.model = Some(name.to_owned());
    admit_model(edge, ctx, name)?;
    let serves = |target: &crate::routing::Target| {
        let provider = runtime.providers.get(target.provider);
        let model = target.model.as_deref().unwrap_or(name);
        provider.is_some_and(|provider| provider.lane(prepared.endpoint, model).is_some())
    };
    if !prepared.endpoint.is_count() && !policy.targets.iter().any(serves) {
        let message = format!("no provider of the model `{name}` has this endpoint");
        return Err(Reject::new(Reason::InvalidRequest, message).with_param("model"));
    }
    Ok(policy)
}

fn json_fields() -> downstream::Fields {
    vec![(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"))]
}

/// Outcomes other than a whole answer are boxed: a future holds the largest of its branches, and is
/// copied on its way into its caller's.
async fn converse(
    edge: &Arc<Edge>,
    down: &mut Downstream,
    ctx: &mut Ctx,
    prepared: &mut Prepared<'_>,
    track: &Track<'_>,
) {
    let mut talk = Talk::new(down, edge, prepared.endpoint);
    if prepared.is_stream {
        let head = respond::early_stream_fields(edge, ctx, prepared.endpoint, prepared.is_array);
        talk.keep_alive(track.runtime.edge.stream_keepalive, head, before_first(prepared.is_array));
    }
    let early = Telling::early(prepared.endpoint, prepared.is_array);
    let raced = race::run(&mut talk, edge, ctx, prepared, track).await;
    // Claude's other hosts do not count for every model: our own count is better than none. What a
    // model's own vendor refuses is an answer.
    if prepared.endpoint.is_count()
        && matches!(&raced, Raced::Failed(failure) if failure.is_foreign)
        && let Some(answer) = count::counted_here(ctx, track.policy, prepared).await
    {
        return respond::send_whole(edge, talk.down, ctx, 200, &json_fields(), answer).await;
    }
    if let Some(mirror) = &track.policy.mirror {
        mirror::send(edge, ctx, prepared, mirror, &raced);
    }
    match raced {
        Raced::Streaming(live) => {
            // They are slices of the client's head, and no attempt follows that needs them.
            if track.policy.streams.continuations == 0 {
                prepared.client_fields = downstream::Fields::new();
            }
            Box::pin(stream(edge, &mut talk, ctx, prepared, track, live)).await;
            if track.policy.streams.resume.is_some() {
                edge.replays.ended(ctx.id, edge.now());
            }
        }
        Raced::Whole(answer) => whole::whole(edge, &mut talk, ctx, prepared, track, *answer).await,
        Raced::Long(long) => Box::pin(whole::long(edge, &mut talk, ctx, prepared, track, *long)).await,
        Raced::Failed(failure) => Box::pin(failed(edge, &mut talk, ctx, prepared, *failure)).await,
        Raced::NoTarget(reject) => {
            queue::give_back(edge, ctx, &reject);
            respond::tell_failure(edge, &mut talk, ctx, early, &reject).await;
        }
        Raced::Left => {
            ctx.record.is_client_gone = true;
            Box::pin(charge_prompt(ctx, prepared, track)).await;
        }
        Raced::Cut => {
            let reject = Reject::new(Reason::Draining, "the gateway is shutting down");
            respond::tell_failure(edge, &mut talk, ctx, early, &reject).await;
        }
    }
}

/// A client that left before any answer, after an upstream had taken its call: never free, never the
/// bound.
async fn charge_prompt(ctx: &mut Ctx, prepared: &Prepared<'_>, track: &Track<'_>) {
    if ctx.record.attempts > 0 && ctx.record.counted_input.is_some() {
        let input = count::prompt(track.runtime, track.policy, prepared).await;
        ctx.record.usage = Some(Usage { input, is_estimated: true, ..Usage::default() });
    }
}

fn before_first(is_array: bool) -> KeepaliveState {
    if is_array { KeepaliveState::JsonArray } else { KeepaliveState::BeforeFirstEvent }
}

async fn stream(
    edge: &Arc<Edge>,
    talk: &mut Talk<'_>,
    ctx: &mut Ctx,
    prepared: &Prepared<'_>,
    track: &Track<'_>,
    mut live: Box<Live>,
) {
    let _open = GaugeGuard::raise(&edge.metrics.open_streams);
    ctx.record.dropped = std::mem::take(&mut live.dropped);
    if prepared.endpoint == Endpoint::Responses && live.listener.hearing().is_translated() {
        live.keeper = Keeper::of(ctx, prepared).map(Box::new);
        live.keep(edge);
    }
    let now = edge.now();
    ctx.record.first_token = Some(now.since(ctx.started));
    ctx.record.status = 200;
    resume::begin(edge, ctx, prepared, track.policy, talk.down);
    if talk.down.is_untouched() {
        let fields = respond::stream_fields(edge, ctx, &live.head.fields);
        live.head.fields = downstream::Fields::new();
        let begun = cuts::joined(std::mem::take(&mut live.pieces));
        if talk.down.open(live.head.status, &fields, begun).await.is_err() {
            ctx.record.is_client_gone = true;
            // Whoever has not seen its head does not know what to ask for again.
            talk.down.replaying = talk.down.replaying.take().filter(|_| !talk.down.is_untouched());
        }
    }
    talk.spoke(now, live.listener.keepalive_state());
    let reservation = ctx.caller.as_mut().map(|caller| &mut caller.reservation);
    let mut end = relay::run(talk, edge, track.policy, &mut live, track.total, reservation).await;
    let mut earlier = None;
    if recover::may(track.policy, &end) {
        (end, earlier) = Box::pin(recover::run(edge, talk, ctx, prepared, track, &mut live, end)).await;
    }
    ctx.record.bytes_out = talk.down.bytes_out;
    ctx.record.is_client_gone |= talk.down.is_gone();
    note_stream(edge, ctx, prepared, track, &mut live).await;
    recover::settle(ctx, earlier);
    if matches!(end, StreamEnd::Spent) {
        return spent(talk, ctx, &mut live).await;
    }
    let Live { call, listener, .. } = *live;
    let at = Telling {
        endpoint: prepared.endpoint,
        is_array: prepared.is_array,
        response_id: listener.hearing().response_id(),
        events: listener.events(),
    };
    finish_stream(edge, talk, ctx, at, end, call).await;
}

/// Ends a stream whose budget is spent, as its dialect ends one that is as long as it may be, or the drain
/// of one whose client left. The upstream's call is cancelled with `live`.
async fn spent(talk: &mut Talk<'_>, ctx: &mut Ctx, live: &mut Live) {
    ctx.record.is_cut_by_budget = true;
    ctx.record.reason = Some(Reason::BudgetExceeded);
    ctx.record.origin = Some(crate::types::Origin::Gateway);
    let usage = ctx.record.usage.unwrap_or_default();
    let end = Bytes::from(closing::close(&mut live.listener, usage));
    ctx.record.is_client_gone |= talk.down.end(end).await.is_err();
    ctx.record.bytes_out = talk.down.bytes_out;
    if let Some(provider) = ctx.record.provider.and_then(|index| ctx.runtime.providers.get(index)) {
        provider.metrics.attempt(AttemptOutcome::Cancelled);
    }
}

/// What a stream told, on every way it can end.
async fn note_stream(
    edge: &Edge,
    ctx: &mut Ctx,
    prepared: &Prepared<'_>,
    track: &Track<'_>,
    live: &mut Live,
) {
    let listener = &mut live.listener;
    // A stored stream repeats the usage of the call that made it, which has been charged.
    if prepared.endpoint != Endpoint::ResponseById {
        let input = if listener.lacks_input() {
            count::prompt(track.runtime, track.policy, prepared).await
        } else {
            0
        };
        ctx.record.usage = Some(listener.usage(input));
        let dropped = &ctx.record.dropped;
        ctx.record.service = cost::service(listener.service(), &prepared.body, dropped);
    }
    edge.metrics.unknown_events.inc_by(listener.hearing().unknown());
    ctx.record.finish_reason = listener.hearing().finish_reason().map(str::to_owned);
    if let Some(id) = listener.hearing().response_id().filter(|_| !listener.hearing().is_translated()) {
        pins::keep(edge, ctx, track, prepared, id);
    }
    edge.metrics.inter_token.absorb(prepared.endpoint, listener.gaps());
}

async fn finish_stream(
    edge: &Arc<Edge>,
    talk: &mut Talk<'_>,
    ctx: &mut Ctx,
    at: Telling<'_>,
    end: StreamEnd,
    call: Option<crate::upstream::Call>,
) {
    let (outcome, reject) = match end {
        StreamEnd::Complete | StreamEnd::LeftDrained => {
            if let Some(call) = call {
                call.finish();
            }
            if talk.down.close().await.is_err() {
                ctx.record.is_client_gone = true;
            }
            (AttemptOutcome::Ok, None)
        }
        StreamEnd::Left | StreamEnd::Spent => {
            ctx.record.is_client_gone = true;
            (AttemptOutcome::Cancelled, None)
        }
        StreamEnd::Fault(fault) => {
            let runtime = ctx.runtime.clone();
            let held = held_needles(&runtime, ctx);
            let reject = respond::fault_reject(Reason::StreamFailed, &fault, &needles(&runtime, ctx, &held));
            (AttemptOutcome::Failed(FailureClass::StreamError), Some(reject))
        }
        StreamEnd::Failed(class, detail) => {
            log::debug!("{} stream failed: {}: {detail}", ctx.id, class.as_str());
            (AttemptOutcome::Failed(class), Some(respond::stream_reject(class)))
        }
        StreamEnd::Cut => {
            let reject = Reject::new(Reason::Draining, "the gateway is shutting down");
            (AttemptOutcome::Cancelled, Some(reject))
        }
    };
    if let Some(provider) = ctx.record.provider.and_then(|index| ctx.runtime.providers.get(index)) {
        provider.metrics.attempt(outcome);
    }
    if let AttemptOutcome::Failed(class) = outcome
        && let Some(provider) = ctx.record.provider
    {
        ctx.record.failures.push((provider, class));
        health::note_broken(edge, ctx, ctx.record.cell, class);
    }
    if let Some(reject) = reject {
        respond::tell_failure(edge, talk, ctx, at, &reject).await;
    }
}

async fn failed(
    edge: &Arc<Edge>,
    talk: &mut Talk<'_>,
    ctx: &mut Ctx,
    prepared: &Prepared<'_>,
    failure: Failure,
) {
    let runtime = ctx.runtime.clone();
    let held = held_needles(&runtime, ctx);
    let needles = needles(&runtime, ctx, &held);
    let status = failure.head.as_ref().map_or(0, |head| head.status);
    if talk.down.is_untouched()
        && !failure.body.is_empty()
        && !failure.is_foreign
        && errors::may_pass_through(status, &failure.body, &needles)
    {
        return respond::send_client_fault(edge, talk.down, ctx, failure).await;
    }
    let reject = respond::reject_of(&failure, &needles);
    let early = Telling::early(prepared.endpoint, prepared.is_array);
    respond::tell_failure(edge, talk, ctx, early, &reject).await;
}
