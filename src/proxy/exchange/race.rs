//! The attempt loop: targets in their order until one is good, the deadlines and the client
//! permitting. The same loop for every endpoint.

use super::affine;
use super::attempt::{self, Aim, Answer, Attempted, Failure, Live, Long};
use super::downstream::Fields;
use super::gate::{may_ask, may_call};
use super::health;
use super::hedge::{self, Hedged};
use super::pins::Pinned;
use super::prefill::Beginning;
use super::prepare::Prepared;
use super::queue::{self, Placed};
use super::route::{self, Going};
use super::talk::{Talk, Wake, Watch};
use crate::proxy::context::Ctx;
use crate::routing::{AttemptOrder, Decision, Grant, Plan, Slot, decide};
use crate::runtime::{Edge, ModelPolicy, Runtime};
use crate::telemetry::{AttemptOutcome, RetryOutcome};
use crate::types::{Reject, Ticks};
use std::pin::pin;
use std::time::Duration;

/// Before the same target is tried again: this, doubled for each time, with full jitter.
const BACKOFF_BASE: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// How the race ended.
pub enum Raced {
    Streaming(Box<Live>),
    Whole(Box<Answer>),
    Long(Box<Long>),
    /// No target was good; the last failure is the client's answer.
    Failed(Box<Failure>),
    /// No target could be asked.
    NoTarget(Reject),
    Left,
    Cut,
}

/// What the race is over.
pub struct Track<'r> {
    pub runtime: &'r Runtime,
    pub policy: &'r ModelPolicy,
    /// Set where only one account can serve: (target, account).
    pub pinned: Option<Pinned>,
    pub total: Ticks,
    /// Set where a stream that broke is gone on with.
    pub begun: Option<&'r Beginning>,
}

pub async fn run(
    talk: &mut Talk<'_>,
    edge: &Edge,
    ctx: &mut Ctx,
    prepared: &Prepared<'_>,
    track: &Track<'_>,
) -> Raced {
    let mut now = edge.now();
    let placed = match track.begun {
        None => queue::going(talk, edge, ctx, prepared, track, &mut now).await,
        // A stream that has begun does not stand in line, and keeps the place it had for as long as it may
        // be the same target that goes on with it.
        Some(begun) => {
            let slot = ctx.slot.take().filter(|_| track.policy.route.is_gated);
            let held = begun.broken.filter(|_| slot.is_some());
            let going = route::plan(edge, ctx, prepared, track, held, now).await;
            Ok((going, held.zip(slot).map(|(target, slot)| Grant { target, slot })))
        }
    };
    match placed {
        Ok(placed) => rounds(talk, edge, ctx, prepared, track, (placed, now)).await,
        Err(raced) => raced,
    }
}

/// Target after target, beginning with the one at which a place is held. The clock is read again after
/// each wait; between waits next to no time passes.
async fn rounds(
    talk: &mut Talk<'_>,
    edge: &Edge,
    ctx: &mut Ctx,
    prepared: &Prepared<'_>,
    track: &Track<'_>,
    ((Going { plan, turn, prompt }, mut granted), mut now): (Placed, Ticks),
) -> Raced {
    let Track { policy, total, .. } = *track;
    let (mut order, mut previous) = order(ctx, track, plan, now);
    let mut last: Option<Box<Failure>> = None;
    let mut unfit = None;
    while now < total {
        let is_again = last.is_some() || track.begun.is_some();
        if is_again && order.attempts_left() > 0 && !may_go_on(edge, ctx, policy, last.as_deref(), now) {
            break;
        }
        let Some((target, slot)) = next(&mut order, &mut granted, track, &plan, now) else { break };
        if previous == Some(target) && !Box::pin(pause(talk, edge, ctx, &mut now, total)).await {
            return if talk.down.is_gone() { Raced::Left } else { Raced::Cut };
        }
        previous = Some(target);
        let turn = turn.unwrap_or_else(|| edge.dice.roll());
        let Some(aim) = aim(prepared, track, target, turn, now) else { continue };
        enter(ctx, &aim, slot);
        affine::ask(edge, policy, (prompt.as_deref(), &plan), target, last.is_none());
        let began = now;
        let delay = if is_again { None } else { hedge::delay(edge, policy, &plan, prepared) };
        let Hedged { aim, begun, attempted } = match delay {
            None => {
                let watch = &mut Watch::Client(talk);
                let attempted = Box::pin(attempt::run(watch, edge, prepared, &aim, (now, total))).await;
                Hedged { aim, begun: now, attempted: attempted.unwrap_or_else(Attempted::from) }
            }
            Some(delay) => {
                let second = |now| {
                    let (target, slot) = next(&mut order, &mut None, track, &plan, now)?;
                    let other = self::aim(prepared, track, target, turn, now);
                    other.filter(|other| other.target != aim.target).map(|other| (other, slot))
                };
                let first = (aim, now, total);
                Box::pin(hedge::run(talk, edge, ctx, prepared, first, delay, second)).await
            }
        };
        now = edge.now();
        ctx.record.waited += now.since(began);
        let failure = match ended(edge, prepared, &aim, attempted, (begun, now)) {
            Ended::Raced(raced) => return answered(ctx, raced, begun),
            Ended::Failed(failure) => failure,
            Ended::Unfit(reject) => {
                ctx.record.attempts -= 1;
                order.exclude(aim.target);
                unfit = Some(reject);
                continue;
            }
        };
        note_failure(edge, ctx, &aim, &failure, prepared.is_stream, (begun, now));
        // The same target may be asked again: not for want of the place it had.
        ctx.slot = None;
        let left = order.attempts_left();
        match decide(failure.class, &policy.failover, left, false, failure.may_have_been_processed) {
            Decision::GiveUp => return Raced::Failed(failure),
            Decision::TryOther => order.exclude(aim.target),
            Decision::TryNext => {}
        }
        previous = Some(aim.target);
        last = Some(failure);
    }
    unanswered((last, unfit), &plan, track, now)
}

