//! Metric families whose series are all resolved when they are registered, so that counting is one
//! array access and one atomic add.
//!
//! Not here: which families exist (see `metrics`). Invariant: a family's series are the product of
//! its closed label sets, and nothing else can be counted.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::histogram::{AtomicHistogram, Bounds, LocalHistogram};
use super::labels::Label;

/// Before every name that is ours.
const PREFIX: &str = "tidegate";

/// Counters by one closed label.
#[derive(Debug)]
pub struct CounterRow<L> {
    cells: Box<[IntCounter]>,
    label: PhantomData<L>,
}

/// Gauges by one closed label.
#[derive(Debug)]
pub struct GaugeRow<L> {
    cells: Box<[IntGauge]>,
    label: PhantomData<L>,
}

/// Counters by two closed labels.
#[derive(Debug)]
pub struct CounterGrid<A, B> {
    cells: Box<[IntCounter]>,
    labels: PhantomData<(A, B)>,
}

/// Histograms by one closed label. A series appears in the exposition with its first observation.
#[derive(Debug)]
pub struct HistogramRow<L> {
    cells: Box<[Arc<AtomicHistogram>]>,
    label: PhantomData<L>,
}

/// A histogram family as the registry sees it.
#[derive(Clone, Debug)]
pub(super) struct HistogramFamily {
    desc: Arc<Desc>,
    labels: Arc<[&'static str]>,
    bounds: Bounds,
    series: Arc<Mutex<Vec<Series>>>,
}

/// Label values, in the order of the family's labels, and what is counted under them.
type Series = (Vec<String>, Arc<AtomicHistogram>);

/// Makes families and registers them in one go.
pub(super) struct Registrar<'r>(pub &'r Registry);

// === impl Registrar ===

impl Registrar<'_> {
    pub fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        let counter = IntCounter::with_opts(Opts::new(name, help).namespace(PREFIX))?;
        self.0.register(Box::new(counter.clone()))?;
        Ok(counter)
    }

    pub fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        let gauge = IntGauge::with_opts(Opts::new(name, help).namespace(PREFIX))?;
        self.0.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    pub fn counter_vec(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
        let family = IntCounterVec::new(Opts::new(name, help).namespace(PREFIX), labels)?;
        self.0.register(Box::new(family.clone()))?;
        Ok(family)
    }

    pub fn gauge_vec(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        let family = IntGaugeVec::new(Opts::new(name, help).namespace(PREFIX), labels)?;
        self.0.register(Box::new(family.clone()))?;
        Ok(family)
    }

    pub fn gauge_row<L: Label>(&self, name: &str, help: &str) -> prometheus::Result<GaugeRow<L>> {
        let family = IntGaugeVec::new(Opts::new(name, help).namespace(PREFIX), &[L::NAME])?;
        self.0.register(Box::new(family.clone()))?;
        let cells: prometheus::Result<_> =
            L::ALL.iter().map(|label| family.get_metric_with_label_values(&[label.text()])).collect();
        Ok(GaugeRow { cells: cells?, label: PhantomData })
    }

    pub fn row<L: Label>(&self, name: &str, help: &str) -> prometheus::Result<CounterRow<L>> {
        let family = self.counter_vec(name, help, &[L::NAME])?;
        let cells: prometheus::Result<_> =
            L::ALL.iter().map(|label| family.get_metric_with_label_values(&[label.text()])).collect();
        Ok(CounterRow { cells: cells?, label: PhantomData })
    }

    pub fn grid<A: Label, B: Label>(&self, name: &str, help: &str) -> prometheus::Result<CounterGrid<A, B>> {
        let family = self.counter_vec(name, help, &[A::NAME, B::NAME])?;
        let pairs = A::ALL.iter().flat_map(|a| B::ALL.iter().map(move |b| [a.text(), b.text()]));
        let cells: prometheus::Result<_> =
            pairs.map(|pair| family.get_metric_with_label_values(&pair)).collect();
        Ok(CounterGrid { cells: cells?, labels: PhantomData })
    }

    pub fn histogram_family(
        &self,
        name: &str,
        help: &str,
        labels: &[&'static str],
        bounds: Bounds,
    ) -> prometheus::Result<HistogramFamily> {
        let names = labels.iter().map(|label| (*label).to_owned()).collect();
        let desc = Desc::new(format!("{PREFIX}_{name}"), help.to_owned(), names, HashMap::new())?;
        let labels = Arc::from(labels);
        let family = HistogramFamily { desc: Arc::new(desc), labels, bounds, series: Arc::default() };
        self.0.register(Box::new(family.clone()))?;
        Ok(family)
    }

    pub fn histogram(
        &self,
        name: &str,
        help: &str,
        bounds: Bounds,
    ) -> prometheus::Result<Arc<AtomicHistogram>> {
        Ok(self.histogram_family(name, help, &[], bounds)?.series(&[]))
    }

    pub fn histogram_row<L: Label>(
        &self,
        name: &str,
        help: &str,
        bounds: Bounds,
    ) -> prometheus::Result<HistogramRow<L>> {
        let family = self.histogram_family(name, help, &[L::NAME], bounds)?;
        let cells = L::ALL.iter().map(|label| family.series(&[label.text()])).collect();
        Ok(HistogramRow { cells, label: PhantomData })
    }
}

