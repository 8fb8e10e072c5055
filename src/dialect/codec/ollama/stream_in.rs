//! Ollama's stream: one JSON document a line.
//!
//! Tool calls come whole. The line with `done` is the end.

use crate::chat::{BlockKind, BlockStart, Delta, Event, Text};
use crate::dialect::codec::{DecodeStream, Sink};
use crate::dialect::generic::fault;
use crate::dialect::tap::StreamFault;
use crate::framing::json::{Duplicates, Node, parse_bytes};
use crate::types::utc;

use super::{calls, images, response_in, stop, usage};

/// Reads one stream of `/api/chat`.
#[derive(Default)]
pub struct Decoder {
    is_started: bool,
    is_ended: bool,
    has_calls: bool,
    /// The number of the next block.
    next: u32,
    /// The open block, and whether it is text.
    open: Option<(u32, bool)>,
    unknown: u64,
}

fn nonsense(message: &str) -> StreamFault {
    StreamFault::nonsense(message)
}

impl Decoder {
    pub fn new() -> Self {
        Self::default()
    }

    fn line(&mut self, root: &Node<'_>, sink: Sink<'_>) -> Result<(), StreamFault> {
        if !self.is_started {
            self.is_started = true;
            let created = root.text_of("created_at").and_then(|text| utc::unix_s(&text));
            sink(Event::Start {
                id: Text::default(),
                model: root.text_of("model").unwrap_or_default(),
                created,
            });
        }
        if let Some(message) = root.get("message") {
            self.message(message, sink)?;
        }
        if let Some(json) = response_in::logprobs(root) {
            sink(Event::Logprobs { choice: 0, json });
        }
        if root.get("done").and_then(Node::as_bool) == Some(true) {
            self.end(root, sink);
        }
        Ok(())
    }

    fn message(&mut self, message: &Node<'_>, sink: Sink<'_>) -> Result<(), StreamFault> {
        for (key, is_text) in [("thinking", false), ("content", true)] {
            if let Some(text) = message.text_of(key) {
                self.say(text, is_text, sink);
            }
        }
        for image in images::read(message).unwrap_or_default() {
            self.close(sink);
            let block = self.number();
            sink(Event::BlockStart { choice: 0, block, start: BlockStart::Whole(Box::new(image.kind)) });
            sink(Event::BlockStop { choice: 0, block });
        }
        for node in message.get("tool_calls").map(Node::items).unwrap_or_default() {
            let read = calls::read(node).map_err(|refused| nonsense(&refused.message))?;
            if let BlockKind::ToolUse(call) = read.kind {
                self.close(sink);
                self.has_calls = true;
                let block = self.number();
                let (is_custom, signature) = (call.is_custom, call.signature);
                let start = BlockStart::ToolUse { id: call.id, name: call.name, is_custom, signature };
                sink(Event::BlockStart { choice: 0, block, start });
                sink(Event::Delta { choice: 0, block, delta: Delta::Arguments(call.arguments) });
                sink(Event::BlockStop { choice: 0, block });
            }
        }
        Ok(())
    }

    /// Adds to the open block, or opens one.
    fn say(&mut self, text: Text<'_>, is_text: bool, sink: Sink<'_>) {
        if text.is_empty() {
            return;
        }
        let block = match self.open {
            Some((block, kind)) if kind == is_text => block,
            _ => {
                self.close(sink);
                let block = self.number();
                let start = match is_text {
                    true => BlockStart::Text,
                    false => BlockStart::Thinking { is_summary: false, item_id: None },
                };
                sink(Event::BlockStart { choice: 0, block, start });
                self.open = Some((block, is_text));
                block
            }
        };
        sink(Event::Delta { choice: 0, block, delta: Delta::Text(text) });
    }

    fn number(&mut self) -> u32 {
        let block = self.next;
        self.next += 1;
        block
    }

    fn close(&mut self, sink: Sink<'_>) {
        if let Some((block, _)) = self.open.take() {
            sink(Event::BlockStop { choice: 0, block });
        }
    }

    fn end(&mut self, root: &Node<'_>, sink: Sink<'_>) {
        self.close(sink);
        sink(Event::Stop { choice: 0, stop: stop::read(root.text_of("done_reason"), self.has_calls) });
        if let Some(used) = usage::read(root) {
            sink(Event::Usage(used));
        }
        self.is_ended = true;
        sink(Event::End);
    }
}

impl DecodeStream for Decoder {
    fn on_frame(&mut self, _: Option<&[u8]>, data: &[u8], sink: Sink<'_>) -> Result<(), StreamFault> {
        let data = data.trim_ascii();
        if data.is_empty() || self.is_ended {
            return Ok(());
        }
        let root = parse_bytes(data, Duplicates::LastCounts)
            .map_err(|_| nonsense("the upstream sent a line that is not JSON"))?;
        if root.get("error").is_some()
            && let Some(fault) = fault::read_document(data)
        {
            return Err(fault);
        }
        if root.get("message").is_none() && root.get("done").is_none() {
            self.unknown += 1;
            return Ok(());
        }
        self.line(&root, sink)
    }

    fn on_end(&mut self, _: Sink<'_>) {}

    fn unknown(&self) -> u64 {
        self.unknown
    }
}
