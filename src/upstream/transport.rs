//! Pingora's connectors, shared by all providers that trust the same certificate authorities.

use super::idle::IdlePool;
use pingora_core::connectors::http::v2::Connector;
use pingora_core::connectors::{ConnectorOptions, TransportConnector};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// HTTP/2 connections kept idle over all providers that share a transport.
const POOL_SIZE: usize = 4096;

/// Makes connections, and keeps those of HTTP/1.1 and of HTTP/2 that wait.
pub struct Transport {
    pub streams: TransportConnector,
    pub idle: Arc<IdlePool>,
    pub sessions: Connector,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

/// The transports of a process: one per certificate authority file. They outlive reloads, so that
/// a new configuration keeps the warm connections.
#[derive(Default)]
pub struct Transports {
    by_ca: std::sync::Mutex<HashMap<Option<String>, Arc<Transport>>>,
}

impl Transports {
    /// The transport that trusts the platform's authorities (`None`) or those of a PEM file.
    pub fn for_ca(&self, ca_file: Option<&str>) -> Arc<Transport> {
        let mut by_ca = self.by_ca.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        by_ca.entry(ca_file.map(str::to_owned)).or_insert_with(|| Arc::new(Transport::new(ca_file))).clone()
    }
}

impl Transport {
    fn new(ca_file: Option<&str>) -> Self {
        let mut options = ConnectorOptions::new(POOL_SIZE);
        options.ca_file = ca_file.map(str::to_owned);
        Self {
            streams: TransportConnector::new(Some(options.clone())),
            idle: Arc::default(),
            sessions: Connector::new(Some(options)),
        }
    }
}
