//! JSON read into a tree that borrows, and JSON written without one.
//!
//! For translation: numbers keep their digits, objects their order, any value its own bytes. Not for
//! listening to a stream that is only passed on (`dialect::generic::cursor` does that without a tree).
//! Invariant: what [`parse`] accepts is JSON by RFC 8259, at most [`DEPTH_MAX`] deep.

mod node;
mod parse;
mod path;
mod plain;
mod string;
mod write;

pub use node::{Node, Value};
pub use parse::{DEPTH_MAX, Duplicates, JsonError, JsonFault, parse, parse_bytes};
pub use path::{path_at, value_at};
pub use plain::plain_len;
pub use write::JsonWriter;
