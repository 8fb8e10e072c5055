//! Copies of calls: sent to a second target once the call itself is answered, read to their end, counted
//! and thrown away.
//!
//! Not here: which calls and how many (`runtime::mirror`), the copy itself (`copied`). Invariant: nothing
//! of this is waited for by the call; a copy touches no limit, no retry, no slot, no cooldown, no
//! credential's state of the model's own.

use super::affine;
use super::attempt::{self, Aim, Answer, Attempted, Failure, Live, Long, stream_fault};
use super::copied::{Copied, is_copied};
use super::count;
use super::listener::Heard;
use super::prepare::Prepared;
use super::race::{Raced, Track};
use super::route;
use super::talk::{Wake, Watch};
use crate::catalog::{Cost, Service};
use crate::limits::Stage;
use crate::proxy::context::{Ctx, Mirrored};
use crate::proxy::cost;
use crate::routing::{CredentialPick, TargetState, Verdict, pick_credential};
use crate::runtime::{Berth, DrainPhase, Edge, Mirror, Pair, Provider, Runtime};
use crate::telemetry::{AttemptOutcome, Figures, GaugeGuard, MirrorOutcome, MirrorSide};
use crate::types::bounds::MIRRORED_BYTES_MAX;
use crate::types::{FailureClass, RequestId, Ticks, Usage};
use bytes::Bytes;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// How long the upstream's own end is waited for once the stream has said its last word.
const LAST_WORD_GRACE: Duration = Duration::from_secs(1);

/// Sends a copy of a call that is answered, where it is one of those that are copied.
pub fn send(edge: &Arc<Edge>, ctx: &mut Ctx, prepared: &Prepared<'_>, mirror: &Arc<Mirror>, raced: &Raced) {
    let now = edge.now();
    let answered_at = match raced {
        Raced::Streaming(live) => Some(live.listener.first_content().unwrap_or(now)),
        Raced::Whole(_) => Some(now),
        // Only its beginning is here.
        Raced::Long(_) => None,
        Raced::Failed(_) | Raced::NoTarget(_) | Raced::Left | Raced::Cut => return,
    };
    if !is_copied(prepared.endpoint) {
        return;
    }
    // Whole conversations, so that what the mirror has cached of them is what it would have; never by the
    // caller alone, whose calls would all be copied or none.
    let caller = ctx.caller.as_ref().map(|caller| &*caller.principal.key_id);
    let session = affine::credential_turn(prepared, &mirror.policy.route, caller);
    let turn = session.unwrap_or_else(|| edge.dice.roll());
    if !mirror.takes(turn) {
        return;
    }
    let is_calm = !edge.overload.sheds(Stage::Extras) && edge.drain.phase() == DrainPhase::Serving;
    let berth = is_calm.then(|| mirror.room.enter(mirror.in_flight)).flatten();
    let (Some(berth), Some(copied)) = (berth, Copied::of(prepared)) else {
        return mirror.metrics.copy(MirrorOutcome::Skipped);
    };
    let pair = Arc::new(Pair::new(mirror.metrics.clone()));
    let sent = Sent {
        edge: edge.clone(),
        runtime: ctx.runtime.clone(),
        mirror: mirror.clone(),
        copied,
        pair: pair.clone(),
        turn,
        id: ctx.id,
        _berth: berth,
    };
    if !edge.copies.begin(Box::pin(sent.run())) {
        return mirror.metrics.copy(MirrorOutcome::Skipped);
    }
    let begun = ctx.record.answered_from;
    let time = answered_at.zip(begun).map(|(answered, begun)| answered.since(begun));
    ctx.mirrored = Some(Box::new(Mirrored { pair, time }));
}

/// A copy on its way, with all that it lives by.
struct Sent {
    edge: Arc<Edge>,
    runtime: Arc<Runtime>,
    mirror: Arc<Mirror>,
    copied: Copied,
    pair: Arc<Pair>,
    /// Which of the provider's credentials.
    turn: u64,
    /// Of the call.
    id: RequestId,
    _berth: Berth,
}

/// What a copy's answer used, and when it was here.
struct Told {
    usage: Option<Usage>,
    service: Service,
    at: Option<Ticks>,
    /// Why it did not reach its end.
    failure: Option<Box<Failure>>,
}

impl Sent {
    async fn run(self) {
        let _under_way = GaugeGuard::raise(&self.edge.metrics.routes.copies);
        let outcome = self.ask().await;
        self.mirror.metrics.copy(outcome);
    }

