//! The metrics of one provider, resolved by name when a runtime is assembled.
//!
//! Provider names are the operator's, not the client's, but a gateway that reloads all day could
//! still pile them up. Invariant: at most [`PROVIDERS_MAX`] names become label values; later ones
//! share `other`. A provider that leaves the configuration keeps its series, so counters never fall.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::families::{CounterRow, HistogramFamily, Registrar};
use super::histogram::{AtomicHistogram, WAIT};
use super::labels::{AskedOutcome, AttemptOutcome, CredentialRefresh, Label};
use crate::routing::Load;
use crate::types::FailureClass;

/// Names that get series of their own.
pub const PROVIDERS_MAX: usize = 256;
/// Who counts for all names beyond [`PROVIDERS_MAX`].
const OTHER: &str = "other";

/// Counters of one provider. Shared by the runtimes that know it.
#[derive(Debug)]
pub struct ProviderMetrics {
    attempts: CounterRow<AttemptOutcome>,
    head: Arc<AtomicHistogram>,
    reused: IntCounter,
    opened: IntCounter,
    cooldowns: CounterRow<FailureClass>,
    credentials: CounterRow<CredentialRefresh>,
    probes: CounterRow<AskedOutcome>,
    scrapes: CounterRow<AskedOutcome>,
    /// Running, waiting, percent of the KV cache.
    load: [IntGauge; 3],
}

/// The families with a `provider` label, and who has been resolved in them.
#[derive(Debug)]
pub(super) struct Providers {
    attempts: IntCounterVec,
    connections: IntCounterVec,
    cooldowns: IntCounterVec,
    credentials: IntCounterVec,
    probes: IntCounterVec,
    scrapes: IntCounterVec,
    load: [IntGaugeVec; 3],
    head: HistogramFamily,
    known: Mutex<HashMap<String, Arc<ProviderMetrics>>>,
}

// === impl ProviderMetrics ===

impl ProviderMetrics {
    /// One attempt ended.
    pub fn attempt(&self, outcome: AttemptOutcome) {
        self.attempts.inc(outcome);
    }

    /// Time from the request's last byte sent to the answer's head.
    pub fn head(&self, span: Duration) {
        self.head.observe(span);
    }

    /// An attempt got its connection: from the pool, or a new one.
    pub fn connection(&self, is_reused: bool) {
        if is_reused { self.reused.inc() } else { self.opened.inc() }
    }

    /// A target or a credential of this provider was set aside because of `cause`.
    pub fn cooldown(&self, cause: FailureClass) {
        self.cooldowns.inc(cause);
    }

    /// A fetch of one of its credentials ended.
    pub fn credential(&self, refresh: CredentialRefresh) {
        self.credentials.inc(refresh);
    }

    /// A probe of it ended.
    pub fn probe(&self, outcome: AskedOutcome) {
        self.probes.inc(outcome);
    }

    /// It was asked for its load.
    pub fn scrape(&self, outcome: AskedOutcome) {
        self.scrapes.inc(outcome);
    }

    /// Shows its load; none where nobody knows it.
    pub fn load(&self, load: Option<&Load>) {
        let load = load.copied().unwrap_or_default();
        let kv = (load.kv.unwrap_or_default() * 100.0) as i64;
        let values = [i64::from(load.running), i64::from(load.waiting), kv];
        self.load.iter().zip(values).for_each(|(gauge, value)| gauge.set(value));
    }

    /// Attempts that ended so.
    pub fn attempts(&self, outcome: AttemptOutcome) -> u64 {
        self.attempts.get(outcome)
    }
}

// === impl Providers ===

impl Providers {
    pub fn register(registrar: &Registrar<'_>) -> prometheus::Result<Self> {
        Ok(Self {
            attempts: registrar.counter_vec(
                "upstream_attempts_total",
                "Attempts at an upstream, by how they ended.",
                &["provider", AttemptOutcome::NAME],
            )?,
            connections: registrar.counter_vec(
                "upstream_connections_total",
                "Connections taken for an attempt, by whether the pool had one.",
                &["provider", "reused"],
            )?,
            cooldowns: registrar.counter_vec(
                "cooldowns_total",
                "Targets and credentials set aside for a while, by cause.",
                &["provider", FailureClass::NAME],
            )?,
            credentials: registrar.counter_vec(
                "credential_refreshes_total",
                "Fetches of a provider's credential, by whether they gave one.",
                &["provider", CredentialRefresh::NAME],
            )?,
            probes: registrar.counter_vec(
                "probes_total",
                "Probes of a provider, by whether it was well.",
                &["provider", AskedOutcome::NAME],
            )?,
            scrapes: registrar.counter_vec(
                "scrapes_total",
                "Questions for a provider's load, by whether it said it.",
                &["provider", AskedOutcome::NAME],
            )?,
            load: [
                registrar.gauge_vec(
                    "server_running",
                    "Calls a provider's server works on.",
                    &["provider"],
                )?,
                registrar.gauge_vec(
                    "server_waiting",
                    "Calls that wait at a provider's server.",
                    &["provider"],
                )?,
                registrar.gauge_vec(
                    "server_kv_percent",
                    "Used part of the KV cache of a provider's server.",
                    &["provider"],
                )?,
            ],
            head: registrar.histogram_family(
                "upstream_head_seconds",
                "Time from the request sent upstream to the head of its answer.",
                &["provider"],
                WAIT,
            )?,
            known: Mutex::default(),
        })
    }

    /// The handle of the provider called `name`.
    pub fn resolve(&self, name: &str) -> prometheus::Result<Arc<ProviderMetrics>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let name = if known.len() < PROVIDERS_MAX || known.contains_key(name) { name } else { OTHER };
        if let Some(handle) = known.get(name) {
            return Ok(Arc::clone(handle));
        }
        let handle = Arc::new(self.make(name)?);
        known.insert(name.to_owned(), Arc::clone(&handle));
        Ok(handle)
    }

    fn make(&self, name: &str) -> prometheus::Result<ProviderMetrics> {
        let [running, waiting, kv] =
            self.load.each_ref().map(|family| family.get_metric_with_label_values(&[name]));
        let [running, waiting, kv] = [running?, waiting?, kv?];
        Ok(ProviderMetrics {
            attempts: CounterRow::resolved(&self.attempts, name)?,
            head: self.head.series(&[name]),
            reused: self.connections.get_metric_with_label_values(&[name, "true"])?,
            opened: self.connections.get_metric_with_label_values(&[name, "false"])?,
            cooldowns: CounterRow::resolved(&self.cooldowns, name)?,
            credentials: CounterRow::resolved(&self.credentials, name)?,
            probes: CounterRow::resolved(&self.probes, name)?,
            scrapes: CounterRow::resolved(&self.scrapes, name)?,
            load: [running, waiting, kv],
        })
    }
}
