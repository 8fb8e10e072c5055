//! Gemini's `generateContent` family, from the Gemini API and from Vertex.
//!
//! Only listening: nothing here changes a byte.

pub mod array;
pub(crate) mod body;
pub(crate) mod event;
mod part;
pub(crate) mod usage;
