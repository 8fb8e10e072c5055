//! A ConverseStream, read. The end of the bytes is the end of the stream, once `messageStop` came;
//! `metadata`, with the usage, comes after it.

use super::blocks_in::citation;
use super::fault::{fault, is_fault, nonsense};
use super::stop::{self, Seen};
use super::whole::{Gathered, hold};
use super::{NATIVE, OUTPUT_TOOL, response_in, usage};
use crate::chat::{BlockStart, Delta, Event, Signature, Text, freeform, unpack_id};
use crate::dialect::codec::{DecodeStream, Sink};
use crate::dialect::tap::StreamFault;
use crate::framing::json::{Duplicates, Node, parse_bytes};

/// Blocks open at the same time; Bedrock has one.
const OPEN_MAX: usize = 64;

/// Reads one stream.
#[derive(Default)]
pub struct Decoder {
    next_block: u32,
    open: Vec<Open>,
    seen: Seen,
    has_started: bool,
    has_stopped: bool,
    has_ended: bool,
    unknown: u64,
}

/// An open block: Bedrock's number of it, and ours.
struct Open {
    index: u64,
    block: u32,
    kind: Kind,
}

enum Kind {
    Text,
    Thinking,
    Call,
    /// The output tool's input: text of the answer.
    Output,
    /// A free-form call: its text can be told once its input is whole.
    Custom(String),
    /// A block that is given out whole.
    Whole(Gathered),
}

impl Decoder {
    pub fn new() -> Self {
        Self::default()
    }

    fn on_event(&mut self, name: &str, root: &Node<'_>, sink: Sink<'_>) -> Result<(), StreamFault> {
        let index = root.get("contentBlockIndex").and_then(Node::as_u64).unwrap_or(0);
        match name {
            "metadata" => self.metadata(root, sink),
            _ if self.has_stopped => {}
            "messageStart" => self.start(sink),
            "contentBlockStart" => {
                self.start(sink);
                if let Some(start) = root.get("start") {
                    self.block_start(index, start, sink)?;
                }
            }
            "contentBlockDelta" => {
                self.start(sink);
                if let Some(delta) = root.get("delta") {
                    self.delta(index, delta, sink)?;
                }
            }
            "contentBlockStop" => self.close_where(|open| open.index == index, sink),
            "messageStop" => self.stop(root, sink),
            _ => self.unknown += 1,
        }
        Ok(())
    }

    fn start(&mut self, sink: Sink<'_>) {
        if !self.has_started {
            self.has_started = true;
            sink(Event::Start { id: Text::Borrowed(""), model: Text::Borrowed(""), created: None });
        }
    }

    fn stop(&mut self, root: &Node<'_>, sink: Sink<'_>) {
        self.start(sink);
        self.close_where(|_| true, sink);
        self.has_stopped = true;
        let sequence = root.get("additionalModelResponseFields").and_then(response_in::sequence);
        let stop = stop::read(root.text_of("stopReason"), sequence, self.seen);
        sink(Event::Stop { choice: 0, stop });
    }

    fn metadata(&mut self, root: &Node<'_>, sink: Sink<'_>) {
        self.start(sink);
        if let Some(usage) = root.get("usage").and_then(usage::read) {
            sink(Event::Usage(usage));
        }
        self.end(sink);
    }

    fn end(&mut self, sink: Sink<'_>) {
        if self.has_stopped && !self.has_ended {
            self.has_ended = true;
            sink(Event::End);
        }
    }

