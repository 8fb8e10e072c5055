//! OpenAI chat completions, and the vendors who copy it.
//!
//! Not here: completions (legacy) and Responses, which are other shapes. What vendors do differently
//! is read wherever it stands (names of the reasoning fields, lists as content, usage in odd places)
//! and written by the facts of [`Target`](crate::chat::Target), never by a vendor's name.
//!
//! Order is what this protocol cannot keep: an assistant's message is thinking, then text, then a
//! refusal, then tool calls, in whatever order the blocks stood. Thinking goes to clients twice, as
//! `reasoning_content` for those who show it and as `reasoning_details` for those who send it back.

mod audio;
mod calls;
mod choice;
mod citation;
mod details;
mod extra;
mod foreign;
mod ids;
mod losses;
mod media;
mod messages_in;
mod messages_out;
mod parts_in;
mod parts_out;
mod reasoning;
mod request_in;
mod request_out;
mod response_in;
mod response_out;
mod schemas;
mod settings;
mod stop;
mod stream_choice;
mod stream_in;
mod stream_out;
mod stream_tools;
mod tools;
mod usage;

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod nonsense_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod request_tests;
#[cfg(test)]
mod response_tests;
#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod upstream_tests;

pub use foreign::{holds_foreign, lacks_reasoning};
pub use losses::carry;
pub use request_in::decode_request;
pub use request_out::encode_request;
pub use response_in::decode_response;
pub use response_out::encode_response;
pub use stream_in::Decoder;
pub use stream_out::Encoder;
