//! Tests of the registry: documented, closed, and bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use prometheus::proto::MetricType;

use super::histogram::LocalHistogram;
use super::labels::{
    AskedOutcome, AttemptOutcome, CacheLookup, CountKind, CredentialRefresh, Label, ReloadResult,
    StatusClass, TokenClass,
};
use super::metrics::{GaugeGuard, Metrics};
use super::mirror::{Figures, MirrorSide};
use super::provider::PROVIDERS_MAX;
use crate::types::{Endpoint, FailureClass, Reason, Usage};

/// Name, kind and labels of a family.
type Shape = (String, String, BTreeSet<String>);

/// Metrics in which every family has at least one series.
fn touched() -> Metrics {
    let metrics = Metrics::new().unwrap();
    let mut gaps = LocalHistogram::default();
    gaps.observe(Duration::from_millis(12));
    metrics.inter_token.absorb(Endpoint::Messages, &mut gaps);
    metrics.first_token.observe(Endpoint::Messages, Duration::from_millis(300));
    metrics.request_seconds.observe(Endpoint::Messages, Duration::from_secs(2));
    metrics.overhead.observe(Duration::from_micros(20));
    metrics.provider("openai").unwrap().head(Duration::from_millis(90));
    let figures = Figures { time: Some(Duration::from_millis(90)), output: 3, cost: None };
    metrics.mirror("gpt-5").unwrap().pair(&figures, &figures);
    metrics
}

fn quoted(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The rows of the document's tables whose first cell is a quoted name starting with `prefix`.
fn rows(prefix: &str) -> Vec<Vec<&'static str>> {
    let document = include_str!("../../docs/metrics.md");
    let cells = |row: &'static str| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>();
    let wanted = format!("| `{prefix}");
    document.lines().filter(|row| row.starts_with(&wanted)).map(cells).collect()
}

