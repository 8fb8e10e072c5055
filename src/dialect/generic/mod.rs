//! What the dialects' readers share: a pull reader over JSON bytes, lenient token counts, faults,
//! OpenAI-shaped usage, and the endpoints that have no dialect of their own (embeddings, rerank,
//! moderations, images, audio).
//!
//! Not a JSON library: nothing here builds a tree, writes, or judges a document valid. Invariant:
//! no input makes it panic, recurse without bound, or allocate in proportion to the input.

pub(crate) mod body;
#[cfg(test)]
mod corpus;
pub(crate) mod cursor;
pub(crate) mod events;
pub mod fault;
pub(crate) mod label;
pub(crate) mod progress;
pub(crate) mod text;
pub(crate) mod tokens;
pub(crate) mod usage;
