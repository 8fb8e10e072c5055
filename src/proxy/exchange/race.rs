//! The attempt loop: targets in their order until one is good, the deadlines and the client
//! permitting. The same loop for every endpoint.

use super::attempt::{self, Aim, Answer, Attempted, Failure, Live, Long};
use super::health;
use super::pins::Pinned;
use super::prepare::Prepared;
use super::talk::{Talk, Wake};
use crate::proxy::context::Ctx;
use crate::routing::{AttemptOrder, Decision, decide, plan};
use crate::runtime::{Edge, ModelPolicy, Runtime};
use crate::telemetry::AttemptOutcome;
use crate::types::{Reason, Reject, Ticks};
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
}

pub async fn run(
    talk: &mut Talk<'_>,
    edge: &Edge,
    ctx: &mut Ctx,
    prepared: &Prepared<'_>,
    track: &Track<'_>,
) -> Raced {
    let Track { runtime, policy, pinned, total } = *track;
    // Read again after each wait; between waits next to no time passes.
    let mut now = edge.now();
    let first = plan(
        &policy.targets,
        policy.balance,
        |target| health::state(runtime, (prepared.endpoint, &prepared.model), policy, target, pinned, now),
        edge.dice.roll(),
    );
    let mut order = AttemptOrder::new(first, policy.attempts);
    let soonest = first.soonest_recovery();
    let mut last: Option<Box<Failure>> = None;
    let mut previous = None;
    let mut unfit = None;
    while now < total {
        let next = order.next(|target| health::may_call(runtime, policy, target, pinned, now));
        let Some(target) = next else { break };
        if previous == Some(target) && !Box::pin(pause(talk, edge, ctx, &mut now, total)).await {
            return if talk.down.is_gone() { Raced::Left } else { Raced::Cut };
        }
        previous = Some(target);
        let Some(aim) = aim(edge, prepared, track, target, now) else { continue };
        ctx.record.attempts += 1;
        ctx.record.provider = policy.targets.get(target).map(|t| t.provider);
        ctx.record.upstream_model = Some(aim.upstream_model.to_owned());
        ctx.record.account = Some(aim.account);
        let begun = now;
        let attempted = Box::pin(attempt::run(talk, edge, prepared, &aim, (begun, total))).await;
        let attempted = attempted.unwrap_or_else(Attempted::from);
        now = edge.now();
        ctx.record.waited += now.since(begun);
        let failure = match attempted {
            Attempted::Streaming(live) => return won(now, &aim, Raced::Streaming(live)),
            Attempted::Whole(answer) => return won(now, &aim, Raced::Whole(answer)),
            Attempted::Long(long) => return won(now, &aim, Raced::Long(long)),
            Attempted::Left => return cancelled(&aim, Raced::Left),
            Attempted::Cut => return cancelled(&aim, Raced::Cut),
            Attempted::Failed(failure) => failure,
            Attempted::Unfit(reject) => {
                ctx.record.attempts -= 1;
                order.exclude(target);
                unfit = Some(*reject);
                continue;
            }
        };
        note_failure(ctx, &aim, &failure, begun, now);
        let left = order.attempts_left();
        match decide(failure.class, &policy.failover, left, false, failure.may_have_been_processed) {
            Decision::GiveUp => return Raced::Failed(failure),
            Decision::TryOther => order.exclude(target),
            Decision::TryNext => {}
        }
        last = Some(failure);
    }
    match (last, unfit) {
        (Some(failure), _) => Raced::Failed(failure),
        (None, Some(reject)) => Raced::NoTarget(reject),
        (None, None) => Raced::NoTarget(none_ready(soonest.map(|at| at.since(now)))),
    }
}

/// A model none of whose targets can be asked now.
fn none_ready(soonest: Option<Duration>) -> Reject {
    match soonest {
        Some(span) => Reject::new(Reason::AllCooling, "all targets of this model are cooling down")
            .with_retry_after(span.max(Duration::from_millis(1))),
        None => Reject::new(Reason::NoTarget, "this model has no target that takes calls"),
    }
}

fn aim<'r>(
    edge: &Edge,
    prepared: &'r Prepared<'_>,
    track: &Track<'r>,
    index: usize,
    now: Ticks,
) -> Option<Aim<'r>> {
    let target = track.policy.targets.get(index)?;
    let provider = track.runtime.providers.get(target.provider)?;
    let account = match track.pinned {
        Some((_, account)) => account,
        None => health::account(track.runtime, provider, edge.dice.roll(), now)?,
    };
    let upstream_model = target.model.as_deref().unwrap_or(&prepared.model);
    Some(Aim {
        runtime: track.runtime,
        policy: track.policy,
        target: index,
        provider,
        account,
        upstream_model,
    })
}

fn won(now: Ticks, aim: &Aim<'_>, raced: Raced) -> Raced {
    // A stream counts once it has ended: `exchange` notes it then.
    if !matches!(raced, Raced::Streaming(_)) {
        aim.provider.metrics.attempt(AttemptOutcome::Ok);
    }
    health::note_success(aim, now);
    raced
}

fn cancelled(aim: &Aim<'_>, raced: Raced) -> Raced {
    aim.provider.metrics.attempt(AttemptOutcome::Cancelled);
    raced
}

fn note_failure(ctx: &mut Ctx, aim: &Aim<'_>, failure: &Failure, begun: Ticks, now: Ticks) {
    aim.provider.metrics.attempt(AttemptOutcome::Failed(failure.class));
    if let Some(provider) = ctx.record.provider {
        ctx.record.failures.push((provider, failure.class));
    }
    log::debug!(
        "{} attempt at {} failed: {}: {}",
        ctx.id,
        aim.provider.name,
        failure.class.as_str(),
        failure.detail
    );
    health::note_failure(aim, failure.class, failure.retry_after, begun, now);
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
