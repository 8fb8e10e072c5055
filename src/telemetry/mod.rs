//! Floor 4: what the gateway tells about itself. Metrics, the access log, and the two clocks.
//!
//! Not here: what is worth telling (the lanes decide), and serving `/metrics` (the admin listener).
//! Invariant: nothing in this folder wakes another thread, waits, or grows without bound because
//! of a request; no string a client chose becomes a metric label.

pub mod access_log;
pub mod clock;
pub mod entry;
pub mod events;
pub mod families;
pub mod histogram;
pub mod labels;
pub mod ledger;
pub mod metrics;
mod mirror;
mod overload;
pub mod process;
pub mod provider;
mod routes;
pub mod sink;

mod drain;
mod json;
mod shards;
mod timestamp;

#[cfg(test)]
mod access_log_tests;
#[cfg(test)]
mod entry_tests;
#[cfg(test)]
mod metrics_tests;

pub use access_log::{AccessLog, LogCounters};
pub use clock::{SystemClock, WallClock};
pub use entry::{Entry, FailedAttempt};
pub use events::{Event, Events};
pub use histogram::{AtomicHistogram, LocalHistogram};
pub use labels::{
    AskedOutcome, AttemptOutcome, CacheLookup, CoalesceOutcome, CountKind, CredentialRefresh, HedgeOutcome,
    Label, RecoveryOutcome, ReloadResult, RetryOutcome, StatusClass, TargetHealth, TokenClass,
};
pub use ledger::LedgerMetrics;
pub use metrics::{CONTENT_TYPE as METRICS_CONTENT_TYPE, GaugeGuard, Metrics};
pub use mirror::{Figures, MirrorMetrics, MirrorOutcome, MirrorSide};
pub use overload::{OverloadMetrics, PressureOf, QueueOutcome};
pub use process::resident_bytes_now;
pub use provider::ProviderMetrics;
pub use routes::RouteMetrics;
pub use sink::LogSink;
