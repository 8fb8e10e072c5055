//! A stream for a Messages client.
//!
//! Blocks of this protocol come strictly one after the other. Those that open while another is open wait,
//! gathered, until it closes; each gathers at most 1 MiB, what goes beyond is cut off
//! (a call of that size, told beside another one, is no call any more). `message_start` waits for the
//! first content, so that counts that come before it stand in it; the last word waits for the end,
//! because counts may follow the stop.

use super::client_block::{client_id, media_as_text};
use super::open_out::{Kind, Open, Waiting, delta, frame};
use super::response_out::{write_head, write_stop};
use super::usage;
use crate::chat::{BlockKind, BlockStart, Delta, Event, Stop, StopReason, Vendor};
use crate::dialect::codec::{EncodeStream, Owed};
use crate::dialect::keepalive::OpenBlock;
use crate::framing::json::JsonWriter;
use crate::types::{Protocol, Usage};
use std::borrow::Cow;
use std::collections::VecDeque;

/// Most blocks that wait; calls beyond are left out.
const WAITING_MAX: usize = 64;

/// Writes one stream of `/v1/messages`.
pub struct Encoder {
    owed: Owed,
    /// The id and model, until `message_start` is written.
    pending_start: Option<(String, String)>,
    is_started: bool,
    usage: Option<Usage>,
    stop: Option<Stop<'static>>,
    next_index: u32,
    current: Option<Open>,
    waiting: VecDeque<Waiting>,
}

impl Encoder {
    pub fn new(owed: Owed) -> Self {
        Self {
            owed,
            pending_start: None,
            is_started: false,
            usage: None,
            stop: None,
            next_index: 0,
            current: None,
            waiting: VecDeque::new(),
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.is_started, true) {
            return;
        }
        let (id, model) = self.pending_start.take().unwrap_or_default();
        // The answer has hardly begun: its tokens come with the end.
        let usage = self.usage.map(|usage| Usage { output: usage.output.min(1), reasoning: 0, ..usage });
        frame("message_start", out, |w| {
            w.field_object("message", |w| {
                write_head(&id, &model, &self.owed, w);
                w.field_array("content", |_| {});
                write_stop(None, w);
                w.field_object("usage", |w| usage::write(usage.as_ref(), None, w));
            });
        });
    }

