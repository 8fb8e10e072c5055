//! Which addresses are the open internet's, and which are somebody's own: where a URL of a
//! configuration or of a user may not lead unless it is said.

use super::cidr::Cidr;
use std::net::IpAddr;

/// Ranges that are not globally reachable, or stand for one that is not (IANA special-purpose
/// registries; RFC 6890, RFC 6052, RFC 3056, RFC 4380).
const OWN: [&str; 26] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    // Loopback, unspecified, and IPv4 in IPv6's clothes.
    "::/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];

/// Whether `address` is one of the open internet. An IPv4 address mapped into IPv6 counts as IPv4.
pub fn is_public(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let ranges = OWN.iter().filter_map(|text| text.parse::<Cidr>().ok());
    !ranges.into_iter().any(|range| range.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_is_read() {
        assert!(OWN.iter().all(|text| text.parse::<Cidr>().is_ok()));
    }

    #[test]
    fn own_addresses_in_every_dress_are_not_public() {
        for own in [
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.100.100.200",
            "255.255.255.255",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!is_public(own.parse().unwrap()), "{own}");
        }
        for public in ["1.1.1.1", "8.8.8.8", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
