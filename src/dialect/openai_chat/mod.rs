//! Chat Completions and the older Completions, as OpenAI and the vendors who copy it answer.
//!
//! Only listening: nothing here changes a byte.

pub(crate) mod body;
pub(crate) mod chunk;
mod message;
