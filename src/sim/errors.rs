//! Error bodies in each dialect, as the providers write them.

use crate::types::Dialect;

use super::ids::Id;
use super::json::{Quoted, put};
use super::reply::Whole;

/// An error answer. `retry_after` is what `x-sim-retry-after` said.
pub fn whole(dialect: Dialect, status: u16, message: &str, id: Id, retry_after: Option<&str>) -> Whole {
    let body = match dialect {
        Dialect::OpenAi => openai(status, message),
        Dialect::Bedrock => {
            let kind =
                format!("{}:http://internal.amazon.com/coral/com.amazon.bedrock/", bedrock_kind(status));
            let mut whole = Whole::json_with(status, bare(message));
            whole.headers.push(("x-amzn-errortype", kind));
            return whole;
        }
        Dialect::Cohere => cohere(message, id),
        Dialect::Ollama => ollama(message),
        Dialect::Anthropic => anthropic(status, message, id),
        Dialect::Gemini => gemini(status, message, retry_after),
    };
    Whole::json_with(status, body)
}

/// What a stream says when it fails in the middle.
pub const STREAM_MESSAGE: &str = "The simulator was asked to fail here.";

pub fn openai(status: u16, message: &str) -> String {
    let (kind, code) = match status {
        401 => ("invalid_request_error", "\"invalid_api_key\""),
        403 => ("permission_error", "null"),
        404 => ("invalid_request_error", "\"model_not_found\""),
        429 => ("requests", "\"rate_limit_exceeded\""),
        400..=499 => ("invalid_request_error", "null"),
        503 => ("service_unavailable", "\"overloaded\""),
        _ => ("server_error", "null"),
    };
    let mut out = String::new();
    put!(&mut out, r#"{"error":{"message":"#, Quoted(message), r#","type":""#, kind);
    put!(&mut out, r#"","param":null,"code":"#, code, "}}");
    out
}

pub fn anthropic(status: u16, message: &str, id: Id) -> String {
    let kind = match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        504 => "timeout_error",
        503 | 529 => "overloaded_error",
        _ => "api_error",
    };
    let mut out = String::new();
    put!(&mut out, r#"{"type":"error","error":{"type":""#, kind, r#"","message":"#, Quoted(message));
    put!(&mut out, r#"},"request_id":"req_"#, id, r#""}"#);
    out
}

/// The exception Bedrock's header names; the body has the message alone.
fn bedrock_kind(status: u16) -> &'static str {
    match status {
        403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        503 => "ServiceUnavailableException",
        400..=499 => "ValidationException",
        _ => "InternalServerException",
    }
}

/// A message and nothing else: Bedrock's bodies and exception frames.
pub fn bare(message: &str) -> String {
    let mut out = String::new();
    put!(&mut out, r#"{"message":"#, Quoted(message), "}");
    out
}

pub fn cohere(message: &str, id: Id) -> String {
    let mut out = String::new();
    put!(&mut out, r#"{"id":""#, id, r#"","message":"#, Quoted(message), "}");
    out
}

pub fn ollama(message: &str) -> String {
    let mut out = String::new();
    put!(&mut out, r#"{"error":"#, Quoted(message), "}");
    out
}

/// Gemini has no rate-limit headers: the wait is in the details.
pub fn gemini(status: u16, message: &str, retry_after: Option<&str>) -> String {
    let kind = match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ if status < 500 => "FAILED_PRECONDITION",
        _ => "INTERNAL",
    };
    let mut out = String::new();
    put!(&mut out, r#"{"error":{"code":"#, u64::from(status), r#","message":"#, Quoted(message));
    put!(&mut out, r#","status":""#, kind, "\"");
    if let Some(seconds) = retry_after.filter(|value| value.parse::<f64>().is_ok()) {
        put!(&mut out, r#","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":""#);
        put!(&mut out, seconds, r#"s"}]"#);
    }
    out.push_str("}}");
    out
}
