//! The way out: which proxy a provider is behind.

use crate::config::{Config, Way};
use crate::upstream::{Egress, Origin, Proxy, Transports};
use std::sync::Arc;

/// How calls leave that have no way of their own.
pub fn usual(config: &Config, transports: &Transports) -> Egress {
    let proxy = config.egress.proxy.as_ref().map(|url| transports.proxy(url));
    Egress::new(proxy, config.egress.no_proxy.clone())
}

/// The proxy between here and a provider.
pub fn proxy(way: &Way, origin: &Origin, usual: &Egress, transports: &Transports) -> Option<Arc<Proxy>> {
    match way {
        Way::Usual => usual.proxy_for(&origin.host),
        Way::Straight => None,
        Way::Proxy(url) => Some(transports.proxy(url)),
    }
}
