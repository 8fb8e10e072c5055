//! Cohere's `/v2/chat`.
//!
//! Not here: `/v1/chat`, which is another shape, nor embeddings and rerank (`codec::embed`).
//!
//! Order is what this protocol cannot keep: an assistant's message is its content (thinking and
//! text), then the plan for its tools, then the calls. The plan is thinking; so that it finds its way
//! back into its own field it carries a mark in the place of a proof ([`thinking::PLAN`]). Cohere
//! signs nothing: other vendors' proofs go to clients in fields Cohere's SDKs keep and send back, and
//! never to Cohere itself.

mod calls;
mod citation;
mod content_in;
mod documents;
mod extra;
mod foreign;
mod ids;
mod losses;
mod media;
mod messages_in;
mod messages_out;
mod request_in;
mod request_out;
mod response_in;
mod response_out;
mod settings;
mod stop;
mod stream_call;
mod stream_in;
mod stream_out;
mod thinking;
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

pub use foreign::holds_foreign;
pub use losses::carry;
pub use request_in::decode_request;
pub use request_out::encode_request;
pub use response_in::decode_response;
pub use response_out::encode_response;
pub use stream_in::Decoder;
pub use stream_out::Encoder;