/// The target to ask next, and the place there where it takes only so many calls: the one that is held,
/// before any other. A stream that is gone on with has one at the target where it broke, whose turn comes
/// last.
fn next(
    order: &mut AttemptOrder,
    granted: &mut Option<Grant>,
    track: &Track<'_>,
    plan: &Plan,
    now: Ticks,
) -> Option<(usize, Option<Slot>)> {
    let held = granted.as_ref().map(|grant| grant.target);
    let mut slot = None;
    let target = order.next(|target| match held {
        Some(held) if track.begun.is_none() => target == held,
        Some(held) if target == held => may_ask(track, plan, target, now),
        _ => may_call(track, plan, target, &mut slot, now),
    })?;
    if track.begun.is_none() || held == Some(target) {
        slot = granted.take().map(|grant| grant.slot).or(slot);
    }
    Some((target, slot))
}

/// The order of targets, and the one that was asked before: where a stream is gone on with, it begins
/// behind the one that broke.
fn order(ctx: &Ctx, track: &Track<'_>, plan: Plan, now: Ticks) -> (AttemptOrder, Option<usize>) {
    let broken = track.begun.and_then(|begun| begun.broken);
    let made = u8::try_from(ctx.record.attempts).unwrap_or(u8::MAX);
    if track.begun.is_none() {
        track.policy.route.learned.retries.note_request(now);
    }
    (AttemptOrder::after(plan, track.policy.attempts.saturating_sub(made), broken), broken)
}

/// What is told where no target was the answer.
fn unanswered(
    told: (Option<Box<Failure>>, Option<Reject>),
    plan: &Plan,
    track: &Track<'_>,
    now: Ticks,
) -> Raced {
    match told {
        (Some(failure), _) => Raced::Failed(failure),
        (None, Some(reject)) => Raced::NoTarget(reject),
        (None, None) => Raced::NoTarget(route::nobody(plan, track, now)),
    }
}

/// What an attempt leads to.
enum Ended {
    Raced(Raced),
    Failed(Box<Failure>),
    Unfit(Reject),
}

/// Notes when the attempt began that is the answer.
fn answered(ctx: &mut Ctx, raced: Raced, begun: Ticks) -> Raced {
    ctx.record.answered_from = Some(begun);
    raced
}

/// A stream counts as an attempt once it has ended: `exchange` notes it then.
fn ended(
    edge: &Edge,
    prepared: &Prepared<'_>,
    aim: &Aim<'_>,
    attempted: Attempted,
    times: (Ticks, Ticks),
) -> Ended {
    let well = |fields: &Fields| {
        let (begun, now) = times;
        health::note_success(aim, edge, fields, (prepared.is_stream, begun), now);
    };
    let whole = |fields: &Fields| {
        aim.provider.metrics.attempt(AttemptOutcome::Ok);
        well(fields);
    };
    Ended::Raced(match attempted {
        Attempted::Streaming(live) => {
            let (begun, _) = times;
            health::note_success(aim, edge, &live.head.fields, (true, begun), live.content_at);
            Raced::Streaming(live)
        }
        Attempted::Whole(answer) => {
            whole(&answer.head.fields);
            Raced::Whole(answer)
        }
        Attempted::Long(long) => {
            whole(&long.head.fields);
            Raced::Long(long)
        }
        Attempted::Left => cancelled(aim, times.0, Raced::Left),
        Attempted::Cut => cancelled(aim, times.0, Raced::Cut),
        Attempted::Failed(failure) => return Ended::Failed(failure),
        Attempted::Unfit(reject) => {
            health::let_go(aim, times.0);
            return Ended::Unfit(*reject);
        }
    })
}

