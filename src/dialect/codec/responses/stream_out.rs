//! From canonical events to a client's stream of Responses events.
//!
//! The whole lifecycle, as OpenAI's SDKs and Codex want it: `created`, `in_progress`, every item
//! `added` and `done`, every part too, and a last event that repeats the whole answer. For that last
//! event the answer is kept, at most [`KEPT_BYTES_MAX`] of it.

use super::frames::Frames;
use super::kept::{KEPT_BYTES_MAX, Kept};
use super::open_call::OpenCall;
use super::open_message::OpenMessage;
use super::open_thought::OpenThought;
use super::output::{self, Shell};
use super::stop::{self, Ended};
use crate::chat::{BlockKind, BlockStart, Delta, Event, StopReason};
use crate::dialect::codec::{EncodeStream, Owed};
use crate::framing::json::JsonWriter;
use crate::types::Usage;

/// Calls open beside each other; a call beyond that is not written.
const CALLS_MAX: usize = 1024;

/// Writes one stream.
pub struct Encoder {
    state: State,
    /// Open until something else begins: texts that follow each other are parts of one message.
    message: Option<OpenMessage>,
    thought: Option<OpenThought>,
    calls: Vec<OpenCall>,
    id: String,
    model: String,
    created: u64,
    echo: String,
    usage: Option<Usage>,
    reason: StopReason,
    has_refusal: bool,
    is_ended: bool,
    finished: Option<String>,
}

/// What every open item writes with.
pub(super) struct State {
    pub(super) frames: Frames,
    pub(super) kept: Kept,
    pub(super) token: String,
    /// Items begun: the next `output_index`.
    items: u64,
}

/// An item's place.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    /// `output_index`.
    pub(super) index: u64,
    /// For ids, from 1.
    pub(super) number: u64,
    is_kept: bool,
}

impl State {
    pub(super) fn new_item(&mut self) -> Slot {
        let index = self.items;
        self.items += 1;
        Slot { index, number: self.items, is_kept: self.kept.reserve() }
    }

    /// `response.output_item.added` or `.done`; `item` writes the item.
    pub(super) fn item(
        &mut self,
        out: &mut Vec<u8>,
        slot: Slot,
        is_done: bool,
        item: impl FnOnce(&mut JsonWriter<'_>),
    ) {
        let kind = if is_done { "response.output_item.done" } else { "response.output_item.added" };
        self.frames.write(out, kind, |w| {
            w.field_u64("output_index", slot.index);
            w.key("item");
            item(w);
        });
    }

    /// The item's end: told, and kept. `counted`: bytes of its text, for which room was taken.
    pub(super) fn item_done(&mut self, out: &mut Vec<u8>, slot: Slot, item: &[u8], counted: usize) {
        self.item(out, slot, true, |w| w.raw(&String::from_utf8_lossy(item)));
        if slot.is_kept {
            self.kept.item(slot.index, item, counted);
        }
    }
}

impl Encoder {
    pub fn new(owed: Owed) -> Self {
        Self::with_room(owed, KEPT_BYTES_MAX)
    }

    pub(super) fn with_room(owed: Owed, room: usize) -> Self {
        Self {
            id: output::response_id(&owed.token),
            model: owed.model,
            created: owed.created,
            echo: owed.echo,
            state: State { frames: Frames::default(), kept: Kept::new(room), token: owed.token, items: 0 },
            message: None,
            thought: None,
            calls: Vec::new(),
            usage: None,
            reason: StopReason::End,
            has_refusal: false,
            is_ended: false,
            finished: None,
        }
    }

    /// The whole response object, once the stream has ended; None where it was too long to be held.
    pub fn finished(&self) -> Option<&str> {
        self.finished.as_deref()
    }

    fn shell(&self, ended: Option<Ended>) -> Shell<'_> {
        Shell {
            id: &self.id,
            created: self.created,
            model: &self.model,
            ended,
            usage: self.usage.as_ref(),
            service_tier: None,
            echo: &self.echo,
            extra: None,
        }
    }

    fn start(&mut self, model: &str, created: Option<u64>, out: &mut Vec<u8>) {
        if !model.is_empty() {
            model.clone_into(&mut self.model);
        }
        self.created = created.unwrap_or(self.created);
        let mut response = Vec::new();
        self.shell(None).write(&mut JsonWriter::new(&mut response), |_| {});
        let response = String::from_utf8(response).unwrap_or_default();
        for kind in ["response.created", "response.in_progress"] {
            self.state.frames.write(out, kind, |w| w.field_raw("response", &response));
        }
    }

    fn block_start(&mut self, block: u32, start: &BlockStart<'_>, out: &mut Vec<u8>) {
        match start {
            BlockStart::Text | BlockStart::Refusal => {
                let is_refusal = matches!(start, BlockStart::Refusal);
                self.has_refusal |= is_refusal;
                let state = &mut self.state;
                let message = self.message.get_or_insert_with(|| OpenMessage::begin(state, out));
                message.part(state, block, is_refusal, out);
            }
            BlockStart::Thinking { is_summary, item_id } => {
                self.close_message("completed", out);
                self.close_thought(out);
                let item_id = item_id.as_deref();
                self.thought = Some(OpenThought::begin(&mut self.state, block, *is_summary, item_id, out));
            }
            BlockStart::ToolUse { .. } if self.calls.len() >= CALLS_MAX => {}
            BlockStart::ToolUse { id, name, is_custom, signature } => {
                self.close_message("completed", out);
                let call = crate::chat::ToolUse {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: "".into(),
                    is_custom: *is_custom,
                    signature: signature.clone(),
                };
                self.calls.push(OpenCall::begin(&mut self.state, block, &call, out));
            }
            BlockStart::Whole(kind) => self.whole(kind, out),
        }
    }

