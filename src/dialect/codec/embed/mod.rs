//! Embeddings and rerank between the shapes of several vendors.
//!
//! The same four names as a chat codec, each taking a [`Shape`]. Not here: what happens to bytes of
//! one shape on both sides (they are never translated). Invariants: digits of vectors are the
//! provider's own bytes wherever both sides use numbers; base64 is little-endian IEEE 754, four bytes
//! a number, and converts exactly; what a shape has no word for is a loss with its name, or refused
//! where the vectors would be others.

mod cohere;
mod fields;
mod gemini;
mod ollama;
mod openai;
mod request;
pub mod rerank;
mod response;
mod shape;
mod titan;
mod vector;
mod vertex;

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod nonsense_tests;
#[cfg(test)]
mod request_tests;
#[cfg(test)]
mod response_tests;

use crate::chat::{At, Losses, Refused};
use crate::dialect::codec::{Called, Garbled};
use crate::framing::json::{JsonWriter, Node};

pub use request::{Dtype, Input, InputType, Part, Request, Truncate, Wanted};
pub use response::{Response, Set};
pub use shape::{House, Shape};
pub use vector::Vector;

/// Reads a client's request.
///
/// # Errors
/// [`Refused`] at the field that is wrong.
pub fn decode_request<'a>(root: &Node<'a>, shape: Shape, called: Called<'_>) -> Result<Request<'a>, Refused> {
    if !root.is_object() {
        return Err(Refused::new(At::of(root), "the body must be a JSON object"));
    }
    let request = match shape {
        Shape::OpenAi | Shape::Voyage => openai::decode_request(root, shape, called),
        Shape::GeminiOne | Shape::GeminiMany => gemini::decode_request(root, shape, called),
        Shape::Cohere | Shape::BedrockCohere => cohere::decode_request(root, shape, called),
        Shape::Ollama | Shape::OllamaOne => ollama::decode_request(root, shape, called),
        Shape::BedrockTitan => titan::decode_request(root, called),
        Shape::VertexPredict => vertex::decode_request(root, called),
    }?;
    if request.inputs.is_empty() {
        return Err(Refused::new(At::of(root), "there is nothing to embed"));
    }
    Ok(request)
}

/// Writes a request for `model` in the shape of its provider, which takes at most
/// [`Shape::inputs_max`] inputs a call: longer ones go up in parts ([`Request::parts`]).
///
/// # Errors
/// [`Refused`] where the provider cannot make these vectors.
pub fn encode_request(
    request: &Request<'_>,
    shape: Shape,
    model: &str,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Refused> {
    if request.inputs.len() > shape.inputs_max() {
        let message = format!("this provider embeds at most {} inputs a call", shape.inputs_max());
        return Err(Refused::new(At::NOWHERE, message));
    }
    let w = &mut JsonWriter::new(out);
    match shape {
        Shape::OpenAi | Shape::Voyage => openai::encode_request(request, shape, model, losses, w),
        Shape::GeminiOne | Shape::GeminiMany => gemini::encode_request(request, shape, model, losses, w),
        Shape::Cohere | Shape::BedrockCohere => cohere::encode_request(request, shape, model, losses, w),
        Shape::Ollama | Shape::OllamaOne => ollama::encode_request(request, shape, model, losses, w),
        Shape::BedrockTitan => titan::encode_request(request, losses, w),
        Shape::VertexPredict => vertex::encode_request(request, losses, w),
    }
}

/// Reads an answer to a request for what is `wanted`.
///
/// # Errors
/// [`Garbled`] for what is no such answer.
pub fn decode_response<'a>(root: &Node<'a>, shape: Shape, wanted: &Wanted) -> Result<Response<'a>, Garbled> {
    let response = match shape {
        Shape::OpenAi | Shape::Voyage => openai::decode_response(root, shape, wanted),
        Shape::GeminiOne | Shape::GeminiMany => gemini::decode_response(root, shape),
        Shape::Cohere | Shape::BedrockCohere => cohere::decode_response(root, shape),
        Shape::Ollama | Shape::OllamaOne => ollama::decode_response(root),
        Shape::BedrockTitan => titan::decode_response(root),
        Shape::VertexPredict => vertex::decode_response(root),
    };
    response.ok_or_else(|| {
        use crate::dialect::generic::fault;
        Garbled(match fault::read_document(root.raw().as_bytes()) {
            Some(fault) => format!("an error in place of vectors: {}", fault.message),
            None => "no embeddings: the answer holds no vectors".to_owned(),
        })
    })
}

/// Writes an answer for a client who asked for what is `wanted`.
///
/// # Errors
/// [`Garbled`] where the provider's vectors are not of the kind asked for, or no vectors.
pub fn encode_response(
    response: &Response<'_>,
    shape: Shape,
    wanted: &Wanted,
    out: &mut Vec<u8>,
) -> Result<(), Garbled> {
    let w = &mut JsonWriter::new(out);
    match shape {
        Shape::OpenAi | Shape::Voyage => openai::encode_response(response, shape, wanted, w),
        Shape::GeminiOne | Shape::GeminiMany => gemini::encode_response(response, shape, w),
        Shape::Cohere | Shape::BedrockCohere => cohere::encode_response(response, shape, wanted, w),
        Shape::Ollama | Shape::OllamaOne => ollama::encode_response(response, shape, wanted, w),
        Shape::BedrockTitan => titan::encode_response(response, wanted, w),
        Shape::VertexPredict => vertex::encode_response(response, wanted, w),
    }
}