    fn block_start(&mut self, index: u64, start: &Node<'_>, sink: Sink<'_>) -> Result<(), StreamFault> {
        self.close_where(|open| open.index == index, sink);
        if let Some(call) = start.get("toolUse") {
            let id = call.text_of("toolUseId").unwrap_or_default();
            let name = call.text_of("name").unwrap_or_default();
            if call.get("type").is_some_and(|kind| kind.is("server_tool_use")) {
                let gathered = Gathered::ServerCall { head: call.raw().to_owned(), input: String::new() };
                return self.open(index, Kind::Whole(gathered), None, sink);
            }
            if name == OUTPUT_TOOL {
                self.seen.has_output_tool = true;
                return self.open(index, Kind::Output, Some(BlockStart::Text), sink);
            }
            self.seen.has_call = true;
            let (id, signature) = unpack_id(id);
            let (kind, name) = match freeform::unwrap_name(&name) {
                Some(own) => (Kind::Custom(String::new()), Text::Owned(own.to_owned())),
                None => (Kind::Call, name),
            };
            let is_custom = matches!(kind, Kind::Custom(_));
            let start = BlockStart::ToolUse { id, name, is_custom, signature };
            return self.open(index, kind, Some(start), sink);
        }
        if let Some(result) = start.get("toolResult") {
            let gathered = Gathered::ServerResult { head: result.raw().to_owned(), content: String::new() };
            return self.open(index, Kind::Whole(gathered), None, sink);
        }
        if let Some(image) = start.get("image") {
            let format = image.text_of("format").unwrap_or_default().into_owned();
            let gathered = Gathered::Image { format, data: String::new() };
            return self.open(index, Kind::Whole(gathered), None, sink);
        }
        Ok(())
    }

    /// Opens a block; `start` is None for one that is told whole at its end.
    fn open(
        &mut self,
        index: u64,
        kind: Kind,
        start: Option<BlockStart<'_>>,
        sink: Sink<'_>,
    ) -> Result<(), StreamFault> {
        // Of these only one may be open, whatever the upstream thinks.
        self.close_where(|open| !matches!(open.kind, Kind::Call | Kind::Custom(_)), sink);
        if self.open.len() >= OPEN_MAX {
            return Err(nonsense("the stream opens too many blocks and closes none"));
        }
        let block = self.next_block;
        self.next_block = self.next_block.saturating_add(1);
        self.open.push(Open { index, block, kind });
        if let Some(start) = start {
            sink(Event::BlockStart { choice: 0, block, start });
        }
        Ok(())
    }

    fn close_where(&mut self, is_meant: impl Fn(&Open) -> bool, sink: Sink<'_>) {
        let (closing, open) = std::mem::take(&mut self.open).into_iter().partition(is_meant);
        self.open = open;
        for Open { block, kind, .. } in closing {
            match kind {
                Kind::Whole(gathered) => {
                    let Some(kind) = gathered.finish() else { continue };
                    sink(Event::BlockStart { choice: 0, block, start: BlockStart::Whole(Box::new(kind)) });
                }
                Kind::Custom(input) => {
                    let delta = Delta::Arguments(freeform::unwrap_input(&input));
                    sink(Event::Delta { choice: 0, block, delta });
                }
                _ => {}
            }
            sink(Event::BlockStop { choice: 0, block });
        }
    }

