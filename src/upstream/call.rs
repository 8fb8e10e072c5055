//! One call, whichever HTTP it is spoken in.

use super::http1::Http1Call;
use super::http2::Http2Call;
use super::{Http2Mode, Link, UpstreamError, UpstreamRequest, negotiated};
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use std::sync::Arc;

/// The head of an answer.
#[derive(Debug)]
pub struct Head {
    pub status: u16,
    pub fields: Vec<(HeaderName, HeaderValue)>,
    /// The body's length where the upstream stated it.
    pub length: Option<u64>,
}

impl Head {
    /// The first value of a field, as text.
    pub fn field(&self, name: &HeaderName) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).and_then(|(_, v)| v.to_str().ok())
    }
}

/// A call under way. Dropping it cancels it: HTTP/1.1 closes the connection, HTTP/2 resets the
/// stream. [`Call::finish`] gives a clean connection back to the pool.
pub enum Call {
    Http1(Box<Http1Call>),
    Http2(Box<Http2Call>),
}

impl Call {
    /// Takes a pooled connection or makes one. The flag says whether it was reused.
    ///
    /// # Errors
    /// `Dns`, `Connect` or `Tls`; nothing has been sent.
    pub async fn open(link: &Arc<Link>) -> Result<(Self, bool), UpstreamError> {
        match link.origin.http2 {
            Http2Mode::Auto if link.origin.is_tls => Box::pin(negotiated::open(link)).await,
            Http2Mode::Off | Http2Mode::Auto => {
                let (call, reused) = Http1Call::open(link).await?;
                Ok((Call::Http1(Box::new(call)), reused))
            }
            Http2Mode::On => {
                let (call, reused) = Box::pin(Http2Call::open(link)).await?;
                Ok((Call::Http2(Box::new(call)), reused))
            }
        }
    }

    /// Sends the request whole, unless the upstream answers first.
    pub async fn send(&mut self, request: &UpstreamRequest) -> Result<(), UpstreamError> {
        match self {
            Call::Http1(call) => call.send(request).await,
            Call::Http2(call) => Box::pin(call.send(request)).await,
        }
    }

    /// The final head; interim ones are passed over.
    pub async fn head(&mut self) -> Result<Head, UpstreamError> {
        match self {
            Call::Http1(call) => call.head().await,
            Call::Http2(call) => Box::pin(call.head()).await,
        }
    }

    /// The next piece of the body, None at its clean end. Cancel-safe.
    ///
    /// # Errors
    /// `Truncated` where the body ends before its stated end, `Protocol` where its framing is wrong.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        match self {
            Call::Http1(call) => call.chunk().await,
            Call::Http2(call) => Box::pin(call.chunk()).await,
        }
    }

    /// Ends the call: the connection goes back to the pool where it is clean, else it is closed.
    pub fn finish(self) {
        match self {
            Call::Http1(call) => call.finish(),
            Call::Http2(call) => call.finish(),
        }
    }
}
