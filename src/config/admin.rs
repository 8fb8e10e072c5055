//! `[admin]`: the listener of operators and probes.

use super::collector::Collector;
use super::listener::listen;
use super::reader::Reader;
use super::secret;
use super::value::Value;
use crate::types::Secret;
use std::net::{Ipv4Addr, SocketAddr};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// A loopback address.
    pub listen: SocketAddr,
    pub token: Option<Secret>,
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9090)), token: None }
    }
}

impl Admin {
    /// The section of the file; the defaults where there is none. After `server`, whose addresses
    /// come first.
    pub(super) fn read(root: &mut Reader<'_, '_, '_>) -> Self {
        if root.has("admin") {
            return root.or("admin", Self::default(), Self::read_table);
        }
        root.value("admin");
        claim_default(root);
        Self::default()
    }

    fn read_table(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        if !reader.has("listen") {
            claim_default(&mut reader);
        }
        let admin = Self {
            listen: reader.or("listen", Self::default().listen, loopback),
            token: reader.take("token", secret::secret).map(|found| found.secret),
        };
        reader.done();
        Some(admin)
    }
}

fn claim_default(reader: &mut Reader<'_, '_, '_>) {
    let address = Admin::default().listen;
    if let Err(owner) = reader.collector.claim(address, "admin.listen".to_owned()) {
        let help = "give the admin listener its own address: [admin] listen = \"127.0.0.1:9091\"";
        reader.fail(format!("{address}, the default of admin.listen, is listened on by {owner}"), Some(help));
    }
}

fn loopback(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<SocketAddr> {
    let address = listen(value, collector)?;
    if !address.ip().is_loopback() {
        value.fail_help(
            collector,
            format!("the admin listener must be on a loopback address, {} is not", address.ip()),
            "TLS and the token for it come with the admin API; until then scrape it from this machine",
        );
    }
    Some(address)
}
