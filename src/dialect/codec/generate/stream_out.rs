//! A streamed answer, written for a client: events of SSE, or the elements of one JSON array.
//!
//! Reasons and usage stand on the last chunk, so both are held until the end. Held as well: the
//! arguments of open calls, which Gemini tells whole; at most [`ARGUMENTS_BYTES_MAX`] a call.

use super::part_out::{Body, For, Lowering, Outgoing};
use super::response_out::write_content;
use super::{grounding, logprobs, stop, usage};
use crate::chat::{Block, BlockKind, BlockStart, Delta, Event, Extra, Raw, Signature, Stop, Text, ToolUse};
use crate::dialect::codec::{EncodeStream, Owed};
use crate::framing::json::JsonWriter;
use crate::types::{Protocol, Usage, utc};

/// A call that asks for more is told with what came until then.
pub const ARGUMENTS_BYTES_MAX: usize = 1024 * 1024;
/// Blocks open at once. Models call a handful of tools in one answer.
const OPEN_MAX: usize = 256;

/// Writes one stream.
pub struct Encoder {
    owed: Owed,
    id: String,
    model: String,
    created: u64,
    has_written: bool,
    open: Vec<Open>,
    stops: Vec<(u32, Stop<'static>)>,
    usage: Option<Usage>,
}

struct Open {
    choice: u32,
    block: u32,
    kind: Kind,
}

enum Kind {
    Text,
    Thinking {
        has_words: bool,
    },
    Call(ToolUse<'static>),
    /// Whole, and told after those that began before it.
    Held(ToolUse<'static>),
    /// Told already.
    Done,
}

impl Encoder {
    pub fn new(owed: Owed) -> Self {
        let (id, model, created) = (owed.token.clone(), owed.model.clone(), owed.created);
        Self {
            owed,
            id,
            model,
            created,
            has_written: false,
            open: Vec::new(),
            stops: Vec::new(),
            usage: None,
        }
    }

    /// Frames one element, whose members `inner` writes before those every element has.
    fn frame(&mut self, out: &mut Vec<u8>, inner: impl FnOnce(&mut JsonWriter<'_>)) {
        let before: &[u8] = match (self.owed.is_array, self.has_written) {
            (true, false) => b"[",
            (true, true) => b",\r\n",
            (false, _) => b"data: ",
        };
        out.extend_from_slice(before);
        JsonWriter::new(out).object(|w| {
            inner(w);
            w.field_str("modelVersion", &self.model);
            if !self.has_written {
                w.field_str("createTime", &utc::rfc3339(self.created));
            }
            w.field_str("responseId", &self.id);
        });
        if !self.owed.is_array {
            out.extend_from_slice(b"\r\n\r\n");
        }
        self.has_written = true;
    }

    /// One candidate with `parts`, and what else `more` writes into it.
    fn candidate(
        &mut self,
        choice: u32,
        parts: &[Outgoing<'_>],
        out: &mut Vec<u8>,
        more: impl FnOnce(&mut JsonWriter<'_>),
    ) {
        self.frame(out, |w| {
            w.field_array("candidates", |w| {
                w.object(|w| {
                    write_content(w, parts);
                    more(w);
                    w.field_u64("index", u64::from(choice));
                });
            });
        });
    }

    fn text(&mut self, choice: u32, text: &str, is_thought: bool, out: &mut Vec<u8>) {
        if !text.is_empty() {
            let body = Body::Text { text, is_thought, extra: None };
            self.candidate(choice, &[Outgoing { body, signature: None }], out, |_| {});
        }
    }

    /// A block that is there at once.
    fn whole(&mut self, choice: u32, kind: BlockKind<'_>, out: &mut Vec<u8>) {
        let block = Block::new(kind);
        let mut lowering = Lowering::new(For::Client(""));
        lowering.block(&block);
        let parts = lowering.finish();
        if !parts.is_empty() {
            self.candidate(choice, &parts, out, |_| {});
        }
    }

    fn start(&mut self, choice: u32, block: u32, start: &BlockStart<'_>, out: &mut Vec<u8>) {
        let kind = match start {
            BlockStart::Text | BlockStart::Refusal => Kind::Text,
            BlockStart::Thinking { .. } => Kind::Thinking { has_words: false },
            BlockStart::ToolUse { id, name, is_custom, signature } => Kind::Call(ToolUse {
                id: if id.is_empty() {
                    format!("call_{}_{block}", self.owed.token).into()
                } else {
                    owned(id)
                },
                name: owned(name),
                arguments: Text::Borrowed(""),
                is_custom: *is_custom,
                signature: signature.as_ref().map(Signature::to_static),
            }),
            BlockStart::Whole(kind) => {
                self.whole(choice, kind.as_ref().clone(), out);
                Kind::Done
            }
        };
        if self.open.len() < OPEN_MAX {
            self.open.push(Open { choice, block, kind });
        }
    }

    fn delta(&mut self, choice: u32, block: u32, delta: &Delta<'_>, out: &mut Vec<u8>) {
        let Some(open) = self.open.iter_mut().find(|open| open.choice == choice && open.block == block)
        else {
            return;
        };
        match (&mut open.kind, delta) {
            (Kind::Text, Delta::Text(text)) => self.text(choice, text, false, out),
            (Kind::Thinking { has_words }, Delta::Text(text)) => {
                *has_words |= !text.is_empty();
                self.text(choice, text, true, out);
            }
            (Kind::Thinking { has_words }, Delta::Signature(signature)) => {
                let is_thought = *has_words;
                self.proof(choice, signature, is_thought, out);
            }
            (Kind::Call(call), Delta::Arguments(more)) => {
                call.arguments.to_mut().push_str(more);
                if call.arguments.len() > ARGUMENTS_BYTES_MAX
                    && let Kind::Call(call) = std::mem::replace(&mut open.kind, Kind::Done)
                {
                    self.whole(choice, BlockKind::ToolUse(call), out);
                }
            }
            (_, Delta::Citation(citation)) => {
                let cited = [(citation, "")];
                self.candidate(choice, &[], out, |w| grounding::write(w, cited.into_iter()));
            }
            _ => {}
        }
    }

    /// The proof of thinking that was told: on a thought without words. Of thinking that has none it
    /// is the proof of the part behind it, and stands on no thought.
    fn proof(&mut self, choice: u32, signature: &Signature<'_>, is_thought: bool, out: &mut Vec<u8>) {
        let slot = super::signature::to_slot(signature);
        let body = Body::Text { text: "", is_thought, extra: None };
        self.candidate(choice, &[Outgoing { body, signature: Some(slot) }], out, |_| {});
    }

    fn stop_block(&mut self, choice: u32, block: u32, out: &mut Vec<u8>) {
        let Some(at) = self.open.iter().position(|open| open.choice == choice && open.block == block) else {
            return;
        };
        if let Kind::Call(call) = self.open.remove(at).kind {
            self.open.insert(at, Open { choice, block, kind: Kind::Held(call) });
            self.tell_held(choice, out);
        }
    }

    /// Tells the calls that are whole, up to the first that is not: calls have no number here, so their
    /// order is all there is.
    fn tell_held(&mut self, choice: u32, out: &mut Vec<u8>) {
        let is_call = |open: &Open| matches!(open.kind, Kind::Call(_) | Kind::Held(_));
        while let Some(at) = self.open.iter().position(|open| open.choice == choice && is_call(open))
            && matches!(self.open.get(at), Some(Open { kind: Kind::Held(_), .. }))
        {
            if let Kind::Held(call) = self.open.remove(at).kind {
                self.whole(choice, BlockKind::ToolUse(call), out);
            }
        }
    }

    fn logprobs(&mut self, choice: u32, json: &Raw<'_>, out: &mut Vec<u8>) {
        self.candidate(choice, &[], out, |w| logprobs::write(w, json));
    }

    /// The last chunk, with every candidate's reason and the usage.
    fn end(&mut self, out: &mut Vec<u8>) {
        for open in std::mem::take(&mut self.open) {
            if let Kind::Held(call) = open.kind {
                self.whole(open.choice, BlockKind::ToolUse(call), out);
            }
        }
        let stops = std::mem::take(&mut self.stops);
        let told = self.usage.take();
        self.frame(out, |w| {
            w.field_array("candidates", |w| {
                for (choice, stop) in &stops {
                    w.object(|w| {
                        write_content(w, &[]);
                        // The events do not say whose words the native ones are.
                        let from = if is_geminis(stop) { Protocol::Generate } else { Protocol::Chat };
                        w.field_str("finishReason", stop::native(stop, from));
                        w.field_opt_str("finishMessage", stop::message(stop, from));
                        w.field_u64("index", u64::from(*choice));
                    });
                }
            });
            if let Some(told) = &told {
                usage::write(w, told, None, &Extra::none());
            }
        });
        if self.owed.is_array {
            out.push(b']');
        }
    }
}

/// Gemini's words are in capitals, as no other vendor's but Cohere's are; those it does not know.
fn is_geminis(stop: &Stop<'_>) -> bool {
    let word = stop.native.as_deref().unwrap_or_default();
    word == "STOP" || stop::means(word, stop.reason)
}

fn owned(text: &Text<'_>) -> Text<'static> {
    Text::Owned(text.as_ref().to_owned())
}

impl EncodeStream for Encoder {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model, created } => {
                if !id.is_empty() {
                    id.as_ref().clone_into(&mut self.id);
                }
                if !model.is_empty() {
                    model.as_ref().clone_into(&mut self.model);
                }
                self.created = created.unwrap_or(self.created);
            }
            Event::BlockStart { choice, block, start } => self.start(*choice, *block, start, out),
            Event::Delta { choice, block, delta } => self.delta(*choice, *block, delta, out),
            Event::BlockStop { choice, block } => self.stop_block(*choice, *block, out),
            Event::Logprobs { choice, json } => self.logprobs(*choice, json, out),
            Event::Stop { choice, stop } => {
                if self.stops.len() < OPEN_MAX {
                    let Stop { reason, sequence, native } = stop;
                    let sequence = sequence.as_ref().map(owned);
                    let stop = Stop { reason: *reason, sequence, native: native.as_ref().map(owned) };
                    self.stops.push((*choice, stop));
                }
            }
            Event::Usage(told) => self.usage = Some(*told),
            Event::End => self.end(out),
        }
    }
}
