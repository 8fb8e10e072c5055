//! What routing did beyond the calls themselves: retries, second attempts, targets as they are.

use super::families::{CounterRow, GaugeRow, Registrar};
use super::labels::{
    CacheLookup, CoalesceOutcome, HedgeOutcome, RecoveryOutcome, RetryOutcome, TargetHealth,
};
use super::overload::OverloadMetrics;
use prometheus::{IntCounter, IntGauge};

#[derive(Debug)]
pub struct RouteMetrics {
    /// Calls tried again after a failure, or not for want of a budget.
    pub retries: CounterRow<RetryOutcome>,
    /// Calls asked of a second target because the first was late.
    pub hedges: CounterRow<HedgeOutcome>,
    /// What the prompts of cancelled attempts cost at most, in 1e-12 dollars.
    pub hedge_cost: IntCounter,
    /// Copies of calls under way.
    pub copies: IntGauge,
    /// Streams that broke after content, where they may be gone on with.
    pub recoveries: CounterRow<RecoveryOutcome>,
    /// Streams that broke within their hold.
    pub held_breaks: IntCounter,
    /// Streams that clients read on after they had lost them.
    pub resumed: IntCounter,
    /// Calls that share another one of the same request.
    pub coalesced: CounterRow<CoalesceOutcome>,
    /// Calls under way that others may share.
    pub flights: IntGauge,
    pub targets: GaugeRow<TargetHealth>,
    /// Conditions that could not be evaluated, which is a no.
    pub condition_errors: IntCounter,
    /// Blocks of prompts, by whether the target asked had them by what is remembered.
    pub prefix_blocks: CounterRow<CacheLookup>,
    /// Tokens of the same calls, by whether the target's usage says that they were in its cache.
    pub prefix_tokens: CounterRow<CacheLookup>,
    /// Blocks remembered.
    pub prefix_held: IntGauge,
    pub overload: OverloadMetrics,
}

impl RouteMetrics {
    pub(super) fn register(r: &Registrar<'_>) -> prometheus::Result<Self> {
        Ok(Self {
            retries: r.row("retries_total", "Failed calls, by whether they were tried again.")?,
            hedges: r.row("hedges_total", "Calls asked of a second target, by who was the answer.")?,
            hedge_cost: r.counter(
                "hedge_cost_picousd_total",
                "What the prompts of attempts cancelled for another cost at most, in 1e-12 US dollars.",
            )?,
            copies: r.gauge("mirror_in_flight", "Copies of calls under way.")?,
            recoveries: r.row(
                "stream_recoveries_total",
                "Streams that broke after content and may be gone on with, by what became of them.",
            )?,
            held_breaks: r.counter(
                "stream_held_breaks_total",
                "Streams that broke within their hold, before their client got any of it.",
            )?,
            resumed: r
                .counter("stream_resumes_total", "Streams that clients read on after they had lost them.")?,
            coalesced: r.row(
                "coalesced_total",
                "Calls that asked for what was under way, and were given that; and clients too slow for it.",
            )?,
            flights: r.gauge("flights", "Calls under way that others of the same request share.")?,
            targets: r.gauge_row("targets", "Targets, by how they are.")?,
            condition_errors: r.counter(
                "route_condition_errors_total",
                "Conditions of routes that could not be evaluated.",
            )?,
            prefix_blocks: r.row(
                "prefix_blocks_total",
                "Blocks of prompts balanced by prefix, by whether their target was taken to have them.",
            )?,
            prefix_tokens: r.row(
                "prefix_tokens_total",
                "Prompt tokens balanced by prefix, by whether their target says it had them in its cache.",
            )?,
            prefix_held: r.gauge("prefix_held", "Blocks of prompts that are remembered.")?,
            overload: OverloadMetrics::register(r)?,
        })
    }
}