/// Whether there may be another try. One that follows a call which never reached anybody is no load more,
/// and costs nothing.
fn may_go_on(edge: &Edge, ctx: &mut Ctx, policy: &ModelPolicy, last: Option<&Failure>, now: Ticks) -> bool {
    let has_cost = last.is_none_or(|failure| failure.class.has_met_the_upstream());
    !has_cost || has_retry(edge, ctx, policy, now)
}

/// Takes what another try costs: without it, the last failure is the answer.
fn has_retry(edge: &Edge, ctx: &mut Ctx, policy: &ModelPolicy, now: Ticks) -> bool {
    let has_one = policy.route.learned.retries.take(policy.route.retries, now);
    edge.metrics.routes.retries.inc(if has_one { RetryOutcome::Taken } else { RetryOutcome::Refused });
    if !has_one && let Some(told) = &mut ctx.record.route {
        told.is_out_of_retries = true;
    }
    has_one
}

/// Notes who is asked now, and keeps the place there; takes one where none was asked for, so that who looks
/// sees every call.
pub fn enter(ctx: &mut Ctx, aim: &Aim<'_>, slot: Option<Slot>) {
    ctx.record.attempts += 1;
    let live = aim.runtime.target_live.get(aim.policy.first_cell + aim.target);
    let slot = slot.or_else(|| live.map(|live| live.enter()));
    settle_on(ctx, aim, slot);
}

/// Notes who serves the call, or was asked last, and keeps its place there.
pub fn settle_on(ctx: &mut Ctx, aim: &Aim<'_>, slot: Option<Slot>) {
    ctx.record.provider = aim.policy.targets.get(aim.target).map(|target| target.provider);
    ctx.record.upstream_model = Some(aim.upstream_model.to_owned());
    ctx.record.account = Some(aim.account);
    if aim.policy.route.has_choice() {
        ctx.record.cell = Some(aim.policy.first_cell + aim.target);
    }
    // Before the new one is kept, the old one is given up.
    ctx.slot = slot;
}

/// `turn` decides which account it is, where there are several.
fn aim<'r>(
    prepared: &'r Prepared<'_>,
    track: &Track<'r>,
    index: usize,
    turn: u64,
    now: Ticks,
) -> Option<Aim<'r>> {
    let target = track.policy.targets.get(index)?;
    let provider = track.runtime.providers.get(target.provider)?;
    let account = match track.pinned {
        Some((_, account)) => account,
        None => health::account(track.runtime, provider, turn, now)?,
    };
    let upstream_model = target.model.as_deref().unwrap_or(&prepared.model);
    Some(Aim {
        runtime: track.runtime,
        policy: track.policy,
        target: index,
        provider,
        account,
        upstream_model,
        begun: track.begun,
    })
}

fn cancelled(aim: &Aim<'_>, begun: Ticks, raced: Raced) -> Raced {
    health::let_go(aim, begun);
    aim.provider.metrics.attempt(AttemptOutcome::Cancelled);
    raced
}

pub fn note_failure(
    edge: &Edge,
    ctx: &mut Ctx,
    aim: &Aim<'_>,
    failure: &Failure,
    is_stream: bool,
    (begun, now): (Ticks, Ticks),
) {
    aim.provider.metrics.attempt(AttemptOutcome::Failed(failure.class));
    if let Some(target) = aim.policy.targets.get(aim.target) {
        ctx.record.failures.push((target.provider, failure.class));
    }
    log::debug!(
        "{} attempt at {} failed: {}: {}",
        ctx.id,
        aim.provider.name,
        failure.class.as_str(),
        failure.detail
    );
    health::note_failure(edge, aim, failure, is_stream, begun, now);
}

/// Waits before the same target is asked again. False where the client left or the call must end.
async fn pause(talk: &mut Talk<'_>, edge: &Edge, ctx: &mut Ctx, now: &mut Ticks, total: Ticks) -> bool {
    let ceiling = BACKOFF_BASE.saturating_mul(1 << ctx.record.attempts.min(6)).min(BACKOFF_MAX);
    let share = (edge.dice.roll() >> 32) as u32;
    let span = Duration::from_nanos((ceiling.as_nanos() as u64 >> 16).saturating_mul(u64::from(share >> 16)));
    let from = *now;
    let until = from.plus(span).min(total);
    let goes_on = matches!(talk.until(until, pin!(std::future::pending::<()>())).await, Wake::Deadline);
    *now = edge.now();
    ctx.record.waited += now.since(from);
    goes_on
}
