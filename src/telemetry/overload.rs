//! Waiting and shedding: who waits for a target, how long and to what end, and how loaded the gateway is.

use super::families::{CounterRow, GaugeRow, Registrar};
use super::histogram::{AtomicHistogram, WAIT};
use super::labels::Label;
use prometheus::IntGauge;
use std::sync::Arc;

#[derive(Debug)]
pub struct OverloadMetrics {
    /// Calls that wait until a target has room.
    pub queued: IntGauge,
    pub waits: CounterRow<QueueOutcome>,
    /// Of those that were served.
    pub wait_seconds: Arc<AtomicHistogram>,
    /// What is left out: the place of the stage.
    pub stage: IntGauge,
    /// Percent of each bound.
    pub pressure: GaugeRow<PressureOf>,
}

/// What came of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueOutcome {
    Served,
    /// There was no room in line, or others with more of a right took it.
    Full,
    /// Not as long as the call could wait.
    Timeout,
    /// The client left, or the process cut its streams.
    Left,
    /// All targets it waited for fail, or say that they had enough for longer.
    Hopeless,
}

/// What is measured of the gateway itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PressureOf {
    Memory,
    Lag,
    Calls,
    Connections,
}

impl OverloadMetrics {
    pub(super) fn register(r: &Registrar<'_>) -> prometheus::Result<Self> {
        Ok(Self {
            queued: r.gauge("queued", "Calls that wait until a target has room.")?,
            waits: r.row("queue_waits_total", "Calls that had to wait for a target, by what came of it.")?,
            wait_seconds: r.histogram(
                "queue_seconds",
                "How long calls waited that were served then.",
                WAIT,
            )?,
            stage: r.gauge("shed_stage", "What is left out under load: 0 nothing, to 4 all new calls.")?,
            pressure: r.gauge_row("shed_pressure", "The gateway's own load, in percent of each bound.")?,
        })
    }
}

impl Label for QueueOutcome {
    const NAME: &'static str = "outcome";
    const ALL: &'static [Self] = &[Self::Served, Self::Full, Self::Timeout, Self::Left, Self::Hopeless];
    fn index(self) -> usize {
        self as usize
    }
    fn text(self) -> &'static str {
        match self {
            QueueOutcome::Served => "served",
            QueueOutcome::Full => "full",
            QueueOutcome::Timeout => "timeout",
            QueueOutcome::Left => "left",
            QueueOutcome::Hopeless => "hopeless",
        }
    }
}

impl Label for PressureOf {
    const NAME: &'static str = "of";
    const ALL: &'static [Self] = &[Self::Memory, Self::Lag, Self::Calls, Self::Connections];
    fn index(self) -> usize {
        self as usize
    }
    fn text(self) -> &'static str {
        match self {
            PressureOf::Memory => "memory",
            PressureOf::Lag => "lag",
            PressureOf::Calls => "calls",
            PressureOf::Connections => "connections",
        }
    }
}
