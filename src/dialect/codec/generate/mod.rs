//! Gemini's `generateContent` and `streamGenerateContent`, at AI Studio and at Vertex, to and from the
//! canonical form.
//!
//! Not here: the path (model, whether to stream: [`Called`](super::Called)), errors, credentials.
//! Invariants: fields are read in camelCase and in snake_case, written in camelCase; a Gemini
//! signature goes back byte for byte to the place it came from; no other vendor's proof ever goes
//! to Gemini.

mod base64;
mod calls;
mod config_in;
mod config_out;
mod grounding;
mod logprobs;
mod losses;
mod media;
mod names;
mod part_in;
mod part_out;
mod partial;
mod plan;
mod request_in;
mod request_out;
mod response_in;
mod response_out;
mod signature;
mod spoken;
mod stop;
mod stream_in;
mod stream_out;
mod tools_in;
mod tools_out;
mod usage;

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod request_tests;
#[cfg(test)]
mod response_tests;
#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod turns_tests;

pub use losses::carry;
pub use request_in::{decode_count, decode_request};
pub use request_out::encode_request;
pub use response_in::decode_response;
pub use response_out::encode_response;
pub use signature::holds_foreign;
pub use stream_in::Decoder;
pub use stream_out::Encoder;
