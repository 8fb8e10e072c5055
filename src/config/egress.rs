//! `[egress]`: the proxy that calls leave through, and what does not.

use super::collector::Collector;
use super::near::quoted;
use super::reader::Reader;
use super::secret::{self, Found};
use super::value::Value;
use crate::types::{Direct, Glob, ProxyUrl};

/// The way out of everything that has none of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Egress {
    /// None: straight.
    pub proxy: Option<ProxyUrl>,
    pub no_proxy: Vec<Direct>,
}

/// `proxy` of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// As `[egress]` says.
    Usual,
    Straight,
    Proxy(ProxyUrl),
}

const HELP: &str = "such as \"http://proxy.internal:3128\", or \"env:NAME\" where it holds a password";

impl Egress {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let egress = Self {
            proxy: reader.take("proxy", proxy_url),
            no_proxy: reader
                .or("no_proxy", Vec::new(), |v, c| v.list(c, "a list of hosts and address ranges", direct)),
        };
        if reader.has("no_proxy") && !reader.has("proxy") {
            reader.fail("`no_proxy` has no effect without `proxy`", None);
        }
        reader.done();
        Some(egress)
    }
}

impl Way {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        if value.string(collector, HELP)? == "none" {
            return Some(Self::Straight);
        }
        proxy_url(value, collector).map(Self::Proxy)
    }
}

/// An address without a password may stand in the file; one with a password only as a reference.
fn proxy_url(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<ProxyUrl> {
    let text = value.string(collector, HELP)?;
    let is_reference = secret::is_reference(text);
    let found = if is_reference {
        let Found { secret, .. } = secret::secret(value, collector)?;
        if !collector.looks_outside() {
            return Some(ProxyUrl { host: "proxy.invalid".to_owned(), port: 1, user: None });
        }
        ProxyUrl::parse(secret.expose())
    } else {
        ProxyUrl::parse(text)
    };
    match found {
        Ok(url) if is_reference || url.user.is_none() => Some(url),
        Ok(_) => {
            collector.mask(value.span.clone());
            value.fail_help(collector, "an address with a password in the file", HELP);
            None
        }
        Err(fault) => {
            collector.mask(value.span.clone());
            value.fail_help(collector, fault, HELP);
            None
        }
    }
}

fn direct(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Direct> {
    let text = value.string(collector, "a host such as \"*.internal\", or a range such as \"10.0.0.0/8\"")?;
    if let Ok(net) = text.parse() {
        return Some(Direct::Net(net));
    }
    let is_host = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'*');
    if text.is_empty() || text.len() > 253 || !text.bytes().all(is_host) {
        let help = "such as \"*.internal\" or \"10.0.0.0/8\"";
        value.fail_help(collector, format!("`{}` is neither a host nor a range", quoted(text)), help);
        return None;
    }
    // `.internal` is how the usual variables have it.
    let under = if text.starts_with('.') { "*" } else { "" };
    Some(Direct::Name(Glob::new(&format!("{under}{}", text.to_ascii_lowercase()))))
}
