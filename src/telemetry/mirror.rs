//! What copies of calls came to, beside the calls they are copies of: the series of one mirrored model,
//! resolved by its name when a runtime is assembled.
//!
//! Invariant: what is told with a `side` is told of both sides of one pair at once, so the quotient of the
//! two sides compares the same calls. At most [`MODELS_MAX`] names become label values; later ones share
//! `other`. A model that is not mirrored any more keeps its series, so counters never fall.

use super::families::{CounterRow, HistogramFamily, Registrar};
use super::histogram::{AtomicHistogram, WAIT};
use super::labels::Label;
use crate::types::Money;
use prometheus::{IntCounter, IntCounterVec};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Names that get series of their own.
pub const MODELS_MAX: usize = 256;
/// Who counts for all names beyond [`MODELS_MAX`].
const OTHER: &str = "other";

/// What became of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MirrorOutcome {
    /// Its answer was read to the end.
    Ok,
    Failed,
    /// It was not sent: what the call asks for must not be asked there, or not twice.
    Unfit,
    /// It was not sent: too many were under way, the gateway sheds load, or its target is left alone.
    Skipped,
}

/// Whose figure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MirrorSide {
    /// The call's own answer.
    Primary,
    Mirror,
}

/// What an answer came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// From the beginning of the attempt to the first content of a stream, or the end of a whole answer.
    pub time: Option<Duration>,
    /// Tokens.
    pub output: u64,
    /// None where nobody knows.
    pub cost: Option<Money>,
}

/// The counters of one mirrored model. Shared by the runtimes that know it.
#[derive(Debug)]
pub struct MirrorMetrics {
    requests: CounterRow<MirrorOutcome>,
    output: CounterRow<MirrorSide>,
    cost: CounterRow<MirrorSide>,
    seconds: [Arc<AtomicHistogram>; 2],
    spent: IntCounter,
}

/// The families with a mirrored model's name, and who has been resolved in them.
#[derive(Debug)]
pub(super) struct Mirrors {
    requests: IntCounterVec,
    output: IntCounterVec,
    cost: IntCounterVec,
    spent: IntCounterVec,
    seconds: HistogramFamily,
    known: Mutex<HashMap<String, Arc<MirrorMetrics>>>,
}

// === impl MirrorMetrics ===

impl MirrorMetrics {
    pub fn copy(&self, outcome: MirrorOutcome) {
        self.requests.inc(outcome);
    }

    /// What a copy cost, whatever became of it and of its call.
    pub fn spent(&self, cost: Money) {
        self.spent.inc_by(cost.pico());
    }

    /// Both were answered. What only one of the two has is left out.
    pub fn pair(&self, primary: &Figures, mirror: &Figures) {
        let sides = [MirrorSide::Primary, MirrorSide::Mirror];
        for (side, figures) in sides.into_iter().zip([primary, mirror]) {
            self.output.add(side, figures.output);
        }
        if let (Some(one), Some(other)) = (primary.time, mirror.time) {
            self.seconds.iter().zip([one, other]).for_each(|(seconds, time)| seconds.observe(time));
        }
        if let (Some(one), Some(other)) = (primary.cost, mirror.cost) {
            sides.into_iter().zip([one, other]).for_each(|(side, cost)| self.cost.add(side, cost.pico()));
        }
    }
}

// === impl Mirrors ===

impl Mirrors {
    pub fn register(r: &Registrar<'_>) -> prometheus::Result<Self> {
        let vec =
            |name: &str, help: &str, more: &[&str]| r.counter_vec(name, help, &[&["model"], more].concat());
        Ok(Self {
            requests: vec(
                "mirror_requests_total",
                "Calls chosen to be copied, by what became of the copy.",
                &[MirrorOutcome::NAME],
            )?,
            output: vec(
                "mirror_output_tokens_total",
                "Tokens of answers, of pairs where both were answered.",
                &[MirrorSide::NAME],
            )?,
            cost: vec(
                "mirror_cost_picousd_total",
                "What pairs cost where both were answered and have a price, in 1e-12 US dollars.",
                &[MirrorSide::NAME],
            )?,
            spent: vec("mirror_spent_picousd_total", "What all copies cost, in 1e-12 US dollars.", &[])?,
            seconds: r.histogram_family(
                "mirror_seconds",
                "Time to the first content, or to a whole answer, of pairs where both were answered.",
                &["model", MirrorSide::NAME],
                WAIT,
            )?,
            known: Mutex::default(),
        })
    }

