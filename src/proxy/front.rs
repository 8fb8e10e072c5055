//! The client's connection before and between requests: which lane its next request takes.
//!
//! Requests of the forward lane go through Pingora's phases, all others through the exchange lane
//! directly: Pingora's flow for one request is a future of 15 KiB that they have no use for. HTTP/1.1
//! connections have a loop of their own here, so that one that waits holds a stream and nothing
//! else; HTTP/2 connections are Pingora's, their requests come in at
//! [`process_new_http`](HttpServerApp::process_new_http).

use super::admit::{self, Lane};
use super::connection::{EdgeStream, edge_stream};
use super::context::Ctx;
use super::exchange::downstream::Downstream;
use super::exchange::{self, respond};
use super::{Gateway, finish};
use crate::dialect::paths;
use crate::runtime::Edge;
use crate::types::{Endpoint, Reason, Reject};
use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use http::{Method, Uri};
use pingora_core::ErrorType;
use pingora_core::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream};
use pingora_core::protocols::Stream;
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::http::v1::server::HttpSession;
use pingora_core::server::ShutdownWatch;
use pingora_proxy::HttpProxy;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::sync::Notify;

/// What the first read of a request takes: most requests come whole in it.
const FIRST_READ_BYTES: usize = 4 * 1024;
/// A request line longer than this is the exchange lane's to refuse.
const REQUEST_LINE_MAX: usize = 16 * 1024;
/// How long a new connection may take to send its first byte.
const FIRST_REQUEST_WAIT: Duration = Duration::from_secs(60);

/// Takes client connections.
pub struct Front {
    edge: Arc<Edge>,
    forward: Arc<HttpProxy<Gateway>>,
    is_closing: AtomicBool,
    closing: Notify,
}

impl Front {
    /// `forward` is Pingora's proxy over the same edge.
    pub fn new(edge: Arc<Edge>, forward: HttpProxy<Gateway>) -> Self {
        Self { edge, forward: Arc::new(forward), is_closing: AtomicBool::new(false), closing: Notify::new() }
    }

    /// Serves an HTTP/1 connection to its end.
    pub async fn serve_http1(self: Arc<Self>, stream: EdgeStream, shutdown: ShutdownWatch) {
        let mut next: Option<Stream> = Some(Box::new(stream));
        let mut wait = FIRST_REQUEST_WAIT;
        while let Some(mut stream) = next.take() {
            let Some(begun) = self.first_bytes(&mut stream, wait).await else { return };
            next = if is_forwarded(&begun) {
                self.forward(stream, begun, &shutdown).await
            } else {
                Box::pin(self.exchange(stream, begun, &shutdown)).await
            };
            wait = self.edge.runtime().edge.keepalive_timeout.max(Duration::from_secs(1));
        }
    }

    /// The beginning of a request, at least its first line where that is not too long. None where
    /// the client sends nothing in time, leaves, or the process closes what waits. While nothing
    /// comes no buffer is held.
    async fn first_bytes(&self, stream: &mut Stream, wait: Duration) -> Option<BytesMut> {
        let mut begun = BytesMut::new();
        loop {
            let read = poll_fn(|cx| {
                if begun.capacity() == begun.len() {
                    begun.reserve(FIRST_READ_BYTES);
                }
                let polled = pin!(stream.read_buf(&mut begun)).poll(cx);
                if polled.is_pending() && begun.is_empty() {
                    begun = BytesMut::new();
                }
                polled
            });
            let read = self.unless_closing(pingora_timeout::timeout(wait, read)).await?;
            if read.ok()?.ok()? == 0 {
                return None;
            }
            let has_line = first_line(&begun).is_some();
            if has_line || begun.len() > REQUEST_LINE_MAX {
                return Some(begun);
            }
        }
    }

