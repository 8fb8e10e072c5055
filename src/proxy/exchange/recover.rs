//! Goes on with a stream that broke after its client got some of it: the text so far goes to another
//! target of the same model as the beginning of its answer, and what comes is joined to it.
//!
//! Opted in by `recovery = "continue"`. Not here: what is followed (`following`), how a request says it
//! (`prefill`). Invariants: within the model's attempts and its budget of retries, and never more often
//! than it allows; where the stream is not gone on with, it ends as if nothing had been tried.

use super::attempt::{Live, stream_fault};
use super::count;
use super::health;
use super::prefill::Beginning;
use super::prepare::Prepared;
use super::race::{self, Raced, Track};
use super::relay::{self, StreamEnd};
use super::talk::Talk;
use crate::catalog::Cost;
use crate::dialect::codec::Recorder;
use crate::limits;
use crate::proxy::context::Ctx;
use crate::proxy::cost;
use crate::routing::{Decision, decide};
use crate::runtime::{Edge, ModelPolicy};
use crate::telemetry::{AttemptOutcome, RecoveryOutcome};
use crate::types::{FailureClass, Usage};
use bytes::Bytes;

/// What the client reads of it, where its form of a stream has comments.
const COMMENT: &[u8] = b": tidegate continued\n\n";

/// What streams used that another one went on with.
pub struct Earlier {
    usage: Usage,
    cost: Option<Cost>,
}

/// Who was asked last.
struct Asked {
    provider: Option<usize>,
    account: Option<usize>,
    cell: Option<usize>,
    upstream_model: Option<String>,
}

/// Why a stream is not gone on with.
enum Stays {
    Unfit,
    NoTarget,
    /// Another attempt was made and led to nothing, or to an end of its own.
    Failed(Option<StreamEnd>),
    /// The client left while another target was asked: what that one has taken up.
    Left(Option<Earlier>),
    /// There is no money for it.
    Spent,
}

/// Whether a stream of the model that ended so may be gone on with.
pub fn may(policy: &ModelPolicy, end: &StreamEnd) -> bool {
    policy.streams.continuations > 0 && class_of(end).is_some_and(|class| goes_on(policy, class))
}

fn goes_on(policy: &ModelPolicy, class: FailureClass) -> bool {
    decide(class, &policy.failover, 1, false, true) != Decision::GiveUp
}

fn class_of(end: &StreamEnd) -> Option<FailureClass> {
    match end {
        StreamEnd::Failed(class, _) => Some(*class),
        StreamEnd::Fault(fault) => Some(stream_fault(fault.clone()).class),
        _ => None,
    }
}

/// Goes on with a stream as often as it breaks and may be gone on with. Gives its last end, and what was
/// used before the stream that had it.
pub async fn run(
    edge: &Edge,
    talk: &mut Talk<'_>,
    ctx: &mut Ctx,
    prepared: &Prepared<'_>,
    track: &Track<'_>,
    live: &mut Box<Live>,
    broken: StreamEnd,
) -> (StreamEnd, Option<Earlier>) {
    let mut end = broken;
    let mut earlier: Option<Earlier> = None;
    for _ in 0..track.policy.streams.continuations {
        let Some(class) =
            class_of(&end).filter(|_| may(track.policy, &end) && talk.down.has_reader(edge.now()))
        else {
            break;
        };
        let outcome = match once(edge, talk, ctx, prepared, track, live, class).await {
            Ok(more) => {
                edge.metrics.routes.recoveries.inc(RecoveryOutcome::Continued);
                ctx.record.continued += 1;
                earlier = Some(more.after(earlier));
                let reservation = ctx.caller.as_mut().map(|caller| &mut caller.reservation);
                end = relay::run(talk, edge, track.policy, live, track.total, reservation).await;
                continue;
            }
            Err(Stays::Unfit) => RecoveryOutcome::Unfit,
            Err(Stays::NoTarget) => RecoveryOutcome::NoTarget,
            Err(Stays::Spent) => {
                end = StreamEnd::Spent;
                RecoveryOutcome::Failed
            }
            Err(Stays::Left(more)) => {
                end = StreamEnd::Left;
                earlier = more.map(|more| more.after(earlier.take())).or(earlier);
                RecoveryOutcome::Failed
            }
            Err(Stays::Failed(other)) => {
                end = other.unwrap_or(end);
                RecoveryOutcome::Failed
            }
        };
        edge.metrics.routes.recoveries.inc(outcome);
        break;
    }
    (end, earlier)
}

