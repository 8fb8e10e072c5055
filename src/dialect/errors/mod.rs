//! Refusals and failures as the client's dialect writes them, and what is read out of a provider's.
//!
//! Not here: status lines and headers (the edge writes `retry-after` and `x-tidegate-*`). Invariant:
//! what is rendered holds nothing but the [`Reject`] and the request id.

mod anthropic;
pub mod bedrock;
mod cohere;
mod gemini;
mod ollama;
mod openai;
pub mod provider;
mod stream;
#[cfg(test)]
mod tests;

pub use provider::{
    is_client_fault, is_credential_fault, leaks, may_pass_through, provider_message, provider_reject,
};
pub use stream::{ArrayState, StreamForm, StreamPlace, render_stream_error};

use serde::Serialize;

use crate::types::{Dialect, Reject};

/// The JSON body of an error response.
pub fn render_body(dialect: Dialect, reject: &Reject, request_id: &str) -> Vec<u8> {
    match dialect {
        Dialect::OpenAi => to_json(&openai::Body::new(reject, request_id)),
        Dialect::Anthropic => to_json(&anthropic::Body::new(reject, request_id)),
        Dialect::Gemini => to_json(&gemini::Body::new(reject, request_id)),
        Dialect::Bedrock => to_json(&bedrock::Body::new(reject, request_id)),
        Dialect::Cohere => to_json(&cohere::Body::new(reject, request_id)),
        Dialect::Ollama => to_json(&ollama::Body::new(reject, request_id)),
    }
}

/// Serialises what cannot fail to be serialised: structs of strings and numbers.
fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_else(|_| b"{}".to_vec())
}
