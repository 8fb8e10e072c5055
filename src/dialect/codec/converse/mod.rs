//! Bedrock Converse and ConverseStream: `/model/{id}/converse`, `/model/{id}/converse-stream`.
//!
//! Source: Amazon Bedrock Runtime API reference, and recorded calls. Also here: the envelope of
//! `invoke-with-response-stream` ([`unwrap_invoke`]). Not here: signing. Invariant: whatever is read
//! or written, a union has exactly one member.

mod blocks_in;
mod blocks_out;
mod facts;
mod family;
mod fault;
mod fields_in;
mod fields_out;
mod foreign;
mod invoke;
mod losses;
mod media;
mod path;
mod plan;
mod read;
mod request_in;
mod request_out;
mod response_in;
mod response_out;
mod stop;
mod stream_in;
mod stream_out;
mod thinking;
mod tools_in;
mod tools_out;
mod usage;
mod whole;

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod nonsense_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod request_model_tests;
#[cfg(test)]
mod request_tests;
#[cfg(test)]
mod response_tests;
#[cfg(test)]
mod stream_tests;

use crate::chat::Vendor;
use crate::types::Protocol;

pub use fault::exception_status;
pub use foreign::holds_foreign;
pub use invoke::unwrap_invoke;
pub use losses::carry;
pub use path::path;
pub use request_in::decode_request;
pub use request_out::encode_request;
pub use response_in::decode_response;
pub use response_out::encode_response;
pub use stream_in::Decoder;
pub use stream_out::Encoder;

const HERE: Protocol = Protocol::Converse;
/// Whose proofs stand bare in `reasoningContent`: Claude's, valid wherever Claude runs.
const NATIVE: Vendor = Vendor::Anthropic;
/// The tool a model is made to call where it must answer in JSON and knows no other way. Its input is
/// the answer: decoders give it out as text.
const OUTPUT_TOOL: &str = "json_tidegate_output";
