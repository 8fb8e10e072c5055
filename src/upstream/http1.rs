//! Our HTTP/1.1 client: head and body in one write, reads by the thread's buffer. What is strict about it is in `framing::http1_head` and `framing::http1_body`.

use super::call::Head;
use super::dial::dial;
use super::error::UpstreamError;
use super::idle::{Home, here};
use super::link::Link;
use super::plain::PlainStream;
use super::request::UpstreamRequest;
use super::scratch::poll_read_into;
use crate::framing::http1_body::{BodyDecoder, Piece};
use crate::framing::http1_head::{BodyFraming, HeadProgress, ResponseHead, take_head};
use crate::types::{FailureClass, bounds};
use bytes::{Bytes, BytesMut};
use pingora_core::protocols::Stream;
use std::future::poll_fn;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::io::AsyncWrite;

/// Bodies up to this size are copied behind the head: one segment, one system call.
const INLINE_BODY_BYTES: usize = 16 * 1024;

/// A call over one HTTP/1.1 connection.
pub struct Http1Call {
    stream: Stream,
    home: Home,
    link: Arc<Link>,
    pool_key: u64,
    buffer: BytesMut,
    state: State,
    was_reused: bool,
    is_head_request: bool,
    /// False once anything happened that makes the connection unfit for another request.
    is_reusable: bool,
}

enum State {
    Opened,
    Sent,
    Body(BodyDecoder),
    Done,
}

impl Http1Call {
    pub async fn open(link: &Arc<Link>) -> Result<(Self, bool), UpstreamError> {
        let first = link.doors().pick().await?;
        if let Some(call) = Self::waiting(link, first) {
            return Ok((call, true));
        }
        // Boxed: connecting is rare and its future is large, and every call would carry it.
        let (address, stream) = Box::pin(connect(link, first)).await?;
        Ok((Self::over(link, address, stream), false))
    }

    /// A call over a connection that waits.
    pub fn waiting(link: &Arc<Link>, address: SocketAddr) -> Option<Self> {
        let (stream, home) = link.transport.idle.take(link.pool_key(address))?;
        Some(Self::new(link, address, stream, (home, true)))
    }

    /// A call over a new connection.
    pub fn over(link: &Arc<Link>, address: SocketAddr, stream: Stream) -> Self {
        Self::new(link, address, stream, (here(), false))
    }

    fn new(link: &Arc<Link>, address: SocketAddr, stream: Stream, (home, was_reused): (Home, bool)) -> Self {
        Self {
            stream,
            home,
            link: link.clone(),
            pool_key: link.pool_key(address),
            buffer: BytesMut::new(),
            state: State::Opened,
            was_reused,
            is_head_request: false,
            is_reusable: true,
        }
    }

    pub async fn send(&mut self, request: &UpstreamRequest) -> Result<(), UpstreamError> {
        self.is_head_request = request.method == http::Method::HEAD;
        let is_inline = request.body.len() <= INLINE_BODY_BYTES;
        let room = if is_inline { request.body.len() } else { 0 };
        let mut head = request.http1_head(&self.link.origin.authority, room);
        let sent = if is_inline {
            head.extend_from_slice(&request.body);
            self.write_all(&head, &[]).await
        } else {
            self.write_all(&head, &request.body).await
        };
        match sent {
            Ok(true) => {}
            // The upstream answered (413, 429 …) before it had read everything: its answer counts,
            // the connection does not.
            Ok(false) => self.is_reusable = false,
            Err(error) => {
                let error = UpstreamError::before_sent(FailureClass::Protocol, error);
                return Err(error.on(self.was_reused));
            }
        }
        self.state = State::Sent;
        Ok(())
    }

    pub async fn head(&mut self) -> Result<Head, UpstreamError> {
        loop {
            match take_head(&mut self.buffer, self.is_head_request) {
                Ok(HeadProgress::Head(head, _)) => return Ok(self.start_body(*head)),
                Ok(HeadProgress::Interim(101, _)) => {
                    return Err(self.broken("an upgrade nobody asked for"));
                }
                Ok(HeadProgress::Interim(..)) => continue,
                Ok(HeadProgress::NeedMore) => {}
                Err(error) => return Err(self.broken(error)),
            }
            if self.buffer.len() > bounds::UPSTREAM_HEAD_BYTES_MAX {
                return Err(self.broken("response head too long"));
            }
            let read = match self.fill().await {
                Ok(read) => read,
                Err(error) if !self.was_reused && is_about_certificate(&error) => {
                    // With TLS 1.3 a certificate is refused only once the request may be on its way: it is
                    // not read then.
                    self.state = State::Done;
                    self.is_reusable = false;
                    return Err(UpstreamError::before_sent(FailureClass::Tls, error));
                }
                Err(error) => return Err(self.ended_early(error)),
            };
            if read == 0 {
                return Err(self.ended_early("connection closed before the response"));
            }
        }
    }

    pub async fn chunk(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        loop {
            let State::Body(decoder) = &mut self.state else { return Ok(None) };
            match decoder.decode(&mut self.buffer) {
                Ok(Piece::Data(bytes)) => return Ok(Some(bytes)),
                Ok(Piece::End) => {
                    self.state = State::Done;
                    return Ok(None);
                }
                Ok(Piece::NeedMore) => {}
                Err(error) => return Err(self.broken(error)),
            }
            match self.fill().await {
                Ok(0) => {
                    self.is_reusable = false;
                    let State::Body(decoder) = &mut self.state else { return Ok(None) };
                    let ended = decoder.on_eof();
                    self.state = State::Done;
                    return match ended {
                        Ok(()) => Ok(None),
                        Err(error) => Err(UpstreamError::after_sent(FailureClass::Truncated, error)),
                    };
                }
                Ok(_) => {}
                Err(error) => {
                    self.is_reusable = false;
                    return Err(UpstreamError::after_sent(FailureClass::Truncated, error));
                }
            }
        }
    }

