//! The reasoning item that is being streamed: one part, and a proof at its end.

use super::output;
use super::reasoning::{Item, part, signs_nothing_shown, slot_for_client};
use super::stream_out::{Slot, State};
use crate::chat::Signature;
use crate::framing::json::JsonWriter;

pub(super) struct OpenThought {
    pub(super) block: u32,
    slot: Slot,
    id: String,
    /// The thinking itself of a Responses upstream; everything else is shown as a summary.
    is_content: bool,
    /// Where nobody signs, it comes from an upstream of this protocol, and the slot stays empty.
    is_vendors: bool,
    text: String,
    has_part: bool,
    /// Bytes for which room was taken.
    counted: usize,
    signature: Option<Signature<'static>>,
}

impl OpenThought {
    pub(super) fn begin(
        state: &mut State,
        block: u32,
        is_summary: bool,
        item_id: Option<&str>,
        out: &mut Vec<u8>,
    ) -> Self {
        let slot = state.new_item();
        let id = item_id.map_or_else(|| output::item_id("rs", &state.token, slot.number), str::to_owned);
        state.item(out, slot, false, |w| Item { id: Some(&id), ..Default::default() }.write(w));
        Self {
            block,
            slot,
            id,
            is_content: !is_summary && item_id.is_some(),
            is_vendors: item_id.is_some(),
            text: String::new(),
            has_part: false,
            counted: 0,
            signature: None,
        }
    }

    fn kinds(&self) -> Kinds {
        if self.is_content { CONTENT } else { SUMMARY }
    }

    /// Members that name the part in an event.
    fn place(&self, w: &mut JsonWriter<'_>) {
        w.field_str("item_id", &self.id);
        w.field_u64("output_index", self.slot.index);
        w.field_u64(self.kinds().index, 0);
    }

    pub(super) fn say(&mut self, state: &mut State, words: &str, out: &mut Vec<u8>) {
        let kinds = self.kinds();
        if !std::mem::replace(&mut self.has_part, true) {
            state.frames.write(out, kinds.part_added, |w| {
                self.place(w);
                w.key("part");
                part(w, kinds.part, "");
            });
        }
        if words.is_empty() {
            return;
        }
        state.frames.write(out, kinds.delta, |w| {
            self.place(w);
            w.field_str("delta", words);
        });
        self.counted += state.kept.append(&mut self.text, words);
    }

    pub(super) fn sign(&mut self, signature: &Signature<'_>) {
        self.signature = Some(signature.to_static());
    }

    pub(super) fn end(mut self, state: &mut State, out: &mut Vec<u8>) {
        if signs_nothing_shown(&self.text, self.signature.as_ref()) {
            self.say(state, "", out);
        }
        let kinds = self.kinds();
        if self.has_part {
            state.frames.write(out, kinds.done, |w| {
                self.place(w);
                w.field_str("text", &self.text);
            });
            state.frames.write(out, kinds.part_done, |w| {
                self.place(w);
                w.key("part");
                part(w, kinds.part, &self.text);
            });
        }
        let signature = self.signature.as_ref();
        let is_empty = signature.is_none() && self.is_vendors;
        let slot = (!is_empty).then(|| slot_for_client(signature));
        let text = self.has_part.then_some(self.text.as_str());
        let (summary, content) = if self.is_content { (None, text) } else { (text, None) };
        let mut item = Vec::new();
        Item { id: Some(&self.id), summary, content, encrypted: slot.as_deref() }
            .write(&mut JsonWriter::new(&mut item));
        state.item_done(out, self.slot, &item, self.counted);
    }
}

/// The event names of one sort of part.
#[derive(Clone, Copy)]
struct Kinds {
    part: &'static str,
    index: &'static str,
    part_added: &'static str,
    delta: &'static str,
    done: &'static str,
    part_done: &'static str,
}

const SUMMARY: Kinds = Kinds {
    part: "summary_text",
    index: "summary_index",
    part_added: "response.reasoning_summary_part.added",
    delta: "response.reasoning_summary_text.delta",
    done: "response.reasoning_summary_text.done",
    part_done: "response.reasoning_summary_part.done",
};

const CONTENT: Kinds = Kinds {
    part: "reasoning_text",
    index: "content_index",
    part_added: "response.content_part.added",
    delta: "response.reasoning_text.delta",
    done: "response.reasoning_text.done",
    part_done: "response.content_part.done",
};