    async fn ask(&self) -> MirrorOutcome {
        let Some(prepared) = self.copied.prepared().await else { return MirrorOutcome::Unfit };
        let (edge, policy) = (&*self.edge, &self.mirror.policy);
        let begun = edge.now();
        let total = begun.plus(self.mirror.timeout);
        let track = Track { runtime: &self.runtime, policy, pinned: None, total, begun: None };
        let aim = match self.aim(&prepared, &track, begun) {
            Ok(aim) => aim,
            Err(outcome) => return outcome,
        };
        let _slot = self.runtime.target_live.get(policy.first_cell).map(|live| live.enter());
        let attempt =
            attempt::run(&mut Watch::Alone(edge, None), edge, &prepared, &aim, (begun, total)).await;
        let told = match attempt.unwrap_or_else(Attempted::from) {
            Attempted::Streaming(live) => self.stream(&prepared, live, total).await,
            Attempted::Whole(answer) => self.whole(&prepared, *answer).await,
            Attempted::Long(long) => self.long(&prepared, *long, total).await,
            Attempted::Failed(failure) => Told::failed(failure),
            Attempted::Unfit(reject) => {
                log::debug!("{} cannot be copied to {}: {}", self.id, aim.provider.name, reject.message);
                return MirrorOutcome::Unfit;
            }
            Attempted::Left | Attempted::Cut => return MirrorOutcome::Skipped,
        };
        self.settle(&aim, told, begun)
    }

