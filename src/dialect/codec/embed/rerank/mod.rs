//! Rerank between the shapes of several vendors.
//!
//! The same four names, each taking a [`Shape`]. Scores keep their digits. OpenAI has no rerank: who
//! copies its API takes Cohere's fields and gives the documents back as Jina does.

mod bedrock;
mod plain;
mod request;
mod response;

#[cfg(test)]
mod tests;

use crate::chat::{At, Losses, Refused};
use crate::dialect::codec::{Called, Garbled};
use crate::dialect::generic::fault;
use crate::dialect::paths::encode_segment;
use crate::framing::json::{JsonWriter, Node};
use crate::types::{Endpoint, Protocol};

pub use request::{Document, Request, Wanted};
pub use response::{Ranked, Response};

/// One vendor's form of a rerank call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// `/v2/rerank`: `top_n`, no documents in the answer.
    Cohere,
    /// `/v1/rerank` of Jina, and of Together, vLLM and others: `top_n`, `return_documents`.
    Jina,
    /// `/v1/rerank`: `top_k`, results under `data`.
    Voyage,
    /// Bedrock's agent runtime, `/rerank`.
    Bedrock,
    /// Bedrock `/model/{id}/invoke` of Cohere's rerank models.
    BedrockCohere,
}

impl Shape {
    pub const ALL: [Shape; 5] =
        [Shape::Cohere, Shape::Jina, Shape::Voyage, Shape::Bedrock, Shape::BedrockCohere];

    /// The name in docs.
    pub fn as_str(self) -> &'static str {
        match self {
            Shape::Cohere => "cohere",
            Shape::Jina => "jina",
            Shape::Voyage => "voyage",
            Shape::Bedrock => "bedrock agent",
            Shape::BedrockCohere => "bedrock cohere",
        }
    }

    /// The shape a client's body has; None where `endpoint` or body is none of a ranking.
    pub fn of_client(endpoint: Endpoint, root: &Node<'_>) -> Option<Self> {
        match endpoint {
            // One path, two vendors: the name of the limit parts them.
            Endpoint::Rerank if root.get("top_k").is_some() => Some(Shape::Voyage),
            Endpoint::Rerank => Some(Shape::Jina),
            Endpoint::CohereRerank => Some(Shape::Cohere),
            Endpoint::Invoke if root.get("documents").is_some() => Some(Shape::BedrockCohere),
            _ => None,
        }
    }

    /// Whether a provider that speaks `protocol` may rank at all.
    pub fn is_spoken_in(protocol: Protocol) -> bool {
        matches!(protocol, Protocol::Chat | Protocol::Responses | Protocol::Cohere | Protocol::Converse)
    }

    /// The shape in which a provider that speaks `protocol` ranks by `model`.
    pub fn of_provider(protocol: Protocol, is_voyage: bool, model: &str) -> Option<Self> {
        match protocol {
            Protocol::Chat | Protocol::Responses if is_voyage => Some(Shape::Voyage),
            Protocol::Chat | Protocol::Responses => Some(Shape::Jina),
            Protocol::Cohere => Some(Shape::Cohere),
            Protocol::Converse if model.contains("cohere.rerank") => Some(Shape::BedrockCohere),
            _ => None,
        }
    }

    /// Below the base path of a provider of this shape.
    pub fn path(self, model: &str) -> String {
        match self {
            Shape::Cohere => "/v2/rerank".to_owned(),
            Shape::Jina | Shape::Voyage | Shape::Bedrock => "/rerank".to_owned(),
            Shape::BedrockCohere => format!("/model/{}/invoke", encode_segment(model)),
        }
    }
}

/// Reads a client's request.
///
/// # Errors
/// [`Refused`] at the field that is wrong.
pub fn decode_request<'a>(root: &Node<'a>, shape: Shape, called: Called<'_>) -> Result<Request<'a>, Refused> {
    if !root.is_object() {
        return Err(Refused::new(At::of(root), "the body must be a JSON object"));
    }
    let request = match shape {
        Shape::Bedrock => bedrock::decode_request(root, called),
        _ => plain::decode_request(root, shape, called),
    }?;
    if request.documents.is_empty() {
        return Err(Refused::new(At::of(root), "there is nothing to rank"));
    }
    Ok(request)
}

/// Writes a request for `model` (at Bedrock's agent runtime: its ARN) in the shape of its provider.
pub fn encode_request(
    request: &Request<'_>,
    shape: Shape,
    model: &str,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Refused> {
    let w = &mut JsonWriter::new(out);
    match shape {
        Shape::Bedrock => bedrock::encode_request(request, model, losses, w),
        _ => plain::encode_request(request, shape, model, losses, w),
    }
    Ok(())
}

/// Reads an answer.
///
/// # Errors
/// [`Garbled`] for what is no such answer.
pub fn decode_response<'a>(root: &Node<'a>, shape: Shape) -> Result<Response<'a>, Garbled> {
    response::read(root, shape).ok_or_else(|| {
        Garbled(match fault::read_document(root.raw().as_bytes()) {
            Some(fault) => format!("an error in place of a ranking: {}", fault.message),
            None => "no ranking: the answer holds no results".to_owned(),
        })
    })
}

/// Writes an answer for a client who asked for what is `wanted`.
///
/// # Errors
/// None at present; the same form as for embeddings.
pub fn encode_response(
    response: &Response<'_>,
    shape: Shape,
    wanted: &Wanted,
    out: &mut Vec<u8>,
) -> Result<(), Garbled> {
    response::write(response, shape, wanted, &mut JsonWriter::new(out));
    Ok(())
}
