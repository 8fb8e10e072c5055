//! Floor 4: the configuration language. TOML text becomes a typed [`Config`], or a [`Report`] of
//! everything that is wrong with it, each problem shown where it is.
//!
//! Not here: what the values mean while serving; `assemble` turns a `Config` into that and is the
//! only reader of these types. Invariants: a `Config` exists only for a file without a problem,
//! its secrets are resolved, and no message or report ever holds a secret's value.

mod admin;
mod auth;
mod aws;
mod azure;
mod base_url;
mod budget;
mod catalog;
mod catalog_row;
mod choice;
mod cloud;
mod cluster;
mod coalesce;
mod collector;
mod counting;
mod credentials;
mod crowd;
mod drain;
mod duration;
mod egress;
mod failover;
mod fetch_media;
mod file;
mod google;
mod headers;
mod health;
mod jwt;
mod key;
mod kind;
mod ledger;
mod limits;
mod listener;
mod locate;
mod log;
mod mirror;
mod model;
mod mtls;
mod name;
mod near;
mod number;
mod pattern;
mod places;
mod plain;
mod pool;
mod protocols;
mod provider;
mod provider_tls;
mod reader;
mod render;
mod report;
mod responses;
mod route;
mod secret;
mod server;
mod server_limits;
mod shed;
mod size;
mod statuses;
mod store;
mod stored;
mod streams;
mod syntax;
mod target;
mod timeouts;
mod value;

#[cfg(test)]
mod cloud_tests;
#[cfg(test)]
mod files_tests;
#[cfg(test)]
mod mirror_tests;
#[cfg(test)]
mod mistakes_tests;
#[cfg(test)]
mod rules_tests;
#[cfg(test)]
mod secrecy_tests;
#[cfg(test)]
mod store_tests;
#[cfg(test)]
mod stored_tests;
#[cfg(test)]
mod streams_tests;

pub use admin::{Admin, Webhook};
pub use auth::Auth;
pub use aws::{AwsAccount, AwsKeySource};
pub use azure::{AzureAccount, AzureProof};
pub use base_url::BaseUrl;
pub use catalog::CatalogSettings;
pub use cloud::Cloud;
pub use cluster::{Cluster, OnLoss};
pub use coalesce::Coalesce;
pub use counting::{CountMode, Counting, Factors, Families, Vocabulary};
pub use crowd::{Concurrency, Queue};
pub use drain::Drain;
pub use egress::{Egress, Way};
pub use failover::{Failover, FailoverOn};
pub use fetch_media::FetchMedia;
pub use file::{
    Config, Overview, SecretPolicy, check, load, masked, outline, parse, parse_with, process_env, text_of,
};
pub use google::GoogleAccount;
pub use health::{Health, Probe};
pub use key::Key;
pub use kind::ProviderKind;
pub use ledger::{ClickHouse, Keep, Ledger};
pub use listener::TlsListener;
pub use log::{AccessTo, Level, Log};
pub use mirror::Mirror;
pub use model::{Model, OnDisconnect, OnUnsupported, Unpriced};
pub use pattern::ModelPattern;
pub use pool::{Cooldown, Pool};
pub use provider::{CountTokens, Http2, Provider};
pub use provider_tls::ProviderTls;
pub use report::{Problem, Report, Shown};
pub use responses::Responses;
pub use route::{Data, Group, Hedge, Member, OnUnfit, Place};
pub use server::{ClientIp, RuntimeKind, Server, Upgrade};
pub use server_limits::ServerLimits;
pub use shed::Shed;
pub use statuses::StatusSet;
pub use store::Store;
pub use stored::{Stored, path_of};
pub use streams::{Hold, Prefill, Recovery, Resume, Streams};
pub use target::Target;
pub use timeouts::Timeouts;
