//! Every metric of the gateway: one struct, one registry of its own, registered once.
//!
//! Not here: the label sets (`labels`), how series are kept (`families`). Documented in
//! `docs/metrics.md`; a test holds the two together. Invariant: no series is made by a request, so
//! their number depends on the configuration only.

use std::sync::Arc;

use prometheus::{Encoder, IntCounter, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

use super::access_log::LogCounters;
use super::families::{CounterGrid, CounterRow, HistogramRow, Registrar};
use super::histogram::{AtomicHistogram, INTER_TOKEN, OVERHEAD, REQUEST, WAIT};
use super::labels::{CountKind, ReloadResult, StatusClass, TokenClass};
use super::ledger::LedgerMetrics;
use super::mirror::{MirrorMetrics, Mirrors};
use super::process::ProcessCollector;
use super::provider::{ProviderMetrics, Providers};
use super::routes::RouteMetrics;
use crate::catalog::Unpriced;
use crate::types::{Endpoint, Reason, Usage};

/// The content type of what [`Metrics::render`] gives.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// The metrics. Share it in an `Arc`; every field counts with relaxed atomics and may be used from
/// any thread.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    providers: Providers,
    mirrors: Mirrors,
    /// Requests answered, or given up, by the status class the client got.
    pub requests: CounterGrid<Endpoint, StatusClass>,
    /// Requests refused or failed with an error of the gateway's, by reason.
    pub rejects: CounterRow<Reason>,
    /// From the request's head to the last byte of its answer.
    pub request_seconds: HistogramRow<Endpoint>,
    /// From the request's head to the first content event of its answer.
    pub first_token: HistogramRow<Endpoint>,
    /// Between content events. Fill it by `absorb` from each stream's own `LocalHistogram`.
    pub inter_token: HistogramRow<Endpoint>,
    /// The gateway's own time in a request: all but waiting for client and upstream.
    pub overhead: Arc<AtomicHistogram>,
    /// Tokens, by [`Metrics::add_usage`].
    pub tokens: CounterGrid<Endpoint, TokenClass>,
    pub estimated_usage: IntCounter,
    /// In 1e-12 dollars.
    pub cost: IntCounter,
    pub charged: IntCounter,
    pub unpriced: CounterRow<Unpriced>,
    /// Streams ended because a budget was.
    pub budget_cuts: IntCounter,
    /// Thresholds of budgets that were passed.
    pub budget_alerts: IntCounter,
    /// Calls served by another model because a budget was spent.
    pub downgrades: IntCounter,
    /// Calls that waited to learn what they may use of something shared.
    pub sharing_waits: IntCounter,
    /// 1 while what is shared with other nodes cannot be reached.
    pub sharing_lost: IntGauge,
    /// Rounds of requests to the other nodes' meeting place that failed.
    pub sharing_failures: IntCounter,
    /// Calls under way that hold money or tokens of a budget.
    pub budget_calls: IntGauge,
    pub counting: CounterRow<CountKind>,
    pub open_streams: IntGauge,
    pub requests_in_flight: IntGauge,
    pub connections_open: IntGauge,
    /// Requests whose client left before its answer was whole.
    pub client_aborts: IntCounter,
    pub keepalives_sent: IntCounter,
    /// Responses and conversations kept here, and the bytes they hold.
    pub kept_entries: IntGauge,
    pub kept_bytes: IntGauge,
    /// Responses that should have been kept.
    pub not_kept: IntCounter,
    /// Events of upstreams' streams that no decoder knows, skipped.
    pub unknown_events: IntCounter,
    pub routes: RouteMetrics,
    pub config_reloads: CounterRow<ReloadResult>,
    /// Rises by one with each configuration applied.
    pub config_generation: IntGauge,
    pub ledger: LedgerMetrics,
    access_log: LogCounters,
}

/// Holds a gauge one higher until dropped, whatever way the holder ends.
#[derive(Debug)]
pub struct GaugeGuard(IntGauge);

// === impl Metrics ===

fn log_counters(r: &Registrar<'_>) -> prometheus::Result<LogCounters> {
    Ok(LogCounters {
        lines: r.counter("access_log_lines_total", "Access log lines written to the sink.")?,
        dropped: r.counter("access_log_dropped_total", "Access log lines lost: the buffer was full.")?,
    })
}

