//! The client's address: the socket's, or what a trusted proxy says it is.

use crate::framing::ClientHead;
use crate::types::cidr::Cidr;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;

/// The address that limits and the log go by. `x-forwarded-for` is read only from a listed proxy,
/// from its right end, up to the first address that is not a listed proxy itself.
pub fn address(head: &ClientHead, socket: Option<IpAddr>, trusted: &[Cidr]) -> Option<IpAddr> {
    let socket = socket?.to_canonical();
    if !is_trusted(socket, trusted) {
        return Some(socket);
    }
    let hops: Vec<&str> = head
        .values("x-forwarded-for")
        .filter_map(|value| std::str::from_utf8(value).ok())
        .flat_map(|value| value.split(','))
        .collect();
    let mut nearest = socket;
    for hop in hops.iter().rev() {
        let Ok(ip) = hop.trim().parse::<IpAddr>() else { break };
        nearest = ip.to_canonical();
        if !is_trusted(nearest, trusted) {
            break;
        }
    }
    Some(nearest)
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