    /// The handle of the model called `name`.
    pub fn resolve(&self, name: &str) -> prometheus::Result<Arc<MirrorMetrics>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let name = if known.len() < MODELS_MAX || known.contains_key(name) { name } else { OTHER };
        if let Some(handle) = known.get(name) {
            return Ok(Arc::clone(handle));
        }
        let side = |side: MirrorSide| self.seconds.series(&[name, side.text()]);
        let handle = Arc::new(MirrorMetrics {
            requests: CounterRow::resolved(&self.requests, name)?,
            output: CounterRow::resolved(&self.output, name)?,
            cost: CounterRow::resolved(&self.cost, name)?,
            seconds: [side(MirrorSide::Primary), side(MirrorSide::Mirror)],
            spent: self.spent.get_metric_with_label_values(&[name])?,
        });
        known.insert(name.to_owned(), Arc::clone(&handle));
        Ok(handle)
    }
}

// === impl Label ===

impl Label for MirrorOutcome {
    const NAME: &'static str = "outcome";
    const ALL: &'static [Self] = &[Self::Ok, Self::Failed, Self::Unfit, Self::Skipped];
    fn index(self) -> usize {
        self as usize
    }
    fn text(self) -> &'static str {
        match self {
            MirrorOutcome::Ok => "ok",
            MirrorOutcome::Failed => "failed",
            MirrorOutcome::Unfit => "unfit",
            MirrorOutcome::Skipped => "skipped",
        }
    }
}

impl Label for MirrorSide {
    const NAME: &'static str = "side";
    const ALL: &'static [Self] = &[Self::Primary, Self::Mirror];
    fn index(self) -> usize {
        self as usize
    }
    fn text(self) -> &'static str {
        match self {
            MirrorSide::Primary => "primary",
            MirrorSide::Mirror => "mirror",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;

    fn figures(millis: Option<u64>, output: u64, pico: Option<u64>) -> Figures {
        Figures { time: millis.map(Duration::from_millis), output, cost: pico.map(Money::from_pico) }
    }

    #[test]
    fn what_only_one_side_of_a_pair_has_is_told_of_neither() {
        let metrics = Metrics::new().unwrap();
        let mirror = metrics.mirror("m").unwrap();
        mirror.pair(&figures(Some(20), 10, Some(7)), &figures(Some(300), 30, Some(21)));
        mirror.pair(&figures(None, 1, Some(5)), &figures(Some(400), 3, None));
        mirror.pair(&figures(Some(9_000), 1, None), &figures(None, 3, Some(5)));
        let text = String::from_utf8(metrics.render()).unwrap();
        for line in [
            "tidegate_mirror_output_tokens_total{model=\"m\",side=\"primary\"} 12",
            "tidegate_mirror_output_tokens_total{model=\"m\",side=\"mirror\"} 36",
            "tidegate_mirror_cost_picousd_total{model=\"m\",side=\"primary\"} 7",
            "tidegate_mirror_cost_picousd_total{model=\"m\",side=\"mirror\"} 21",
            "tidegate_mirror_seconds_count{model=\"m\",side=\"primary\"} 1",
            "tidegate_mirror_seconds_sum{model=\"m\",side=\"primary\"} 0.02",
            "tidegate_mirror_seconds_sum{model=\"m\",side=\"mirror\"} 0.3",
            "tidegate_mirror_requests_total{model=\"m\",outcome=\"skipped\"} 0",
        ] {
            assert!(text.lines().any(|held| held == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn names_beyond_the_bound_share_one_series_and_a_known_one_keeps_its_own() {
        let metrics = Metrics::new().unwrap();
        let of = |name: &str| metrics.mirror(name).unwrap();
        let first = of("m0");
        (1..MODELS_MAX).for_each(|number| drop(of(&format!("m{number}"))));
        assert!(Arc::ptr_eq(&of("one more"), &of("another")));
        assert!(Arc::ptr_eq(&of("m0"), &first));
        of("one more").copy(MirrorOutcome::Ok);
        let text = String::from_utf8(metrics.render()).unwrap();
        assert!(text.contains("tidegate_mirror_requests_total{model=\"other\",outcome=\"ok\"} 1"));
    }
}
