//! Things that a client's request names by URL, fetched for a provider that wants them whole.
//!
//! The client chooses the URL, so this is where a gateway is made to call into its own network. Not
//! here: which URLs a request holds. Invariants: only URLs the configuration allows; every address of
//! the host is public, or allowed by itself, and the one connected to is one of those that were
//! checked; redirects are not followed; no credential, cookie or client field is sent; bytes and time
//! are bounded. Connections are never shared with other calls.

mod sniff;
#[cfg(test)]
mod tests;

use super::dns::Addresses;
use super::{Call, Link, Origin, Transport, UpstreamError, UpstreamRequest};
use crate::types::{UrlRule, WebUrl, public_ip};
use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Addresses of one host that are looked at.
const ADDRESSES_MAX: usize = 16;

/// What may be fetched, and how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemotePolicy {
    /// One of these must allow the URL.
    pub allow: Vec<UrlRule>,
    /// Addresses that may be called although they are not public.
    pub allow_private: Vec<SocketAddr>,
    /// Of one thing.
    pub bytes_max: usize,
    /// For all of one thing, from the name look-up to the last byte.
    pub timeout: Duration,
    /// Things of one request.
    pub count_max: usize,
}

/// Fetches by a policy.
#[derive(Debug)]
pub struct Remote {
    pub policy: RemotePolicy,
    transport: Arc<Transport>,
}

/// What was at a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// By its first bytes: a picture, or a PDF.
    pub mime: &'static str,
    pub body: Vec<u8>,
}

/// Why nothing was fetched; words for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    #[error("{0}")]
    Url(#[from] crate::types::web_url::WebUrlError),
    #[error("this gateway does not fetch from this URL")]
    NotAllowed,
    #[error("the URL's host has an address that is not public")]
    Private,
    #[error("the URL's host cannot be reached")]
    Unreachable,
    #[error("the URL redirects to another one, which is not followed: send the final one")]
    Redirect,
    #[error("the URL answers with status {0}")]
    Status(u16),
    #[error("what is at the URL is longer than this gateway fetches")]
    TooLong,
    #[error("the URL did not answer in time")]
    Timeout,
    #[error("what is at the URL is no PNG, JPEG, GIF, WebP or PDF, or is called something else")]
    Kind,
}

impl Remote {
    pub fn new(policy: RemotePolicy, transport: Arc<Transport>) -> Self {
        Self { policy, transport }
    }

    /// Fetches `url`. `room` is what all of the request's things together may still take.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub async fn fetch(&self, url: &str, room: &AtomicUsize) -> Result<Page, RemoteError> {
        let work = async {
            let (url, addresses) = self.checked(url).await?;
            self.get(&url, addresses, room).await
        };
        // Boxed: rare, and its future is large.
        pingora_timeout::timeout(self.policy.timeout, Box::pin(work))
            .await
            .map_err(|_| RemoteError::Timeout)?
    }

    /// The URL and the addresses that may be called for it.
    async fn checked(&self, url: &str) -> Result<(WebUrl, Vec<SocketAddr>), RemoteError> {
        let url = WebUrl::parse(url)?;
        if !self.policy.allow.iter().any(|rule| rule.allows(&url)) {
            return Err(RemoteError::NotAllowed);
        }
        let found: Vec<SocketAddr> = match url.host.parse::<IpAddr>() {
            Ok(literal) => vec![SocketAddr::new(literal, url.port)],
            Err(_) => {
                let found = tokio::net::lookup_host((url.host.as_str(), url.port)).await;
                found.map_err(|_| RemoteError::Unreachable)?.take(ADDRESSES_MAX + 1).collect()
            }
        };
        self.policy.check(&found)?;
        Ok((url, found))
    }

    async fn get(
        &self,
        url: &WebUrl,
        addresses: Vec<SocketAddr>,
        room: &AtomicUsize,
    ) -> Result<Page, RemoteError> {
        let scheme = if url.is_tls { "https" } else { "http" };
        let origin = Origin::from_base_url(&format!("{scheme}://{}", url.authority()));
        let origin = Arc::new(origin.ok_or(RemoteError::Unreachable)?);
        // Made for this call alone: its connection is closed with it, and the name is not asked again.
        let link = Link::new(origin, Arc::new(Addresses::fixed(addresses)), self.transport.clone(), u64::MAX);
        let (mut call, _) = Call::open(&Arc::new(link)).await.map_err(unreachable)?;
        call.send(&request(url)).await.map_err(unreachable)?;
        let head = call.head().await.map_err(unreachable)?;
        match head.status {
            200 => {}
            300..400 => return Err(RemoteError::Redirect),
            status => return Err(RemoteError::Status(status)),
        }
        if head.field(&header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            return Err(RemoteError::Kind);
        }
        let bytes_max = self.policy.bytes_max;
        if head.length.is_some_and(|length| length > bytes_max as u64) {
            return Err(RemoteError::TooLong);
        }
        let mut body = Vec::new();
        while let Some(piece) = call.chunk().await.map_err(unreachable)? {
            let takes = |left: usize| left.checked_sub(piece.len());
            let has_room = room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, takes).is_ok();
            if !has_room || body.len() + piece.len() > bytes_max {
                return Err(RemoteError::TooLong);
            }
            body.extend_from_slice(&piece);
        }
        let mime = sniff::mime_of(&body).ok_or(RemoteError::Kind)?;
        if !sniff::agrees(head.field(&header::CONTENT_TYPE), mime) {
            return Err(RemoteError::Kind);
        }
        Ok(Page { mime, body })
    }
}

impl RemotePolicy {
    /// Whether a host with these addresses may be called: one that may not makes all of them suspect.
    fn check(&self, addresses: &[SocketAddr]) -> Result<(), RemoteError> {
        let may_be_called =
            |found: &SocketAddr| public_ip::is_public(found.ip()) || self.allow_private.contains(found);
        match addresses {
            [] => Err(RemoteError::Unreachable),
            all if all.len() > ADDRESSES_MAX || !all.iter().all(may_be_called) => Err(RemoteError::Private),
            _ => Ok(()),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn unreachable(error: UpstreamError) -> RemoteError {
    log::debug!("a client's URL was not fetched: {error}");
    RemoteError::Unreachable
}

fn request(url: &WebUrl) -> UpstreamRequest {
    let field = |name: HeaderName, value| (name, HeaderValue::from_static(value));
    let fields = vec![
        field(header::ACCEPT, "image/png, image/jpeg, image/gif, image/webp, application/pdf"),
        field(header::ACCEPT_ENCODING, "identity"),
        field(header::USER_AGENT, concat!("tidegate/", env!("CARGO_PKG_VERSION"))),
    ];
    UpstreamRequest { method: http::Method::GET, path: url.path.clone(), fields, body: Bytes::new() }
}