    /// Where the copy goes, if its target takes calls now.
    fn aim<'r>(
        &self,
        prepared: &'r Prepared<'_>,
        track: &Track<'r>,
        now: Ticks,
    ) -> Result<Aim<'r>, MirrorOutcome> {
        match route::only(prepared, track, now) {
            Verdict::Ready => {}
            Verdict::Drained
            | Verdict::Cooling
            | Verdict::Limited
            | Verdict::Unhealthy
            | Verdict::Crowded
            | Verdict::Full => return Err(MirrorOutcome::Skipped),
            _ => return Err(MirrorOutcome::Unfit),
        }
        let Track { runtime, policy, .. } = *track;
        let target = policy.targets.first().ok_or(MirrorOutcome::Unfit)?;
        let provider = runtime.providers.get(target.provider).ok_or(MirrorOutcome::Unfit)?;
        let account = account(runtime, provider, self.turn, now).ok_or(MirrorOutcome::Skipped)?;
        if runtime.target_cooldowns.claim(policy.first_cell, now) != TargetState::Ready {
            return Err(MirrorOutcome::Skipped);
        }
        let upstream_model = target.model.as_deref().unwrap_or(&prepared.model);
        Ok(Aim { runtime, policy, target: 0, provider, account, upstream_model, begun: None })
    }

    /// Tells what the copy came to.
    fn settle(&self, aim: &Aim<'_>, told: Told, begun: Ticks) -> MirrorOutcome {
        let Told { usage, service, at, failure } = told;
        let price =
            |usage: &Usage| cost::of_usage(aim.runtime, aim.provider, aim.upstream_model, (usage, service));
        let cost = usage.as_ref().map(price).and_then(Cost::money);
        if let Some(cost) = cost {
            self.mirror.metrics.spent(cost);
        }
        let (now, cell) = (self.edge.now(), aim.policy.first_cell);
        let cells = &aim.runtime.target_cooldowns;
        if let Some(failure) = failure {
            let class = failure.class;
            log::debug!(
                "{} copied to {} failed: {}: {}",
                self.id,
                aim.provider.name,
                class.as_str(),
                failure.detail
            );
            aim.provider.metrics.attempt(AttemptOutcome::Failed(class));
            // Whoever is to blame: only its own cell is told.
            match class {
                FailureClass::Status(403) => cells.refused(cell, now),
                class => cells.failure(cell, class, failure.retry_after, begun, now),
            }
            return MirrorOutcome::Failed;
        }
        aim.provider.metrics.attempt(AttemptOutcome::Ok);
        cells.success(cell, now);
        let time = at.map(|at| at.since(begun));
        let output = usage.map_or(0, |usage| usage.output);
        log::debug!("{} copied to {}: {time:?}, {output} tokens, {cost:?}", self.id, aim.provider.name);
        if usage.is_some() {
            self.pair.tell(MirrorSide::Mirror, Figures { time, output, cost });
        }
        MirrorOutcome::Ok
    }

    async fn stream(&self, prepared: &Prepared<'_>, mut live: Box<Live>, total: Ticks) -> Told {
        let failure = self.follow(&mut live, total).await.err();
        let lacks_input = live.listener.lacks_input();
        let input = match lacks_input {
            true => count::prompt(&self.runtime, &self.mirror.policy, prepared).await,
            false => 0,
        };
        let listener = &live.listener;
        Told {
            usage: Some(listener.usage(input)),
            service: cost::service(listener.service(), &prepared.body, &live.dropped),
            at: listener.first_content(),
            failure,
        }
    }

    /// Reads a stream to its end.
    async fn follow(&self, live: &mut Live, total: Ticks) -> Result<(), Box<Failure>> {
        live.pieces = Vec::new();
        let mut room = MIRRORED_BYTES_MAX;
        while !live.is_ended {
            let is_over = live.listener.is_terminated();
            let idle = if is_over { LAST_WORD_GRACE } else { self.mirror.policy.timeouts.idle };
            let Some(call) = &mut live.call else { break };
            let chunk = match self.next(call, idle, total).await {
                Ok(chunk) => chunk,
                Err(_) if is_over => return Ok(()),
                Err(failure) => return Err(failure),
            };
            let heard = match chunk {
                Some(chunk) => {
                    take(&mut room, &chunk)?;
                    live.listener.hear(chunk, self.edge.now())
                }
                None => {
                    live.is_ended = true;
                    Ok(live.listener.end())
                }
            };
            let Heard { fault, .. } = heard.map_err(|e| failed(FailureClass::Protocol, e))?;
            if let Some(fault) = fault {
                return Err(Box::new(stream_fault(fault)));
            }
        }
        if !live.listener.is_terminated() {
            return Err(failed(FailureClass::Truncated, "the stream ended without its last event"));
        }
        if let Some(call) = live.call.take() {
            call.finish();
        }
        Ok(())
    }

    async fn whole(&self, prepared: &Prepared<'_>, answer: Answer) -> Told {
        let at = Some(self.edge.now());
        let Answer { body, reading, dropped, restreamed, .. } = answer;
        let body = restreamed.and_then(|made| made.whole).unwrap_or(body);
        let usage = match reading.usage {
            Some(usage) => Some(usage),
            None => count::estimate(&self.runtime, &self.mirror.policy, prepared, &body).await,
        };
        Told { usage, service: cost::service(reading.service, &prepared.body, &dropped), at, failure: None }
    }

    /// Reads an answer to its end that was too long to hold.
    async fn long(&self, prepared: &Prepared<'_>, long: Long, total: Ticks) -> Told {
        let Long { mut call, begun, .. } = long;
        let mut tail = count::Tail::new(&begun);
        let mut room = MIRRORED_BYTES_MAX;
        let idle = self.mirror.policy.timeouts.idle;
        let failure = loop {
            match self.next(&mut call, idle, total).await {
                Ok(None) => break None,
                Err(failure) => break Some(failure),
                Ok(Some(chunk)) => {
                    tail.push(&chunk);
                    if let Err(failure) = take(&mut room, &chunk) {
                        break Some(failure);
                    }
                }
            }
        };
        if failure.is_none() {
            call.finish();
        }
        let service = cost::service(None, &prepared.body, &[]);
        Told { usage: tail.usage(prepared.endpoint), service, at: None, failure }
    }

    /// What comes next of an answer; None at its end.
    async fn next(
        &self,
        call: &mut crate::upstream::Call,
        idle: Duration,
        total: Ticks,
    ) -> Result<Option<Bytes>, Box<Failure>> {
        let by = self.edge.now().plus(idle).min(total);
        let class = if by >= total { FailureClass::TotalTimeout } else { FailureClass::IdleTimeout };
        match Watch::Alone(&self.edge, None).until(by, pin!(call.chunk())).await {
            Wake::Done(Ok(chunk)) => Ok(chunk),
            Wake::Done(Err(error)) => Err(Box::new(error.into())),
            Wake::Deadline | Wake::Left | Wake::Cut => Err(failed(class, "the answer fell silent")),
        }
    }
}

impl Told {
    fn failed(failure: Box<Failure>) -> Self {
        Self { usage: None, service: Service::default(), at: None, failure: Some(failure) }
    }
}

/// A credential that is well: of one that is set aside it is not for a copy to find out whether it is back.
fn account(runtime: &Runtime, provider: &Provider, turn: u64, now: Ticks) -> Option<usize> {
    let cells = &runtime.credential_cooldowns;
    let state = |account| {
        let cell = provider.first_cell + account;
        if cells.is_failing(cell) { TargetState::Cooling { until: now } } else { cells.state(cell, now) }
    };
    match pick_credential(provider.accounts.len(), turn, state) {
        CredentialPick::Use(account) => Some(account),
        CredentialPick::Cooling { .. } | CredentialPick::Keyless => None,
    }
}

fn take(room: &mut usize, chunk: &Bytes) -> Result<(), Box<Failure>> {
    let left = room.checked_sub(chunk.len());
    *room = left.ok_or_else(|| failed(FailureClass::BadBody, "the answer is too long to read for nobody"))?;
    Ok(())
}

fn failed(class: FailureClass, detail: impl std::fmt::Display) -> Box<Failure> {
    Box::new(Failure::new(class, detail))
}