impl Metrics {
    /// Makes and registers everything. Fails only if two names clash, which a test rules out.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let r = Registrar(&registry);
        registry.register(Box::new(ProcessCollector::new()?))?;
        register_build_info(&registry)?;
        Ok(Self {
            providers: Providers::register(&r)?,
            mirrors: Mirrors::register(&r)?,
            requests: r.grid("requests_total", "Requests, by the class of the status the client got.")?,
            rejects: r.row("rejects_total", "Requests refused or failed by the gateway, by reason.")?,
            request_seconds: r.histogram_row(
                "request_seconds",
                "Time from a request's head to the last byte of its answer.",
                REQUEST,
            )?,
            first_token: r.histogram_row(
                "first_token_seconds",
                "Time from a request's head to the first content event of its answer.",
                WAIT,
            )?,
            inter_token: r.histogram_row(
                "inter_token_seconds",
                "Time between two content events of a stream.",
                &INTER_TOKEN,
            )?,
            overhead: r.histogram("overhead_seconds", "The gateway's own time in a request.", OVERHEAD)?,
            tokens: r.grid("tokens_total", "Tokens; input and output are totals, the rest parts of them.")?,
            estimated_usage: r
                .counter("estimated_usage_total", "Answers whose tokens were counted here, not upstream.")?,
            cost: r
                .counter("cost_picousd_total", "What calls cost by the catalogue, in 1e-12 US dollars.")?,
            charged: r.counter("charged_picousd_total", "Their cost and margins, in 1e-12 US dollars.")?,
            unpriced: r.row("unpriced_total", "Calls whose cost is not known, by reason.")?,
            budget_cuts: r.counter("budget_cuts_total", "Streams ended because a budget was spent.")?,
            budget_alerts: r.counter("budget_alerts_total", "Thresholds of budgets that were passed.")?,
            downgrades: r.counter(
                "budget_downgrades_total",
                "Calls served by another model because a budget was spent.",
            )?,
            sharing_waits: r.counter(
                "sharing_waits_total",
                "Calls that waited to learn what they may use of shared limits and budgets.",
            )?,
            sharing_lost: r.gauge(
                "sharing_lost",
                "1 while shared limits and budgets cannot be reached, 0 while they can.",
            )?,
            sharing_failures: r
                .counter("sharing_failures_total", "Requests about shared limits and budgets that failed.")?,
            budget_calls: r.gauge("budget_calls", "Calls under way that hold a part of a budget.")?,
            counting: r.row("counting_total", "Prompts counted, by the stage that decided.")?,
            open_streams: r.gauge("open_streams", "Streamed answers under way.")?,
            requests_in_flight: r.gauge("requests_in_flight", "Requests under way, streams included.")?,
            connections_open: r.gauge("connections_open", "Client connections open.")?,
            client_aborts: r
                .counter("client_aborts_total", "Requests whose client left before the answer was whole.")?,
            keepalives_sent: r.counter("keepalives_sent_total", "Keepalive comments sent between events.")?,
            kept_entries: r.gauge("kept_entries", "Responses and conversations kept here.")?,
            kept_bytes: r.gauge("kept_bytes", "Bytes that kept responses and conversations hold.")?,
            not_kept: r.counter("not_kept_total", "Responses too large to be kept here, or kept off.")?,
            unknown_events: r
                .counter("unknown_events_total", "Events of upstreams' streams nobody knows, skipped.")?,
            routes: RouteMetrics::register(&r)?,
            config_reloads: r.row("config_reloads_total", "Configuration reloads, by result.")?,
            config_generation: r.gauge("config_generation", "Configurations applied since the start.")?,
            ledger: LedgerMetrics::register(&r)?,
            access_log: log_counters(&r)?,
            registry,
        })
    }

    /// The handle of one provider. For assembly: takes a lock and may make series.
    pub fn provider(&self, name: &str) -> prometheus::Result<Arc<ProviderMetrics>> {
        self.providers.resolve(name)
    }

    /// The handle of one mirrored model. As [`Metrics::provider`].
    pub fn mirror(&self, model: &str) -> prometheus::Result<Arc<MirrorMetrics>> {
        self.mirrors.resolve(model)
    }

    /// What [`super::AccessLog::start`] counts with.
    pub fn log_counters(&self) -> LogCounters {
        self.access_log.clone()
    }

    /// Adds the tokens of one call.
    pub fn add_usage(&self, endpoint: Endpoint, usage: &Usage) {
        let classes = [
            (TokenClass::Input, usage.input),
            (TokenClass::CacheRead, usage.cache_read),
            (TokenClass::CacheWrite5m, usage.cache_write_5m),
            (TokenClass::CacheWrite1h, usage.cache_write_1h),
            (TokenClass::AudioInput, usage.audio_input),
            (TokenClass::ImageInput, usage.image_input),
            (TokenClass::Output, usage.output),
            (TokenClass::Reasoning, usage.reasoning),
            (TokenClass::AudioOutput, usage.audio_output),
            (TokenClass::ImageOutput, usage.image_output),
        ];
        for (class, count) in classes {
            self.tokens.add(endpoint, class, count);
        }
        if usage.is_estimated {
            self.estimated_usage.inc();
        }
    }

    /// The text exposition, for `/metrics`. Reads `/proc`; some tens of kilobytes.
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(64 * 1024);
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            // A scrape that says nothing is noticed; half of one would be believed.
            log::error!("metrics could not be rendered: {error}");
            text.clear();
        }
        text
    }

    #[cfg(test)]
    pub(super) fn gather(&self) -> Vec<prometheus::proto::MetricFamily> {
        self.registry.gather()
    }
}

fn register_build_info(registry: &Registry) -> prometheus::Result<()> {
    let opts = Opts::new("build_info", "Always 1; the label says which version runs.").namespace("tidegate");
    let info = IntGaugeVec::new(opts, &["version"])?;
    info.get_metric_with_label_values(&[env!("CARGO_PKG_VERSION")])?.set(1);
    registry.register(Box::new(info))
}

// === impl GaugeGuard ===

impl GaugeGuard {
    pub fn raise(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}
