//! An HTTP proxy that opens tunnels, and what is reached without it.

use super::cidr::Cidr;
use super::{Glob, Secret, percent};
use std::net::IpAddr;

/// `http://[user:password@]host:port`, as the usual variables have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyUrl {
    pub host: String,
    pub port: u16,
    /// `user:password`, decoded.
    pub user: Option<Secret>,
}

/// A rule for hosts that are reached straight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Direct {
    /// A name in lower case; `*` stands for any text.
    Name(Glob),
    Net(Cidr),
}

impl ProxyUrl {
    /// # Errors
    /// What is wrong with it; never what stands in it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const ODD: &str = "this is no address of a proxy";
        let rest = match text.split_once("://") {
            Some(("http", rest)) => rest,
            Some(("https" | "socks5" | "socks5h", _)) => {
                return Err(
                    "a proxy is asked in plain HTTP: what goes through its tunnel has TLS of its own",
                );
            }
            _ => return Err(ODD),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
        let place: http::uri::Authority = place.parse().map_err(|_| ODD)?;
        let port = place.port_u16().filter(|port| *port > 0).ok_or("the proxy's address needs its port")?;
        let host = place.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let user = user.map(|user| percent::decoded(user).ok_or(ODD)).transpose()?;
        let is_plain = |text: &str| text.contains(':') && !text.bytes().any(|b| b.is_ascii_control());
        if host.is_empty() || user.as_ref().is_some_and(|user| !is_plain(user)) {
            return Err(ODD);
        }
        Ok(Self { host, port, user: user.map(Secret::new) })
    }
}

impl Direct {
    /// Whether it is about a host, a name in lower case or an address.
    pub fn holds(&self, host: &str, ip: Option<IpAddr>) -> bool {
        match self {
            Direct::Name(glob) => glob.matches(host),
            Direct::Net(net) => ip.is_some_and(|ip| net.contains(ip)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_written_as_the_usual_variables_have_them() {
        let url = ProxyUrl::parse("http://proxy.internal:3128/").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.user), ("proxy.internal", 3128, None));
        let url = ProxyUrl::parse("http://us%40er:p%3Aw@[::1]:8080").unwrap();
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
            assert!(ProxyUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
