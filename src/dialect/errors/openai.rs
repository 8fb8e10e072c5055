//! OpenAI's error object: `{"error":{message,type,param,code}}`.
//!
//! `code` is our reason; `origin` and `request_id` are extras that its SDKs carry along unread.

use serde::Serialize;

use crate::types::Reject;

#[derive(Serialize)]
pub(super) struct Body<'a> {
    pub error: Error<'a>,
}

#[derive(Serialize)]
pub(super) struct Error<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'a str>,
    code: &'static str,
    origin: &'static str,
    request_id: &'a str,
}

impl<'a> Body<'a> {
    pub(super) fn new(reject: &'a Reject, request_id: &'a str) -> Self {
        Self { error: Error::new(reject, request_id) }
    }
}

impl<'a> Error<'a> {
    pub(super) fn new(reject: &'a Reject, request_id: &'a str) -> Self {
        Self {
            message: &reject.message,
            kind: kind(reject.status),
            param: reject.param.as_deref(),
            code: reject.reason.as_str(),
            origin: reject.origin.as_str(),
            request_id,
        }
    }
}

/// The `type` OpenAI gives an error of this status.
fn kind(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}
