//! Cohere's error body: `{"id","message"}`.
//!
//! `code` and `origin` are extras that its SDKs carry along unread.

use serde::Serialize;

use crate::types::Reject;

#[derive(Serialize)]
pub(super) struct Body<'a> {
    id: &'a str,
    message: &'a str,
    code: &'static str,
    origin: &'static str,
}

impl<'a> Body<'a> {
    pub(super) fn new(reject: &'a Reject, request_id: &'a str) -> Self {
        Self {
            id: request_id,
            message: &reject.message,
            code: reject.reason.as_str(),
            origin: reject.origin.as_str(),
        }
    }
}

/// The event that ends a stream as failed: `message-end` with the finish reason `ERROR`.
#[derive(Serialize)]
pub(super) struct End<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    delta: EndDelta<'a>,
}

#[derive(Serialize)]
struct EndDelta<'a> {
    finish_reason: &'static str,
    error: &'a str,
}

impl<'a> End<'a> {
    pub(super) fn new(reject: &'a Reject) -> Self {
        let delta = EndDelta { finish_reason: "ERROR", error: &reject.message };
        Self { kind: "message-end", delta }
    }
}
