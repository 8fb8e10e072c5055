//! An answer, written for a client of Converse.

use super::blocks_out::{self, ResultForm, extra};
use super::media::Names;
use super::{HERE, stop, usage};
use crate::chat::{Block, BlockKind, Response, Stop, StopReason, Text, pack_id};
use crate::dialect::codec::Owed;
use crate::framing::json::JsonWriter;

/// Appends the body. Converse has one choice, and neither id, model nor time.
pub fn encode_response(response: &Response<'_>, owed: &Owed, out: &mut Vec<u8>) {
    let nothing = Stop::new(StopReason::ContentFilter);
    let choice = response.choices.first();
    let stop = choice.map_or(&nothing, |choice| &choice.stop);
    let is_own = response.from == HERE;
    JsonWriter::new(out).object(|w| {
        w.field_object("output", |w| {
            w.field_object("message", |w| {
                w.field_str("role", "assistant");
                w.field_array("content", |w| {
                    let mut names = Names::default();
                    let mut calls = 0;
                    for block in choice.map(|choice| choice.blocks.as_slice()).unwrap_or_default() {
                        if let BlockKind::ToolUse(call) = &block.kind {
                            let own = call_id(&call.id, calls, owed);
                            let id = pack_id(&own, call.signature.as_ref());
                            blocks_out::call(call, (&id, &call.name), &block.extra, w);
                            calls += 1;
                            continue;
                        }
                        self::block(block, is_own, &mut names, w);
                    }
                });
                if let Some(choice) = choice {
                    extra(&choice.extra, w);
                }
            });
        });
        w.field_str("stopReason", stop::word(stop));
        // Bedrock's API requires the counts, and clients read them without asking.
        w.key("usage");
        usage::write(&response.usage.unwrap_or_default(), w);
        if !response.extra.for_protocol(HERE).iter().any(|field| field.name == "metrics") {
            metrics(w);
        }
        if let Some(tier) = response.service_tier.as_deref().filter(|tier| is_tier(tier)) {
            w.field_object("serviceTier", |w| w.field_str("type", tier));
        }
        if let Some(sequence) = &stop.sequence
            && response.extra.get("additionalModelResponseFields").is_none()
        {
            w.field_object("additionalModelResponseFields", |w| w.field_str("stop_sequence", sequence));
        }
        extra(&response.extra, w);
    });
}

/// The call's id, or one made of its place where the provider gives none.
pub(super) fn call_id<'i>(id: &'i str, place: u64, owed: &Owed) -> Text<'i> {
    if !id.is_empty() {
        return Text::Borrowed(id);
    }
    let token = owed.token.get(..16).unwrap_or(&owed.token);
    Text::Owned(format!("tooluse_{token}_{place}"))
}

/// SDKs' models want a latency. How long the provider took is not told here.
pub(super) fn metrics(w: &mut JsonWriter<'_>) {
    w.field_object("metrics", |w| w.field_u64("latencyMs", 0));
}

fn is_tier(word: &str) -> bool {
    ["priority", "default", "flex", "reserved"].contains(&word)
}

fn block(block: &Block<'_>, is_own: bool, names: &mut Names, w: &mut JsonWriter<'_>) {
    match &block.kind {
        BlockKind::Text { text, .. } | BlockKind::Refusal(text) if text.is_empty() => {}
        BlockKind::ToolResult(result) => {
            blocks_out::result((result, &result.id, &block.extra), ResultForm::Text, is_own, names, w);
        }
        _ => blocks_out::block(block, is_own, names, w),
    }
}
