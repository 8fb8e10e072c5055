//! Anthropic Messages, at Anthropic itself and where Claude is hosted by others.
//!
//! Not here: headers, URLs, credentials, and the bytes of a call that is Messages on both sides (only
//! what a host refuses is cut out of those: [`betas`]). Invariant: a request written here is one the
//! vendor takes: turns alternate and begin with the user, every tool call is answered in the next turn
//! and first, no text is empty; where that cannot be, the request is refused with the place.

pub mod betas;

mod blocks_in;
mod client_block;
mod conversation;
#[cfg(test)]
mod corpus_tests;
mod cuts;
mod deferred;
mod fields;
mod format;
mod host;
mod ids;
mod losses;
mod media_in;
mod media_out;
#[cfg(test)]
mod nonsense_tests;
mod open_block;
mod open_out;
#[cfg(test)]
mod parameter_tests;
mod part;
mod plan;
mod request_in;
mod request_out;
#[cfg(test)]
mod request_tests;
mod response_in;
mod response_out;
#[cfg(test)]
mod response_tests;
mod stop;
mod stream_in;
mod stream_out;
#[cfg(test)]
mod stream_tests;
mod thinking;
mod tools_in;
mod tools_out;
mod usage;

pub use deferred::leave_out_deferred;
pub use host::Host;
pub use ids::holds_foreign;
pub use losses::carry;
pub use request_in::{decode_count, decode_request};
pub use request_out::{encode_request, encode_request_for};
pub use response_in::decode_response;
pub use response_out::encode_response;
pub use stream_in::Decoder;
pub use stream_out::Encoder;
