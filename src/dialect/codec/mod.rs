//! Translation: any protocol into the canonical form ([`crate::chat`]) and out of it.
//!
//! This file is the switchboard; each protocol's codec is a folder beside it, all with the same
//! names. Not here: what happens to bytes of one protocol on both sides (they are never translated).
//! Invariant: codecs are pure state machines; the same bytes give the same events however they were
//! cut.

mod called;
pub mod chat;
pub mod cohere;
mod continued;
pub mod converse;
#[cfg(test)]
mod cross_tests;
pub mod embed;
mod garbled;
pub mod generate;
pub mod messages;
#[cfg(test)]
mod mutants;
pub mod ollama;
mod owed;
pub mod places;
pub mod remote;
pub mod responses;
pub mod schema;
mod stream;
mod translator;
mod witness;

pub use called::Called;
pub use continued::{Continued, Recorder, shadow};
pub use garbled::Garbled;
pub use owed::Owed;
pub use stream::{DecodeStream, EncodeStream, Sink};
pub use translator::{Translator, generated_text};
pub use witness::Witness;

use crate::chat::{Carry, Feature, Losses, Refused, Request, Response, Target};
use crate::framing::json::Node;
use crate::types::Protocol;

/// Reads a client's request.
///
/// # Errors
/// [`Refused`] with the place of what is wrong.
pub fn decode_request<'a>(
    protocol: Protocol,
    root: &Node<'a>,
    called: Called<'_>,
) -> Result<Request<'a>, Refused> {
    match protocol {
        Protocol::Chat => chat::decode_request(root, called),
        Protocol::Responses => responses::decode_request(root, called),
        Protocol::Messages => messages::decode_request(root, called),
        Protocol::Generate => generate::decode_request(root, called),
        Protocol::Converse => converse::decode_request(root, called),
        Protocol::Cohere => cohere::decode_request(root, called),
        Protocol::Ollama => ollama::decode_request(root, called),
    }
}

/// Appends the body of an upstream's request.
///
/// # Errors
/// [`Refused`] where this target cannot serve the request.
pub fn encode_request(
    protocol: Protocol,
    request: &Request<'_>,
    target: &Target,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Refused> {
    match protocol {
        Protocol::Chat => chat::encode_request(request, target, losses, out),
        Protocol::Responses => responses::encode_request(request, target, losses, out),
        Protocol::Messages => messages::encode_request(request, target, losses, out),
        Protocol::Generate => generate::encode_request(request, target, losses, out),
        Protocol::Converse => converse::encode_request(request, target, losses, out),
        Protocol::Cohere => cohere::encode_request(request, target, losses, out),
        Protocol::Ollama => ollama::encode_request(request, target, losses, out),
    }
}

/// Reads an upstream's whole answer.
///
/// # Errors
/// [`Garbled`] where it is none.
pub fn decode_response<'a>(protocol: Protocol, root: &Node<'a>) -> Result<Response<'a>, Garbled> {
    match protocol {
        Protocol::Chat => chat::decode_response(root),
        Protocol::Responses => responses::decode_response(root),
        Protocol::Messages => messages::decode_response(root),
        Protocol::Generate => generate::decode_response(root),
        Protocol::Converse => converse::decode_response(root),
        Protocol::Cohere => cohere::decode_response(root),
        Protocol::Ollama => ollama::decode_response(root),
    }
}

/// Appends the body a client is answered with.
pub fn encode_response(protocol: Protocol, response: &Response<'_>, owed: &Owed, out: &mut Vec<u8>) {
    match protocol {
        Protocol::Chat => chat::encode_response(response, owed, out),
        Protocol::Responses => responses::encode_response(response, owed, out),
        Protocol::Messages => messages::encode_response(response, owed, out),
        Protocol::Generate => generate::encode_response(response, owed, out),
        Protocol::Converse => converse::encode_response(response, owed, out),
        Protocol::Cohere => cohere::encode_response(response, owed, out),
        Protocol::Ollama => ollama::encode_response(response, owed, out),
    }
}

/// What reads an upstream's stream.
pub fn decoder(protocol: Protocol) -> Box<dyn DecodeStream> {
    match protocol {
        Protocol::Chat => Box::new(chat::Decoder::new()),
        Protocol::Responses => Box::new(responses::Decoder::new()),
        Protocol::Messages => Box::new(messages::Decoder::new()),
        Protocol::Generate => Box::new(generate::Decoder::new()),
        Protocol::Converse => Box::new(converse::Decoder::new()),
        Protocol::Cohere => Box::new(cohere::Decoder::new()),
        Protocol::Ollama => Box::new(ollama::Decoder::new()),
    }
}

/// What writes a client's stream.
pub fn encoder(protocol: Protocol, owed: Owed) -> Box<dyn EncodeStream> {
    match protocol {
        Protocol::Chat => Box::new(chat::Encoder::new(owed)),
        Protocol::Responses => Box::new(responses::Encoder::new(owed)),
        Protocol::Messages => Box::new(messages::Encoder::new(owed)),
        Protocol::Generate => Box::new(generate::Encoder::new(owed)),
        Protocol::Converse => Box::new(converse::Encoder::new(owed)),
        Protocol::Cohere => Box::new(cohere::Encoder::new(owed)),
        Protocol::Ollama => Box::new(ollama::Encoder::new(owed)),
    }
}

/// What becomes of a feature in a protocol.
pub fn carry(protocol: Protocol, feature: Feature) -> Carry {
    match protocol {
        Protocol::Chat => chat::carry(feature),
        Protocol::Responses => responses::carry(feature),
        Protocol::Messages => messages::carry(feature),
        Protocol::Generate => generate::carry(feature),
        Protocol::Converse => converse::carry(feature),
        Protocol::Cohere => cohere::carry(feature),
        Protocol::Ollama => ollama::carry(feature),
    }
}

/// Whether a request holds another vendor's proofs in this gateway's envelopes: such a body must be
/// written anew also for an upstream of its own protocol, which would refuse them.
pub fn holds_foreign(protocol: Protocol, body: &[u8]) -> bool {
    match protocol {
        Protocol::Chat => chat::holds_foreign(body),
        Protocol::Responses => responses::holds_foreign(body),
        Protocol::Messages => messages::holds_foreign(body),
        Protocol::Generate => generate::holds_foreign(body),
        Protocol::Converse => converse::holds_foreign(body),
        Protocol::Cohere => cohere::holds_foreign(body),
        // Its calls' ids may hold one, which it takes as any other id.
        Protocol::Ollama => false,
    }
}
