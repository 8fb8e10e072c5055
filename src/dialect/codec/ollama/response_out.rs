//! A whole answer for a client.

use crate::chat::{Block, BlockKind, Choice, Response, StopReason, Text, pack_id};
use crate::dialect::codec::Owed;
use crate::framing::json::{Duplicates, JsonWriter, parse};
use crate::types::utc;

use super::calls::Out;
use super::{extra, images, stop, usage};

/// Writes a whole answer. Ollama gives one: the first choice counts.
pub fn encode_response(response: &Response<'_>, owed: &Owed, out: &mut Vec<u8>) {
    let choice = response.choices.first();
    let reason = choice.map_or(StopReason::ContentFilter, |choice| choice.stop.reason);
    JsonWriter::new(out).object(|w| {
        head(&response.model, response.created, owed, w);
        w.field_object("message", |w| match choice {
            Some(choice) => message(choice, owed, w),
            None => {
                w.field_str("role", "assistant");
                w.field_str("content", "");
            }
        });
        if let Some(json) = choice.and_then(|choice| choice.logprobs.as_ref()) {
            logprobs(json.as_str(), w);
        }
        w.field_bool("done", true);
        w.field_str("done_reason", stop::word(reason));
        if let Some(used) = &response.usage {
            usage::write(used, w);
        }
        extra::write(&response.extra, &[], w);
    });
}

/// What every answer and every line begins with.
pub(super) fn head(model: &str, created: Option<u64>, owed: &Owed, w: &mut JsonWriter<'_>) {
    w.field_str("model", if model.is_empty() { &owed.model } else { model });
    w.field_str("created_at", &utc::rfc3339(created.unwrap_or(owed.created)));
}

fn message(choice: &Choice<'_>, owed: &Owed, w: &mut JsonWriter<'_>) {
    let texts = choice.blocks.iter().filter_map(|block| match &block.kind {
        BlockKind::Text { text, .. } | BlockKind::Refusal(text) => Some(text.as_ref()),
        _ => None,
    });
    w.field_str("role", "assistant");
    w.key("content");
    w.string_of(texts);
    let thoughts: Vec<&str> = choice.blocks.iter().filter_map(thought).collect();
    if !thoughts.is_empty() {
        w.key("thinking");
        // As a stream tells its pieces: with nothing between them.
        w.string_of(thoughts);
    }
    images::write(choice.blocks.iter().filter_map(images::data), w);
    let calls = || {
        choice.blocks.iter().filter_map(|block| match &block.kind {
            BlockKind::ToolUse(call) => Some((block, call)),
            _ => None,
        })
    };
    if calls().next().is_some() {
        w.field_array("tool_calls", |w| {
            for (index, (block, call)) in calls().enumerate() {
                let own = call_id(&call.id, index, owed);
                let id = pack_id(&own, call.signature.as_ref());
                Out { call, name: &call.name, id: &id, index }.write(&block.extra, w);
            }
        });
    }
    extra::write(&choice.extra, &[], w);
}

fn thought<'b>(block: &'b Block<'_>) -> Option<&'b str> {
    match &block.kind {
        BlockKind::Thinking(thinking) if !thinking.text.is_empty() => Some(&thinking.text),
        _ => None,
    }
}

/// The call's id, or one made of its place where the provider gives none.
pub(super) fn call_id<'i>(id: &'i str, index: usize, owed: &Owed) -> Text<'i> {
    if !id.is_empty() {
        return Text::Borrowed(id);
    }
    let token = owed.token.get(..16).unwrap_or(&owed.token);
    Text::Owned(format!("call_{token}_{index}"))
}

/// OpenAI's `content` list is what Ollama has under `logprobs`.
pub(super) fn logprobs(json: &str, w: &mut JsonWriter<'_>) {
    let Ok(node) = parse(json, Duplicates::LastCounts) else { return };
    if let Some(list) = node.get("content").filter(|list| list.is_array()) {
        w.field_raw("logprobs", list.raw());
    }
}
