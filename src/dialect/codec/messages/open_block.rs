//! A block of Claude's stream between its start and its stop.

use super::blocks_in::{citation, own_name};
use super::format::OUTPUT_TOOL;
use crate::chat::{BlockKind, BlockStart, Delta, Event, Raw, Signature, Text, Vendor, freeform, unpack_id};
use crate::dialect::codec::Sink;
use crate::framing::json::{JsonWriter, Node};
use crate::types::Protocol;
use std::borrow::Cow;

/// Most that is held of one block that can only be told whole.
const HELD_BYTES_MAX: usize = 1 << 20;

/// A block grew beyond what is held.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

pub(super) struct OpenBlock {
    /// The provider's.
    pub(super) index: u64,
    /// Ours.
    number: u32,
    kind: Kind,
}

enum Kind {
    Text,
    /// Whether its proof came.
    Thinking {
        is_signed: bool,
    },
    /// `initial`: the input that stood in the start, for servers that send it there.
    Tool {
        initial: String,
        has_pieces: bool,
    },
    /// The answer by schema, told as text.
    Output {
        initial: String,
        has_pieces: bool,
    },
    /// A free-form call's input, held until it is whole.
    Freeform {
        held: String,
    },
    /// A block of Anthropic's own: its start, and the input that follows.
    Opaque {
        kind: String,
        start: String,
        input: String,
    },
    /// Told already.
    Done,
}

/// The input in the start, unless it is the empty object every call starts with.
fn initial(node: &Node<'_>) -> String {
    let input = node.get("input").filter(|input| !input.entries().is_empty());
    input.map(|input| input.raw().to_owned()).unwrap_or_default()
}

impl OpenBlock {
    /// Opens a block by its `content_block`; `number` is the next of ours.
    pub(super) fn open(index: u64, number: u32, node: &Node<'_>, sink: Sink<'_>) -> Self {
        let kind = node.text_of("type").unwrap_or_default();
        let kind = match kind.as_ref() {
            "text" => Kind::Text,
            "thinking" => Kind::Thinking { is_signed: false },
            "tool_use" => tool(node),
            "redacted_thinking" => Kind::Done,
            _ => Kind::Opaque { kind: kind.into_owned(), start: node.raw().to_owned(), input: String::new() },
        };
        let mut open = Self { index, number, kind };
        open.announce(node, sink);
        open
    }

    /// Opens a block of which only a delta is known.
    pub(super) fn implied(index: u64, number: u32, delta: &str, sink: Sink<'_>) -> Option<Self> {
        let (kind, start) = match delta {
            "text_delta" | "citations_delta" => (Kind::Text, BlockStart::Text),
            "thinking_delta" | "signature_delta" => (Kind::Thinking { is_signed: false }, THINKING),
            _ => return None,
        };
        sink(Event::BlockStart { choice: 0, block: number, start });
        Some(Self { index, number, kind })
    }

