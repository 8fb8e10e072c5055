//! A call and the place it needs at a target: taken where there is one, else waited for in its model's
//! line, as long as the client and the model allow.
//!
//! Not here: the order of those who wait (`routing::lobby`). Only a call that nobody was asked for yet
//! waits: what failed elsewhere has had its turn, and would make others wait longer. Invariant: whoever
//! waits holds no place at any target.

use super::gate;
use super::health;
use super::prepare::Prepared;
use super::race::{Raced, Track};
use super::route::{self, Going};
use super::talk::{Talk, Wake};
use crate::proxy::context::Ctx;
use crate::routing::{Called, Grant, Lobby, PACE, Plan, Standing, TargetState, Verdict, Wanted, affinity};
use crate::runtime::{Edge, Queue};
use crate::telemetry::{GaugeGuard, QueueOutcome};
use crate::types::{Priority, Reason, Reject, Ticks};
use std::pin::pin;
use std::time::Duration;

/// What `Retry-After` says at least, and at most.
const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

/// One call's wait, over all times it is called in vain.
struct Wait<'q> {
    queue: &'q Queue,
    began: Ticks,
    deadline: Ticks,
    of: (Priority, u64),
    standing: Option<Standing>,
}

/// What a call may wait for.
struct Hope {
    wanted: Vec<Wanted>,
    /// Something has no room now, or others are let through to it one after the other.
    has_full: bool,
    /// When the first of those that are left alone is back.
    back: Option<Ticks>,
}

/// How a stand in line ended.
enum Stood {
    Called(Grant),
    /// Nothing is left of what it waited for.
    Over,
    Refused(QueueOutcome),
    Left,
    Cut,
}

/// A plan, and the place that is held where its targets take only so many calls.
pub type Placed = (Going, Option<Grant>);

/// The plan of a call, with a place at a target where it needs one. `moment`: when, after a wait.
///
/// # Errors
/// The end of a call that gets none.
pub async fn going(
    talk: &mut Talk<'_>,
    edge: &Edge,
    ctx: &mut Ctx,
    prepared: &Prepared<'_>,
    track: &Track<'_>,
    moment: &mut Ticks,
) -> Result<Placed, Raced> {
    if track.policy.route.is_gated {
        // Boxed: few models have such targets, and each call would pay for the room.
        return Box::pin(place(talk, edge, ctx, prepared, track, moment)).await;
    }
    Ok((route::plan(edge, ctx, prepared, track, None, *moment).await, None))
}

/// The plan, and a place at one of its targets; none where nobody is only full.
async fn place(
    talk: &mut Talk<'_>,
    edge: &Edge,
    ctx: &mut Ctx,
    prepared: &Prepared<'_>,
    track: &Track<'_>,
    moment: &mut Ticks,
) -> Result<Placed, Raced> {
    let mut wait: Option<Wait<'_>> = None;
    let mut granted: Option<Grant> = None;
    loop {
        let now = edge.now();
        *moment = now;
        let held = granted.as_ref().map(|grant| grant.target);
        let going = route::plan(edge, ctx, prepared, track, held, now).await;
        let kept = granted.take().filter(|grant| is_asked(track, &going.plan, grant.target, now));
        if let Some(grant) = kept.or_else(|| seize(track, &going.plan, now)) {
            note(edge, ctx, wait.as_ref(), QueueOutcome::Served);
            return Ok((going, Some(grant)));
        }
        let hope = Hope::of(track, prepared, &going.plan, now);
        let Some(queue) = track.policy.route.queue.as_ref().filter(|_| !hope.wanted.is_empty()) else {
            note(edge, ctx, wait.as_ref(), QueueOutcome::Hopeless);
            return if hope.has_full { Err(full(&going.plan, now)) } else { Ok((going, None)) };
        };
        let wait = wait.get_or_insert_with(|| Wait::new(queue, ctx, prepared, track, now));
        if now >= wait.deadline {
            return Err(match wait.standing {
                None => full(&going.plan, now),
                Some(_) => refused(edge, ctx, wait, QueueOutcome::Timeout),
            });
        }
        if !hope.is_worth(wait.deadline) {
            // Whoever is left alone says for how long.
            note(edge, ctx, Some(wait), QueueOutcome::Hopeless);
            return Ok((going, None));
        }
        match stand(talk, edge, prepared, track, wait, hope).await {
            Stood::Called(grant) => granted = Some(grant),
            Stood::Over => {}
            Stood::Refused(outcome) => return Err(refused(edge, ctx, wait, outcome)),
            Stood::Left => {
                note(edge, ctx, Some(wait), QueueOutcome::Left);
                return Err(Raced::Left);
            }
            Stood::Cut => {
                note(edge, ctx, Some(wait), QueueOutcome::Left);
                return Err(Raced::Cut);
            }
        }
    }
}