fn name(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

#[test]
fn the_document_lists_exactly_the_metrics_there_are() {
    let shape = |family: &prometheus::proto::MetricFamily| -> Shape {
        let labels = family.get_metric().iter().flat_map(|metric| metric.get_label());
        let kind = match family.get_field_type() {
            MetricType::COUNTER => "counter",
            MetricType::GAUGE => "gauge",
            MetricType::HISTOGRAM => "histogram",
            _ => "other",
        };
        (family.name().to_owned(), kind.to_owned(), labels.map(|pair| pair.name().to_owned()).collect())
    };
    let registered: BTreeSet<Shape> = touched().gather().iter().map(shape).collect();
    let documented: BTreeSet<Shape> = [rows("tidegate_"), rows("process_")]
        .concat()
        .iter()
        .map(|row| (name(row[0]), row[1].to_owned(), quoted(row[2])))
        .collect();
    assert_eq!(registered, documented);
}

#[test]
fn the_document_lists_exactly_the_values_of_each_closed_label() {
    fn texts<L: Label>() -> (String, BTreeSet<String>) {
        (L::NAME.to_owned(), L::ALL.iter().map(|label| label.text().to_owned()).collect())
    }
    let closed = BTreeMap::from([
        texts::<Endpoint>(),
        texts::<Reason>(),
        texts::<StatusClass>(),
        texts::<FailureClass>(),
        texts::<AttemptOutcome>(),
        texts::<TokenClass>(),
        texts::<CountKind>(),
        texts::<ReloadResult>(),
        texts::<CredentialRefresh>(),
        texts::<CacheLookup>(),
        texts::<MirrorSide>(),
    ]);
    for (label, values) in closed {
        let row = rows(&format!("{label}`")).pop().unwrap_or_else(|| panic!("{label} is not documented"));
        assert_eq!(quoted(row[1]), values, "{label}");
    }
}

#[test]
fn every_label_value_has_its_own_place() {
    fn check<L: Label>() {
        let places: Vec<usize> = L::ALL.iter().map(|label| label.index()).collect();
        assert_eq!(places, (0..L::ALL.len()).collect::<Vec<_>>(), "{}", L::NAME);
        let texts: BTreeSet<&str> = L::ALL.iter().map(|label| label.text()).collect();
        assert_eq!(texts.len(), L::ALL.len(), "{}", L::NAME);
    }
    check::<Endpoint>();
    check::<Reason>();
    check::<StatusClass>();
    check::<FailureClass>();
    check::<AttemptOutcome>();
    check::<TokenClass>();
    check::<CountKind>();
    check::<ReloadResult>();
    check::<CredentialRefresh>();
    check::<AskedOutcome>();
    check::<CacheLookup>();
}

#[test]
fn any_status_of_an_upstream_falls_into_a_known_label() {
    for status in 0..=u16::MAX {
        let class = FailureClass::Status(status);
        assert_eq!(<FailureClass as Label>::ALL[class.index()].text(), class.text());
        assert!(StatusClass::ALL.contains(&StatusClass::of(status)));
    }
    assert_eq!(StatusClass::of(404).text(), "4xx");
    assert_eq!(StatusClass::of(0).text(), "none");
}

#[test]
fn what_is_counted_is_what_is_exposed() {
    let metrics = Metrics::new().unwrap();
    metrics.requests.inc(Endpoint::Messages, StatusClass::of(200));
    metrics.rejects.inc(Reason::InvalidKey);
    let usage = Usage { input: 10, cache_write_1h: 4, output: 3, is_estimated: true, ..Usage::default() };
    metrics.add_usage(Endpoint::Responses, &usage);
    metrics.config_reloads.inc(ReloadResult::Refused);
    metrics.counting.inc(CountKind::Exact);
    let provider = metrics.provider("openai").unwrap();
    provider.attempt(AttemptOutcome::Failed(FailureClass::Status(503)));
    provider.connection(true);
    provider.cooldown(FailureClass::Status(429));
    metrics.overhead.observe(Duration::from_micros(25));
    let text = String::from_utf8(metrics.render()).unwrap();
    for line in [
        "tidegate_requests_total{endpoint=\"messages\",status_class=\"2xx\"} 1",
        "tidegate_requests_total{endpoint=\"messages\",status_class=\"5xx\"} 0",
        "tidegate_rejects_total{reason=\"invalid_api_key\"} 1",
        "tidegate_tokens_total{class=\"input\",endpoint=\"responses\"} 10",
        "tidegate_tokens_total{class=\"cache_write_1h\",endpoint=\"responses\"} 4",
        "tidegate_tokens_total{class=\"output\",endpoint=\"responses\"} 3",
        "tidegate_estimated_usage_total 1",
        "tidegate_config_reloads_total{result=\"refused\"} 1",
        "tidegate_counting_total{kind=\"exact\"} 1",
        "tidegate_upstream_attempts_total{outcome=\"status_5xx\",provider=\"openai\"} 1",
        "tidegate_upstream_connections_total{provider=\"openai\",reused=\"true\"} 1",
        "tidegate_cooldowns_total{cause=\"status_429\",provider=\"openai\"} 1",
        "tidegate_overhead_seconds_bucket{le=\"0.00002\"} 0",
        "tidegate_overhead_seconds_bucket{le=\"0.00003\"} 1",
        "tidegate_overhead_seconds_bucket{le=\"+Inf\"} 1",
        "tidegate_overhead_seconds_sum 0.000025",
    ] {
        assert!(text.lines().any(|got| got == line), "{line} is not in\n{text}");
    }
}

#[test]
fn a_hundred_thousand_requests_make_no_new_series() {
    let metrics = touched();
    let series = |metrics: &Metrics| metrics.gather().iter().map(|f| f.get_metric().len()).sum::<usize>();
    let before = series(&metrics);
    let provider = metrics.provider("openai").unwrap();
    for n in 0..100_000_u32 {
        metrics.requests.inc(Endpoint::Messages, StatusClass::of((n % 700) as u16));
        metrics.rejects.inc(Reason::ALL[n as usize % Reason::ALL.len()]);
        provider.attempt(AttemptOutcome::Failed(FailureClass::Status((n % 65_536) as u16)));
    }
    assert_eq!(series(&metrics), before);
    assert_eq!(
        provider.attempts(AttemptOutcome::Failed(FailureClass::Status(429))),
        2,
        "one a round of 65536"
    );
}

#[test]
fn providers_beyond_the_bound_share_a_series() {
    let metrics = Metrics::new().unwrap();
    let handles: Vec<_> =
        (0..PROVIDERS_MAX + 50).map(|n| metrics.provider(&format!("p{n}")).unwrap()).collect();
    handles.iter().for_each(|handle| handle.attempt(AttemptOutcome::Ok));
    let families = metrics.gather();
    let attempts = families.iter().find(|f| f.name() == "tidegate_upstream_attempts_total").unwrap();
    let names: BTreeSet<&str> = attempts
        .get_metric()
        .iter()
        .flat_map(|metric| metric.get_label())
        .filter(|pair| pair.name() == "provider")
        .map(|pair| pair.value())
        .collect();
    assert_eq!(names.len(), PROVIDERS_MAX + 1);
    assert_eq!(metrics.provider("other").unwrap().attempts(AttemptOutcome::Ok), 50);
    assert_eq!(metrics.provider("p3").unwrap().attempts(AttemptOutcome::Ok), 1, "known ones stay apart");
}

#[test]
fn a_gauge_falls_again_however_its_holder_ends() {
    let metrics = Metrics::new().unwrap();
    let held = GaugeGuard::raise(&metrics.open_streams);
    let unwound = std::thread::spawn({
        let guard = GaugeGuard::raise(&metrics.open_streams);
        move || {
            let _held = guard;
            panic!("a stream that dies");
        }
    });
    assert!(unwound.join().is_err());
    assert_eq!(metrics.open_streams.get(), 1);
    drop(held);
    assert_eq!(metrics.open_streams.get(), 0);
}
