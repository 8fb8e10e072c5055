//! The guard around every client connection: how many there may be, and how long a request head
//! may take.
//!
//! Pingora 0.9.1 has neither a limit on connections nor a deadline for a whole head (a byte every
//! few seconds keeps a connection open for ever). Both are held here, in the stream itself: the
//! head is timed from its first byte (from the accept, for the first request) until
//! [`EdgeStream::head_complete`] is called.

use super::Front;
use crate::auth::Certificate;
use async_trait::async_trait;
use pingora_core::apps::ServerApp;
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::tls::SslDigest;
use pingora_core::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream,
    TimingDigest, UniqueID, UniqueIDType,
};
use pingora_core::server::ShutdownWatch;
use prometheus::IntGauge;
use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Limits of the listener. They outlive reloads: sockets do too.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    pub connections_max: usize,
    pub per_address_max: usize,
    pub head_timeout: Duration,
}

/// Counts open connections, in all and by address.
pub struct ConnectionGate {
    limits: ConnectionLimits,
    open: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
    gauge: IntGauge,
}

/// A connection's place; given back when dropped.
pub struct Place {
    gate: Arc<ConnectionGate>,
    address: Option<IpAddr>,
}

/// The front behind the gate.
pub struct Gated {
    front: Arc<Front>,
    gate: Arc<ConnectionGate>,
}

/// A client's stream with its head timed.
pub struct EdgeStream {
    inner: Stream,
    phase: AtomicU8,
    head_timeout: Duration,
    alarm: Option<Pin<Box<tokio::time::Sleep>>>,
    place: Place,
}

/// What a connection accepted at the last moment gets to send its first head.
pub const FIRST_HEAD_GRACE: Duration = Duration::from_secs(1);

const IDLE: u8 = 0;
const READING_HEAD: u8 = 1;
const PAST_HEAD: u8 = 2;

// === impl ConnectionGate ===

impl ConnectionGate {
    pub fn new(limits: ConnectionLimits, gauge: IntGauge) -> Arc<Self> {
        Arc::new(Self { limits, open: AtomicUsize::new(0), by_address: Mutex::default(), gauge })
    }

    /// Takes a place, or None where there are too many connections, in all or from `address`.
    pub fn enter(self: &Arc<Self>, address: Option<IpAddr>) -> Option<Place> {
        if self.open.fetch_add(1, Ordering::AcqRel) >= self.limits.connections_max {
            self.open.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        if let Some(ip) = address {
            let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
            let count = by_address.get(&ip).copied().unwrap_or_default();
            if count >= self.limits.per_address_max {
                self.open.fetch_sub(1, Ordering::AcqRel);
                return None;
            }
            by_address.insert(ip, count + 1);
        }
        self.gauge.inc();
        Some(Place { gate: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gate.open.fetch_sub(1, Ordering::AcqRel);
        self.gate.gauge.dec();
        let Some(ip) = self.address else { return };
        let mut by_address = self.gate.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_address.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&ip);
            }
        }
    }
}

// === impl Gated ===

impl Gated {
    pub fn new(front: Front, gate: Arc<ConnectionGate>) -> Self {
        Self { front: Arc::new(front), gate }
    }
}

#[async_trait]
impl ServerApp for Gated {
    async fn process_new(self: &Arc<Self>, stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        let Some(place) = self.gate.enter(peer_ip(&stream)) else {
            log::debug!("connection refused: too many are open");
            return None;
        };
        self.front.watch_thread();
        let stream = EdgeStream::new(stream, self.gate.limits.head_timeout, place);
        if matches!(stream.selected_alpn_proto(), Some(ALPN::H2)) {
            return self.front.process_new(Box::new(stream), shutdown).await;
        }
        // A task of its own: the one it is called from is a future of 9 KiB, most of it for the
        // handshake, which is over. Its owner is the same, the service's runtime.
        let served = self.front.clone().serve_http1(stream, shutdown.clone());
        tokio::runtime::Handle::current().spawn(served);
        None
    }

    /// Called once the listeners are closed. Pingora then drops every connection that waits for a
    /// head, also one accepted a moment ago whose first request is on its way: those get their turn.
    async fn cleanup(&self) {
        tokio::time::sleep(FIRST_HEAD_GRACE).await;
        self.front.cleanup().await;
    }
}

/// The address of the other end, None for a Unix socket.
pub fn peer_ip(stream: &Stream) -> Option<IpAddr> {
    let digest = stream.get_socket_digest()?;
    digest.peer_addr()?.as_inet().map(std::net::SocketAddr::ip)
}

/// The address of the other end of a request's connection.
pub fn peer_of(session: &ServerSession) -> Option<IpAddr> {
    session.client_addr()?.as_inet().map(std::net::SocketAddr::ip)
}

