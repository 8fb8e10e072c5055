//! The client's address: the socket's, or what a trusted proxy says it is.

use crate::framing::ClientHead;
use crate::types::cidr::Cidr;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The address that limits and the log go by. `x-forwarded-for`, or where there is none `forwarded`
/// (RFC 7239), is read only from a listed proxy, from its right end, up to the first address that is not
/// a listed proxy itself; also where a port stands with it. What is no address ends the reading.
pub fn address(head: &ClientHead, socket: Option<IpAddr>, trusted: &[Cidr]) -> Option<IpAddr> {
    let socket = socket?.to_canonical();
    if !is_trusted(socket, trusted) {
        return Some(socket);
    }
    let mut hops = elements(head, "x-forwarded-for");
    if hops.is_empty() {
        hops = elements(head, "forwarded").into_iter().map(forwarded_for).collect();
    }
    let mut nearest = socket;
    for hop in hops.iter().rev() {
        let Some(ip) = node(hop.trim()) else { break };
        nearest = ip.to_canonical();
        if !is_trusted(nearest, trusted) {
            break;
        }
    }
    Some(nearest)
}

/// The elements of all lists in fields of this name, in order. Commas in a quoted string cut it, and
/// its pieces are no addresses.
fn elements<'h>(head: &'h ClientHead, name: &str) -> Vec<&'h str> {
    let texts = head.values(name).filter_map(|value| std::str::from_utf8(value).ok());
    texts.flat_map(|value| value.split(',')).collect()
}

/// The `for` of one element of `forwarded`; empty where it has none.
fn forwarded_for(element: &str) -> &str {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let found = pairs.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    let value = found.map_or("", |(_, value)| value.trim());
    value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(value)
}

/// An address, in brackets where it is IPv6's and a port may follow. None for a hidden or unknown one.
fn node(text: &str) -> Option<IpAddr> {
    let socket = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    text.parse().ok().or_else(socket).or_else(bracketed)
}

/// A number for the flood gate. Clients of one IPv6 network count as one.
pub fn hash(address: IpAddr) -> u64 {
    let mut hasher = DefaultHasher::new();
    match address {
        IpAddr::V4(ip) => ip.hash(&mut hasher),
        IpAddr::V6(ip) => (ip.to_bits() >> 64).hash(&mut hasher),
    }
    hasher.finish()
}

fn is_trusted(address: IpAddr, trusted: &[Cidr]) -> bool {
    trusted.iter().any(|range| range.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_of_a_forwarded_element_is_found_in_every_form() {
        for (element, found) in [
            ("for=192.0.2.60;proto=http;by=203.0.113.43", Some("192.0.2.60")),
            ("proto=https; For=\"192.0.2.60:4711\"", Some("192.0.2.60")),
            ("for=\"[2001:db8:cafe::17]:4711\"", Some("2001:db8:cafe::17")),
            ("for=\"[2001:db8:cafe::17]\"", Some("2001:db8:cafe::17")),
            ("for=unknown", None),
            ("for=\"_gazonk\"", None),
            ("proto=http", None),
            ("for=\"192.0.2.60", None),
            ("for=192.0.2.60:99999", None),
        ] {
            assert_eq!(node(forwarded_for(element)), found.map(|ip| ip.parse().unwrap()), "{element}");
        }
    }
}
