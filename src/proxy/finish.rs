//! The end of every request, whatever it came to: settled, counted, logged, kept. The only place where
//! that happens.

use super::connection::edge_stream;
use super::context::Ctx;
use super::{cost, row};
use crate::catalog::Cost;
use crate::runtime::Edge;
use crate::telemetry::{Entry, FailedAttempt, StatusClass};
use crate::types::Endpoint;
use pingora_core::protocols::Stream;

/// Called once for each request, by `front` or from Pingora's `logging`. `stream` is the client's
/// connection where it is HTTP/1.
pub fn finish(edge: &Edge, stream: Option<&Stream>, ctx: &mut Ctx) {
    if let Some(stream) = edge_stream(stream) {
        stream.request_complete();
    }
    ctx.record.cost = cost::of(ctx);
    settle(edge, ctx);
    count(edge, ctx);
    log(edge, ctx);
    keep(edge, ctx);
}

/// Corrects the estimate to the truth. A call that never reached an upstream used no tokens.
fn settle(edge: &Edge, ctx: &mut Ctx) {
    let used = ctx.record.usage.map_or(0, |usage| usage.total());
    if let Some(caller) = &mut ctx.caller {
        caller.reservation.settle(used, edge.now());
    }
}

fn count(edge: &Edge, ctx: &Ctx) {
    let (metrics, record) = (&edge.metrics, &ctx.record);
    let endpoint = record.endpoint.unwrap_or(Endpoint::Opaque);
    metrics.requests.inc(endpoint, StatusClass::of(record.status));
    if let Some(reason) = record.reason {
        metrics.rejects.inc(reason);
    }
    metrics.request_seconds.observe(endpoint, edge.now().since(ctx.started));
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
    match record.cost {
        Some(Cost::Priced { money, .. }) => metrics.cost.inc_by(money.pico()),
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

fn log(edge: &Edge, ctx: &Ctx) {
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
        is_stream: record.is_stream,
        bytes_in: record.bytes_in,
        bytes_out: record.bytes_out,
        usage: record.usage.as_ref(),
        cost: record.cost,
        dropped: &record.dropped,
        counted_input: record.counted_input,
        first_token: record.first_token,
        duration: edge.now().since(ctx.started),
        overhead: record.overhead,
        client: record.client,
        user_agent: record.request.user_agent.as_deref(),
        is_client_aborted: record.is_client_gone,
        finish_reason: record.finish_reason.as_deref(),
        failures: &failures,
        ..Entry::new(ctx.id, edge.wall.unix_ms())
    });
}
