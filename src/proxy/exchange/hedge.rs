//! A second attempt elsewhere, when the first content is later than it usually is: whoever has content
//! first is the answer, and the other one is cancelled at once.
//!
//! Not here: when a model is hedged at all (`Route::hedge`). Invariant: at most two attempts run at a
//! time, at different targets, and one of the two is dropped before anything goes to the client.

use super::attempt::{self, Aim, Attempted, Failure};
use super::health;
use super::prepare::Prepared;
use super::race::{enter, note_failure, settle_on};
use super::talk::{Talk, Wake, Watch};
use crate::limits::Stage;
use crate::proxy::context::Ctx;
use crate::routing::{Decision, Plan, Slot, decide};
use crate::runtime::{Edge, ModelPolicy, OnDisconnect};
use crate::telemetry::{AttemptOutcome, HedgeOutcome};
use crate::types::{FailureClass, Ticks};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

/// Longer than an attempt's own deadlines, which it keeps itself.
const GRACE: Duration = Duration::from_secs(5);

/// What the one or the two came to.
pub struct Hedged<'r> {
    /// Who was the answer, or failed last.
    pub aim: Aim<'r>,
    pub begun: Ticks,
    pub attempted: Attempted,
}

/// How long the first content is waited for before another target is asked too; None where none is.
pub fn delay(edge: &Edge, policy: &ModelPolicy, plan: &Plan, prepared: &Prepared<'_>) -> Option<Duration> {
    let rules = policy.route.hedge?;
    // Targets that are left alone shed load already: no time to ask twice.
    let is_calm = plan.len() > 1
        && plan.soonest_recovery().is_none()
        && !plan.has_full()
        && !edge.overload.sheds(Stage::Extras);
    if !prepared.is_stream || !is_calm || !prepared.endpoint.generates() {
        return None;
    }
    let learned = &policy.route.learned;
    learned.hedges.note_call(rules.share);
    learned.first.late(rules.percentile).map(|usual| usual.max(rules.after_min))
}

/// Runs the first attempt, and a second one where it is late.
pub async fn run<'r>(
    talk: &mut Talk<'_>,
    edge: &Edge,
    ctx: &mut Ctx,
    prepared: &Prepared<'_>,
    (first, begun, total): (Aim<'r>, Ticks, Ticks),
    delay: Duration,
    second: impl FnOnce(Ticks) -> Option<(Aim<'r>, Option<Slot>)>,
) -> Hedged<'r> {
    let content = [AtomicBool::new(false), AtomicBool::new(false)];
    let [has_content, other_content] = &content;
    let mut watch = Watch::Alone(edge, Some(has_content));
    let mut one = Box::pin(attempt::run(&mut watch, edge, prepared, &first, (begun, total)));
    let done = |attempted| Hedged { aim: first, begun, attempted };
    let is_heard_out = || drains(first.policy) && content.iter().any(|one| one.load(Ordering::Relaxed));
    match alone(talk, begun.plus(delay).min(total), one.as_mut(), is_heard_out).await {
        Wake::Deadline => {}
        wake => return done(landed(wake)),
    }
    let route = &first.policy.route;
    let now = edge.now();
    // What is held back is not late.
    let is_late = !has_content.load(Ordering::Relaxed);
    let other = if is_late && route.learned.hedges.take() { second(now) } else { None };
    let Some((other, other_slot)) = other else {
        return done(landed(alone(talk, total.plus(GRACE), one.as_mut(), is_heard_out).await));
    };
    let slot = ctx.slot.take();
    enter(ctx, &other, other_slot);
    if let Some(told) = &mut ctx.record.route {
        told.is_hedged = true;
    }
    let mut other_watch = Watch::Alone(edge, Some(other_content));
    let mut two = Box::pin(attempt::run(&mut other_watch, edge, prepared, &other, (now, total)));
    let mut both = Both { edge, ctx, prepared, first, other, begun: [begun, now], is_left: [true, true] };
    let (is_first, attempted) = loop {
        let is_left = both.is_left;
        let next = next(is_left, one.as_mut(), two.as_mut());
        let wake = talk.until(total.plus(GRACE), std::pin::pin!(next)).await;
        let (is_first, attempted) = match wake {
            Wake::Done((is_first, done)) => (is_first, done.unwrap_or_else(Attempted::from)),
            // Said once: whoever has content is waited for.
            Wake::Left if is_heard_out() => continue,
            Wake::Left => break (true, Attempted::Left),
            Wake::Cut => break (true, Attempted::Cut),
            Wake::Deadline => break (true, late()),
        };
        match both.goes_on(is_first, attempted) {
            None => {}
            Some(attempted) => break (is_first, attempted),
        }
    };
    both.end(is_first, &attempted);
    let (aim, begun) = if is_first { (first, begun) } else { (other, now) };
    if is_first {
        settle_on(ctx, &first, slot);
    }
    Hedged { aim, begun, attempted }
}

