//! A stream of chunks for a client.
//!
//! The first chunk of a choice names the role. The usage chunk is sent if it was asked for, `[DONE]`
//! at [`Event::End`] only. Fixed in size but for one entry a block.

use crate::chat::{BlockKind, BlockStart, Delta, Event, Source, Stop, Text, pack_id};
use crate::dialect::codec::{EncodeStream, Owed};
use crate::framing::json::JsonWriter;
use crate::types::Usage;

use super::details::{self, Piece};
use super::{calls, citation, response_out, stop, usage};

/// Writes one stream.
pub struct Encoder {
    owed: Owed,
    /// The members every chunk begins with, without the brace.
    head: Vec<u8>,
    choices: Vec<Said>,
    blocks: Vec<OpenBlock>,
    usage: Option<Usage>,
    /// The provider's own ids are told, whatever their form.
    keeps_ids: bool,
}

/// What a choice has said so far.
#[derive(Default)]
struct Said {
    choice: u32,
    calls: usize,
    thoughts: u32,
    characters: u64,
    has_refusal: bool,
}

struct OpenBlock {
    choice: u32,
    block: u32,
    kind: OpenKind,
}

enum OpenKind {
    /// Characters of the choice's text before it.
    Text(u64),
    Refusal,
    Thinking {
        index: u32,
        is_summary: bool,
        is_first: bool,
        item_id: Option<String>,
    },
    Tool {
        index: usize,
        is_custom: bool,
        has_arguments: bool,
    },
    Whole,
}

impl Encoder {
    pub fn new(owed: Owed) -> Self {
        let (choices, blocks) = (Vec::new(), Vec::new());
        Self { owed, head: Vec::new(), choices, blocks, usage: None, keeps_ids: false }
    }

    /// Goes on with a stream whose own chunks the client has seen.
    pub fn of_own(owed: Owed) -> Self {
        Self { keeps_ids: true, ..Self::new(owed) }
    }

    fn start(&mut self, id: &str, model: &str, created: Option<u64>) {
        let mut head = Vec::new();
        JsonWriter::new(&mut head).object(|w| {
            w.key("id");
            // Other vendors' ids have their own form; a chat provider's begins as chat's does.
            response_out::id(id, self.keeps_ids, &self.owed, w);
            w.field_str("object", "chat.completion.chunk");
            w.field_u64("created", created.unwrap_or(self.owed.created));
            w.field_str("model", if model.is_empty() { &self.owed.model } else { model });
        });
        head.pop();
        self.head = head;
    }