/// Has one more target go on with the stream. Gives what the broken one used.
async fn once(
    edge: &Edge,
    talk: &mut Talk<'_>,
    ctx: &mut Ctx,
    prepared: &Prepared<'_>,
    track: &Track<'_>,
    live: &mut Box<Live>,
    class: FailureClass,
) -> Result<Earlier, Stays> {
    // What the broken stream used, counted here where it did not say.
    let lacks_input = live.listener.lacks_input();
    let input = if lacks_input { count::prompt(track.runtime, track.policy, prepared).await } else { 0 };
    let used = live.listener.usage(input);
    let begun = beginning(ctx, prepared, track, live, &used)?;
    // What it cost so far, and the next prompt at most, as output: never dearer than that.
    let before = live.listener.output_counted().saturating_add(used.total());
    if let Some(caller) = &mut ctx.caller
        && caller.reservation.has_budget()
        && !caller.reservation.cover(before.saturating_add(limits::SLICE), edge.now())
    {
        return Err(Stays::Spent);
    }
    ctx.record.usage = Some(used);
    ctx.record.service = cost::service(live.listener.service(), &prepared.body, &ctx.record.dropped);
    let more = Earlier { usage: used, cost: cost::of(ctx) };
    let asked = Asked::of(ctx);
    let (route, decision) = (ctx.record.route, ctx.record.decision.take());
    let failures = ctx.record.failures.len();
    // Its upstream is of no more use, and must not go on meanwhile.
    live.call = None;
    let attempts = ctx.record.attempts;
    let again = Track { begun: Some(&begun), ..*track };
    talk.go_on_alone(true);
    let raced = Box::pin(race::run(talk, edge, ctx, prepared, &again)).await;
    talk.go_on_alone(false);
    (ctx.record.route, ctx.record.decision) = (route, decision);
    let new = match raced {
        Raced::Streaming(new) => new,
        raced => {
            let is_owed = matches!(raced, Raced::Left) && ctx.record.attempts > attempts;
            let owed = if is_owed { Some(taken_up(ctx, prepared, track, &begun).await) } else { None };
            asked.restore(ctx);
            return Err(match raced {
                Raced::Left => Stays::Left(owed),
                Raced::Cut => Stays::Failed(Some(StreamEnd::Cut)),
                Raced::NoTarget(_) => Stays::NoTarget,
                _ => Stays::Failed(None),
            });
        }
    };
    // Where nobody goes on, the end of the call tells it.
    asked.note_failure(ctx, class, failures);
    health::note_broken(edge, ctx, asked.cell, class);
    if let Some(told) = &mut ctx.record.route {
        told.is_continued = true;
    }
    graft(live, new, &begun, (used, before));
    Ok(more)
}

/// What a target has taken up whose answer nobody waited for: the prompt, with the text so far.
async fn taken_up(ctx: &mut Ctx, prepared: &Prepared<'_>, track: &Track<'_>, begun: &Beginning) -> Earlier {
    let input = count::prompt(track.runtime, track.policy, prepared).await.saturating_add(begun.tokens);
    let usage = Usage { input, is_estimated: true, ..Usage::default() };
    ctx.record.usage = Some(usage);
    Earlier { usage, cost: cost::of(ctx) }
}

