//! The end of every request, whatever it came to: settled, counted, logged, kept. The only place where
//! that happens.

use super::connection::EdgeStream;
use super::context::{Ctx, Record};
use super::{cost, row};
use crate::catalog::Cost;
use crate::limits::Settlement;
use crate::routing::Balance;
use crate::runtime::Edge;
use crate::telemetry::{CacheLookup, Entry, FailedAttempt, Figures, MirrorSide, StatusClass};
use crate::types::{Endpoint, Ticks};

/// Called once for each request, by `front` or from Pingora's `logging`. `stream` is the client's
/// connection where it is HTTP/1.
pub fn finish(edge: &Edge, stream: Option<&EdgeStream>, ctx: &mut Ctx) {
    if let Some(stream) = stream {
        stream.request_complete();
    }
    // A whole answer has told it already.
    ctx.record.cost = ctx.record.cost.or_else(|| cost::of(ctx));
    let now = edge.now();
    ctx.slot = None;
    learn(ctx, now);
    compare(ctx);
    count_cached(edge, &ctx.record);
    settle(ctx, now);
    count(edge, ctx, now);
    log(edge, ctx, now);
    keep(edge, ctx);
}

/// Tells the target's cell what the call came to.
fn learn(ctx: &Ctx, now: Ticks) {
    let record = &ctx.record;
    let cell = record.cell.and_then(|cell| ctx.runtime.target_live.get(cell));
    if let (Some(cell), Some(usage)) = (cell, record.usage.filter(|usage| !usage.is_estimated)) {
        let after_first = record.first_token.map(|first| now.since(ctx.started).saturating_sub(first));
        cell.note_usage(&usage, after_first, now);
    }
}

/// Tells what a call came to that was copied, if it was answered to its end and by one target.
fn compare(ctx: &mut Ctx) {
    let Some(mirrored) = ctx.mirrored.take() else { return };
    let record = &ctx.record;
    let is_whole = (200..300).contains(&record.status)
        && record.reason.is_none()
        && !record.is_client_gone
        && !record.is_cut_by_budget
        && record.continued == 0;
    if let (true, Some(usage)) = (is_whole, record.usage) {
        let cost = record.cost.and_then(Cost::money);
        let figures = Figures { time: mirrored.time, output: usage.output, cost };
        mirrored.pair.tell(MirrorSide::Primary, figures);
    }
}

/// What of the prompts that went where they are cached was cached there, as the usage says.
fn count_cached(edge: &Edge, record: &Record) {
    let is_by_prefix = record.route.is_some_and(|route| route.balance == Balance::Prefix);
    if let (true, Some(usage)) = (is_by_prefix, record.usage.filter(|usage| !usage.is_estimated)) {
        let cached = usage.cache_read.min(usage.input);
        edge.metrics.routes.prefix_tokens.add(CacheLookup::Hit, cached);
        edge.metrics.routes.prefix_tokens.add(CacheLookup::Miss, usage.input - cached);
    }
}

/// Corrects the estimates to the truth. A call that no upstream has worked for used nothing; one whose
/// cost cannot be told is charged what was reserved.
fn settle(ctx: &mut Ctx, now: Ticks) {
    let charged = cost::charged(ctx);
    let Some(caller) = &mut ctx.caller else { return };
    let record = &ctx.record;
    let is_answered = (200..300).contains(&record.status) && record.attempts > 0 && record.reason.is_none();
    let is_free = record.endpoint.is_some_and(|endpoint| !endpoint.is_charged());
    let used = match record.usage {
        Some(usage) => Settlement::Used { tokens: usage.total(), cost: charged },
        None if is_answered && !is_free => Settlement::Unknown,
        None => Settlement::Nothing,
    };
    caller.reservation.settle(used, now);
}

fn count(edge: &Edge, ctx: &Ctx, now: Ticks) {
    let (metrics, record) = (&edge.metrics, &ctx.record);
    let endpoint = record.endpoint.unwrap_or(Endpoint::Opaque);
    metrics.requests.inc(endpoint, StatusClass::of(record.status));
    if let Some(reason) = record.reason {
        metrics.rejects.inc(reason);
    }
    metrics.request_seconds.observe(endpoint, now.since(ctx.started));
    if let Some(span) = record.first_token {
        metrics.first_token.observe(endpoint, span);
    }
    if let Some(span) = record.overhead {
        metrics.overhead.observe(span);
    }
    if record.is_client_gone {
        metrics.client_aborts.inc();
    }
    if let Some(usage) = &record.usage {
        metrics.add_usage(endpoint, usage);
    }
    if record.is_cut_by_budget {
        metrics.budget_cuts.inc();
    }
    if record.downgraded_to.is_some() {
        metrics.downgrades.inc();
    }
    match record.cost {
        Some(Cost::Priced { money, .. }) => {
            metrics.cost.inc_by(money.pico());
            metrics.charged.inc_by(cost::charged(ctx).unwrap_or(money).pico());
        }
        Some(Cost::Unpriced(why)) => metrics.unpriced.inc(why),
        None => {}
    }
}

/// A row of the ledger, for a caller that is known: others could fill it.
fn keep(edge: &Edge, ctx: &Ctx) {
    if let (Some(keeping), Some(caller)) = (&edge.keeping, &ctx.caller) {
        keeping.ledger.record(row::of(edge, caller, ctx));
    }
}

fn log(edge: &Edge, ctx: &Ctx, now: Ticks) {
    let record = &ctx.record;
    let name = |index: usize| ctx.runtime.providers.get(index).map(|provider| provider.name.as_str());
    let failures: Vec<FailedAttempt<'_>> = record
        .failures
        .iter()
        .map(|(index, class)| FailedAttempt { provider: name(*index).unwrap_or_default(), class: *class })
        .collect();
    edge.access_log.record(&Entry {
        key: ctx.caller.as_ref().map(|caller| &*caller.principal.key_id),
        endpoint: record.endpoint,
        method: record.request.method.as_str().as_bytes(),
        path: &record.request.path,
        model: record.model.as_deref(),
        provider: record.provider.and_then(name),
        upstream_model: record.upstream_model.as_deref(),
        status: record.status,
        reason: record.reason,
        origin: record.origin,
        attempts: record.attempts,
        continued: record.continued,
        is_stream: record.is_stream,
        bytes_in: record.bytes_in,
        bytes_out: record.bytes_out,
        usage: record.usage.as_ref(),
        cost: record.cost,
        charged: cost::charged(ctx),
        dropped: &record.dropped,
        counted_input: record.counted_input,
        first_token: record.first_token,
        queued: record.queued,
        coalesced: record.coalesced,
        duration: now.since(ctx.started),
        overhead: record.overhead,
        client: record.client,
        user_agent: record.request.user_agent.as_deref(),
        is_client_aborted: record.is_client_gone,
        finish_reason: record.finish_reason.as_deref(),
        failures: &failures,
        route: record.route.as_ref(),
        decision: record.decision.as_deref(),
        ..Entry::new(ctx.id, edge.wall.unix_ms())
    });
}