    /// Whether it is one of those of which only one may be open.
    pub(super) fn is_exclusive(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::Thinking { .. } | Kind::Output { .. })
    }

    /// Whether it is a call for the client.
    pub(super) fn is_call(&self) -> bool {
        matches!(self.kind, Kind::Tool { .. } | Kind::Freeform { .. })
    }

    fn announce(&mut self, node: &Node<'_>, sink: Sink<'_>) {
        let start = match &self.kind {
            Kind::Text | Kind::Output { .. } => BlockStart::Text,
            Kind::Thinking { .. } => THINKING,
            Kind::Tool { .. } | Kind::Freeform { .. } => call(node),
            Kind::Done => {
                let slot = node.text_of("data").unwrap_or_default();
                let proof = Signature::from_slot(slot, Vendor::Anthropic);
                BlockStart::Whole(Box::new(BlockKind::Redacted(proof)))
            }
            Kind::Opaque { .. } => return,
        };
        sink(Event::BlockStart { choice: 0, block: self.number, start });
        // What stood in the start counts as the first delta.
        match self.kind {
            Kind::Text => {
                self.say(node.text_of("text"), sink);
                for one in node.get("citations").map(Node::items).unwrap_or_default() {
                    self.emit(Delta::Citation(citation(one)), sink);
                }
            }
            Kind::Thinking { .. } => {
                self.say(node.text_of("thinking"), sink);
                self.sign(node.text_of("signature"), sink);
            }
            _ => {}
        }
    }

    /// Takes a `delta`.
    pub(super) fn delta(&mut self, node: &Node<'_>, sink: Sink<'_>) -> Result<(), TooLong> {
        let kind = node.text_of("type").unwrap_or_default();
        match kind.as_ref() {
            "text_delta" if matches!(self.kind, Kind::Text) => self.say(node.text_of("text"), sink),
            "thinking_delta" if matches!(self.kind, Kind::Thinking { .. }) => {
                self.say(node.text_of("thinking"), sink);
            }
            "signature_delta" => self.sign(node.text_of("signature"), sink),
            "citations_delta" if matches!(self.kind, Kind::Text) => {
                if let Some(one) = node.get("citation") {
                    self.emit(Delta::Citation(citation(one)), sink);
                }
            }
            "input_json_delta" => {
                let piece = node.text_of("partial_json").filter(|piece| !piece.is_empty());
                return piece.map_or(Ok(()), |piece| self.input(piece, sink));
            }
            _ => {}
        }
        Ok(())
    }

    /// The block ended: what is still to be said of it.
    pub(super) fn close(self, sink: Sink<'_>) {
        match &self.kind {
            Kind::Tool { initial, has_pieces: false } if !initial.is_empty() => {
                self.emit(Delta::Arguments(Cow::Borrowed(initial)), sink);
            }
            Kind::Output { initial, has_pieces: false } => {
                let all = if initial.is_empty() { "{}" } else { initial };
                self.emit(Delta::Text(Cow::Borrowed(all)), sink);
            }
            Kind::Freeform { held } => {
                let text = freeform::unwrap_input(held);
                if !text.is_empty() {
                    self.emit(Delta::Arguments(text), sink);
                }
            }
            Kind::Opaque { kind, start, input } => {
                let json = Raw(Cow::Owned(whole(start, input)));
                let kind = BlockKind::Opaque { of: Protocol::Messages, kind: Cow::Borrowed(kind), json };
                let start = BlockStart::Whole(Box::new(kind));
                sink(Event::BlockStart { choice: 0, block: self.number, start });
            }
            _ => {}
        }
        sink(Event::BlockStop { choice: 0, block: self.number });
    }

    fn say(&self, text: Option<Text<'_>>, sink: Sink<'_>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.emit(Delta::Text(text), sink);
        }
    }

    fn sign(&mut self, slot: Option<Text<'_>>, sink: Sink<'_>) {
        let Kind::Thinking { is_signed } = &mut self.kind else { return };
        let Some(slot) = slot.filter(|slot| !slot.is_empty() && !*is_signed) else { return };
        *is_signed = true;
        self.emit(Delta::Signature(Signature::from_slot(slot, Vendor::Anthropic)), sink);
    }

    fn input(&mut self, piece: Text<'_>, sink: Sink<'_>) -> Result<(), TooLong> {
        let delta = match &mut self.kind {
            Kind::Tool { has_pieces, .. } => {
                *has_pieces = true;
                Delta::Arguments(piece)
            }
            Kind::Output { has_pieces, .. } => {
                *has_pieces = true;
                Delta::Text(piece)
            }
            Kind::Freeform { held } | Kind::Opaque { input: held, .. } => {
                if held.len() + piece.len() > HELD_BYTES_MAX {
                    return Err(TooLong);
                }
                held.push_str(&piece);
                return Ok(());
            }
            Kind::Text | Kind::Thinking { .. } | Kind::Done => return Ok(()),
        };
        self.emit(delta, sink);
        Ok(())
    }

    fn emit(&self, delta: Delta<'_>, sink: Sink<'_>) {
        sink(Event::Delta { choice: 0, block: self.number, delta });
    }
}

const THINKING: BlockStart<'static> = BlockStart::Thinking { is_summary: false, item_id: None };

fn tool(node: &Node<'_>) -> Kind {
    let name = node.text_of("name").unwrap_or_default();
    if name == OUTPUT_TOOL {
        return Kind::Output { initial: initial(node), has_pieces: false };
    }
    match own_name(name) {
        (_, true) => Kind::Freeform { held: initial(node) },
        _ => Kind::Tool { initial: initial(node), has_pieces: false },
    }
}

fn call<'a>(node: &Node<'a>) -> BlockStart<'a> {
    let (id, signature) = unpack_id(node.text_of("id").unwrap_or_default());
    let (name, is_custom) = own_name(node.text_of("name").unwrap_or_default());
    BlockStart::ToolUse { id, name, is_custom, signature }
}

/// The block's start with its `input` put in.
fn whole(start: &str, input: &str) -> String {
    let node = match crate::framing::json::parse(start, crate::framing::json::Duplicates::LastCounts) {
        Ok(node) if !input.is_empty() => node,
        _ => return start.to_owned(),
    };
    // An input that was cut short is kept as the text it is.
    let is_json = crate::framing::json::parse(input, crate::framing::json::Duplicates::LastCounts).is_ok();
    let mut out = Vec::with_capacity(start.len() + input.len());
    JsonWriter::new(&mut out).object(|w| {
        for (key, value) in node.entries().iter().filter(|(key, _)| key != "input") {
            w.field_raw(key, value.raw());
        }
        if is_json {
            w.field_raw("input", input);
        } else {
            w.field_object("input", |w| w.field_str("INVALID_JSON", input));
        }
    });
    String::from_utf8(out).unwrap_or_else(|_| start.to_owned())
}