// === impl GaugeRow ===

impl<L: Label> GaugeRow<L> {
    pub fn set(&self, label: L, value: i64) {
        if let Some(cell) = self.cells.get(label.index()) {
            cell.set(value);
        }
    }
}

// === impl CounterRow ===

impl<L: Label> CounterRow<L> {
    pub fn inc(&self, label: L) {
        if let Some(cell) = self.cells.get(label.index()) {
            cell.inc();
        }
    }

    /// Adds `count`; zero costs nothing.
    pub fn add(&self, label: L, count: u64) {
        if count > 0
            && let Some(cell) = self.cells.get(label.index())
        {
            cell.inc_by(count);
        }
    }

    /// The value so far.
    pub fn get(&self, label: L) -> u64 {
        self.cells.get(label.index()).map_or(0, IntCounter::get)
    }

    /// The row of `name` in a family whose labels are that of the name and this one.
    pub(super) fn resolved(family: &IntCounterVec, name: &str) -> prometheus::Result<Self> {
        let cell = |label: &L| family.get_metric_with_label_values(&[name, label.text()]);
        let cells: prometheus::Result<_> = L::ALL.iter().map(cell).collect();
        Ok(Self { cells: cells?, label: PhantomData })
    }
}

// === impl CounterGrid ===

impl<A: Label, B: Label> CounterGrid<A, B> {
    fn cell(&self, a: A, b: B) -> Option<&IntCounter> {
        self.cells.get(a.index() * B::ALL.len() + b.index())
    }

    pub fn inc(&self, a: A, b: B) {
        self.add(a, b, 1);
    }

    /// Adds `count`; zero costs nothing.
    pub fn add(&self, a: A, b: B, count: u64) {
        if count > 0
            && let Some(cell) = self.cell(a, b)
        {
            cell.inc_by(count);
        }
    }

    /// The value so far.
    pub fn get(&self, a: A, b: B) -> u64 {
        self.cell(a, b).map_or(0, IntCounter::get)
    }
}

// === impl HistogramRow ===

impl<L: Label> HistogramRow<L> {
    pub fn observe(&self, label: L, span: Duration) {
        if let Some(cell) = self.cells.get(label.index()) {
            cell.observe(span);
        }
    }

    /// Takes over what one stream counted (see [`LocalHistogram::flush_into`]).
    pub fn absorb(&self, label: L, local: &mut LocalHistogram) {
        if let Some(cell) = self.cells.get(label.index()) {
            local.flush_into(cell);
        }
    }

    /// Spans counted so far.
    pub fn count(&self, label: L) -> u64 {
        self.cells.get(label.index()).map_or(0, |cell| cell.count())
    }
}

// === impl HistogramFamily ===

impl HistogramFamily {
    /// The series with these label values, made if it is new. The caller bounds them.
    pub fn series(&self, values: &[&str]) -> Arc<AtomicHistogram> {
        let mut all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = all.iter().find(|(held, _)| held == values) {
            return Arc::clone(known);
        }
        let made = Arc::new(AtomicHistogram::new(self.bounds));
        all.push((values.iter().map(|value| (*value).to_owned()).collect(), Arc::clone(&made)));
        made
    }

    fn metric(&self, values: &[String], histogram: &AtomicHistogram) -> Metric {
        let pair = |(label, value): (&&str, &String)| {
            let mut pair = LabelPair::default();
            pair.set_name((*label).to_owned());
            pair.set_value(value.clone());
            pair
        };
        let pairs = self.labels.iter().zip(values).map(pair).collect();
        let mut metric = Metric::from_label(pairs);
        metric.set_histogram(histogram.to_proto());
        metric
    }
}

impl Collector for HistogramFamily {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = all.iter().filter(|(_, histogram)| self.labels.is_empty() || histogram.count() > 0);
        let metrics = seen.map(|(values, histogram)| self.metric(values, histogram)).collect();
        let mut family = MetricFamily::default();
        family.set_name(self.desc.fq_name.clone());
        family.set_help(self.desc.help.clone());
        family.set_field_type(MetricType::HISTOGRAM);
        family.set_metric(metrics);
        vec![family]
    }
}
