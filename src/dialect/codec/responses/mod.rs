//! OpenAI Responses (`/v1/responses`): both ways, whole and streamed.
//!
//! Also spoken by Azure, Bedrock (mantle), xAI, OpenRouter, DeepSeek, Groq and LM Studio. Not here:
//! the store that `previous_response_id` and `conversation` refer to ([`stored`] shows what is
//! referred to, [`Encoder::finished`] gives what to keep).
//!
//! Reasoning items: the vendor is OpenAI's, the slot `encrypted_content`. What other vendors signed
//! reaches a client in it as an envelope and is opened when it comes back.

mod citations;
mod echo;
mod foreign;
mod frames;
mod items_in;
mod items_out;
mod kept;
mod losses;
mod media;
mod open;
mod open_call;
mod open_message;
mod open_thought;
mod output;
mod parts;
mod read;
mod reasoning;
mod request_in;
mod request_out;
mod response_in;
mod response_out;
mod schemas;
mod settings;
mod stop;
mod stored;
mod stream_in;
mod stream_out;
mod tools_in;
mod tools_out;
mod usage;

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod encode_tests;
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
mod testing;

pub use echo::{echo, echo_stored};
pub use foreign::holds_foreign;
pub use losses::carry;
pub use request_in::decode_request;
pub use request_out::encode_request;
pub use response_in::decode_response;
pub use response_out::encode_response;
pub use stored::{Stored, stored};
pub use stream_in::Decoder;
pub use stream_out::Encoder;
