//! A call that is being streamed.

use super::items_out::or_empty_object;
use super::output;
use super::stream_out::{Slot, State};
use crate::chat::{Extra, ToolUse};
use crate::framing::json::JsonWriter;

pub(super) struct OpenCall {
    pub(super) block: u32,
    slot: Slot,
    id: String,
    call_id: String,
    /// Its arguments as far as they came.
    call: ToolUse<'static>,
    arguments: String,
    /// Bytes for which room was taken.
    counted: usize,
}

impl OpenCall {
    pub(super) fn begin(state: &mut State, block: u32, call: &ToolUse<'_>, out: &mut Vec<u8>) -> Self {
        let slot = state.new_item();
        let id = output::item_id(if call.is_custom { "ctc" } else { "fc" }, &state.token, slot.number);
        let call_id = output::call_id(call, &state.token, slot.number);
        let call = ToolUse {
            id: call_id.clone().into(),
            name: call.name.clone().into_owned().into(),
            arguments: "".into(),
            is_custom: call.is_custom,
            signature: None,
        };
        state.item(out, slot, false, |w| {
            output::call(w, &id, &call_id, &call, "in_progress", &Extra::none());
        });
        Self { block, slot, id, call_id, call, arguments: String::new(), counted: 0 }
    }

    fn place(&self, w: &mut JsonWriter<'_>) {
        w.field_str("item_id", &self.id);
        w.field_u64("output_index", self.slot.index);
    }

    pub(super) fn add(&mut self, state: &mut State, piece: &str, out: &mut Vec<u8>) {
        self.tell(state, piece, out);
        self.counted += state.kept.append(&mut self.arguments, piece);
    }

    fn tell(&self, state: &mut State, piece: &str, out: &mut Vec<u8>) {
        let kind = match self.call.is_custom {
            true => "response.custom_tool_call_input.delta",
            false => "response.function_call_arguments.delta",
        };
        state.frames.write(out, kind, |w| {
            self.place(w);
            w.field_str("delta", piece);
        });
    }

    pub(super) fn end(mut self, state: &mut State, out: &mut Vec<u8>) {
        let is_custom = self.call.is_custom;
        // Clients parse the arguments: none are an empty object.
        if !is_custom && self.arguments.trim().is_empty() {
            self.arguments = or_empty_object("").to_owned();
            self.tell(state, &self.arguments, out);
        }
        let (kind, key) = match is_custom {
            true => ("response.custom_tool_call_input.done", "input"),
            false => ("response.function_call_arguments.done", "arguments"),
        };
        state.frames.write(out, kind, |w| {
            self.place(w);
            if !is_custom {
                w.field_str("name", &self.call.name);
            }
            w.field_str(key, &self.arguments);
        });
        self.call.arguments = std::mem::take(&mut self.arguments).into();
        let mut item = Vec::new();
        let w = &mut JsonWriter::new(&mut item);
        output::call(w, &self.id, &self.call_id, &self.call, "completed", &Extra::none());
        state.item_done(out, self.slot, &item, self.counted);
    }
}
