//! Small questions about an upstream's answer: is it a stream, what is it without its coding.

use super::downstream::Fields;
use crate::framing::inflate::{ContentCoding, inflate_all};
use crate::upstream::Head;
use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderValue};

/// What a packed answer that was read whole may come to.
const PLAIN_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Whether what follows comes in events. `is_array`: Gemini's growing array is one too.
pub fn is_stream(head: &Head, is_array: bool) -> bool {
    const STREAMS: [&str; 3] =
        ["text/event-stream", "application/vnd.amazon.eventstream", "application/x-ndjson"];
    let kind = head.field(&header::CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    STREAMS.iter().any(|stream| kind.eq_ignore_ascii_case(stream))
        || (is_array && kind.eq_ignore_ascii_case("application/json"))
}

/// The head of an answer written here: the provider's fields describe another one.
pub fn answer_head(content_type: &'static str) -> Fields {
    vec![(header::CONTENT_TYPE, HeaderValue::from_static(content_type))]
}

/// A body without its content coding; empty where that cannot be undone.
pub fn plain(head: &Head, body: &Bytes) -> Bytes {
    let coding =
        head.field(&header::CONTENT_ENCODING).map_or(Ok(ContentCoding::Identity), ContentCoding::parse);
    match coding {
        Ok(ContentCoding::Identity) => body.clone(),
        Ok(coding) => Bytes::from(inflate_all(coding, body, PLAIN_BYTES_MAX).unwrap_or_default()),
        Err(_) => Bytes::new(),
    }
}

/// Pieces of a body in one; a single one is not copied.
pub fn joined(first: Option<Bytes>, more: BytesMut) -> Bytes {
    match first {
        None => more.freeze(),
        Some(first) if more.is_empty() => first,
        Some(first) => {
            let mut all = BytesMut::with_capacity(first.len() + more.len());
            all.extend_from_slice(&first);
            all.extend_from_slice(&more);
            all.freeze()
        }
    }
}