/// What the next target is given.
fn beginning(
    ctx: &Ctx,
    prepared: &Prepared<'_>,
    track: &Track<'_>,
    live: &Live,
    used: &Usage,
) -> Result<Beginning, Stays> {
    let (text, seam) = live.listener.progress().and_then(|said| said.seam()).ok_or(Stays::Unfit)?;
    let broken = ctx.record.upstream_model.as_deref();
    let broken_target = track.policy.targets.iter().position(|target| {
        Some(target.provider) == ctx.record.provider
            && Some(target.model.as_deref().unwrap_or(&prepared.model)) == broken
    });
    let family = match (broken_target, broken) {
        (Some(target), Some(model)) => track.policy.streams.family(target, model),
        _ => return Err(Stays::NoTarget),
    };
    let takes = |index: usize, target: &crate::routing::Target| {
        let provider = track.runtime.providers.get(target.provider)?;
        let model = target.model.as_deref().unwrap_or(&prepared.model);
        let lane = provider.lane(prepared.endpoint, model)?;
        let streams = &track.policy.streams;
        let is_same = streams.family(index, model) == family;
        let takes = text.is_empty() || streams.prefill(index, provider, lane, model).is_some();
        (is_same && takes).then_some(1_u64.checked_shl(u32::try_from(index).ok()?)?)
    };
    let targets = track.policy.targets.iter().enumerate();
    let targets = targets.filter_map(|(index, target)| takes(index, target)).fold(0, |all, bit| all | bit);
    if targets == 0 {
        return Err(Stays::NoTarget);
    }
    Ok(Beginning {
        text: text.into(),
        seam,
        tokens: used.output,
        broken: broken_target,
        targets,
        recorder: Recorder::default(),
    })
}

/// Joins the new stream to the client's.
fn graft(live: &mut Box<Live>, new: Box<Live>, begun: &Beginning, earlier: (Usage, u64)) {
    let Live { listener: broken, keeper, .. } = *std::mem::replace(live, new);
    live.keeper = keeper;
    let comment = broken.has_comments().then_some(Bytes::from_static(COMMENT));
    let first = live.listener.go_on(broken, &begun.recorder.take(), earlier);
    live.pieces = comment.into_iter().chain(first).collect();
}

/// Adds what earlier streams of the call used to what its last one did.
pub fn settle(ctx: &mut Ctx, earlier: Option<Earlier>) {
    let Some(earlier) = earlier else { return };
    ctx.record.cost = together(cost::of(ctx), earlier.cost);
    ctx.record.usage = ctx.record.usage.map(|usage| usage.plus(&earlier.usage));
}

/// Where one part has no price, the whole has none.
fn together(one: Option<Cost>, two: Option<Cost>) -> Option<Cost> {
    match (one, two) {
        (
            Some(Cost::Priced { money: one, is_partial }),
            Some(Cost::Priced { money: two, is_partial: other }),
        ) => Some(Cost::Priced { money: one.saturating_add(two), is_partial: is_partial || other }),
        (Some(unpriced @ Cost::Unpriced(_)), _) | (_, Some(unpriced @ Cost::Unpriced(_))) => Some(unpriced),
        (one, two) => one.or(two),
    }
}

impl Earlier {
    fn after(self, earlier: Option<Self>) -> Self {
        match earlier {
            None => self,
            Some(first) => {
                Self { usage: first.usage.plus(&self.usage), cost: together(first.cost, self.cost) }
            }
        }
    }
}

impl Asked {
    fn of(ctx: &Ctx) -> Self {
        let record = &ctx.record;
        Self {
            provider: record.provider,
            account: record.account,
            cell: record.cell,
            upstream_model: record.upstream_model.clone(),
        }
    }

    /// Nobody went on: who broke it is who served the call.
    fn restore(self, ctx: &mut Ctx) {
        let record = &mut ctx.record;
        (record.provider, record.account, record.cell) = (self.provider, self.account, self.cell);
        record.upstream_model = self.upstream_model;
    }

    /// The break is told in its place, before what came of going on.
    fn note_failure(&self, ctx: &mut Ctx, class: FailureClass, at: usize) {
        let Some(index) = self.provider else { return };
        if let Some(provider) = ctx.runtime.providers.get(index) {
            provider.metrics.attempt(AttemptOutcome::Failed(class));
        }
        let at = at.min(ctx.record.failures.len());
        ctx.record.failures.insert(at, (index, class));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Unpriced;
    use crate::types::Money;

    #[test]
    fn two_costs_are_added_and_one_unknown_makes_the_whole_unknown() {
        let priced = |pico| Some(Cost::Priced { money: Money::from_pico(pico), is_partial: false });
        let unknown = Some(Cost::Unpriced(Unpriced::NoPrice));
        assert_eq!(together(priced(2), priced(3)), priced(5));
        assert_eq!(together(priced(2), unknown), unknown);
        assert_eq!(together(unknown, priced(2)), unknown);
        assert_eq!(together(None, priced(2)), priced(2));
    }
}