    /// The block at `index`, opened where it is not of the kind that the delta asks for.
    fn at(
        &mut self,
        index: u64,
        is_meant: impl Fn(&Kind) -> bool,
        new: impl FnOnce() -> (Kind, Option<BlockStart<'static>>),
        sink: Sink<'_>,
    ) -> Result<u32, StreamFault> {
        if let Some(open) = self.open.iter().find(|open| open.index == index && is_meant(&open.kind)) {
            return Ok(open.block);
        }
        self.close_where(|open| open.index == index, sink);
        let (kind, start) = new();
        self.open(index, kind, start, sink)?;
        Ok(self.next_block.saturating_sub(1))
    }

    fn text_at(&mut self, index: u64, sink: Sink<'_>) -> Result<u32, StreamFault> {
        self.at(
            index,
            |kind| matches!(kind, Kind::Text | Kind::Output),
            || (Kind::Text, Some(BlockStart::Text)),
            sink,
        )
    }

    fn thinking_at(&mut self, index: u64, sink: Sink<'_>) -> Result<u32, StreamFault> {
        let start = BlockStart::Thinking { is_summary: false, item_id: None };
        self.at(index, |kind| matches!(kind, Kind::Thinking), || (Kind::Thinking, Some(start)), sink)
    }

    fn delta(&mut self, index: u64, delta: &Node<'_>, sink: Sink<'_>) -> Result<(), StreamFault> {
        let choice = 0;
        if let Some(text) = delta.text_of("text") {
            let block = self.text_at(index, sink)?;
            sink(Event::Delta { choice, block, delta: Delta::Text(text) });
        } else if let Some(call) = delta.get("toolUse") {
            self.arguments(index, call.text_of("input").unwrap_or_default(), sink)?;
        } else if let Some(reasoning) = delta.get("reasoningContent") {
            self.reasoning(index, reasoning, sink)?;
        } else if let Some(cited) = delta.get("citation") {
            let block = self.text_at(index, sink)?;
            sink(Event::Delta { choice, block, delta: Delta::Citation(citation(cited)) });
        } else if let Some(items) = delta.get("toolResult") {
            self.gather(index, items.items().iter().map(Node::raw))?;
        } else if let Some(image) = delta.get("image") {
            let bytes = image.get("source").and_then(|source| source.text_of("bytes"));
            self.gather(index, bytes.as_deref())?;
        }
        Ok(())
    }

    fn arguments(&mut self, index: u64, input: Text<'_>, sink: Sink<'_>) -> Result<(), StreamFault> {
        let Some(open) = self.open.iter_mut().find(|open| open.index == index) else {
            return Err(nonsense("arguments of a tool call that never began"));
        };
        let delta = match &mut open.kind {
            Kind::Call => Delta::Arguments(input),
            Kind::Output => Delta::Text(input),
            Kind::Custom(held) => return hold(held, "", &input),
            Kind::Whole(gathered) => return gathered.add(&input),
            _ => return Err(nonsense("arguments of a tool call inside of another block")),
        };
        sink(Event::Delta { choice: 0, block: open.block, delta });
        Ok(())
    }

    fn reasoning(&mut self, index: u64, node: &Node<'_>, sink: Sink<'_>) -> Result<(), StreamFault> {
        let choice = 0;
        if let Some(text) = node.text_of("text") {
            let block = self.thinking_at(index, sink)?;
            sink(Event::Delta { choice, block, delta: Delta::Text(text) });
        }
        if let Some(slot) = node.text_of("signature") {
            let block = self.thinking_at(index, sink)?;
            let delta = Delta::Signature(Signature::from_slot(slot, NATIVE));
            sink(Event::Delta { choice, block, delta });
        }
        if let Some(blob) = node.text_of("redactedContent") {
            let is_whole = |kind: &Kind| matches!(kind, Kind::Whole(Gathered::Redacted { .. }));
            let new = || (Kind::Whole(Gathered::Redacted { blob: String::new() }), None);
            self.at(index, is_whole, new, sink)?;
            self.gather(index, Some(blob.as_ref()))?;
        }
        Ok(())
    }

    fn gather<'p>(
        &mut self,
        index: u64,
        pieces: impl IntoIterator<Item = &'p str>,
    ) -> Result<(), StreamFault> {
        let open = self.open.iter_mut().find(|open| open.index == index);
        let Some(Open { kind: Kind::Whole(gathered), .. }) = open else { return Ok(()) };
        pieces.into_iter().try_for_each(|piece| gathered.add(piece))
    }
}

impl DecodeStream for Decoder {
    fn on_frame(&mut self, name: Option<&[u8]>, data: &[u8], sink: Sink<'_>) -> Result<(), StreamFault> {
        let name = std::str::from_utf8(name.unwrap_or_default()).unwrap_or_default();
        if is_fault(name) {
            return Err(fault(name, data));
        }
        if self.has_ended {
            return Ok(());
        }
        let root = parse_bytes(data, Duplicates::LastCounts)
            .map_err(|error| nonsense(&format!("a message of the stream is no JSON: {error}")))?;
        self.on_event(name, &root, sink)
    }

    fn on_end(&mut self, sink: Sink<'_>) {
        self.end(sink);
    }

    fn unknown(&self) -> u64 {
        self.unknown
    }
}
