//! The client's connection before and between requests: which lane its next request takes.
//!
//! Requests of the forward lane go through Pingora's phases, all others through the exchange lane
//! directly: Pingora's flow for one request is a future of 15 KiB that they have no use for. HTTP/1.1
//! connections are read here, so that one that waits holds a stream and nothing else; HTTP/2
//! connections are Pingora's, their requests come in at
//! [`process_new_http`](HttpServerApp::process_new_http).

use super::admit::{self, Lane, Named};
use super::connection::{EdgeStream, certificate_of, peer_of};
use super::context::Ctx;
use super::exchange::downstream::{Downstream, Waiting};
use super::exchange::vigil::Vigil;
use super::exchange::{self, respond};
use super::wire::Wire;
use super::{Gateway, finish, lag};
use crate::framing::ClientHead;
use crate::framing::client_head::Arrived;
use crate::framing::strict_head::HeadFault;
use crate::runtime::{DrainPhase, Edge};
use crate::types::{Endpoint, Reason, Reject, Ticks};
use crate::upstream::scratch::poll_read_into;
use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use http::Method;
use pingora_core::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream};
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::http::v1::server::HttpSession;
use pingora_core::server::ShutdownWatch;
use pingora_proxy::HttpProxy;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// How long a new connection may take to send its first byte.
const FIRST_REQUEST_WAIT: Duration = Duration::from_secs(60);

/// Takes client connections.
pub struct Front {
    edge: Arc<Edge>,
    forward: Arc<HttpProxy<Gateway>>,
    is_closing: AtomicBool,
    closing: Notify,
}

/// Why there is no head.
enum NoHead {
    TooLarge,
    Fault(HeadFault),
}

impl Front {
    /// `forward` is Pingora's proxy over the same edge.
    pub fn new(edge: Arc<Edge>, forward: HttpProxy<Gateway>) -> Self {
        Self { edge, forward: Arc::new(forward), is_closing: AtomicBool::new(false), closing: Notify::new() }
    }

    /// Called on each thread that serves connections, for each of them.
    pub fn watch_thread(&self) {
        lag::watch(&self.edge);
    }

    /// Serves an HTTP/1 connection to its end.
    pub async fn serve_http1(self: Arc<Self>, stream: EdgeStream, shutdown: ShutdownWatch) {
        let mut closing = pin!(self.closing.notified());
        let vigil = Vigil::new(&self.edge);
        let mut next = Some(Waiting { stream: Box::new(stream), begun: BytesMut::new(), vigil });
        let mut wait = FIRST_REQUEST_WAIT;
        while let Some(mut waiting) = next.take() {
            let Some(head) = self.head(&mut waiting, closing.as_mut(), wait).await else { return };
            next = Box::pin(self.request(waiting, head, &shutdown)).await;
            wait = self.edge.runtime().edge.keepalive_timeout.max(Duration::from_secs(1));
        }
    }

    /// The head of the next request; what was read behind it stays in `begun`. None where the client
    /// sends nothing in time, leaves, or the process closes what waits.
    async fn head(
        &self,
        waiting: &mut Waiting,
        mut closing: Pin<&mut Notified<'_>>,
        wait: Duration,
    ) -> Option<Result<Box<ClientHead>, NoHead>> {
        if !waiting.begun.is_empty() {
            waiting.stream.head_begun();
        }
        let mut seen = 0;
        loop {
            let begun = &mut waiting.begun;
            if may_be_whole(begun, seen) {
                skip_blank_lines(begun);
                match ClientHead::take(begun) {
                    Ok(Arrived::Head(head)) => return Some(Ok(head)),
                    Ok(Arrived::NeedMore) => {}
                    Err(fault) => return Some(Err(NoHead::Fault(fault))),
                }
            }
            if !begun.is_empty() && begun.len() > self.edge.runtime().edge.header_bytes_max {
                return Some(Err(NoHead::TooLarge));
            }
            seen = begun.len();
            let deadline = self.edge.now().plus(wait);
            poll_fn(|cx| self.poll_more(cx, waiting, closing.as_mut(), deadline)).await?;
        }
    }

    /// Reads some bytes, unless the listeners are closed.
    fn poll_more(
        &self,
        cx: &mut Context<'_>,
        waiting: &mut Waiting,
        closing: Pin<&mut Notified<'_>>,
        deadline: Ticks,
    ) -> Poll<Option<()>> {
        let Waiting { stream, begun, vigil } = waiting;
        if begun.is_empty() {
            // What it held is gone with the last request; nothing is held while nothing comes.
            *begun = BytesMut::new();
        }
        match poll_read_into(stream, cx, begun) {
            Poll::Ready(Ok(1..)) => return Poll::Ready(Some(())),
            Poll::Ready(_) => return Poll::Ready(None),
            Poll::Pending => {}
        }
        let is_closing = self.is_closing.load(Ordering::Acquire) || closing.poll(cx).is_ready();
        if is_closing || vigil.poll_deadline(cx, deadline).is_ready() {
            return Poll::Ready(None);
        }
        Poll::Pending
    }

