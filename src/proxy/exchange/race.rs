//! The attempt loop: targets in their order until one is good, the deadlines and the client
//! permitting. The same loop for every endpoint.

use super::attempt::{self, Aim, Answer, Attempted, Failure, Live, Long};
use super::downstream::Fields;
use super::health;
use super::hedge::{self, Hedged};
use super::pins::Pinned;
use super::prefill::Beginning;
use super::prepare::Prepared;
use super::route::{self, Going};
use super::talk::{Talk, Wake, Watch};
use crate::proxy::context::Ctx;
use crate::routing::{AttemptOrder, Decision, Plan, Slot, decide};
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
    let Track { policy, total, .. } = *track;
    // Read again after each wait; between waits next to no time passes.
    let mut now = edge.now();
    let Going { plan, session } = route::plan(edge, ctx, prepared, track, now).await;
    let broken = track.begun.and_then(|begun| begun.broken);
    let mut order = order(ctx, track, plan, broken, now);
    let mut last: Option<Box<Failure>> = None;
    let mut previous = broken;
    let mut unfit = None;
    while now < total {
        let is_again = last.is_some() || track.begun.is_some();
        if is_again && order.attempts_left() > 0 && !has_retry(edge, ctx, policy, now) {
            break;
        }
        let Some(target) = order.next(|target| may_call(track, &plan, target, now)) else { break };
        if previous == Some(target) && !Box::pin(pause(talk, edge, ctx, &mut now, total)).await {
            return if talk.down.is_gone() { Raced::Left } else { Raced::Cut };
        }
        previous = Some(target);
        let turn = session.unwrap_or_else(|| edge.dice.roll());
        let Some(aim) = aim(prepared, track, target, turn, now) else { continue };
        enter(ctx, &aim);
        let began = now;
        let delay = if !is_again { hedge::delay(policy, &plan, prepared, now) } else { None };
        let Hedged { aim, begun, attempted } = match delay {
            None => {
                let watch = &mut Watch::Client(talk);
                let attempted = Box::pin(attempt::run(watch, edge, prepared, &aim, (now, total))).await;
                Hedged { aim, begun: now, attempted: attempted.unwrap_or_else(Attempted::from) }
            }
            Some(delay) => {
                let second = |now| {
                    let target = order.next(|target| may_call(track, &plan, target, now))?;
                    self::aim(prepared, track, target, turn, now).filter(|other| other.target != aim.target)
                };
                let first = (aim, now, total);
                Box::pin(hedge::run(talk, edge, ctx, prepared, first, delay, second)).await
            }
        };
        now = edge.now();
        ctx.record.waited += now.since(began);
        let failure = match ended(edge, prepared, &aim, attempted, (begun, now)) {
            Ended::Raced(raced) => return raced,
            Ended::Failed(failure) => failure,
            Ended::Unfit(reject) => {
                ctx.record.attempts -= 1;
                order.exclude(aim.target);
                unfit = Some(reject);
                continue;
            }
        };
        note_failure(edge, ctx, &aim, &failure, prepared.is_stream, (begun, now));
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

/// The order of targets: behind the one that broke, where a stream is gone on with.
fn order(ctx: &Ctx, track: &Track<'_>, plan: Plan, broken: Option<usize>, now: Ticks) -> AttemptOrder {
    let made = u8::try_from(ctx.record.attempts).unwrap_or(u8::MAX);
    if track.begun.is_none() {
        track.policy.route.learned.retries.note_request(now);
    }
    AttemptOrder::after(plan, track.policy.attempts.saturating_sub(made), broken)
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

/// Whether a target may be asked now; a target coming back lets one call through.
fn may_call(track: &Track<'_>, plan: &Plan, target: usize, now: Ticks) -> bool {
    track.begun.is_none_or(|begun| begun.fits(target))
        && health::may_call(track.runtime, track.policy, target, (track.pinned, plan.is_out(target)), now)
}

/// What an attempt leads to.
enum Ended {
    Raced(Raced),
    Failed(Box<Failure>),
    Unfit(Reject),
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
            well(&live.head.fields);
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
        Attempted::Left => cancelled(aim, Raced::Left),
        Attempted::Cut => cancelled(aim, Raced::Cut),
        Attempted::Failed(failure) => return Ended::Failed(failure),
        Attempted::Unfit(reject) => return Ended::Unfit(*reject),
    })
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

/// Notes who is asked now, and takes a place there.
pub fn enter(ctx: &mut Ctx, aim: &Aim<'_>) {
    ctx.record.attempts += 1;
    let live = aim.runtime.target_live.get(aim.policy.first_cell + aim.target);
    let slot = live.filter(|_| aim.policy.route.has_choice()).map(|live| live.enter());
    settle_on(ctx, aim, slot);
}

/// Notes who serves the call, or was asked last, and keeps its place there.
pub fn settle_on(ctx: &mut Ctx, aim: &Aim<'_>, slot: Option<Slot>) {
    ctx.record.provider = aim.policy.targets.get(aim.target).map(|target| target.provider);
    ctx.record.upstream_model = Some(aim.upstream_model.to_owned());
    ctx.record.account = Some(aim.account);
    if aim.policy.route.has_choice() {
        ctx.record.cell = Some(aim.policy.first_cell + aim.target);
        ctx.slot = slot;
    }
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

fn cancelled(aim: &Aim<'_>, raced: Raced) -> Raced {
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
