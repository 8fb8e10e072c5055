//! A tool call of a stream, while it is open.

use crate::chat::{BlockStart, Delta, Event, Text, freeform, unpack_id};
use crate::dialect::codec::Sink;
use crate::framing::json::Node;

/// Longest input of a free-form tool, which must be whole before it can be told.
const INPUT_BYTES_MAX: usize = 1024 * 1024;

pub(super) struct OpenCall {
    /// Cohere's number for it.
    pub(super) index: u64,
    block: u32,
    /// The arguments of a function that stands for a free-form tool, so far.
    input: Option<String>,
}

/// The input of a free-form tool grew past its bound.
pub(super) struct TooLong;

impl OpenCall {
    /// Opens the call that `node`, an element of `tool_calls`, begins.
    pub(super) fn open(index: u64, block: u32, node: &Node<'_>, sink: Sink<'_>) -> Self {
        let name = node.get("function").and_then(|function| function.text_of("name")).unwrap_or_default();
        let own = freeform::unwrap_name(&name);
        let (id, signature) = unpack_id(node.text_of("id").unwrap_or_default());
        let start = BlockStart::ToolUse {
            id,
            name: Text::Borrowed(own.unwrap_or(&name)),
            is_custom: own.is_some(),
            signature,
        };
        sink(Event::BlockStart { choice: 0, block, start });
        Self { index, block, input: own.map(|_| String::new()) }
    }

    /// Adds the arguments that `node` holds.
    pub(super) fn add(&mut self, node: &Node<'_>, sink: Sink<'_>) -> Result<(), TooLong> {
        let Some(piece) = node.get("function").and_then(|function| function.get("arguments")) else {
            return Ok(());
        };
        let piece = piece.text().unwrap_or(Text::Borrowed(piece.raw()));
        match &mut self.input {
            Some(input) if input.len() + piece.len() > INPUT_BYTES_MAX => return Err(TooLong),
            Some(input) => input.push_str(&piece),
            None if piece.is_empty() => {}
            None => sink(Event::Delta { choice: 0, block: self.block, delta: Delta::Arguments(piece) }),
        }
        Ok(())
    }

    pub(super) fn close(self, sink: Sink<'_>) {
        if let Some(input) = &self.input {
            let delta = Delta::Arguments(freeform::unwrap_input(input));
            sink(Event::Delta { choice: 0, block: self.block, delta });
        }
        sink(Event::BlockStop { choice: 0, block: self.block });
    }
}
