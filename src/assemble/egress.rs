//! The way out: which proxy a provider is behind.

use crate::config::{self, Config, Way};
use crate::upstream::{Direct, Egress, Origin, Proxy, ProxyAddress, Transports};
use std::sync::Arc;

/// How calls leave that have no way of their own.
pub fn usual(config: &Config, transports: &Transports) -> Egress {
    let config::Egress { proxy, no_proxy } = &config.egress;
    let direct = no_proxy.iter().map(|rule| match rule {
        config::Direct::Name(glob) => Direct::Name(glob.clone()),
        config::Direct::Net(net) => Direct::Net(*net),
    });
    transports.egress(proxy.as_ref().map(address), direct.collect())
}

/// The proxy between here and a provider.
pub fn proxy(way: &Way, origin: &Origin, usual: &Egress) -> Option<Arc<Proxy>> {
    match way {
        Way::Usual => usual.proxy_for(&origin.host),
        Way::Straight => None,
        Way::Proxy(url) => Some(Arc::new(Proxy::new(address(url)))),
    }
}

fn address(url: &config::ProxyUrl) -> ProxyAddress {
    ProxyAddress { host: url.host.clone(), port: url.port, user: url.user.clone() }
}