    fn block_start(&mut self, block: u32, start: &BlockStart<'_>, out: &mut Vec<u8>) {
        let Some((kind, content)) = self.content_block(start) else { return };
        if self.current.is_none() {
            return self.open(block, kind, &content, out);
        }
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push_back(Waiting {
                block,
                kind,
                start: content,
                text: String::new(),
                signature: None,
                citations: Vec::new(),
                is_stopped: false,
            });
        }
    }

    /// The block's kind and its `content_block`; None where Messages has no form for it.
    fn content_block(&self, start: &BlockStart<'_>) -> Option<(Kind, Vec<u8>)> {
        let mut content = Vec::new();
        let mut w = JsonWriter::new(&mut content);
        let kind = match start {
            BlockStart::Text | BlockStart::Refusal => {
                w.raw(r#"{"type":"text","text":""}"#);
                Kind::Text
            }
            BlockStart::Thinking { .. } => {
                w.raw(r#"{"type":"thinking","thinking":"","signature":""}"#);
                Kind::Thinking { is_signed: false }
            }
            BlockStart::ToolUse { id, name, is_custom, signature } => {
                let number = self.next_index + self.waiting.len() as u32;
                w.object(|w| {
                    w.field_str("type", "tool_use");
                    w.field_str("id", &client_id(id, signature.as_ref(), &self.owed, number));
                    w.field_str("name", name);
                    w.field_raw("input", "{}");
                });
                if *is_custom { Kind::Freeform } else { Kind::Tool }
            }
            BlockStart::Whole(kind) => {
                whole(kind, &mut w)?;
                Kind::Whole
            }
        };
        Some((kind, content))
    }

    fn open(&mut self, block: u32, kind: Kind, content: &[u8], out: &mut Vec<u8>) {
        let index = self.next_index;
        self.next_index += 1;
        self.current = Some(Open { block, index, kind });
        frame("content_block_start", out, |w| {
            w.field_u64("index", index.into());
            w.field_raw("content_block", std::str::from_utf8(content).unwrap_or("{}"));
        });
        if kind == Kind::Freeform {
            delta(index, "input_json_delta", out, |w| w.field_str("partial_json", "{\"input\":\""));
        }
    }

    fn delta(&mut self, block: u32, piece: &Delta<'_>, out: &mut Vec<u8>) {
        match &mut self.current {
            Some(open) if open.block == block => open.write(piece, out),
            _ => {
                if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.block == block) {
                    waiting.take(piece);
                }
            }
        }
    }

    fn block_stop(&mut self, block: u32, out: &mut Vec<u8>) {
        if self.current.as_ref().is_some_and(|open| open.block == block) {
            self.close_current(out);
            self.flush(out);
        } else if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.block == block) {
            waiting.is_stopped = true;
        }
    }

    fn close_current(&mut self, out: &mut Vec<u8>) {
        if let Some(open) = self.current.take() {
            open.close(out);
        }
    }

    /// Writes what waited, up to the first block that is still open.
    fn flush(&mut self, out: &mut Vec<u8>) {
        while self.current.is_none()
            && let Some(waiting) = self.waiting.pop_front()
        {
            self.open(waiting.block, waiting.kind, &waiting.start, out);
            if let Some(open) = &mut self.current {
                waiting.write(open, out);
            }
            if waiting.is_stopped {
                self.close_current(out);
            }
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        // Nothing is open where the decoder keeps its promises.
        while self.current.is_some() || !self.waiting.is_empty() {
            self.close_current(out);
            self.flush(out);
        }
        // An end without a stop: the prompt itself was blocked.
        let blocked = Stop::new(StopReason::ContentFilter);
        let stop = self.stop.as_ref().unwrap_or(&blocked);
        frame("message_delta", out, |w| {
            w.field_object("delta", |w| write_stop(Some(stop), w));
            w.field_object("usage", |w| usage::write(self.usage.as_ref(), None, w));
        });
        frame("message_stop", out, |_| {});
    }
}

impl EncodeStream for Encoder {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model, .. } => {
                self.pending_start = Some((id.to_string(), model.to_string()));
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            // This protocol's clients get one answer, and no log probabilities.
            Event::BlockStart { choice: 0, block, start } => {
                self.begin(out);
                self.block_start(*block, start, out);
            }
            Event::Delta { choice: 0, block, delta } => self.delta(*block, delta, out),
            Event::BlockStop { choice: 0, block } => self.block_stop(*block, out),
            Event::Stop { choice: 0, stop } => {
                self.begin(out);
                let own = |text: &Cow<'_, str>| Cow::Owned(text.as_ref().to_owned());
                self.stop = Some(Stop {
                    reason: stop.reason,
                    sequence: stop.sequence.as_ref().map(own),
                    native: stop.native.as_ref().map(own),
                });
            }
            Event::End => {
                self.begin(out);
                self.end(out);
            }
            Event::BlockStart { .. }
            | Event::Delta { .. }
            | Event::BlockStop { .. }
            | Event::Stop { .. }
            | Event::Logprobs { .. } => {}
        }
    }

    fn open_block(&self) -> Option<OpenBlock> {
        self.current.as_ref().map(Open::keepalive)
    }
}

/// A block that comes whole.
fn whole(kind: &BlockKind<'_>, w: &mut JsonWriter<'_>) -> Option<()> {
    match kind {
        BlockKind::Redacted(proof) => w.object(|w| {
            w.field_str("type", "redacted_thinking");
            w.field_str("data", &proof.to_slot(Vendor::Anthropic));
        }),
        BlockKind::Opaque { of: Protocol::Messages, json, .. } => w.raw(json.as_str()),
        kind => {
            let text = media_as_text(kind)?;
            w.object(|w| {
                w.field_str("type", "text");
                w.field_str("text", &text);
            });
        }
    }
    Some(())
}
