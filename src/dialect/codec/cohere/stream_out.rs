//! A stream for a client.
//!
//! Content parts are numbered in the order they open, tool calls apart from them. Stop and usage are
//! told together at [`Event::End`]; a stream that breaks has no `message-end`. Cohere tells its calls
//! one after another, and clients read them so: where several are open, the later ones wait, as events
//! that are ready but not sent. Fixed in size but for one entry a block that is open.

use crate::chat::{BlockKind, BlockStart, Delta, Event, StopReason, Text, freeform, pack_id};
use crate::dialect::codec::{EncodeStream, Owed};
use crate::framing::json::JsonWriter;
use crate::types::Usage;

use super::{citation, response_out, stop, usage};

/// Events of a call that may wait. Beyond, they are sent between those of the call before it, told
/// apart by their index.
const WAITING_BYTES_MAX: usize = 1024 * 1024;

/// Writes one stream.
pub struct Encoder {
    owed: Owed,
    is_started: bool,
    parts: u64,
    calls: u64,
    citations: u64,
    /// Characters of text told so far.
    characters: u64,
    open: Vec<OpenBlock>,
    reason: StopReason,
    usage: Option<Usage>,
}

struct OpenBlock {
    block: u32,
    index: u64,
    kind: Kind,
    /// Of a call: what it has to say once it is its turn.
    waiting: Vec<u8>,
    is_closed: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    /// Characters of text before it.
    Text(u64),
    Thinking,
    Call {
        has_arguments: bool,
        is_custom: bool,
    },
    Whole,
}

/// One event, whole.
fn event(kind: &str, out: &mut Vec<u8>, fields: impl FnOnce(&mut JsonWriter<'_>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    JsonWriter::new(out).object(|w| {
        w.field_str("type", kind);
        fields(w);
    });
    out.extend_from_slice(b"\n\n");
}

