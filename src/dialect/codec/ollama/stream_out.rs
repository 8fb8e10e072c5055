//! A stream for a client: one JSON document a line.
//!
//! A tool call is one line, so its arguments are gathered while it is open, to a bound. Stop and usage
//! are told together at [`Event::End`]; a stream that breaks has no line with `done`.

use crate::chat::{
    BlockKind, BlockStart, Delta, Event, Extra, Signature, Stop, StopReason, ToolUse, pack_id,
};
use crate::dialect::codec::{EncodeStream, Owed};
use crate::framing::json::JsonWriter;
use crate::types::Usage;

use super::calls::Out;
use super::{images, response_out, stop, usage};

/// Longest arguments gathered; a call that is longer is told as far as it came.
const ARGUMENTS_BYTES_MAX: usize = 1024 * 1024;

/// Writes one stream.
pub struct Encoder {
    owed: Owed,
    /// The members every line begins with, without the brace.
    head: Vec<u8>,
    calls: usize,
    open: Vec<OpenBlock>,
    reason: StopReason,
    usage: Option<Usage>,
}

struct OpenBlock {
    block: u32,
    kind: Kind,
}

enum Kind {
    Text,
    Thinking,
    Call(ToolUse<'static>),
    Whole,
}

impl Encoder {
    pub fn new(owed: Owed) -> Self {
        Self { owed, head: Vec::new(), calls: 0, open: Vec::new(), reason: StopReason::End, usage: None }
    }

    fn start(&mut self, model: &str, created: Option<u64>) {
        let mut head = Vec::new();
        JsonWriter::new(&mut head).object(|w| response_out::head(model, created, &self.owed, w));
        head.pop();
        self.head = head;
    }

    /// One line: `message` writes its members but the role, `rest` what stands behind it.
    fn line(
        &mut self,
        out: &mut Vec<u8>,
        message: impl FnOnce(&mut JsonWriter<'_>),
        rest: impl FnOnce(&mut JsonWriter<'_>),
    ) {
        if self.head.is_empty() {
            self.start("", None);
        }
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"message\":");
        JsonWriter::new(out).object(|w| {
            w.field_str("role", "assistant");
            message(w);
        });
        let from = out.len();
        JsonWriter::new(out).object(rest);
        // The object just written goes on with the one that is open.
        if let Some(brace) = out.get_mut(from) {
            *brace = b',';
        }
        out.push(b'\n');
    }

    fn said(&mut self, out: &mut Vec<u8>, message: impl FnOnce(&mut JsonWriter<'_>)) {
        self.line(out, message, |w| w.field_bool("done", false));
    }

    fn block_start(&mut self, block: u32, start: &BlockStart<'_>, out: &mut Vec<u8>) {
        let kind = match start {
            BlockStart::Text | BlockStart::Refusal => Kind::Text,
            BlockStart::Thinking { .. } => Kind::Thinking,
            BlockStart::ToolUse { id, name, is_custom, signature } => Kind::Call(ToolUse {
                id: id.clone().into_owned().into(),
                name: name.clone().into_owned().into(),
                arguments: String::new().into(),
                is_custom: *is_custom,
                signature: signature.as_ref().map(Signature::to_static),
            }),
            BlockStart::Whole(whole) => {
                self.whole(whole, out);
                Kind::Whole
            }
        };
        self.open.push(OpenBlock { block, kind });
    }

    /// A block without deltas: pictures and texts have a place.
    fn whole(&mut self, whole: &BlockKind<'_>, out: &mut Vec<u8>) {
        match whole {
            BlockKind::Text { text, .. } | BlockKind::Refusal(text) => {
                self.said(out, |w| w.field_str("content", text));
            }
            BlockKind::Image(_) => {
                let block = crate::chat::Block::new(whole.clone());
                self.said(out, |w| {
                    w.field_str("content", "");
                    images::write(images::data(&block).into_iter(), w);
                });
            }
            _ => {}
        }
    }

    fn block_delta(&mut self, block: u32, piece: &Delta<'_>, out: &mut Vec<u8>) {
        let Some(open) = self.open.iter_mut().find(|open| open.block == block) else { return };
        match (&mut open.kind, piece) {
            (Kind::Text, Delta::Text(text)) if !text.is_empty() => {
                self.said(out, |w| w.field_str("content", text));
            }
            (Kind::Thinking, Delta::Text(text)) if !text.is_empty() => {
                self.said(out, |w| {
                    w.field_str("content", "");
                    w.field_str("thinking", text);
                });
            }
            (Kind::Call(call), Delta::Arguments(text)) => {
                let room = ARGUMENTS_BYTES_MAX.saturating_sub(call.arguments.len());
                let end = text.floor_char_boundary(room);
                call.arguments.to_mut().push_str(text.get(..end).unwrap_or_default());
            }
            _ => {}
        }
    }

    fn block_stop(&mut self, block: u32, out: &mut Vec<u8>) {
        let Some(place) = self.open.iter().position(|open| open.block == block) else { return };
        let Kind::Call(call) = self.open.swap_remove(place).kind else { return };
        let index = self.calls;
        self.calls += 1;
        let own = response_out::call_id(&call.id, index, &self.owed).into_owned();
        let id = pack_id(&own, call.signature.as_ref()).into_owned();
        self.said(out, |w| {
            w.field_str("content", "");
            w.field_array("tool_calls", |w| {
                Out { call: &call, name: &call.name, id: &id, index }.write(&Extra::none(), w)
            });
        });
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let (reason, used) = (self.reason, self.usage);
        self.line(
            out,
            |w| w.field_str("content", ""),
            |w| {
                w.field_bool("done", true);
                w.field_str("done_reason", stop::word(reason));
                if let Some(used) = &used {
                    usage::write(used, w);
                }
            },
        );
    }
}

impl EncodeStream for Encoder {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { model, created, .. } => self.start(model, *created),
            Event::BlockStart { choice: 0, block, start } => self.block_start(*block, start, out),
            Event::Delta { choice: 0, block, delta } => self.block_delta(*block, delta, out),
            Event::BlockStop { choice: 0, block } => self.block_stop(*block, out),
            Event::Stop { choice: 0, stop: Stop { reason, .. } } => self.reason = *reason,
            Event::Logprobs { choice: 0, json } => self.line(
                out,
                |w| w.field_str("content", ""),
                |w| {
                    response_out::logprobs(json.as_str(), w);
                    w.field_bool("done", false);
                },
            ),
            Event::Usage(used) => self.usage = Some(*used),
            Event::End => self.end(out),
            // Ollama gives one answer.
            Event::BlockStart { .. }
            | Event::Delta { .. }
            | Event::BlockStop { .. }
            | Event::Stop { .. }
            | Event::Logprobs { .. } => {}
        }
    }
}
