//! Reads a client's body, bounded in size and in time, and undoes its content coding.

use super::downstream::Downstream;
use crate::framing::ClientHead;
use crate::framing::inflate::{ContentCoding, InflateError, inflate_all};
use crate::proxy::wire::BodyFault;
use crate::runtime::EdgePolicy;
use crate::types::{Reason, Reject};
use bytes::Bytes;

/// Why there is no body.
pub enum NoBody {
    Rejected(Reject),
    /// The client left while sending.
    Gone,
}

/// Reads the whole body.
///
/// # Errors
/// 413 above the limit (also when it is inflated), 408 when it takes too long, 415 for a coding
/// that is not known, 400 for one that is corrupt.
pub async fn read(down: &mut Downstream, head: &ClientHead, policy: &EdgePolicy) -> Result<Bytes, NoBody> {
    let coding = coding(head).map_err(NoBody::Rejected)?;
    let bytes_max = policy.body_bytes_max;
    if declared_length(head).is_some_and(|length| length > bytes_max as u64) {
        return Err(too_large(bytes_max));
    }
    let Ok(read) = pingora_timeout::timeout(policy.body_timeout, down.body(bytes_max)).await else {
        let told = Reject::new(Reason::BodyTimeout, "the request body did not arrive in time");
        return Err(NoBody::Rejected(told));
    };
    match read {
        Ok(raw) => decode(coding, raw, bytes_max),
        Err(BodyFault::TooLarge) => Err(too_large(bytes_max)),
        Err(BodyFault::Malformed) => Err(NoBody::Rejected(Reject::new(
            Reason::InvalidRequest,
            "the request body's chunked framing is malformed",
        ))),
        Err(BodyFault::Gone) => Err(NoBody::Gone),
    }
}

fn decode(coding: ContentCoding, raw: Bytes, bytes_max: usize) -> Result<Bytes, NoBody> {
    if coding == ContentCoding::Identity {
        return Ok(raw);
    }
    match inflate_all(coding, &raw, bytes_max) {
        Ok(plain) => Ok(Bytes::from(plain)),
        Err(InflateError::TooLarge) => Err(too_large(bytes_max)),
        Err(_) => Err(NoBody::Rejected(Reject::new(
            Reason::InvalidRequest,
            "the request body does not decode as its content-encoding says",
        ))),
    }
}

fn coding(head: &ClientHead) -> Result<ContentCoding, Reject> {
    let refuse = || {
        Reject::new(
            Reason::UnsupportedEncoding,
            "content-encoding: use one of gzip, deflate, br, zstd, identity",
        )
    };
    let mut values = head.values("content-encoding");
    let (first, second) = (values.next(), values.next());
    match (first, second) {
        (None, _) => Ok(ContentCoding::Identity),
        (Some(value), None) => {
            let named = std::str::from_utf8(value).ok();
            named.and_then(|v| ContentCoding::parse(v).ok()).ok_or_else(refuse)
        }
        (Some(_), Some(_)) => Err(refuse()),
    }
}

fn declared_length(head: &ClientHead) -> Option<u64> {
    head.text("content-length")?.trim().parse().ok()
}

fn too_large(bytes_max: usize) -> NoBody {
    NoBody::Rejected(Reject::new(
        Reason::BodyTooLarge,
        format!("the request body is larger than this gateway's limit of {bytes_max} bytes"),
    ))
}
