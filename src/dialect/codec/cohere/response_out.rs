//! A whole answer for a client.

use crate::chat::{Block, BlockKind, Choice, Response, StopReason, Text, ToolUse, pack_id};
use crate::dialect::codec::Owed;
use crate::framing::json::JsonWriter;

use super::{calls, citation, extra, stop, thinking, usage};

/// Writes a whole answer. Cohere gives one: the first choice counts.
pub fn encode_response(response: &Response<'_>, owed: &Owed, out: &mut Vec<u8>) {
    let choice = response.choices.first();
    let reason = choice.map_or(StopReason::ContentFilter, |choice| choice.stop.reason);
    JsonWriter::new(out).object(|w| {
        w.field_str("id", id(&response.id, owed));
        w.field_str("finish_reason", stop::word(reason));
        w.field_object("message", |w| {
            w.field_str("role", "assistant");
            if let Some(choice) = choice {
                message(choice, owed, w);
            }
        });
        if let Some(used) = &response.usage {
            w.key("usage");
            usage::write(used, w);
        }
        extra::write(&response.extra, &[], w);
    });
}

pub(super) fn id<'i>(id: &'i str, owed: &'i Owed) -> &'i str {
    if id.is_empty() { &owed.token } else { id }
}

fn message(choice: &Choice<'_>, owed: &Owed, w: &mut JsonWriter<'_>) {
    if choice.blocks.iter().any(is_part) {
        w.field_array("content", |w| {
            choice.blocks.iter().filter(|block| is_part(block)).for_each(|block| part(block, w));
        });
    }
    thinking::write_plan(&choice.blocks, w);
    let calls = || {
        choice.blocks.iter().filter_map(|block| match &block.kind {
            BlockKind::ToolUse(call) => Some((block, call)),
            _ => None,
        })
    };
    if calls().next().is_some() {
        w.field_array("tool_calls", |w| {
            for (place, (block, call)) in calls().enumerate() {
                let id = call_id(call, place, owed);
                let id = pack_id(&id, call.signature.as_ref());
                calls::write(block, call, (&id, &call.name), w);
            }
        });
    }
    citations(choice, w);
    extra::write(&choice.extra, &[], w);
}

fn is_part(block: &Block<'_>) -> bool {
    match &block.kind {
        BlockKind::Thinking(thought) => !thinking::is_plan(thought),
        kind => matches!(kind, BlockKind::Text { .. } | BlockKind::Refusal(_) | BlockKind::Redacted(_)),
    }
}

fn part(block: &Block<'_>, w: &mut JsonWriter<'_>) {
    match &block.kind {
        BlockKind::Text { text, .. } | BlockKind::Refusal(text) => w.object(|w| {
            w.field_str("type", "text");
            w.field_str("text", text);
        }),
        BlockKind::Thinking(thought) => thinking::write(thought, w),
        BlockKind::Redacted(signature) => thinking::write_hidden(signature, w),
        _ => {}
    }
}

/// The call's id, or one made of its place where the provider gives none.
fn call_id<'c>(call: &'c ToolUse<'_>, place: usize, owed: &Owed) -> Text<'c> {
    if call.id.is_empty() { made_id(place, owed) } else { Text::Borrowed(&call.id) }
}

pub(super) fn made_id(place: usize, owed: &Owed) -> Text<'static> {
    let token = owed.token.get(..16).unwrap_or(&owed.token);
    Text::Owned(format!("call_{token}_{place}"))
}

fn citations(choice: &Choice<'_>, w: &mut JsonWriter<'_>) {
    let is_cited =
        |block: &Block<'_>| matches!(&block.kind, BlockKind::Text { citations, .. } if !citations.is_empty());
    if !choice.blocks.iter().any(is_cited) {
        return;
    }
    w.field_array("citations", |w| {
        let mut from = 0u64;
        for (index, block) in choice.blocks.iter().filter(|block| is_part(block)).enumerate() {
            let BlockKind::Text { text, citations } = &block.kind else { continue };
            let span = (from, from + text.chars().count() as u64);
            for cited in citations {
                citation::write(cited, &citation::Place { span, index: index as u64, text }, w);
            }
            from = span.1;
        }
    });
}
