//! Anthropic's Messages, as Anthropic and the vendors who copy it answer.
//!
//! Only listening: nothing here changes a byte.

mod block;
pub(crate) mod body;
pub(crate) mod event;
mod track;
mod usage;

pub use track::track_block;
