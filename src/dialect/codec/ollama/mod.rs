//! Ollama's native `/api/chat`.
//!
//! Not here: `/api/generate`, nor Ollama's copies of OpenAI's and Anthropic's paths (their own codecs
//! read those), nor embeddings (`codec::embed`). A message is one text with pictures beside it: which
//! stood where between them is lost, and an assistant's message is thinking, then text, then calls.
//!
//! Older servers and most clients know no ids of tool calls. Ids are written where there are any; a
//! history without them gets ids by place, its results matched by the tool's name and by order.

mod calls;
mod extra;
mod images;
mod losses;
mod messages_in;
mod messages_out;
mod options;
mod reasoning;
mod request_in;
mod request_out;
mod response_in;
mod response_out;
mod stop;
mod stream_in;
mod stream_out;
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

pub use losses::carry;
pub use request_in::decode_request;
pub use request_out::encode_request;
pub use response_in::decode_response;
pub use response_out::encode_response;
pub use stream_in::Decoder;
pub use stream_out::Encoder;
