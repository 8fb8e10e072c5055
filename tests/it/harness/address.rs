//! Addresses that no other test process uses.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

/// A loopback address of this process's own, so that tests side by side cannot take each other's
/// ports.
pub fn own_ip() -> IpAddr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(127, 64 + high % 64, middle, low))
}

/// An address where nobody listens. Connecting to it is refused.
pub fn free_addr() -> SocketAddr {
    TcpListener::bind((own_ip(), 0)).unwrap().local_addr().unwrap()
}