/// The refusal of a call whose targets have no room, and that does not wait.
pub fn all_full(plan: &Plan, now: Ticks) -> Reject {
    let span = plan.soonest_recovery().map_or(RETRY_AFTER_MIN, |at| at.since(now));
    Reject::new(Reason::AllFull, "all targets of this model have as many calls as they take at once")
        .with_retry_after(span.clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX))
}

fn full(plan: &Plan, now: Ticks) -> Raced {
    Raced::NoTarget(all_full(plan, now))
}

/// The end of a call that stood in line, or could not.
fn refused(edge: &Edge, ctx: &mut Ctx, wait: &Wait<'_>, outcome: QueueOutcome) -> Raced {
    note(edge, ctx, Some(wait), outcome);
    let (reason, message) = match outcome {
        QueueOutcome::Full => (Reason::QueueFull, "as many calls wait for this model as may"),
        _ => (Reason::QueueTimeout, "no target of this model had room in time"),
    };
    let usual = wait.queue.lobby.usual_wait();
    let reject = Reject::new(reason, message);
    Raced::NoTarget(reject.with_retry_after(usual.clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX)))
}

/// Gives back what a call has taken of its caller's limits that nobody was asked for: that there was no
/// room for it is not the caller's doing. What is left is told with the refusal.
pub fn give_back(edge: &Edge, ctx: &mut Ctx, reject: &Reject) {
    let is_ours = matches!(reject.reason, Reason::QueueFull | Reason::QueueTimeout | Reason::AllFull);
    let Some(caller) = ctx.caller.as_mut().filter(|_| is_ours && ctx.record.attempts == 0) else { return };
    let chain = caller.reservation.chain().cloned();
    caller.cancel();
    ctx.told = chain.map(|chain| ctx.runtime.limits.snapshot(&chain, edge.now()));
}

/// Tells what came of a wait.
fn note(edge: &Edge, ctx: &mut Ctx, wait: Option<&Wait<'_>>, outcome: QueueOutcome) {
    let Some(wait) = wait else { return };
    let metrics = &edge.metrics.routes.overload;
    if wait.standing.is_some() || outcome == QueueOutcome::Full {
        metrics.waits.inc(outcome);
    }
    if wait.standing.is_none() {
        return;
    }
    let span = edge.now().since(wait.began);
    ctx.record.queued = Some(span);
    ctx.record.waited += span;
    match outcome {
        QueueOutcome::Served => {
            metrics.wait_seconds.observe(span);
            if let Some(told) = &mut ctx.record.route {
                told.is_queued = true;
            }
            wait.queue.lobby.note_wait(span);
        }
        QueueOutcome::Timeout => wait.queue.lobby.note_wait(span),
        QueueOutcome::Full | QueueOutcome::Left | QueueOutcome::Hopeless => {}
    }
}

/// Whether the target of a place that was given may be called now.
fn is_asked(track: &Track<'_>, plan: &Plan, target: usize, now: Ticks) -> bool {
    plan.targets().any(|other| other == target) && gate::may_ask(track, plan, target, now)
}

/// A place at the first target of the plan that has one.
fn seize(track: &Track<'_>, plan: &Plan, now: Ticks) -> Option<Grant> {
    let mut slot = None;
    let target = plan.targets().find(|target| gate::may_call(track, plan, *target, &mut slot, now))?;
    Some(Grant { target, slot: slot? })
}

