//! A link: one origin with one credential. It is the identity of a connection pool, so that
//! connections are never shared between credentials, and the peer Pingora connects to.

use super::dns::Addresses;
use super::egress::Proxy;
use super::{Http2Mode, Origin, Transport};
use crate::types::mix;
use async_trait::async_trait;
use pingora_core::connectors::L4Connect;
use pingora_core::protocols::ALPN;
use pingora_core::protocols::l4::socket::SocketAddr as PeerAddr;
use pingora_core::protocols::l4::stream::Stream as L4Stream;
use pingora_core::upstreams::peer::{HttpPeer, Peer, PeerOptions};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpStream;

/// Where calls of one provider account go.
#[derive(Debug)]
pub struct Link {
    pub origin: Arc<Origin>,
    pub addresses: Arc<Addresses>,
    pub transport: Arc<Transport>,
    /// Between here and the origin; None: straight.
    pub proxy: Option<Arc<Proxy>>,
    /// Differs for each credential of an origin.
    pool_seed: u64,
    /// Of all that is not the address.
    key_base: u64,
}

impl Link {
    /// `pool_seed` is any number that differs between credentials and origins.
    pub fn new(
        origin: Arc<Origin>,
        addresses: Arc<Addresses>,
        transport: Arc<Transport>,
        pool_seed: u64,
    ) -> Self {
        let mut hasher = DefaultHasher::new();
        (pool_seed, origin.is_tls, &origin.server_name, &origin.authority).hash(&mut hasher);
        Self { origin, addresses, transport, proxy: None, pool_seed, key_base: hasher.finish() }
    }

    /// The same, by way of a proxy.
    pub fn through(mut self, proxy: Option<Arc<Proxy>>) -> Self {
        let mut hasher = DefaultHasher::new();
        (self.key_base, proxy.is_some()).hash(&mut hasher);
        self.key_base = hasher.finish();
        self.proxy = proxy;
        self
    }

    /// The addresses that are connected to: the proxy's where there is one.
    pub fn doors(&self) -> &Addresses {
        self.proxy.as_ref().map_or(&self.addresses, |proxy| &proxy.addresses)
    }

    /// The pool key of connections to one address of this link.
    pub fn pool_key(&self, address: SocketAddr) -> u64 {
        let place = match address {
            SocketAddr::V4(v4) => u64::from(v4.ip().to_bits()),
            SocketAddr::V6(v6) => {
                let bits = v6.ip().to_bits();
                (bits as u64) ^ ((bits >> 64) as u64).rotate_left(23) ^ (1 << 63)
            }
        };
        // Each bit of the address and the port moves half of the key's.
        mix(self.key_base ^ place.rotate_left(16) ^ u64::from(address.port()))
    }

    /// The peer of one address, for our own calls.
    pub fn peer(&self, address: SocketAddr) -> LinkPeer {
        LinkPeer { http: self.http_peer(address), key: self.pool_key(address) }
    }

    /// The peer of one address that has been connected to.
    pub fn dialled(&self, address: SocketAddr, tcp: TcpStream) -> LinkPeer {
        let mut peer = self.peer(address);
        peer.http.options.custom_l4 = Some(Arc::new(Dialled(Mutex::new(Some(tcp)))));
        peer
    }

    /// The peer of one address, for Pingora's own flow.
    pub fn http_peer(&self, address: SocketAddr) -> HttpPeer {
        let mut http = HttpPeer::new(address, self.origin.is_tls, self.origin.server_name.clone());
        http.group_key = self.pool_seed;
        // Every timeout is set on purpose: Pingora's defaults are "none".
        http.options.connection_timeout = Some(self.origin.connect_timeout);
        http.options.total_connection_timeout = Some(self.origin.connect_timeout);
        http.options.idle_timeout = Some(self.origin.idle_timeout);
        http.options.verify_cert = self.origin.verify_certificate;
        http.options.verify_hostname = self.origin.verify_certificate;
        http.options.max_h2_streams = 100;
        http.options.alpn = match self.origin.http2 {
            Http2Mode::Off => ALPN::H1,
            Http2Mode::On => ALPN::H2,
            Http2Mode::Auto => ALPN::H2H1,
        };
        http
    }
}

/// A connection for the one who takes it first.
#[derive(Debug)]
struct Dialled(Mutex<Option<TcpStream>>);

#[async_trait]
impl L4Connect for Dialled {
    async fn connect(&self, _to: &PeerAddr) -> pingora_core::Result<L4Stream> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let none = || pingora_core::Error::explain(pingora_core::ErrorType::ConnectError, "dialled once");
        taken.map(L4Stream::from).ok_or_else(none)
    }
}

/// Pingora's peer with a pool key computed once, and without the `getpeername` call that its own
/// peer makes at each reuse: the key already holds the address.
#[derive(Clone, Debug)]
pub struct LinkPeer {
    http: HttpPeer,
    key: u64,
}

impl fmt::Display for LinkPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.http.fmt(f)
    }
}

impl Peer for LinkPeer {
    fn address(&self) -> &PeerAddr {
        self.http.address()
    }

    fn tls(&self) -> bool {
        self.http.tls()
    }

    fn sni(&self) -> &str {
        self.http.sni()
    }

    fn reuse_hash(&self) -> u64 {
        self.key
    }

    fn get_peer_options(&self) -> Option<&PeerOptions> {
        self.http.get_peer_options()
    }

    fn get_mut_peer_options(&mut self) -> Option<&mut PeerOptions> {
        self.http.get_mut_peer_options()
    }

    fn matches_fd<V: AsRawFd>(&self, _fd: V) -> bool {
        true
    }
}
