//! A ConverseStream, written: one binary message an event.
//!
//! Bedrock tells its blocks one after another. Where several are open, the later ones wait, as frames
//! that are ready but not sent, until the earlier ones close.

use super::blocks_out::{blob, citation};
use super::response_out::{call_id, metrics};
use super::{HERE, NATIVE, stop, usage};
use crate::chat::{BlockKind, BlockStart, Delta, Event, Source, Stop, pack_id};
use crate::dialect::codec::{EncodeStream, Owed};
use crate::framing::eventstream::write_message;
use crate::framing::json::{Duplicates, JsonWriter, parse};
use crate::types::Usage;
use std::collections::VecDeque;

/// Frames that may wait, a block. A longer one is not held back any more: it is sent between the frames
/// of the block before it, told apart by its index.
const WAITING_BYTES_MAX: usize = 1024 * 1024;

/// Writes one stream.
pub struct Encoder {
    owed: Owed,
    calls: u64,
    blocks: VecDeque<Block>,
    next_index: u64,
    usage: Option<Usage>,
}

/// A block that is not yet sent to its end. The first of the queue is the one being sent.
struct Block {
    number: u32,
    index: u64,
    form: Form,
    waiting: Vec<u8>,
    has_delta: bool,
    is_closed: bool,
    /// It waited too long to wait on.
    is_free: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Thinking,
    Call,
    /// Free text for a tool, told as `{"input":"…"}`.
    CustomCall,
    Whole,
}

impl Encoder {
    /// Converse has neither id, model nor time: only ids of calls are owed.
    pub fn new(owed: Owed) -> Self {
        Self { owed, calls: 0, blocks: VecDeque::new(), next_index: 0, usage: None }
    }

    fn start(&mut self, number: u32, start: &BlockStart<'_>, out: &mut Vec<u8>) {
        let form = match start {
            BlockStart::Text | BlockStart::Refusal => Form::Text,
            BlockStart::Thinking { .. } => Form::Thinking,
            BlockStart::ToolUse { is_custom: true, .. } => Form::CustomCall,
            BlockStart::ToolUse { .. } => Form::Call,
            BlockStart::Whole(_) => Form::Whole,
        };
        let mut frames = Vec::new();
        match start {
            BlockStart::ToolUse { id, name, signature, .. } => {
                let own = call_id(id, self.calls, &self.owed);
                let id = pack_id(&own, signature.as_ref());
                self.calls += 1;
                block_start(self.next_index, &mut frames, |w| {
                    w.field_object("toolUse", |w| {
                        w.field_str("toolUseId", &id);
                        w.field_str("name", name);
                    });
                });
            }
            BlockStart::Whole(kind) => {
                whole(kind, self.next_index, &mut frames);
                if frames.is_empty() {
                    return;
                }
            }
            _ => {}
        }
        self.blocks.push_back(Block {
            number,
            index: self.next_index,
            form,
            waiting: Vec::new(),
            has_delta: false,
            is_closed: false,
            is_free: false,
        });
        self.next_index += 1;
        self.send(number, &frames, out);
    }

    fn delta(&mut self, number: u32, delta: &Delta<'_>, out: &mut Vec<u8>) {
        let Some(block) = self.blocks.iter_mut().find(|block| block.number == number) else { return };
        if matches!(delta, Delta::Arguments(piece) if piece.is_empty()) {
            // Alone it would be no input.
            return;
        }
        let is_first = !std::mem::replace(&mut block.has_delta, true);
        let (index, form) = (block.index, block.form);
        let mut frames = Vec::new();
        match (form, delta) {
            (Form::Text, Delta::Text(text)) => text_delta(index, text, &mut frames),
            (Form::Text, Delta::Citation(cited)) => {
                block_delta(index, &mut frames, |w| {
                    w.key("citation");
                    citation(cited, w);
                });
            }
            (Form::Thinking, Delta::Text(text)) => thinking_delta(index, "text", text, &mut frames),
            (Form::Thinking, Delta::Signature(signature)) => {
                thinking_delta(index, "signature", &signature.to_slot(NATIVE), &mut frames);
            }
            (Form::Call, Delta::Arguments(piece)) => input_delta(index, piece, &mut frames),
            (Form::CustomCall, Delta::Arguments(piece)) => {
                let head = if is_first { "{\"input\":\"" } else { "" };
                input_delta(index, &format!("{head}{}", escaped(piece)), &mut frames);
            }
            _ => {}
        }
        self.send(number, &frames, out);
    }

    fn stop_block(&mut self, number: u32, out: &mut Vec<u8>) {
        let Some(block) = self.blocks.iter_mut().find(|block| block.number == number) else { return };
        let index = block.index;
        let mut frames = Vec::new();
        // A block of which nothing was told would leave a gap in the indexes, or a call without input.
        match (block.form, block.has_delta) {
            (Form::Text, false) => text_delta(index, "", &mut frames),
            (Form::Thinking, false) => thinking_delta(index, "text", "", &mut frames),
            (Form::Call, false) => input_delta(index, "{}", &mut frames),
            (Form::CustomCall, false) => input_delta(index, "{\"input\":\"\"}", &mut frames),
            (Form::CustomCall, true) => input_delta(index, "\"}", &mut frames),
            _ => {}
        }
        message("contentBlockStop", &mut frames, |w| w.field_u64("contentBlockIndex", index));
        block.is_closed = true;
        self.send(number, &frames, out);
        self.advance(out);
    }