/// The client certificate of a request's connection.
pub fn certificate_of(session: &ServerSession) -> Option<Arc<Certificate>> {
    certificate_in(session.digest()?.ssl_digest.as_deref()?)
}

fn certificate_in(digest: &SslDigest) -> Option<Arc<Certificate>> {
    digest.extension.get::<Arc<Certificate>>().cloned()
}

// === impl EdgeStream ===

impl EdgeStream {
    fn new(inner: Stream, head_timeout: Duration, place: Place) -> Self {
        // HTTP/2 has its own idle timeout; its heads are frames of a shared connection.
        let is_http2 = matches!(inner.selected_alpn_proto(), Some(ALPN::H2));
        let phase = AtomicU8::new(if is_http2 { PAST_HEAD } else { READING_HEAD });
        Self { inner, phase, head_timeout, alarm: None, place }
    }

    /// The head has been read: its clock stops.
    pub fn head_complete(&self) {
        self.phase.store(PAST_HEAD, Ordering::Relaxed);
    }

    /// The answer is out: the next byte read begins another head.
    pub fn request_complete(&self) {
        self.phase.store(IDLE, Ordering::Relaxed);
    }

    /// Some of the next head is here already: its clock runs.
    pub fn head_begun(&self) {
        self.phase.store(READING_HEAD, Ordering::Relaxed);
    }

    /// The client certificate it was opened with.
    pub fn certificate(&self) -> Option<Arc<Certificate>> {
        certificate_in(self.inner.get_ssl_digest()?.as_ref())
    }

    /// The address of the other end, None for a Unix socket.
    pub fn peer(&self) -> Option<IpAddr> {
        self.place.address
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.phase.load(Ordering::Relaxed) != READING_HEAD {
            self.alarm = None;
            return Poll::Pending;
        }
        let span = self.head_timeout;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep(span)));
        match alarm.as_mut().poll(cx) {
            Poll::Ready(()) => {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "request head took too long")))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

/// The edge stream under a Pingora stream, where it is one.
pub fn edge_stream(stream: Option<&Stream>) -> Option<&EdgeStream> {
    stream?.as_any().downcast_ref::<EdgeStream>()
}

impl AsyncRead for EdgeStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled = buf.filled().len();
        match Pin::new(&mut self.inner).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                let read = buf.filled().len() - filled;
                if read > 0 && self.phase.load(Ordering::Relaxed) == IDLE {
                    self.phase.store(READING_HEAD, Ordering::Relaxed);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending => self.poll_alarm(cx),
            failed => failed,
        }
    }
}

impl AsyncWrite for EdgeStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl std::fmt::Debug for EdgeStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Shutdown for EdgeStream {
    async fn shutdown(&mut self) {
        self.inner.shutdown().await;
    }
}

impl UniqueID for EdgeStream {
    fn id(&self) -> UniqueIDType {
        self.inner.id()
    }
}

impl Ssl for EdgeStream {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.inner.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.inner.selected_alpn_proto()
    }
}

impl GetTimingDigest for EdgeStream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.inner.get_timing_digest()
    }
}

impl GetProxyDigest for EdgeStream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.inner.get_proxy_digest()
    }
}

impl GetSocketDigest for EdgeStream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.inner.get_socket_digest()
    }
}

#[async_trait]
impl Peek for EdgeStream {
    async fn try_peek(&mut self, buf: &mut [u8]) -> io::Result<bool> {
        self.inner.try_peek(buf).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(connections_max: usize, per_address_max: usize) -> Arc<ConnectionGate> {
        let limits =
            ConnectionLimits { connections_max, per_address_max, head_timeout: Duration::from_secs(1) };
        ConnectionGate::new(limits, IntGauge::new("open", "open").unwrap())
    }

    #[test]
    fn connections_are_bounded_in_all_and_by_address_and_places_come_back() {
        let gate = gate(3, 2);
        let ip: Option<IpAddr> = Some([127, 0, 0, 1].into());
        let first = gate.enter(ip).unwrap();
        let second = gate.enter(ip).unwrap();
        assert!(gate.enter(ip).is_none(), "a third from one address");
        let other = gate.enter(Some([127, 0, 0, 2].into())).unwrap();
        assert!(gate.enter(Some([127, 0, 0, 3].into())).is_none(), "a fourth in all");
        drop((first, second, other));
        assert_eq!(gate.gauge.get(), 0);
        assert!(gate.by_address.lock().unwrap().is_empty());
        assert!(gate.enter(ip).is_some());
    }

    #[test]
    fn a_refused_connection_leaves_nothing_behind() {
        let gate = gate(3, 0);
        assert!(gate.enter(Some([127, 0, 0, 1].into())).is_none());
        assert!(gate.by_address.lock().unwrap().is_empty());
        assert_eq!((gate.gauge.get(), gate.open.load(Ordering::Acquire)), (0, 0));
    }
}