    /// Serves one request.
    async fn request(
        &self,
        waiting: Waiting,
        head: Result<Box<ClientHead>, NoHead>,
        shutdown: &ShutdownWatch,
    ) -> Option<Waiting> {
        let head = match head {
            Ok(head) => head,
            Err(why) => return Box::pin(self.turn_away(waiting, why)).await,
        };
        let named = admit::named(&head);
        if is_opaque(&named) {
            drop(named);
            return Box::pin(self.forward(waiting, *head, shutdown)).await;
        }
        let Waiting { stream, begun, vigil } = waiting;
        stream.head_complete();
        let peer = stream.peer();
        let certificate = stream.certificate();
        let mut wire = Wire::new(stream, begun, &head);
        if *shutdown.borrow() || self.edge.drain.phase() != DrainPhase::Serving {
            wire.end_keepalive();
        }
        let mut ctx = Ctx::new(&self.edge);
        ctx.certificate = certificate;
        let down = Downstream::http1(wire, vigil, ctx.runtime.edge.write_timeout);
        self.answer(down, ctx, &head, named, peer).await
    }

    /// Refuses what is no request; the connection ends.
    async fn turn_away(&self, waiting: Waiting, why: NoHead) -> Option<Waiting> {
        let Waiting { stream, begun, vigil } = waiting;
        stream.head_complete();
        let mut ctx = Ctx::new(&self.edge);
        ctx.record.client = stream.peer().map(|ip| ip.to_canonical());
        let reject = match why {
            NoHead::Fault(fault) => admit::malformed(fault),
            NoHead::TooLarge => admit::too_large(ctx.runtime.edge.header_bytes_max),
        };
        let wire = Wire::broken(stream, begun);
        let mut down = Downstream::http1(wire, vigil, ctx.runtime.edge.write_timeout);
        respond::refuse(&self.edge, &mut down, &mut ctx, reject).await;
        finish::finish(&self.edge, down.stream(), &mut ctx);
        drop(ctx);
        down.finish().await
    }

    /// Hands a request to Pingora, with the bytes that were read of it.
    async fn forward(&self, waiting: Waiting, head: ClientHead, shutdown: &ShutdownWatch) -> Option<Waiting> {
        let Waiting { stream, begun, vigil } = waiting;
        let mut read = BytesMut::from(head.into_bytes());
        read.unsplit(begun);
        let mut session = HttpSession::new(stream);
        session.set_pipelined_prefix(read);
        let reused = self.forward.process_new_http(ServerSession::H1(session), shutdown).await?;
        let stream = reused.consume().0.into_any().downcast::<EdgeStream>().ok()?;
        Some(Waiting { stream, begun: BytesMut::new(), vigil })
    }

    /// Answers one request of the exchange lane, whatever it comes to.
    async fn answer(
        &self,
        mut down: Downstream,
        mut ctx: Ctx,
        head: &ClientHead,
        named: Named<'_>,
        peer: Option<IpAddr>,
    ) -> Option<Waiting> {
        let edge = &self.edge;
        match admit::admit(edge, &mut ctx, head, named, peer).await {
            Ok(Lane::Local(answer)) => Box::pin(answer.send(edge, &mut down, &mut ctx)).await,
            Ok(Lane::Exchange(hit)) => exchange::run(edge, &mut down, &mut ctx, head, hit).await,
            // Asked before, and not answered here.
            Ok(Lane::Forward(_)) => {
                let reject = Reject::new(Reason::NotFound, "no such endpoint");
                respond::refuse(edge, &mut down, &mut ctx, reject).await;
            }
            Err(reject) => respond::refuse(edge, &mut down, &mut ctx, reject).await,
        }
        finish::finish(edge, down.stream(), &mut ctx);
        // The request is over; what follows is the connection's.
        drop(ctx);
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
        let head = admit::head_of(&session);
        let named = admit::named(&head);
        if is_opaque(&named) || head.method == Method::CONNECT {
            return self.forward.process_new_http(session, shutdown).await;
        }
        let peer = peer_of(&session);
        let mut ctx = Ctx::new(&self.edge);
        ctx.certificate = certificate_of(&session);
        let down = Downstream::http2(session, ctx.runtime.edge.write_timeout);
        self.answer(down, ctx, &head, named, peer).await;
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

fn is_opaque(named: &Named<'_>) -> bool {
    named.as_ref().is_ok_and(|hit| hit.endpoint == Endpoint::Opaque)
}

/// Whether it is worth while to look for a head in what was read, of which the first `seen` bytes were
/// looked at before: at whatever comes first, so that what is no request is refused at once, and then
/// at an empty line. So a head that comes byte by byte is not read again for each of them.
fn may_be_whole(begun: &[u8], seen: usize) -> bool {
    if seen == 0 {
        return !begun.is_empty();
    }
    let news = begun.get(seen.saturating_sub(3)..).unwrap_or_default();
    memchr::memmem::find(news, b"\n\r\n").or_else(|| memchr::memmem::find(news, b"\n\n")).is_some()
}

/// Older clients send a line end after a body (RFC 9112 §2.2).
fn skip_blank_lines(begun: &mut BytesMut) {
    while begun.starts_with(b"\r\n") {
        begun.advance(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_looked_for_once_its_end_may_be_here() {
        let head = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        assert!(may_be_whole(head, 0), "whatever came first is looked at");
        for seen in 1..head.len() {
            assert!(may_be_whole(head, seen), "{seen}");
            assert!(!may_be_whole(&head[..head.len() - 1], seen.min(head.len() - 1)), "{seen}");
        }
        assert!(may_be_whole(b"GET / HTTP/1.1\nhost: a\n\n", 20), "a bare end is one to refuse");
        assert!(!may_be_whole(b"", 0));
    }

    #[test]
    fn blank_lines_before_a_request_are_passed_over() {
        let mut begun = BytesMut::from(&b"\r\n\r\nGET"[..]);
        skip_blank_lines(&mut begun);
        assert_eq!(&begun[..], b"GET");
        skip_blank_lines(&mut begun);
        assert_eq!(&begun[..], b"GET");
    }
}