    /// Sends frames of a block, or keeps them until it is the block's turn.
    fn send(&mut self, number: u32, frames: &[u8], out: &mut Vec<u8>) {
        let is_turn = self.blocks.front().is_some_and(|block| block.number == number);
        let Some(block) = self.blocks.iter_mut().find(|block| block.number == number) else { return };
        block.is_free |= block.waiting.len() + frames.len() > WAITING_BYTES_MAX;
        if is_turn || block.is_free {
            out.append(&mut block.waiting);
            out.extend_from_slice(frames);
        } else {
            block.waiting.extend_from_slice(frames);
        }
    }

    /// Drops closed blocks and gives the turn to the next one.
    fn advance(&mut self, out: &mut Vec<u8>) {
        while self.blocks.front().is_some_and(|block| block.is_closed) {
            self.blocks.pop_front();
            if let Some(next) = self.blocks.front_mut() {
                out.append(&mut next.waiting);
            }
        }
    }

    fn stop(&mut self, stop: &Stop<'_>, out: &mut Vec<u8>) {
        message("messageStop", out, |w| {
            w.field_str("stopReason", stop::word(stop));
            if let Some(sequence) = &stop.sequence {
                w.field_object("additionalModelResponseFields", |w| w.field_str("stop_sequence", sequence));
            }
        });
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        message("metadata", out, |w| {
            w.key("usage");
            usage::write(&self.usage.unwrap_or_default(), w);
            metrics(w);
        });
    }
}

impl EncodeStream for Encoder {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { .. } => message("messageStart", out, |w| w.field_str("role", "assistant")),
            Event::BlockStart { choice: 0, block, start } => self.start(*block, start, out),
            Event::Delta { choice: 0, block, delta } => self.delta(*block, delta, out),
            Event::BlockStop { choice: 0, block } => self.stop_block(*block, out),
            Event::Stop { choice: 0, stop } => self.stop(stop, out),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::End => self.end(out),
            // One answer is all that Converse can tell.
            Event::BlockStart { .. } | Event::Delta { .. } | Event::BlockStop { .. } => {}
            Event::Stop { .. } | Event::Logprobs { .. } => {}
        }
    }
}

fn message(name: &str, out: &mut Vec<u8>, fields: impl FnOnce(&mut JsonWriter<'_>)) {
    let mut payload = Vec::with_capacity(128);
    JsonWriter::new(&mut payload).object(fields);
    let headers = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
    write_message(&headers, &payload, out);
}

fn block_start(index: u64, out: &mut Vec<u8>, fields: impl FnOnce(&mut JsonWriter<'_>)) {
    message("contentBlockStart", out, |w| {
        w.field_u64("contentBlockIndex", index);
        w.field_object("start", fields);
    });
}

fn block_delta(index: u64, out: &mut Vec<u8>, fields: impl FnOnce(&mut JsonWriter<'_>)) {
    message("contentBlockDelta", out, |w| {
        w.field_u64("contentBlockIndex", index);
        w.field_object("delta", fields);
    });
}

fn text_delta(index: u64, text: &str, out: &mut Vec<u8>) {
    block_delta(index, out, |w| w.field_str("text", text));
}

fn thinking_delta(index: u64, member: &str, text: &str, out: &mut Vec<u8>) {
    block_delta(index, out, |w| w.field_object("reasoningContent", |w| w.field_str(member, text)));
}

fn input_delta(index: u64, piece: &str, out: &mut Vec<u8>) {
    block_delta(index, out, |w| w.field_object("toolUse", |w| w.field_str("input", piece)));
}

/// Text as it stands between the quotes of a JSON string.
fn escaped(text: &str) -> String {
    let mut quoted = Vec::new();
    JsonWriter::new(&mut quoted).string(text);
    let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    String::from_utf8_lossy(inner).into_owned()
}

/// The frames of a block that comes whole, but its stop; none where Converse has no form for it.
fn whole(kind: &BlockKind<'_>, index: u64, out: &mut Vec<u8>) {
    match kind {
        BlockKind::Redacted(signature) => {
            thinking_delta(index, "redactedContent", &blob(signature), out);
        }
        BlockKind::Image(media) => {
            let Source::Base64(data) = &media.source else { return };
            let mime = media.mime.as_deref().unwrap_or_default();
            let format = mime.strip_prefix("image/").unwrap_or("png");
            block_start(index, out, |w| w.field_object("image", |w| w.field_str("format", format)));
            block_delta(index, out, |w| {
                w.field_object("image", |w| w.field_object("source", |w| w.field_str("bytes", data)));
            });
        }
        BlockKind::Opaque { of, json, .. } if *of == HERE => server_tool(json.as_str(), index, out),
        _ => {}
    }
}

/// A call of a tool that Bedrock runs, or its result.
fn server_tool(json: &str, index: u64, out: &mut Vec<u8>) {
    let Ok(root) = parse(json, Duplicates::LastCounts) else { return };
    for (member, body) in [("toolUse", "input"), ("toolResult", "content")] {
        let Some(inner) = root.get(member) else { continue };
        block_start(index, out, |w| {
            w.field_object(member, |w| {
                for (name, value) in inner.entries().iter().filter(|(name, _)| name != body) {
                    w.field_raw(name, value.raw());
                }
            });
        });
        let Some(value) = inner.get(body) else { continue };
        block_delta(index, out, |w| match member {
            "toolUse" => w.field_object(member, |w| w.field_str(body, value.raw())),
            _ => w.field_raw(member, value.raw()),
        });
    }
}
