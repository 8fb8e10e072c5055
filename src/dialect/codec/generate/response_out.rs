//! A `GenerateContentResponse`, written for a client.

use super::names::{has_extra, write_extra};
use super::part_out::{For, Lowering, Outgoing};
use super::{grounding, logprobs, stop, usage};
use crate::chat::{BlockKind, Choice, Response, StopReason};
use crate::dialect::codec::Owed;
use crate::framing::json::JsonWriter;
use crate::types::{Protocol, utc};

/// Appends the answer as Google's clients read it.
pub fn encode_response(response: &Response<'_>, owed: &Owed, out: &mut Vec<u8>) {
    JsonWriter::new(out).object(|w| {
        if !is_blocked_prompt(response) {
            w.field_array("candidates", |w| {
                response.choices.iter().for_each(|choice| write_choice(w, choice, response.from, owed));
            });
        }
        if let Some(told) = &response.usage {
            usage::write(w, told, response.service_tier.as_deref(), &response.extra);
        }
        let model = if response.model.is_empty() { &owed.model } else { response.model.as_ref() };
        w.field_str("modelVersion", model);
        w.field_str("createTime", &utc::rfc3339(response.created.unwrap_or(owed.created)));
        let id = if response.id.is_empty() { &owed.token } else { response.id.as_ref() };
        w.field_str("responseId", id);
        write_extra(w, &response.extra, "");
    });
}

/// Gemini itself refused the prompt: its feedback, in the leftovers, stands in place of an answer.
fn is_blocked_prompt(response: &Response<'_>) -> bool {
    let feedback = response.extra.for_protocol(Protocol::Generate);
    let is_blank = |choice: &Choice<'_>| {
        choice.blocks.is_empty() && choice.stop.reason == StopReason::ContentFilter && choice.extra.is_empty()
    };
    feedback.iter().any(|field| field.name == "promptFeedback") && response.choices.iter().all(is_blank)
}

fn write_choice(w: &mut JsonWriter<'_>, choice: &Choice<'_>, from: Protocol, owed: &Owed) {
    let prefix = format!("call_{}_{}", owed.token, choice.index);
    let mut lowering = Lowering::new(For::Client(&prefix));
    choice.blocks.iter().for_each(|block| lowering.block(block));
    let parts = lowering.finish();
    w.object(|w| {
        write_content(w, &parts);
        w.field_str("finishReason", stop::native(&choice.stop, from));
        if !has_own(choice, "finishMessage") {
            w.field_opt_str("finishMessage", stop::message(&choice.stop, from));
        }
        w.field_u64("index", u64::from(choice.index));
        if !has_own(choice, "groundingMetadata") && !has_own(choice, "citationMetadata") {
            let texts = choice.blocks.iter().filter_map(|block| match &block.kind {
                BlockKind::Text { text, citations } => Some((text, citations)),
                _ => None,
            });
            let cited =
                texts.flat_map(|(text, citations)| citations.iter().map(move |one| (one, text.as_ref())));
            grounding::write(w, cited);
        }
        if let Some(given) = choice.logprobs.as_ref().filter(|_| !has_own(choice, "logprobsResult")) {
            logprobs::write(w, given);
        }
        write_extra(w, &choice.extra, "");
    });
}

fn has_own(choice: &Choice<'_>, name: &str) -> bool {
    has_extra(&choice.extra, "") && choice.extra.get(name).is_some()
}

/// The member `content`. Google's own chat clients forget a turn whose answer has no part at all.
pub(super) fn write_content(w: &mut JsonWriter<'_>, parts: &[Outgoing<'_>]) {
    w.field_object("content", |w| {
        w.field_array("parts", |w| {
            if parts.is_empty() {
                w.object(|w| w.field_str("text", ""));
            }
            parts.iter().for_each(|part| part.write(w));
        });
        w.field_str("role", "model");
    });
}