/// An event with an index and something of the message.
fn delta(kind: &str, index: u64, key: &str, out: &mut Vec<u8>, fields: impl FnOnce(&mut JsonWriter<'_>)) {
    event(kind, out, |w| {
        w.field_u64("index", index);
        w.field_object("delta", |w| {
            w.field_object("message", |w| w.field_object(key, fields));
        });
    });
}

impl Encoder {
    pub fn new(owed: Owed) -> Self {
        Self {
            owed,
            is_started: false,
            parts: 0,
            calls: 0,
            citations: 0,
            characters: 0,
            open: Vec::new(),
            reason: StopReason::End,
            usage: None,
        }
    }

    fn start(&mut self, id: &str, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.is_started, true) {
            return;
        }
        event("message-start", out, |w| {
            w.field_str("id", response_out::id(id, &self.owed));
            w.field_object("delta", |w| {
                w.field_object("message", |w| {
                    w.field_str("role", "assistant");
                    w.field_array("content", |_| {});
                    w.field_str("tool_plan", "");
                    w.field_array("tool_calls", |_| {});
                    w.field_array("citations", |_| {});
                });
            });
        });
    }

    fn block_start(&mut self, block: u32, start: &BlockStart<'_>, out: &mut Vec<u8>) {
        let (index, kind) = match start {
            BlockStart::Text | BlockStart::Refusal => (self.part("text", out), Kind::Text(self.characters)),
            BlockStart::Thinking { .. } => (self.part("thinking", out), Kind::Thinking),
            BlockStart::ToolUse { is_custom, .. } => {
                self.calls += 1;
                (self.calls - 1, Kind::Call { has_arguments: false, is_custom: *is_custom })
            }
            BlockStart::Whole(whole) => {
                self.whole(whole, out);
                (0, Kind::Whole)
            }
        };
        let mut frames = Vec::new();
        if let BlockStart::ToolUse { id, name, signature, .. } = start {
            let own = match id.is_empty() {
                true => response_out::made_id(usize::try_from(index).unwrap_or(usize::MAX), &self.owed),
                false => Text::Borrowed(id.as_ref()),
            };
            delta("tool-call-start", index, "tool_calls", &mut frames, |w| {
                w.field_str("id", &pack_id(&own, signature.as_ref()));
                w.field_str("type", "function");
                w.field_object("function", |w| {
                    w.field_str("name", name);
                    w.field_str("arguments", "");
                });
            });
        }
        self.open.push(OpenBlock { block, index, kind, waiting: Vec::new(), is_closed: false });
        self.send(block, &frames, out);
    }

    /// Sends events of a call, or keeps them until it is the call's turn.
    fn send(&mut self, block: u32, frames: &[u8], out: &mut Vec<u8>) {
        let first = self.open.iter().find(|open| matches!(open.kind, Kind::Call { .. }));
        let is_turn = first.is_some_and(|first| first.block == block);
        let Some(open) = self.open.iter_mut().find(|open| open.block == block) else { return };
        if is_turn || open.waiting.len() + frames.len() > WAITING_BYTES_MAX {
            out.append(&mut open.waiting);
            out.extend_from_slice(frames);
        } else {
            open.waiting.extend_from_slice(frames);
        }
    }

    /// The call whose turn it was is over: the next ones say what they have kept.
    fn advance(&mut self, out: &mut Vec<u8>) {
        let is_call = |open: &OpenBlock| matches!(open.kind, Kind::Call { .. });
        while let Some(place) = self.open.iter().position(is_call)
            && let Some(open) = self.open.get_mut(place)
        {
            out.append(&mut open.waiting);
            if !open.is_closed {
                return;
            }
            self.open.remove(place);
        }
    }

    /// Begins a part of the content; its number.
    fn part(&mut self, kind: &str, out: &mut Vec<u8>) -> u64 {
        let index = self.parts;
        self.parts += 1;
        delta("content-start", index, "content", out, |w| {
            w.field_str("type", kind);
            w.field_str(kind, "");
        });
        index
    }

    /// A block without deltas. Cohere has a part for thinking that nobody can read, and for text.
    fn whole(&mut self, whole: &BlockKind<'_>, out: &mut Vec<u8>) {
        match whole {
            BlockKind::Redacted(signature) => {
                let index = self.part("thinking", out);
                let slot = signature.to_slot(crate::chat::Vendor::Unsigned);
                delta("content-delta", index, "content", out, |w| w.field_str("redacted", &slot));
                event("content-end", out, |w| w.field_u64("index", index));
            }
            BlockKind::Text { text, .. } | BlockKind::Refusal(text) => {
                let index = self.part("text", out);
                self.characters += text.chars().count() as u64;
                delta("content-delta", index, "content", out, |w| w.field_str("text", text));
                event("content-end", out, |w| w.field_u64("index", index));
            }
            _ => {}
        }
    }

    fn block_delta(&mut self, block: u32, piece: &Delta<'_>, out: &mut Vec<u8>) {
        let Some(open) = self.open.iter_mut().find(|open| open.block == block) else { return };
        let index = open.index;
        match (&mut open.kind, piece) {
            (_, Delta::Text(text) | Delta::Arguments(text)) if text.is_empty() => {}
            (Kind::Text(_), Delta::Text(text)) => {
                self.characters += text.chars().count() as u64;
                delta("content-delta", index, "content", out, |w| w.field_str("text", text));
            }
            (Kind::Thinking, Delta::Text(text)) => {
                delta("content-delta", index, "content", out, |w| w.field_str("thinking", text));
            }
            (Kind::Thinking, Delta::Signature(signature)) => {
                let slot = signature.to_slot(crate::chat::Vendor::Unsigned);
                delta("content-delta", index, "content", out, |w| {
                    w.field_str("thinking", "");
                    w.field_str("signature", &slot);
                });
            }
            (Kind::Text(before), Delta::Citation(cited)) => {
                let place = citation::Place { span: (*before, self.characters), index, text: "" };
                let number = self.citations;
                self.citations += 1;
                event("citation-start", out, |w| {
                    w.field_u64("index", number);
                    w.field_object("delta", |w| {
                        w.field_object("message", |w| {
                            w.key("citations");
                            citation::write(cited, &place, w);
                        });
                    });
                });
                event("citation-end", out, |w| w.field_u64("index", number));
            }
            (Kind::Call { has_arguments, is_custom }, Delta::Arguments(text)) => {
                let is_first = !std::mem::replace(has_arguments, true);
                let mut frames = Vec::new();
                if *is_custom && is_first {
                    arguments(index, INPUT_HEAD, &mut frames);
                }
                let piece = if *is_custom { &escaped(text) } else { text.as_ref() };
                arguments(index, piece, &mut frames);
                self.send(block, &frames, out);
            }
            _ => {}
        }
    }

    /// A call without arguments has an empty object: clients parse what they gathered.
    fn block_stop(&mut self, block: u32, out: &mut Vec<u8>) {
        let Some(place) = self.open.iter().position(|open| open.block == block) else { return };
        let Some(open) = self.open.get_mut(place) else { return };
        let index = open.index;
        let Kind::Call { has_arguments, is_custom } = open.kind else {
            if !matches!(self.open.remove(place).kind, Kind::Whole) {
                event("content-end", out, |w| w.field_u64("index", index));
            }
            return;
        };
        open.is_closed = true;
        let mut frames = Vec::new();
        match (is_custom, has_arguments) {
            (false, true) => {}
            (false, false) => arguments(index, "{}", &mut frames),
            (true, true) => arguments(index, INPUT_TAIL, &mut frames),
            (true, false) => arguments(index, &freeform::wrap_input(""), &mut frames),
        }
        event("tool-call-end", &mut frames, |w| w.field_u64("index", index));
        self.send(block, &frames, out);
        self.advance(out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.start("", out);
        event("message-end", out, |w| {
            w.field_object("delta", |w| {
                w.field_str("finish_reason", stop::word(self.reason));
                if let Some(used) = &self.usage {
                    w.key("usage");
                    usage::write(used, w);
                }
            });
        });
    }
}

/// Around the input of a free-form tool, which is told as it comes.
const INPUT_HEAD: &str = "{\"input\":\"";
const INPUT_TAIL: &str = "\"}";

/// A piece of a JSON string, without quotes.
fn escaped(text: &str) -> String {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    JsonWriter::new(&mut quoted).string(text);
    let quoted = String::from_utf8(quoted).unwrap_or_default();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

fn arguments(index: u64, text: &str, out: &mut Vec<u8>) {
    delta("tool-call-delta", index, "tool_calls", out, |w| {
        w.field_object("function", |w| w.field_str("arguments", text));
    });
}

impl EncodeStream for Encoder {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, .. } => self.start(id, out),
            Event::BlockStart { choice: 0, block, start } => {
                self.start("", out);
                self.block_start(*block, start, out);
            }
            Event::Delta { choice: 0, block, delta } => self.block_delta(*block, delta, out),
            Event::BlockStop { choice: 0, block } => self.block_stop(*block, out),
            Event::Stop { choice: 0, stop } => self.reason = stop.reason,
            Event::Usage(used) => self.usage = Some(*used),
            Event::End => self.end(out),
            // Cohere gives one answer, and log probabilities in another form.
            Event::BlockStart { .. }
            | Event::Delta { .. }
            | Event::BlockStop { .. }
            | Event::Stop { .. }
            | Event::Logprobs { .. } => {}
        }
    }
}
