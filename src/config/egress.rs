//! `[egress]`: the proxy that calls leave through, and what does not.

use super::collector::Collector;
use super::near::quoted;
use super::reader::Reader;
use super::secret::{self, Found};
use super::value::Value;
use crate::types::cidr::Cidr;
use crate::types::{Glob, Secret, percent};

/// The way out of everything that has none of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Egress {
    /// None: straight.
    pub proxy: Option<ProxyUrl>,
    pub no_proxy: Vec<Direct>,
}

/// `http://[user:password@]host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyUrl {
    pub host: String,
    pub port: u16,
    /// `user:password`.
    pub user: Option<Secret>,
}

/// A host that is reached without the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Direct {
    Name(Glob),
    Net(Cidr),
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
        parse(secret.expose())
    } else {
        parse(text)
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

fn parse(text: &str) -> Result<ProxyUrl, &'static str> {
    const ODD: &str = "this is no address of a proxy";
    let rest = match text.split_once("://") {
        Some(("http", rest)) => rest,
        Some(("https" | "socks5" | "socks5h", _)) => {
            return Err("a proxy is asked in plain HTTP: what goes through its tunnel has TLS of its own");
        }
        _ => return Err(ODD),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
    let place: http::uri::Authority = place.parse().map_err(|_| ODD)?;
    let port = place.port_u16().filter(|port| *port > 0).ok_or("the proxy's address needs its port")?;
    let host = place.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let user = user.map(|user| percent::decoded(user).ok_or(ODD));
    let user = user.transpose()?;
    let is_plain = |text: &str| text.contains(':') && !text.bytes().any(|b| b.is_ascii_control());
    if host.is_empty() || user.as_ref().is_some_and(|user| !is_plain(user)) {
        return Err(ODD);
    }
    Ok(ProxyUrl { host, port, user: user.map(Secret::new) })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_written_as_the_usual_variables_have_them() {
        let url = parse("http://proxy.internal:3128/").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.user), ("proxy.internal", 3128, None));
        let url = parse("http://us%40er:p%3Aw@[::1]:8080").unwrap();
        assert_eq!((url.host.as_str(), url.user.unwrap().expose()), ("::1", "us@er:p:w"));
        for bad in [
            "",
            "proxy:3128",
            "http://proxy",
            "http://:3128",
            "https://proxy:3128",
            "socks5://proxy:1080",
            "http://user@proxy:3128",
            "http://a:b%0d%0ax@proxy:3128",
            "http://proxy:3128/path",
            "http://proxy:0",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
