//! What routing did beyond the calls themselves: retries, second attempts, targets as they are.

use super::families::{CounterRow, GaugeRow, Registrar};
use super::labels::{CacheLookup, HedgeOutcome, RetryOutcome, TargetHealth};
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
