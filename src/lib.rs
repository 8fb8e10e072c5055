//! Tidegate: an edge gateway for LLM and API traffic on Pingora. The map of the house, from the
//! ground up; a module imports only floors below its own (`tests/floorplan.rs` holds it).
//!
//! | floor | modules | |
//! |---|---|---|
//! | 1 | [`types`] | nouns: ids, usage, secret, clock, reject, bounds |
//! | 2 | [`dialect`] [`chat`] [`catalog`] [`framing`] | wire formats of vendors, the canonical form, models and prices; SSE, JSON, HTTP/1.1 heads |
//! | 2 | [`govern`] | tenants, keys, policies, ledger rows: the nouns of governance |
//! | 3 | [`auth`] [`limits`] [`meter`] [`routing`] | policies: pure decisions over plain values |
//! | 4 | [`config`] [`telemetry`] [`upstream`] [`archive`] [`store`] [`cluster`] | the language, what is told, calls to providers, what is held for clients, durable state, what nodes share |
//! | – | [`runtime`] | the snapshot a request works with, read by all of floor 5 |
//! | 5 | [`proxy`] [`admin`] [`jobs`] [`sim`] | data plane, control plane, background, simulator |
//! | 6 | [`assemble`] [`server`] | config → runtime; the process |
//! | 7 | [`cli`] | one file a command |

pub mod admin;
pub mod archive;
pub mod assemble;
pub mod auth;
pub mod catalog;
pub mod chat;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod dialect;
pub mod framing;
pub mod govern;
pub mod jobs;
pub mod limits;
pub mod meter;
pub mod proxy;
pub mod routing;
pub mod runtime;
pub mod server;
pub mod sim;
pub mod store;
pub mod telemetry;
pub mod types;
pub mod upstream;