    /// One chunk of one choice. `delta` writes the members of the delta, `rest` what stands behind it.
    fn chunk(
        &mut self,
        choice: u32,
        out: &mut Vec<u8>,
        delta: impl FnOnce(&mut JsonWriter<'_>),
        rest: impl FnOnce(&mut JsonWriter<'_>),
    ) {
        if self.head.is_empty() {
            self.start("", "", None);
        }
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"choices\":[");
        JsonWriter::new(out).object(|w| {
            w.field_u64("index", u64::from(choice));
            w.field_object("delta", delta);
            rest(w);
        });
        out.push(b']');
        if self.owed.wants_usage {
            out.extend_from_slice(b",\"usage\":null");
        }
        out.extend_from_slice(b"}\n\n");
    }

    fn delta(&mut self, choice: u32, out: &mut Vec<u8>, delta: impl FnOnce(&mut JsonWriter<'_>)) {
        self.chunk(choice, out, delta, |w| w.field_null("finish_reason"));
    }

    /// The state of a choice; its first chunk is written where it had none.
    fn said(&mut self, choice: u32, out: &mut Vec<u8>) -> usize {
        if let Some(at) = self.choices.iter().position(|said| said.choice == choice) {
            return at;
        }
        self.choices.push(Said { choice, ..Said::default() });
        self.delta(choice, out, |w| {
            w.field_str("role", "assistant");
            w.field_str("content", "");
        });
        self.choices.len() - 1
    }

    fn block_start(&mut self, choice: u32, block: u32, start: &BlockStart<'_>, out: &mut Vec<u8>) {
        let at = self.said(choice, out);
        let Some(said) = self.choices.get_mut(at) else { return };
        let kind = match start {
            BlockStart::Text => OpenKind::Text(said.characters),
            BlockStart::Refusal => {
                said.has_refusal = true;
                OpenKind::Refusal
            }
            BlockStart::Thinking { is_summary, item_id } => {
                let index = said.thoughts;
                said.thoughts += 1;
                let item_id = item_id.as_ref().map(|id| id.to_string());
                OpenKind::Thinking { index, is_summary: *is_summary, is_first: true, item_id }
            }
            BlockStart::ToolUse { is_custom, .. } => {
                let index = said.calls;
                said.calls += 1;
                OpenKind::Tool { index, is_custom: *is_custom, has_arguments: false }
            }
            BlockStart::Whole(_) => OpenKind::Whole,
        };
        match (start, &kind) {
            (BlockStart::ToolUse { .. }, OpenKind::Tool { index, .. }) => {
                self.tool_start(choice, *index, start, out);
            }
            (BlockStart::Whole(whole), _) => self.whole(choice, at, whole, out),
            _ => {}
        }
        self.blocks.push(OpenBlock { choice, block, kind });
    }

    fn tool_start(&mut self, choice: u32, index: usize, start: &BlockStart<'_>, out: &mut Vec<u8>) {
        let BlockStart::ToolUse { id, name, is_custom, signature } = start else { return };
        let own = match id.is_empty() {
            true => response_out::made_id((choice as usize, index), &self.owed),
            false => Text::Borrowed(id.as_ref()),
        };
        let seen = pack_id(&own, signature.as_ref()).into_owned();
        let (key, arguments) = if *is_custom { ("custom", "input") } else { ("function", "arguments") };
        self.delta(choice, out, |w| {
            w.field_array("tool_calls", |w| {
                w.object(|w| {
                    w.field_u64("index", index as u64);
                    w.field_str("id", &seen);
                    w.field_str("type", key);
                    w.field_object(key, |w| {
                        w.field_str("name", name);
                        w.field_str(arguments, "");
                    });
                    if let Some(signature) = signature {
                        calls::write_signature(signature, w);
                    }
                });
            });
        });
    }

    fn whole(&mut self, choice: u32, at: usize, whole: &BlockKind<'_>, out: &mut Vec<u8>) {
        match whole {
            BlockKind::Redacted(signature) => {
                let Some(said) = self.choices.get_mut(at) else { return };
                let index = said.thoughts;
                said.thoughts += 1;
                self.delta(choice, out, |w| {
                    w.field_array("reasoning_details", |w| details::write_hidden(signature, index, w));
                });
            }
            BlockKind::Image(media) => {
                self.delta(choice, out, |w| w.field_array("images", |w| response_out::image(media, w)));
            }
            BlockKind::Audio(media) => {
                if let Source::Base64(data) = &media.source {
                    self.delta(choice, out, |w| w.field_object("audio", |w| w.field_str("data", data)));
                }
            }
            BlockKind::Text { text, .. } => self.text(choice, text, out),
            _ => {}
        }
    }

    fn text(&mut self, choice: u32, text: &str, out: &mut Vec<u8>) {
        if let Some(said) = self.choices.iter_mut().find(|said| said.choice == choice) {
            said.characters += text.chars().count() as u64;
        }
        self.delta(choice, out, |w| w.field_str("content", text));
    }

    fn block_delta(&mut self, choice: u32, block: u32, delta: &Delta<'_>, out: &mut Vec<u8>) {
        let place = self.blocks.iter().position(|open| open.choice == choice && open.block == block);
        let Some(open) = place.and_then(|place| self.blocks.get_mut(place)) else { return };
        match (&mut open.kind, delta) {
            (_, Delta::Text(text) | Delta::Arguments(text)) if text.is_empty() => {}
            (OpenKind::Text(_), Delta::Text(text)) => self.text(choice, text, out),
            (OpenKind::Text(from), Delta::Citation(cited)) => {
                let said = self.choices.iter().find(|said| said.choice == choice);
                let span = (*from, said.map_or(*from, |said| said.characters));
                self.delta(choice, out, |w| {
                    w.field_array("annotations", |w| citation::write(cited, span, w));
                });
            }
            (OpenKind::Refusal, Delta::Text(text)) => {
                self.delta(choice, out, |w| w.field_str("refusal", text));
            }
            (OpenKind::Thinking { .. }, _) => self.thought(choice, block, delta, out),
            (OpenKind::Tool { index, is_custom, has_arguments }, Delta::Arguments(text)) => {
                *has_arguments = true;
                let (index, is_custom) = (*index, *is_custom);
                self.arguments(choice, index, is_custom, text, out);
            }
            _ => {}
        }
    }

    fn thought(&mut self, choice: u32, block: u32, delta: &Delta<'_>, out: &mut Vec<u8>) {
        let mut open = self.blocks.iter_mut().filter(|open| open.choice == choice && open.block == block);
        let Some(OpenBlock { kind: OpenKind::Thinking { index, is_summary, is_first, item_id }, .. }) =
            open.next()
        else {
            return;
        };
        let (text, signature) = match delta {
            Delta::Text(text) => (Some(text.as_ref()), None),
            Delta::Signature(signature) => (None, Some(signature)),
            _ => return,
        };
        let (index, is_summary) = (*index, *is_summary);
        let (was_first, item_id) = (std::mem::take(is_first), item_id.take());
        let item_id = item_id.as_deref();
        self.delta(choice, out, |w| {
            w.field_opt_str("reasoning_content", text);
            w.field_array("reasoning_details", |w| {
                let piece = Piece { index, is_first: was_first, is_summary, item_id, text, signature };
                details::write_piece(&piece, w);
            });
        });
    }

    fn arguments(&mut self, choice: u32, index: usize, is_custom: bool, text: &str, out: &mut Vec<u8>) {
        let (key, arguments) = if is_custom { ("custom", "input") } else { ("function", "arguments") };
        self.delta(choice, out, |w| {
            w.field_array("tool_calls", |w| {
                w.object(|w| {
                    w.field_u64("index", index as u64);
                    w.field_object(key, |w| w.field_str(arguments, text));
                });
            });
        });
    }

    /// A call without arguments has an empty object: clients parse what they gathered.
    fn block_stop(&mut self, choice: u32, block: u32, out: &mut Vec<u8>) {
        let place = self.blocks.iter().position(|open| open.choice == choice && open.block == block);
        let Some(place) = place else { return };
        let open = self.blocks.swap_remove(place);
        if let OpenKind::Tool { index, is_custom: false, has_arguments: false } = open.kind {
            self.arguments(choice, index, false, "{}", out);
        }
    }

    fn stop(&mut self, choice: u32, stop: &Stop<'_>, out: &mut Vec<u8>) {
        let at = self.said(choice, out);
        let has_refusal = self.choices.get(at).is_some_and(|said| said.has_refusal);
        self.chunk(choice, out, |_| {}, |w| stop::write(stop, has_refusal, w));
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if let (true, Some(used)) = (self.owed.wants_usage, self.usage) {
            if self.head.is_empty() {
                self.start("", "", None);
            }
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b",\"choices\":[],\"usage\":");
            usage::write(&used, &mut JsonWriter::new(out));
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

impl EncodeStream for Encoder {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model, created } => self.start(id, model, *created),
            Event::BlockStart { choice, block, start } => self.block_start(*choice, *block, start, out),
            Event::Delta { choice, block, delta } => self.block_delta(*choice, *block, delta, out),
            Event::BlockStop { choice, block } => self.block_stop(*choice, *block, out),
            Event::Logprobs { choice, json } => {
                self.said(*choice, out);
                self.chunk(
                    *choice,
                    out,
                    |_| {},
                    |w| {
                        w.field_raw("logprobs", json.as_str());
                        w.field_null("finish_reason");
                    },
                );
            }
            Event::Stop { choice, stop } => self.stop(*choice, stop, out),
            Event::Usage(used) => self.usage = Some(*used),
            Event::End => self.end(out),
        }
    }
}
