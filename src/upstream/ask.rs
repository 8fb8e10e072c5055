//! A call of the gateway's own: one request, its answer read to a bound, nobody waiting for it.
//!
//! For probes, token calls and the like; calls of clients go through [`Call`] step by step. The caller
//! bounds the time.

use super::dial::dial;
use super::{Call, Link, UpstreamError, UpstreamRequest};
use std::sync::Arc;

/// Sends `request`, and gives the status and the body, cut at `bytes_max`. The connection is kept where
/// the answer was read to its end.
///
/// # Errors
/// What broke on the way.
pub async fn ask(
    link: &Arc<Link>,
    request: &UpstreamRequest,
    bytes_max: usize,
) -> Result<(u16, Vec<u8>), UpstreamError> {
    let (mut call, _) = Call::open(link).await?;
    call.send(request).await?;
    let head = call.head().await?;
    let mut body = Vec::new();
    while let Some(piece) = call.chunk().await? {
        let room = bytes_max.saturating_sub(body.len());
        body.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
        if room < piece.len() {
            return Ok((head.status, body));
        }
    }
    call.finish();
    Ok((head.status, body))
}

/// Makes a connection as a call would, through a proxy where there is one, but never a pooled one; and leaves
/// it.
///
/// # Errors
/// `Dns` or `Connect`.
pub async fn connect(link: &Link) -> Result<(), UpstreamError> {
    let first = link.doors().pick().await?;
    dial(link, first).await.map(drop)
}
