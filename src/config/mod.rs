//! Floor 4: the configuration language. TOML text becomes a typed [`Config`], or a [`Report`] of
//! everything that is wrong with it, each problem shown where it is.
//!
//! Not here: what the values mean while serving; `assemble` turns a `Config` into that and is the
//! only reader of these types. Invariants: a `Config` exists only for a file without a problem,
//! its secrets are resolved, and no message or report ever holds a secret's value.

mod admin;
mod base_url;
mod budget;
mod catalog;
mod catalog_row;
mod choice;
mod cluster;
mod collector;
mod counting;
mod credentials;
mod drain;
mod duration;
mod failover;
mod file;
mod headers;
mod key;
mod kind;
mod limits;
mod listener;
mod locate;
mod log;
mod model;
mod name;
mod near;
mod number;
mod pattern;
mod places;
mod pool;
mod protocols;
mod provider;
mod provider_tls;
mod reader;
mod render;
mod report;
mod secret;
mod server;
mod server_limits;
mod size;
mod statuses;
mod syntax;
mod target;
mod timeouts;
mod value;

#[cfg(test)]
mod files_tests;
#[cfg(test)]
mod mistakes_tests;
#[cfg(test)]
mod rules_tests;
#[cfg(test)]
mod secrecy_tests;

pub use admin::Admin;
pub use base_url::BaseUrl;
pub use catalog::CatalogSettings;
pub use cluster::{Cluster, OnLoss};
pub use counting::{CountMode, Counting, Factors, Families, Vocabulary};
pub use drain::Drain;
pub use failover::{Failover, FailoverOn};
pub use file::{Config, Overview, SecretPolicy, check, load, parse, process_env};
pub use key::Key;
pub use kind::ProviderKind;
pub use listener::TlsListener;
pub use log::{AccessTo, Level, Log};
pub use model::{Balance, Model, OnDisconnect, OnUnsupported, Unpriced};
pub use pattern::ModelPattern;
pub use pool::{Cooldown, Pool};
pub use provider::{CountTokens, Http2, Provider};
pub use provider_tls::ProviderTls;
pub use report::{Problem, Report, Shown};
pub use server::{ClientIp, RuntimeKind, Server, Upgrade};
pub use server_limits::ServerLimits;
pub use statuses::StatusSet;
pub use target::Target;
pub use timeouts::Timeouts;
