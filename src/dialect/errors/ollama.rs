//! Ollama's error body: `{"error": "…"}`, a string.
//!
//! `code`, `origin` and `request_id` are extras that its clients carry along unread.

use serde::Serialize;

use crate::types::Reject;

#[derive(Serialize)]
pub(super) struct Body<'a> {
    error: &'a str,
    code: &'static str,
    origin: &'static str,
    request_id: &'a str,
}

impl<'a> Body<'a> {
    pub(super) fn new(reject: &'a Reject, request_id: &'a str) -> Self {
        Self {
            error: &reject.message,
            code: reject.reason.as_str(),
            origin: reject.origin.as_str(),
            request_id,
        }
    }
}