struct Both<'a, 'p, 'r> {
    edge: &'a Edge,
    ctx: &'a mut Ctx,
    prepared: &'a Prepared<'p>,
    first: Aim<'r>,
    other: Aim<'r>,
    begun: [Ticks; 2],
    /// Which of them still run.
    is_left: [bool; 2],
}

impl Both<'_, '_, '_> {
    /// What ends the two; None where the other one is waited for.
    fn goes_on(&mut self, is_first: bool, attempted: Attempted) -> Option<Attempted> {
        let [one, two] = self.is_left;
        let is_alone = !(one && two);
        self.is_left = if is_first { [false, two] } else { [one, false] };
        let failure = match attempted {
            Attempted::Failed(failure) if !is_alone => failure,
            Attempted::Unfit(_) if !is_alone => return None,
            attempted => return Some(attempted),
        };
        let may_be_processed = failure.may_have_been_processed;
        match decide(failure.class, &self.first.policy.failover, 1, false, may_be_processed) {
            Decision::GiveUp => Some(Attempted::Failed(failure)),
            Decision::TryNext | Decision::TryOther => {
                let (aim, begun) =
                    if is_first { (&self.first, self.begun[0]) } else { (&self.other, self.begun[1]) };
                let times = (begun, self.edge.now());
                note_failure(self.edge, self.ctx, aim, &failure, self.prepared.is_stream, times);
                None
            }
        }
    }

    /// Tells who was asked in vain, and what that cost.
    fn end(&self, is_first: bool, attempted: &Attempted) {
        let has_answer =
            matches!(attempted, Attempted::Streaming(_) | Attempted::Whole(_) | Attempted::Long(_));
        let metrics = &self.edge.metrics.routes;
        metrics.hedges.inc(match (has_answer, is_first) {
            (true, true) => HedgeOutcome::Lost,
            (true, false) => HedgeOutcome::Won,
            (false, _) => HedgeOutcome::Neither,
        });
        let [one, two] = self.is_left;
        for (is_left, aim) in [(one, &self.first), (two, &self.other)] {
            if !is_left {
                continue;
            }
            aim.provider.metrics.attempt(AttemptOutcome::Cancelled);
            let begun = if std::ptr::eq(aim, &self.first) { self.begun[0] } else { self.begun[1] };
            health::let_go(aim, begun);
            // Late and given up: what it would have taken is at least this.
            let cell = aim.policy.first_cell + aim.target;
            let now = self.edge.now();
            if let (true, Some(live)) = (has_answer, aim.runtime.target_live.get(cell)) {
                live.note_late(self.prepared.is_stream, now.since(begun), now);
            }
            let prompt = self.ctx.record.counted_input.unwrap_or_default();
            let price = aim.policy.route.prompt_price(aim.target, prompt);
            metrics.hedge_cost.inc_by(price);
        }
    }
}

/// Whether a stream whose client leaves is read on for its usage.
fn drains(policy: &ModelPolicy) -> bool {
    matches!(policy.on_disconnect, OnDisconnect::Drain(_))
}

/// Waits for one attempt. A client that leaves while its content is held back is no reason to stop where
/// `is_heard_out`.
async fn alone<T>(
    talk: &mut Talk<'_>,
    until: Ticks,
    mut work: Pin<&mut impl Future<Output = T>>,
    is_heard_out: impl Fn() -> bool,
) -> Wake<T> {
    match talk.until(until, work.as_mut()).await {
        Wake::Left if is_heard_out() => talk.until(until, work).await,
        wake => wake,
    }
}

/// The first of those that still run to be done, and whether it is the first one.
async fn next<T>(
    is_left: [bool; 2],
    mut one: Pin<&mut impl Future<Output = T>>,
    mut two: Pin<&mut impl Future<Output = T>>,
) -> (bool, T) {
    let [one_left, two_left] = is_left;
    poll_fn(|cx| {
        if one_left && let Poll::Ready(done) = one.as_mut().poll(cx) {
            return Poll::Ready((true, done));
        }
        if two_left && let Poll::Ready(done) = two.as_mut().poll(cx) {
            return Poll::Ready((false, done));
        }
        Poll::Pending
    })
    .await
}

fn landed(wake: Wake<Result<Attempted, attempt::Stop>>) -> Attempted {
    match wake {
        Wake::Done(done) => done.unwrap_or_else(Attempted::from),
        Wake::Left => Attempted::Left,
        Wake::Cut => Attempted::Cut,
        Wake::Deadline => late(),
    }
}

fn late() -> Attempted {
    Attempted::Failed(Box::new(Failure::new(FailureClass::TotalTimeout, "no answer in time")))
}
