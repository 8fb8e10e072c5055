//! Calls over whichever HTTP an upstream agrees to in its TLS handshake (ALPN, RFC 7301).
//!
//! What waits is taken first: a stream of an HTTP/2 connection, then an HTTP/1.1 connection. Only a new
//! connection asks, and what it is told holds for that connection alone.

use super::call::Call;
use super::dial::dial;
use super::error::UpstreamError;
use super::http1::{Http1Call, connect_failure};
use super::http2::Http2Call;
use super::link::Link;
use crate::types::FailureClass;
use pingora_core::protocols::http::client::HttpSession;
use std::sync::Arc;

/// Takes a connection that waits, or makes one. The flag says whether it was reused.
///
/// # Errors
/// `Dns`, `Connect` or `Tls`; nothing has been sent.
pub async fn open(link: &Arc<Link>) -> Result<(Call, bool), UpstreamError> {
    let first = link.doors().pick().await?;
    if let Some(call) = Http2Call::waiting(link, first).await? {
        return Ok((Call::Http2(Box::new(call)), true));
    }
    if let Some(call) = Http1Call::waiting(link, first) {
        return Ok((Call::Http1(Box::new(call)), true));
    }
    let (address, tcp) = dial(link, first).await?;
    let made = link.transport.sessions.new_http_session::<_, ()>(&link.dialled(address, tcp)).await;
    let call = match made.map_err(|error| connect_failure(&error))? {
        HttpSession::H2(session) => Call::Http2(Box::new(Http2Call::over(link, address, session))),
        HttpSession::H1(session) => {
            Call::Http1(Box::new(Http1Call::over(link, address, session.into_inner())))
        }
        _ => return Err(UpstreamError::before_sent(FailureClass::Connect, "the upstream speaks no HTTP")),
    };
    Ok((call, false))
}
