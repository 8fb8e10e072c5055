//! What routing did beyond the calls themselves: retries, second attempts, targets as they are.

use super::families::{CounterRow, GaugeRow, Registrar};
use super::labels::{HedgeOutcome, RetryOutcome, TargetHealth};
use super::overload::OverloadMetrics;
use prometheus::IntCounter;

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
            overload: OverloadMetrics::register(r)?,
        })
    }
}
