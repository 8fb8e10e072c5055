//! Reads a client's body, bounded in size and in time, and undoes its content coding.

use crate::framing::inflate::{ContentCoding, InflateError, inflate_all};
use crate::runtime::EdgePolicy;
use crate::types::{Reason, Reject};
use bytes::{Bytes, BytesMut};
use http::header;
use pingora_core::protocols::http::ServerSession;

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
pub async fn read(session: &mut ServerSession, policy: &EdgePolicy) -> Result<Bytes, NoBody> {
    let coding = coding(session).map_err(NoBody::Rejected)?;
    let bytes_max = policy.body_bytes_max;
    if declared_length(session).is_some_and(|length| length > bytes_max as u64) {
        return Err(too_large(bytes_max));
    }
    let is_expected = session
        .get_header(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    if is_expected {
        // The client waits for it before it sends anything.
        session.write_continue_response().await.map_err(|_| NoBody::Gone)?;
    }
    // HTTP/2 bodies have no read timeout of their own, and HTTP/1.1's is per read.
    let read = pingora_timeout::timeout(policy.body_timeout, read_raw(session, bytes_max)).await;
    let Ok(raw) = read else {
        let told = Reject::new(Reason::BodyTimeout, "the request body did not arrive in time");
        return Err(NoBody::Rejected(told));
    };
    decode(coding, raw?, bytes_max)
}

async fn read_raw(session: &mut ServerSession, bytes_max: usize) -> Result<Bytes, NoBody> {
    let mut first: Option<Bytes> = None;
    let mut all = BytesMut::new();
    loop {
        let piece = session.read_request_body().await.map_err(|error| broken(&error))?;
        let Some(piece) = piece else { break };
        let length = first.as_ref().map_or(0, Bytes::len) + all.len() + piece.len();
        if length > bytes_max {
            return Err(too_large(bytes_max));
        }
        match &first {
            None => first = Some(piece),
            Some(_) => all.extend_from_slice(&piece),
        }
    }
    Ok(match first {
        None => Bytes::new(),
        Some(first) if all.is_empty() => first,
        Some(first) => {
            let mut joined = BytesMut::with_capacity(first.len() + all.len());
            joined.extend_from_slice(&first);
            joined.extend_from_slice(&all);
            joined.freeze()
        }
    })
}

fn broken(error: &pingora_core::Error) -> NoBody {
    use pingora_core::ErrorType;
    match error.etype() {
        ErrorType::ReadTimedout => {
            NoBody::Rejected(Reject::new(Reason::BodyTimeout, "the request body did not arrive in time"))
        }
        ErrorType::Custom("InvalidChunk") | ErrorType::InvalidHTTPHeader => NoBody::Rejected(Reject::new(
            Reason::InvalidRequest,
            "the request body's chunked framing is malformed",
        )),
        _ => NoBody::Gone,
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

fn coding(session: &ServerSession) -> Result<ContentCoding, Reject> {
    let refuse = || {
        Reject::new(
            Reason::UnsupportedEncoding,
            "content-encoding: use one of gzip, deflate, br, zstd, identity",
        )
    };
    let mut values = session.req_header().headers.get_all(header::CONTENT_ENCODING).iter();
    let (first, second) = (values.next(), values.next());
    match (first, second) {
        (None, _) => Ok(ContentCoding::Identity),
        (Some(value), None) => {
            value.to_str().ok().and_then(|v| ContentCoding::parse(v).ok()).ok_or_else(refuse)
        }
        (Some(_), Some(_)) => Err(refuse()),
    }
}

fn declared_length(session: &ServerSession) -> Option<u64> {
    session.get_header(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

fn too_large(bytes_max: usize) -> NoBody {
    NoBody::Rejected(Reject::new(
        Reason::BodyTooLarge,
        format!("the request body is larger than this gateway's limit of {bytes_max} bytes"),
    ))
}
