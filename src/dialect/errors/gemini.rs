//! Gemini's error object: `{"error":{code,message,status,details}}`, a `google.rpc.Status` in JSON.
//!
//! Our reason is the `ErrorInfo` detail, in capitals as Google writes them, and as it stands in the header
//! beside it (`metadata.code`); a wait is a `RetryInfo` detail, as the API has no header
//! for it.

use std::time::Duration;

use serde::Serialize;

use crate::types::Reject;

#[derive(Serialize)]
pub(super) struct Body<'a> {
    error: Error<'a>,
}

#[derive(Serialize)]
struct Error<'a> {
    code: u16,
    message: &'a str,
    status: &'static str,
    details: Vec<Detail<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "@type")]
enum Detail<'a> {
    #[serde(rename = "type.googleapis.com/google.rpc.ErrorInfo")]
    Info { reason: String, domain: &'static str, metadata: Metadata<'a> },
    #[serde(rename = "type.googleapis.com/google.rpc.RetryInfo")]
    Retry {
        #[serde(rename = "retryDelay")]
        delay: String,
    },
}

#[derive(Serialize)]
struct Metadata<'a> {
    code: &'static str,
    origin: &'static str,
    #[serde(rename = "requestId")]
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a str>,
}

impl<'a> Body<'a> {
    pub(super) fn new(reject: &'a Reject, request_id: &'a str) -> Self {
        let code = reject.reason.as_str();
        let metadata =
            Metadata { code, origin: reject.origin.as_str(), request_id, param: reject.param.as_deref() };
        let reason = code.to_ascii_uppercase();
        let mut details = vec![Detail::Info { reason, domain: "tidegate", metadata }];
        details.extend(reject.retry_after.map(|span| Detail::Retry { delay: seconds(span) }));
        let error =
            Error { code: reject.status, message: &reject.message, status: status(reject.status), details };
        Self { error }
    }
}

/// A `google.protobuf.Duration` in JSON: seconds, to the millisecond, and `s`.
fn seconds(span: Duration) -> String {
    match span.subsec_millis() {
        0 => format!("{}s", span.as_secs()),
        millis => format!("{}.{millis:03}s", span.as_secs()),
    }
}

/// The canonical code of an HTTP status.
fn status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        402 | 403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        405 | 501 => "UNIMPLEMENTED",
        408 | 504 => "DEADLINE_EXCEEDED",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        502 | 503 | 529 => "UNAVAILABLE",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}
