//! Calls over HTTP/2: Pingora's client session behind our verbs.

use super::call::Head;
use super::dial::dial;
use super::error::UpstreamError;
use super::http1::connect_failure;
use super::link::{Link, LinkPeer};
use super::request::UpstreamRequest;
use crate::types::FailureClass;
use bytes::Bytes;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::protocols::http::v2::client::Http2Session;
use pingora_http::RequestHeader;
use std::net::SocketAddr;
use std::sync::Arc;

/// A call over one HTTP/2 stream.
pub struct Http2Call {
    session: Http2Session,
    link: Arc<Link>,
    peer: LinkPeer,
}

impl Http2Call {
    pub async fn open(link: &Arc<Link>) -> Result<(Self, bool), UpstreamError> {
        let first = link.doors().pick().await?;
        if let Some(call) = Self::waiting(link, first).await? {
            return Ok((call, true));
        }
        let (address, tcp) = dial(link, first).await?;
        let made = link.transport.sessions.new_http_session::<_, ()>(&link.dialled(address, tcp)).await;
        match made.map_err(|error| connect_failure(&error))? {
            HttpSession::H2(session) => Ok((Self::over(link, address, session), false)),
            _ => Err(UpstreamError::before_sent(FailureClass::Connect, "the upstream speaks no HTTP/2")),
        }
    }

    /// A stream of a connection that is there and has room.
    pub async fn waiting(link: &Arc<Link>, address: SocketAddr) -> Result<Option<Self>, UpstreamError> {
        let peer = link.peer(address);
        let waiting = link.transport.sessions.reused_http_session(&peer).await;
        let session = waiting.map_err(|error| connect_failure(&error))?;
        Ok(session.map(|session| Self { session, link: link.clone(), peer }))
    }

    /// The first stream of a new connection.
    pub fn over(link: &Arc<Link>, address: SocketAddr, session: Http2Session) -> Self {
        Self { session, link: link.clone(), peer: link.peer(address) }
    }

    pub async fn send(&mut self, request: &UpstreamRequest) -> Result<(), UpstreamError> {
        let header = self.header(request)?;
        // Pingora never sets END_STREAM on the header; `finish_request_body` does it.
        self.session.write_request_header(Box::new(header), false).map_err(not_sent)?;
        if !request.body.is_empty() {
            self.session.write_request_body(request.body.clone(), false).await.map_err(not_sent)?;
        }
        self.session.finish_request_body().map_err(maybe_sent)
    }

    pub async fn head(&mut self) -> Result<Head, UpstreamError> {
        self.session.read_response_header().await.map_err(maybe_sent)?;
        let Some(header) = self.session.response_header() else {
            return Err(UpstreamError::after_sent(FailureClass::Protocol, "no response header"));
        };
        let fields: Vec<_> = header.headers.iter().map(|(n, v)| (n.clone(), v.clone())).collect();
        let length = header
            .headers
            .get(http::header::CONTENT_LENGTH)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.parse().ok());
        Ok(Head { status: header.status.as_u16(), fields, length })
    }

    pub async fn chunk(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        loop {
            match self.session.read_response_body().await {
                // Empty DATA frames are legal and mean nothing.
                Ok(Some(bytes)) if bytes.is_empty() => {}
                Ok(piece) => return Ok(piece),
                Err(error) => return Err(UpstreamError::after_sent(FailureClass::Truncated, error)),
            }
        }
    }

    /// Ends the stream; the connection is pooled while it has streams or idles.
    pub fn finish(self) {
        let Self { session, link, peer } = self;
        let idle = Some(link.origin.idle_timeout);
        link.transport.sessions.release_http_session(session, &peer, idle);
    }

    fn header(&self, request: &UpstreamRequest) -> Result<RequestHeader, UpstreamError> {
        let invalid = |e: Box<pingora_core::Error>| UpstreamError::before_sent(FailureClass::Protocol, e);
        let fields = Some(request.fields.len() + 2);
        let mut header =
            RequestHeader::build(request.method.clone(), request.path.as_bytes(), fields).map_err(invalid)?;
        header.set_version(http::Version::HTTP_2);
        header.insert_header(http::header::HOST, self.link.origin.authority.as_str()).map_err(invalid)?;
        for (name, value) in &request.fields {
            header.append_header(name, value).map_err(invalid)?;
        }
        if !request.body.is_empty() {
            header.insert_header(http::header::CONTENT_LENGTH, request.body.len()).map_err(invalid)?;
        }
        Ok(header)
    }
}

/// The stream ended before END_STREAM was sent, or was refused: nothing was processed.
fn not_sent(error: Box<pingora_core::Error>) -> UpstreamError {
    UpstreamError::before_sent(FailureClass::Protocol, error)
}

/// The request was out. Only REFUSED_STREAM, or a GOAWAY below our stream, says that it was not
/// processed (RFC 9113 §8.7); everything else may have been.
fn maybe_sent(error: Box<pingora_core::Error>) -> UpstreamError {
    let h2_error = error.root_cause().downcast_ref::<h2::Error>();
    // A stream sees a remote GOAWAY as an error only if its number is above the last one named.
    let refused = h2_error
        .is_some_and(|e| e.reason() == Some(h2::Reason::REFUSED_STREAM) || (e.is_go_away() && e.is_remote()));
    if refused {
        UpstreamError::before_sent(FailureClass::Protocol, error)
    } else {
        UpstreamError::after_sent(FailureClass::Protocol, error)
    }
}
