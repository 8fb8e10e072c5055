//! Anthropic's error object: `{"type":"error","error":{type,message},"request_id"}`.
//!
//! `code` (our reason), `param` and `origin` are extras that its SDKs carry along unread.

use serde::Serialize;

use crate::types::Reject;

#[derive(Serialize)]
pub(super) struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: Error<'a>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct Error<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    message: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a str>,
    origin: &'static str,
}

impl<'a> Body<'a> {
    pub(super) fn new(reject: &'a Reject, request_id: &'a str) -> Self {
        let error = Error {
            kind: kind(reject.status),
            message: &reject.message,
            code: reject.reason.as_str(),
            param: reject.param.as_deref(),
            origin: reject.origin.as_str(),
        };
        Self { kind: "error", error, request_id }
    }
}

/// The `type` Anthropic gives an error of this status. In a stream it is all that tells the client
/// what happened, so 503 shares the name of 529.
fn kind(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        408 | 504 => "timeout_error",
        503 | 529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}