/// Stands in line once, until it is called, or has waited long enough.
async fn stand(
    talk: &mut Talk<'_>,
    edge: &Edge,
    prepared: &Prepared<'_>,
    track: &Track<'_>,
    wait: &mut Wait<'_>,
    hope: Hope,
) -> Stood {
    let lobby = &wait.queue.lobby;
    let _queued = GaugeGuard::raise(&edge.metrics.routes.overload.queued);
    let Hope { wanted, has_full, back } = hope;
    lobby.set_most(wait.queue.max);
    let Ok(mut ticket) = lobby.enter(wait.of, wanted.clone(), wait.standing) else {
        return Stood::Refused(QueueOutcome::Full);
    };
    wait.standing = Some(ticket.place());
    let mut look_at = back.map(|at| at.plus(apart(edge, lobby)));
    loop {
        let until = look_at.map_or(wait.deadline, |at| at.min(wait.deadline));
        match talk.until(until, pin!(&mut ticket)).await {
            Wake::Done(Some(Called::Place(grant))) => return Stood::Called(grant),
            Wake::Done(Some(Called::Again)) => return Stood::Over,
            Wake::Done(None) => return Stood::Refused(QueueOutcome::Full),
            Wake::Left => return Stood::Left,
            Wake::Cut => return Stood::Cut,
            Wake::Deadline => {}
        }
        let now = edge.now();
        if now >= wait.deadline {
            return Stood::Refused(QueueOutcome::Timeout);
        }
        let next = knock(track, prepared, &wanted, now).filter(|at| *at <= wait.deadline);
        if next.is_none() && !has_full {
            return Stood::Over;
        }
        look_at = next.map(|at| at.plus(apart(edge, lobby)));
    }
}

/// Lets somebody through to each of the targets that are back. Gives when to look again.
fn knock(track: &Track<'_>, prepared: &Prepared<'_>, wanted: &[Wanted], now: Ticks) -> Option<Ticks> {
    let away = wanted.iter().filter(|one| one.is_away);
    let next = away.filter_map(|one| match state(track, prepared, one.target, now)? {
        TargetState::Ready => Some(one.cell.pass(now)),
        TargetState::Cooling { until } => Some(until),
    });
    next.min()
}

/// Those who wait for one target look at different moments: all of them together about once in each pace.
fn apart(edge: &Edge, lobby: &Lobby) -> Duration {
    let most = u32::try_from(lobby.len()).unwrap_or(u32::MAX).saturating_mul(PACE.subsec_micros());
    let micros = (edge.dice.roll() >> 32).saturating_mul(u64::from(most)) >> 32;
    Duration::from_micros(micros)
}

fn state(track: &Track<'_>, prepared: &Prepared<'_>, target: usize, now: Ticks) -> Option<TargetState> {
    let asked = (prepared.endpoint, prepared.model.as_str());
    health::state(track.runtime, asked, track.policy, target, now)
}

// === impl Wait ===

impl<'q> Wait<'q> {
    fn new(queue: &'q Queue, ctx: &Ctx, prepared: &Prepared<'_>, track: &Track<'_>, now: Ticks) -> Self {
        let wish = prepared.wait().unwrap_or(queue.wait).min(queue.wait_max);
        let principal = ctx.caller.as_ref().map(|caller| &caller.principal);
        let share = principal.map_or(0, |principal| affinity::hash(principal.share().as_bytes()));
        let priority = principal.map(|principal| principal.priority()).unwrap_or_default();
        Self {
            queue,
            began: now,
            deadline: now.plus(wish).min(track.total),
            of: (priority.lowered_to(prepared.priority()), share),
            standing: None,
        }
    }
}

// === impl Hope ===

impl Hope {
    fn of(track: &Track<'_>, prepared: &Prepared<'_>, plan: &Plan, now: Ticks) -> Self {
        let mut hope = Self { wanted: Vec::new(), has_full: false, back: None };
        for (target, verdict) in plan.verdicts().iter().enumerate() {
            let Some(cell) = gate::live(track, target) else { continue };
            let is_away = match verdict {
                Verdict::Full | Verdict::Ready if !cell.is_full() => continue,
                // Others wait for it to be back: it is theirs, one after the other.
                Verdict::Full | Verdict::Ready => cell.is_expected(),
                Verdict::Limited | Verdict::Cooling => true,
                _ => continue,
            };
            let back = match state(track, prepared, target, now) {
                _ if !is_away => None,
                Some(TargetState::Cooling { until }) => Some(until),
                _ => Some(now),
            };
            // Nobody knows whether one that fails will be well then: it is no reason to wait.
            let is_reason = *verdict != Verdict::Cooling;
            hope.has_full |= !is_away;
            hope.back = hope.back.into_iter().chain(back.filter(|_| is_reason)).min();
            hope.wanted.push(Wanted { target, cell: cell.clone(), is_away });
        }
        if hope.back.is_none() && !hope.has_full {
            hope.wanted.clear();
        }
        hope
    }

    fn is_worth(&self, deadline: Ticks) -> bool {
        self.has_full || self.back.is_some_and(|back| back <= deadline)
    }
}