    fn whole(&mut self, kind: &BlockKind<'_>, out: &mut Vec<u8>) {
        let number = self.state.items + 1;
        let mut item = Vec::new();
        if !output::whole(&mut JsonWriter::new(&mut item), kind, &self.state.token, number) {
            return;
        }
        self.close_message("completed", out);
        let slot = self.state.new_item();
        self.state.item(out, slot, false, |w| w.raw(&String::from_utf8_lossy(&item)));
        self.state.item_done(out, slot, &item, 0);
    }

    fn delta(&mut self, block: u32, delta: &Delta<'_>, out: &mut Vec<u8>) {
        let state = &mut self.state;
        if let Some(message) = self.message.as_mut().filter(|message| message.is_open(block)) {
            match delta {
                Delta::Text(words) => message.say(state, words, out),
                Delta::Citation(citation) => message.cite(state, citation, out),
                Delta::Arguments(_) | Delta::Signature(_) => {}
            }
        } else if let Some(thought) = self.thought.as_mut().filter(|thought| thought.block == block) {
            match delta {
                Delta::Text(words) => thought.say(state, words, out),
                Delta::Signature(signature) => thought.sign(signature),
                Delta::Arguments(_) | Delta::Citation(_) => {}
            }
        } else if let Delta::Arguments(piece) = delta
            && let Some(call) = self.calls.iter_mut().find(|call| call.block == block)
        {
            call.add(state, piece, out);
        }
    }

    fn block_stop(&mut self, block: u32, out: &mut Vec<u8>) {
        let state = &mut self.state;
        if let Some(message) = self.message.as_mut().filter(|message| message.is_open(block)) {
            message.part_done(state, out);
        } else if self.thought.as_ref().is_some_and(|thought| thought.block == block) {
            self.close_thought(out);
        } else if let Some(at) = self.calls.iter().position(|call| call.block == block) {
            self.calls.remove(at).end(state, out);
        }
    }

    fn close_message(&mut self, status: &str, out: &mut Vec<u8>) {
        if let Some(message) = self.message.take() {
            message.end(&mut self.state, status, out);
        }
    }

    fn close_thought(&mut self, out: &mut Vec<u8>) {
        if let Some(thought) = self.thought.take() {
            thought.end(&mut self.state, out);
        }
    }

    fn stop(&mut self, reason: StopReason, out: &mut Vec<u8>) {
        self.reason = reason;
        let status = stop::ended(reason, self.has_refusal).item_status();
        self.close_message(status, out);
        self.close_thought(out);
        for call in std::mem::take(&mut self.calls) {
            call.end(&mut self.state, out);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.stop(self.reason, out);
        let ended = stop::ended(self.reason, self.has_refusal);
        let items: Vec<(u64, String)> = self.state.kept.items().to_vec();
        let mut response = Vec::new();
        self.shell(Some(ended)).write(&mut JsonWriter::new(&mut response), |w| {
            items.iter().for_each(|(_, item)| w.raw(item));
        });
        let response = String::from_utf8(response).unwrap_or_default();
        let kind = match ended {
            Ended::Completed => "response.completed",
            Ended::Incomplete(_) => "response.incomplete",
            Ended::Failed => "response.failed",
        };
        self.state.frames.write(out, kind, |w| w.field_raw("response", &response));
        // A part of an answer must not be taken for the whole.
        self.finished = (!self.state.kept.is_cut()).then_some(response);
        self.is_ended = true;
    }
}

impl EncodeStream for Encoder {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.is_ended {
            return;
        }
        match event {
            Event::Start { model, created, .. } => self.start(model, *created, out),
            Event::BlockStart { choice: 0, block, start } => self.block_start(*block, start, out),
            Event::Delta { choice: 0, block, delta } => self.delta(*block, delta, out),
            Event::BlockStop { choice: 0, block } => self.block_stop(*block, out),
            Event::Logprobs { choice: 0, json } => {
                if let Some(message) = &mut self.message {
                    message.logprobs(&mut self.state, json.as_str());
                }
            }
            Event::Stop { choice: 0, stop } => self.stop(stop.reason, out),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::End => self.end(out),
            // Nobody can ask for more than one answer in this protocol.
            Event::BlockStart { .. }
            | Event::Delta { .. }
            | Event::BlockStop { .. }
            | Event::Logprobs { .. }
            | Event::Stop { .. } => {}
        }
    }

    fn next_sequence(&self) -> u64 {
        self.state.frames.next()
    }

    fn response_id(&self) -> Option<&str> {
        Some(&self.id)
    }

    fn finished(&self) -> Option<&str> {
        self.finished()
    }
}
