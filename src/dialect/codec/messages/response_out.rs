//! An answer for a Messages client.

use super::part::{write_extra, write_extra_of_part};
use super::{client_block, stop, usage};
use crate::chat::{Choice, Response, Stop, StopReason, Text};
use crate::dialect::codec::Owed;
use crate::framing::json::JsonWriter;
use crate::types::Protocol;
use std::borrow::Cow;

/// Writes the `message`. Of several choices the first: this protocol's clients cannot ask for more.
pub fn encode_response(response: &Response<'_>, owed: &Owed, out: &mut Vec<u8>) {
    let choice = response.choices.first();
    // Only a blocked prompt has no answer at all.
    let blocked = Stop::new(StopReason::ContentFilter);
    let stop = choice.map_or(&blocked, |choice| &choice.stop);
    let extra = response.extra.for_protocol(Protocol::Messages);
    JsonWriter::new(out).object(|w| {
        write_head(&response.id, &response.model, owed, w);
        w.field_array("content", |w| write_blocks(choice, owed, w));
        write_stop(Some(stop), w);
        w.field_object("usage", |w| {
            usage::write(response.usage.as_ref(), response.service_tier.as_ref(), w);
            write_extra_of_part(w, extra, "usage");
        });
        write_extra(w, extra);
    });
}

fn write_blocks(choice: Option<&Choice<'_>>, owed: &Owed, w: &mut JsonWriter<'_>) {
    let blocks = choice.map(|choice| choice.blocks.as_slice()).unwrap_or_default();
    for (block, number) in blocks.iter().zip(0..) {
        client_block::write(block, owed, number, w);
    }
}

/// `id`, `type`, `role`, `model`.
pub(super) fn write_head(id: &str, model: &str, owed: &Owed, w: &mut JsonWriter<'_>) {
    let id: Text<'_> =
        if id.starts_with("msg_") { Cow::Borrowed(id) } else { Cow::Owned(format!("msg_{}", owed.token)) };
    w.field_str("id", &id);
    w.field_str("type", "message");
    w.field_str("role", "assistant");
    w.field_str("model", if model.is_empty() { &owed.model } else { model });
}

/// `stop_reason` and `stop_sequence`; nulls while there is none.
pub(super) fn write_stop(stop: Option<&Stop<'_>>, w: &mut JsonWriter<'_>) {
    w.key("stop_reason");
    match stop {
        Some(stop) => w.string(stop::word(stop)),
        None => w.null(),
    }
    w.key("stop_sequence");
    match stop.and_then(|stop| stop.sequence.as_deref()) {
        Some(sequence) => w.string(sequence),
        None => w.null(),
    }
}