    /// Drops what waits for a request once the listeners are closed.
    async fn unless_closing<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let mut closing = pin!(self.closing.notified());
        poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Some(done));
            }
            if closing.as_mut().poll(cx).is_ready() || self.is_closing.load(Ordering::Acquire) {
                return Poll::Ready(None);
            }
            Poll::Pending
        })
        .await
    }

    async fn forward(&self, stream: Stream, begun: BytesMut, shutdown: &ShutdownWatch) -> Option<Stream> {
        let mut session = HttpSession::new(stream);
        session.set_pipelined_prefix(begun);
        let reused = self.forward.process_new_http(ServerSession::H1(session), shutdown).await?;
        Some(reused.consume().0)
    }

    async fn exchange(&self, stream: Stream, begun: BytesMut, shutdown: &ShutdownWatch) -> Option<Stream> {
        if let Some(stream) = edge_stream(Some(&stream)) {
            stream.forget_bytes_read();
        }
        let fed = begun.len() as u64;
        let mut session = HttpSession::new(stream);
        session.set_pipelined_prefix(begun);
        let mut session = ServerSession::H1(session);
        let read = self.unless_closing(session.read_request()).await?;
        match read {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => {
                log::debug!("no request: {error}");
                if *error.etype() == ErrorType::InvalidHTTPHeader {
                    // The connection ends here, whether the client reads this or not.
                    let _ = Box::pin(session.respond_error(400)).await;
                }
                Box::pin(session.shutdown()).await;
                return None;
            }
        }
        if session.req_header().method == Method::CONNECT {
            let _ = Box::pin(session.respond_error(405)).await;
            Box::pin(session.shutdown()).await;
            return None;
        }
        if *shutdown.borrow() {
            session.set_keepalive(None);
        }
        self.answer(Downstream::new(session, fed)).await
    }

    /// Answers one request of the exchange lane, whatever it comes to.
    async fn answer(&self, mut down: Downstream) -> Option<Stream> {
        let edge = &self.edge;
        let mut ctx = Ctx::new(edge);
        // A cheap copy: what is read from the path must outlive the session.
        let uri = down.session()?.req_header().uri.clone();
        let admitted = match down.session() {
            Some(session) => admit::admit(edge, session, &mut ctx, &uri).await,
            None => return None,
        };
        down.set_write_timeout(ctx.runtime.edge.write_timeout);
        match admitted {
            Ok(Lane::Local(answer)) => answer.send(edge, &mut down, &mut ctx).await,
            Ok(Lane::Exchange(hit)) => exchange::run(edge, &mut down, &mut ctx, hit, uri.query()).await,
            // The first line named another path than the whole head does.
            Ok(Lane::Forward(_)) => {
                let reject = Reject::new(Reason::NotFound, "no such endpoint");
                respond::refuse(edge, &mut down, &mut ctx, reject).await;
            }
            Err(reject) => respond::refuse(edge, &mut down, &mut ctx, reject).await,
        }
        finish::finish(edge, down.stream(), &mut ctx);
        down.finish().await
    }
}

#[async_trait]
impl HttpServerApp for Front {
    /// A request of an HTTP/2 connection.
    async fn process_new_http(
        self: &Arc<Self>,
        session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let head = session.req_header();
        if is_opaque(&head.method, head.uri.path(), head.uri.query()) || head.method == Method::CONNECT {
            return self.forward.process_new_http(session, shutdown).await;
        }
        self.answer(Downstream::new(session, 0)).await;
        None
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        self.forward.server_options()
    }

    async fn http_cleanup(&self) {
        self.is_closing.store(true, Ordering::Release);
        self.closing.notify_waiters();
        self.forward.http_cleanup().await;
    }
}

/// The first line, blank lines before it left out; None while it has no end.
fn first_line(begun: &[u8]) -> Option<&[u8]> {
    let mut rest = begun;
    while let Some(b'\r' | b'\n') = rest.first() {
        rest.advance(1);
    }
    rest.split_at_checked(memchr::memchr(b'\n', rest)?).map(|(line, _)| line)
}

/// Whether a request that begins like this takes the forward lane.
fn is_forwarded(begun: &[u8]) -> bool {
    let line = first_line(begun).and_then(|line| std::str::from_utf8(line).ok()).unwrap_or_default();
    let mut words = line.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return false };
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return false };
    if !target.starts_with('/') {
        // The form with scheme and host (RFC 9112 §3.2.2), which hardly any client sends.
        let uri = target.parse::<Uri>();
        return uri.is_ok_and(|uri| is_opaque(&method, uri.path(), uri.query()));
    }
    match target.split_once('?') {
        Some((path, query)) => is_opaque(&method, path, Some(query)),
        None => is_opaque(&method, target, None),
    }
}

fn is_opaque(method: &Method, path: &str, query: Option<&str>) -> bool {
    paths::parse(method, path, query).is_ok_and(|hit| hit.endpoint == Endpoint::Opaque)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_decides_the_lane() {
        assert!(is_forwarded(b"GET /v1/files HTTP/1.1\r\n"));
        assert!(is_forwarded(b"GET http://gateway.example/v1/files HTTP/1.1\r\n"));
        assert!(is_forwarded(b"\r\nGET /v1/files?limit=2 HTTP/1.1\r\nhost: a\r\n\r\n"));
        for begun in [
            &b"POST /v1/chat/completions HTTP/1.1\r\n"[..],
            b"GET /v1/models HTTP/1.1\r\n",
            b"GET /nowhere HTTP/1.1\r\n",
            b"GET /v1/files HTTP/1.1",
            b"\xff\xfe /v1/files HTTP/1.1\r\n",
            b"",
        ] {
            assert!(!is_forwarded(begun), "{}", begun.escape_ascii());
        }
    }
}
