//! Which names the admin API answers to. A web page can make a browser send requests to any address
//! under a name of the page's own (DNS rebinding); it cannot make the name a listed one.

use std::net::IpAddr;

/// Names besides the loopback's own and literal addresses of the listener.
#[derive(Clone, Debug, Default)]
pub struct Hosts(Vec<String>);

impl Hosts {
    /// `names` without ports, in any case.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    /// Whether the value of a `host` field may be answered. A literal loopback address cannot be
    /// rebound; any other literal must be listed, like a name.
    pub fn allow(&self, host: &str) -> bool {
        let Some(name) = name_of(host) else { return false };
        let name = name.to_ascii_lowercase();
        if self.0.contains(&name) || name == "localhost" {
            return true;
        }
        name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

/// The host without its port, and an IPv6 address without its brackets.
fn name_of(host: &str) -> Option<&str> {
    let (name, rest) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => host.split_at_checked(host.find(':').unwrap_or(host.len()))?,
    };
    let has_port = match rest.strip_prefix(':') {
        Some(port) => !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()),
        None => rest.is_empty(),
    };
    (has_port && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_and_listed_names_are_answered() {
        let hosts = Hosts::new(["Admin.Example".to_owned(), "10.0.0.5".to_owned()]);
        for good in
            ["localhost", "LOCALHOST:9090", "127.0.0.1:9090", "[::1]:9090", "admin.example:443", "10.0.0.5"]
        {
            assert!(hosts.allow(good), "{good}");
        }
    }

    #[test]
    fn names_of_strangers_are_not() {
        let hosts = Hosts::new(["admin.example".to_owned()]);
        for bad in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.5:9090",
            "localhost:90x",
            "[::1",
            "localhost@evil",
            "0.0.0.0:9090",
        ] {
            assert!(!hosts.allow(bad), "{bad}");
        }
    }
}
