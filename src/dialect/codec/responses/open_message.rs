//! The message that is being streamed: finished parts, and the one that is open.

use super::stream_out::{Slot, State};
use super::{citations, output};
use crate::chat::{Citation, Extra};
use crate::framing::json::JsonWriter;

pub(super) struct OpenMessage {
    slot: Slot,
    id: String,
    /// The finished parts as JSON, with commas between.
    parts: String,
    count: u64,
    part: Option<Part>,
    /// Bytes for which room was taken.
    counted: usize,
}

struct Part {
    block: u32,
    is_refusal: bool,
    text: String,
    /// Elements, with commas between.
    annotations: String,
    cited: u64,
    logprobs: String,
    /// It will be in the finished message.
    is_kept: bool,
}

impl Part {
    fn write(&self, w: &mut JsonWriter<'_>) {
        if self.is_refusal {
            return output::refusal_part(w, &self.text);
        }
        let annotations = |w: &mut JsonWriter<'_>| {
            if !self.annotations.is_empty() {
                w.raw(&self.annotations);
            }
        };
        output::text_part(w, &self.text, annotations, &self.logprobs);
    }
}

/// Appends an element to a list kept as text: the bytes that took.
fn push(list: &mut String, state: &mut State, element: &str) -> usize {
    let comma = if list.is_empty() { "" } else { "," };
    state.kept.append_whole(list, &format!("{comma}{element}"))
}

impl OpenMessage {
    pub(super) fn begin(state: &mut State, out: &mut Vec<u8>) -> Self {
        let slot = state.new_item();
        let id = output::item_id("msg", &state.token, slot.number);
        state.item(out, slot, false, |w| {
            output::message(w, &id, "in_progress", &Extra::none(), |_| {});
        });
        Self { slot, id, parts: String::new(), count: 0, part: None, counted: 0 }
    }

    /// Whether `block` is its open part.
    pub(super) fn is_open(&self, block: u32) -> bool {
        self.part.as_ref().is_some_and(|part| part.block == block)
    }

    /// Members that name the part in an event.
    fn place(&self, w: &mut JsonWriter<'_>) {
        w.field_str("item_id", &self.id);
        w.field_u64("output_index", self.slot.index);
        w.field_u64("content_index", self.count);
    }

    /// Begins a part.
    pub(super) fn part(&mut self, state: &mut State, block: u32, is_refusal: bool, out: &mut Vec<u8>) {
        self.part_done(state, out);
        let room = state.kept.part();
        self.counted += room.unwrap_or(0);
        let part = Part {
            block,
            is_refusal,
            text: String::new(),
            annotations: String::new(),
            cited: 0,
            logprobs: String::new(),
            is_kept: room.is_some(),
        };
        state.frames.write(out, "response.content_part.added", |w| {
            self.place(w);
            w.key("part");
            part.write(w);
        });
        self.part = Some(part);
    }

    pub(super) fn say(&mut self, state: &mut State, words: &str, out: &mut Vec<u8>) {
        let Some(mut part) = self.part.take() else { return };
        let is_refusal = part.is_refusal;
        let kind = if is_refusal { "response.refusal.delta" } else { "response.output_text.delta" };
        state.frames.write(out, kind, |w| {
            self.place(w);
            w.field_str("delta", words);
            if !is_refusal {
                w.field_array("logprobs", |_| {});
            }
        });
        self.counted += state.kept.append(&mut part.text, words);
        self.part = Some(part);
    }

    pub(super) fn cite(&mut self, state: &mut State, citation: &Citation<'_>, out: &mut Vec<u8>) {
        let Some(mut part) = self.part.take() else { return };
        let mut json = Vec::new();
        if citations::write_one(&mut JsonWriter::new(&mut json), citation) {
            let json = String::from_utf8(json).unwrap_or_default();
            state.frames.write(out, "response.output_text.annotation.added", |w| {
                self.place(w);
                w.field_u64("annotation_index", part.cited);
                w.field_raw("annotation", &json);
            });
            part.cited += 1;
            self.counted += push(&mut part.annotations, state, &json);
        }
        self.part = Some(part);
    }

    /// Log probabilities are told when the part is done.
    pub(super) fn logprobs(&mut self, state: &mut State, json: &str) {
        let elements = output::logprob_elements(json);
        if let (Some(part), false) = (&mut self.part, elements.is_empty()) {
            self.counted += push(&mut part.logprobs, state, &elements);
        }
    }

    pub(super) fn part_done(&mut self, state: &mut State, out: &mut Vec<u8>) {
        let Some(part) = self.part.take() else { return };
        if part.is_refusal {
            state.frames.write(out, "response.refusal.done", |w| {
                self.place(w);
                w.field_str("refusal", &part.text);
            });
        } else {
            state.frames.write(out, "response.output_text.done", |w| {
                self.place(w);
                w.field_str("text", &part.text);
                w.field_array("logprobs", |w| {
                    if !part.logprobs.is_empty() {
                        w.raw(&part.logprobs);
                    }
                });
            });
        }
        let mut json = Vec::new();
        part.write(&mut JsonWriter::new(&mut json));
        let json = String::from_utf8(json).unwrap_or_default();
        state.frames.write(out, "response.content_part.done", |w| {
            self.place(w);
            w.field_raw("part", &json);
        });
        self.count += 1;
        if part.is_kept {
            if !self.parts.is_empty() {
                self.parts.push(',');
            }
            self.parts.push_str(&json);
        }
    }

    pub(super) fn end(mut self, state: &mut State, status: &str, out: &mut Vec<u8>) {
        self.part_done(state, out);
        let mut item = Vec::new();
        output::message(&mut JsonWriter::new(&mut item), &self.id, status, &Extra::none(), |w| {
            if !self.parts.is_empty() {
                w.raw(&self.parts);
            }
        });
        state.item_done(out, self.slot, &item, self.counted);
    }
}
