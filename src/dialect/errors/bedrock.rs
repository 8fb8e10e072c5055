//! Bedrock's error body: `{"message"}`; the kind of error stands in a header.
//!
//! `code`, `origin` and `request_id` are extras that AWS SDKs carry along unread.

use serde::Serialize;

use crate::types::Reject;

#[derive(Serialize)]
pub(super) struct Body<'a> {
    message: &'a str,
    code: &'static str,
    origin: &'static str,
    request_id: &'a str,
}

impl<'a> Body<'a> {
    pub(super) fn new(reject: &'a Reject, request_id: &'a str) -> Self {
        Self {
            message: &reject.message,
            code: reject.reason.as_str(),
            origin: reject.origin.as_str(),
            request_id,
        }
    }
}

/// The value of `x-amzn-errortype` for a status: SDKs choose the exception they raise by it.
pub fn error_type(status: u16) -> &'static str {
    match status {
        401 | 403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 | 504 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        503 => "ServiceUnavailableException",
        500.. => "InternalServerException",
        _ => "ValidationException",
    }
}

/// The frame that ends a stream as failed.
pub(super) fn exception_frame(reject: &Reject, request_id: &str) -> Vec<u8> {
    let kind = match reject.status {
        429 => "throttlingException",
        503 => "serviceUnavailableException",
        400..=499 => "validationException",
        502 | 504 => "modelStreamErrorException",
        _ => "internalServerException",
    };
    let payload = super::to_json(&Body::new(reject, request_id));
    let mut out = Vec::new();
    let headers =
        [(":message-type", "exception"), (":exception-type", kind), (":content-type", "application/json")];
    crate::framing::eventstream::write_message(&headers, &payload, &mut out);
    out
}