    /// Gives the connection back where the answer ended as it said and nothing is left over.
    pub fn finish(self) {
        if self.is_reusable && matches!(self.state, State::Done) && self.buffer.is_empty() {
            let idle = self.link.origin.idle_timeout;
            self.link.transport.idle.put(self.pool_key, self.stream, self.home, idle);
        }
    }

    fn start_body(&mut self, head: ResponseHead) -> Head {
        self.is_reusable &= head.is_reusable;
        let length = match head.framing {
            BodyFraming::Length(n) => Some(n),
            BodyFraming::Empty => Some(0),
            BodyFraming::Chunked | BodyFraming::UntilClose => None,
        };
        self.state = match head.framing {
            BodyFraming::Empty | BodyFraming::Length(0) => State::Done,
            framing => State::Body(BodyDecoder::new(framing)),
        };
        Head { status: head.status, fields: head.fields, length }
    }

    /// One read into the buffer; 0 is the end of the connection. Cancel-safe.
    async fn fill(&mut self) -> std::io::Result<usize> {
        let Self { stream, buffer, .. } = self;
        poll_fn(|cx| poll_read_into(stream, cx, buffer)).await
    }

    /// Writes head and body. False where the upstream began to answer before all was written.
    async fn write_all(&mut self, head: &[u8], body: &[u8]) -> std::io::Result<bool> {
        let (stream, buffer) = (&mut self.stream, &mut self.buffer);
        let mut written = 0usize;
        let total = head.len() + body.len();
        let complete = poll_fn(|cx| {
            while written < total {
                let (first, second) = unwritten(head, body, written);
                let slices = [IoSlice::new(first), IoSlice::new(second)];
                match Pin::new(&mut *stream).poll_write_vectored(cx, &slices) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                    Poll::Ready(Ok(n)) => written += n,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return poll_early_answer(stream, buffer, cx),
                }
            }
            Poll::Ready(Ok(true))
        })
        .await?;
        if complete {
            poll_fn(|cx| Pin::new(&mut *stream).poll_flush(cx)).await?;
        }
        Ok(complete)
    }

    fn broken(&mut self, detail: impl std::fmt::Display) -> UpstreamError {
        self.is_reusable = false;
        self.state = State::Done;
        UpstreamError::after_sent(FailureClass::Protocol, detail)
    }

    /// The connection ended before any answer. On a reused connection that is the keep-alive race:
    /// the upstream may or may not have read the request, so it counts as possibly processed.
    fn ended_early(&mut self, detail: impl std::fmt::Display) -> UpstreamError {
        let when = if self.was_reused { "on a reused connection" } else { "on a new connection" };
        let has_begun = !self.buffer.is_empty();
        self.broken(format!("{detail} ({when})")).on(self.was_reused && !has_begun)
    }
}

/// Whether the other end has ended the connection for the certificate that it was shown, or was not.
fn is_about_certificate(error: &std::io::Error) -> bool {
    use rustls::AlertDescription::{
        AccessDenied, BadCertificate, CertificateExpired, CertificateRequired, CertificateRevoked,
        CertificateUnknown, UnknownCA, UnsupportedCertificate,
    };
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::AlertReceived(alert)) = inner else { return false };
    matches!(
        alert,
        AccessDenied
            | BadCertificate
            | CertificateExpired
            | CertificateRequired
            | CertificateRevoked
            | CertificateUnknown
            | UnknownCA
            | UnsupportedCertificate
    )
}

/// While the upstream takes no more, looks whether it has begun to answer.
fn poll_early_answer(
    stream: &mut Stream,
    buffer: &mut BytesMut,
    cx: &mut std::task::Context<'_>,
) -> Poll<std::io::Result<bool>> {
    match poll_read_into(stream, cx, buffer) {
        Poll::Ready(Ok(0)) => Poll::Ready(Err(std::io::ErrorKind::UnexpectedEof.into())),
        Poll::Ready(Ok(_)) => Poll::Ready(Ok(false)),
        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        Poll::Pending => Poll::Pending,
    }
}

/// What of `head` and `body` is still to be written after `written` bytes.
fn unwritten<'a>(head: &'a [u8], body: &'a [u8], written: usize) -> (&'a [u8], &'a [u8]) {
    let rest_of_head = head.get(written..).unwrap_or_default();
    let rest_of_body = body.get(written.saturating_sub(head.len())..).unwrap_or_default();
    (rest_of_head, rest_of_body)
}

async fn connect(link: &Link, first: SocketAddr) -> Result<(SocketAddr, Stream), UpstreamError> {
    let (address, tcp) = dial(link, first).await?;
    let stream: Stream = if link.origin.is_tls {
        let dialled = link.transport.streams.new_stream(&link.dialled(address, tcp)).await;
        dialled.map_err(|error| connect_failure(&error))?
    } else {
        Box::new(PlainStream::new(tcp).map_err(|e| UpstreamError::before_sent(FailureClass::Connect, e))?)
    };
    Ok((address, stream))
}

/// Pingora's connect errors in our classes.
pub(super) fn connect_failure(error: &pingora_core::Error) -> UpstreamError {
    use pingora_core::ErrorType;
    let class = match error.etype() {
        ErrorType::TLSHandshakeFailure
        | ErrorType::TLSHandshakeTimedout
        | ErrorType::InvalidCert
        | ErrorType::HandshakeError => FailureClass::Tls,
        _ => FailureClass::Connect,
    };
    UpstreamError::before_sent(class, error)
}
