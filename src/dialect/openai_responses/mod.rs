//! The Responses API, as OpenAI and the vendors who copy it answer.
//!
//! Only listening: nothing here changes a byte.

pub(crate) mod body;
pub(crate) mod event;
mod item;
