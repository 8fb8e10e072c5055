//! A whole answer for a client.

use crate::chat::{
    Block, BlockKind, Choice, Extra, Media, Response, Source, Stop, StopReason, Text, ToolUse, pack_id,
};
use crate::dialect::codec::Owed;
use crate::framing::json::JsonWriter;
use crate::types::Protocol;

use super::{audio, calls, citation, details, extra, media, stop, usage};

/// Writes a whole answer as a `chat.completion`.
pub fn encode_response(response: &Response<'_>, owed: &Owed, out: &mut Vec<u8>) {
    JsonWriter::new(out).object(|w| {
        w.key("id");
        id(&response.id, response.from == Protocol::Chat, owed, w);
        w.field_str("object", "chat.completion");
        w.field_u64("created", response.created.unwrap_or(owed.created));
        w.field_str("model", if response.model.is_empty() { &owed.model } else { &response.model });
        w.field_array("choices", |w| {
            for (number, choice) in response.choices.iter().enumerate() {
                write_choice(choice, number, owed, w);
            }
            if response.choices.is_empty() {
                write_choice(&blocked(), 0, owed, w);
            }
        });
        if let Some(used) = &response.usage {
            w.key("usage");
            usage::write(used, w);
        }
        w.field_opt_str("service_tier", response.service_tier.as_deref());
        extra::write(&response.extra, &[], w);
    });
}

/// The id in chat's form.
pub(super) fn id(id: &str, is_own: bool, owed: &Owed, w: &mut JsonWriter<'_>) {
    if id.starts_with("chatcmpl-") || (is_own && !id.is_empty()) {
        w.string(id);
    } else {
        w.string_of(["chatcmpl-", &owed.token]);
    }
}

/// A prompt that was blocked has no choices; clients expect one.
fn blocked() -> Choice<'static> {
    Choice {
        index: 0,
        blocks: Vec::new(),
        stop: Stop::new(StopReason::ContentFilter),
        logprobs: None,
        extra: Extra::none(),
    }
}

fn write_choice(choice: &Choice<'_>, number: usize, owed: &Owed, w: &mut JsonWriter<'_>) {
    w.object(|w| {
        w.field_u64("index", u64::from(choice.index));
        w.field_object("message", |w| message(choice, number, owed, w));
        match &choice.logprobs {
            Some(json) => w.field_raw("logprobs", json.as_str()),
            None => w.field_null("logprobs"),
        }
        let has_refusal = choice.blocks.iter().any(|block| matches!(block.kind, BlockKind::Refusal(_)));
        stop::write(&choice.stop, has_refusal, w);
        extra::write(&choice.extra, &["message"], w);
    });
}

fn message(choice: &Choice<'_>, number: usize, owed: &Owed, w: &mut JsonWriter<'_>) {
    let texts = || choice.blocks.iter().filter_map(Block::as_text);
    w.field_str("role", "assistant");
    w.key("content");
    if texts().next().is_some() {
        w.string_of(texts())
    } else {
        w.null()
    }
    let refusals = || {
        choice.blocks.iter().filter_map(|block| match &block.kind {
            BlockKind::Refusal(text) => Some(text.as_ref()),
            _ => None,
        })
    };
    w.key("refusal");
    if refusals().next().is_some() {
        w.string_of(refusals())
    } else {
        w.null()
    }
    annotations(choice, w);
    thinking(choice, w);
    media_of(choice, owed, w);
    tool_calls(choice, number, owed, w);
    extra::write_inner(&choice.extra, "message", w);
}

fn annotations(choice: &Choice<'_>, w: &mut JsonWriter<'_>) {
    let has_any = choice
        .blocks
        .iter()
        .any(|block| matches!(&block.kind, BlockKind::Text { citations, .. } if !citations.is_empty()));
    if !has_any {
        return;
    }
    w.field_array("annotations", |w| {
        let mut from = 0u64;
        for block in &choice.blocks {
            let BlockKind::Text { text, citations } = &block.kind else { continue };
            let to = from + text.chars().count() as u64;
            for cited in citations {
                citation::write(cited, (from, to), w);
            }
            from = to;
        }
    });
}

fn thinking(choice: &Choice<'_>, w: &mut JsonWriter<'_>) {
    let texts = || {
        choice.blocks.iter().filter_map(|block| match &block.kind {
            BlockKind::Thinking(thinking) if !thinking.text.is_empty() => Some(thinking.text.as_ref()),
            _ => None,
        })
    };
    if texts().next().is_some() {
        w.key("reasoning_content");
        // Nothing between them: a stream's deltas come to the same.
        w.string_of(texts());
    }
    let is_thinking =
        |block: &&Block<'_>| matches!(block.kind, BlockKind::Thinking(_) | BlockKind::Redacted(_));
    if choice.blocks.iter().any(|block| is_thinking(&block)) {
        w.field_array("reasoning_details", |w| {
            for (index, block) in (0u32..).zip(choice.blocks.iter().filter(is_thinking)) {
                match &block.kind {
                    BlockKind::Thinking(thinking) => details::write_thinking(thinking, index, w),
                    BlockKind::Redacted(signature) => details::write_hidden(signature, index, w),
                    _ => {}
                }
            }
        });
    }
}

/// Sound in OpenAI's field, pictures in OpenRouter's.
fn media_of(choice: &Choice<'_>, owed: &Owed, w: &mut JsonWriter<'_>) {
    let sound = choice.blocks.iter().find_map(|block| match &block.kind {
        BlockKind::Audio(media) => Some((media, &block.extra)),
        _ => None,
    });
    if let Some((media, rest)) = sound {
        audio::write(media, rest, &owed.token, w);
    }
    let images = || {
        choice.blocks.iter().filter_map(|block| match &block.kind {
            BlockKind::Image(media) => Some(media),
            _ => None,
        })
    };
    if images().next().is_some() {
        w.field_array("images", |w| images().for_each(|media| image(media, w)));
    }
}

/// One element of `images`.
pub(super) fn image(media: &Media<'_>, w: &mut JsonWriter<'_>) {
    w.object(|w| {
        w.field_str("type", "image_url");
        w.field_object("image_url", |w| {
            w.key("url");
            match &media.source {
                Source::Base64(data) => {
                    let mime = media.mime.as_deref().unwrap_or_else(|| media::guess(data));
                    w.string_of(["data:", mime, ";base64,", data]);
                }
                Source::Url(url) => w.string(url),
                Source::File { id, .. } => w.string(id),
                Source::Text(text) => w.string(text),
            }
        });
    });
}

fn tool_calls(choice: &Choice<'_>, number: usize, owed: &Owed, w: &mut JsonWriter<'_>) {
    let calls = || {
        choice.blocks.iter().filter_map(|block| match &block.kind {
            BlockKind::ToolUse(call) => Some((call, &block.extra)),
            _ => None,
        })
    };
    if calls().next().is_none() {
        return;
    }
    w.field_array("tool_calls", |w| {
        for (place, (call, rest)) in calls().enumerate() {
            let id = call_id(call, (number, place), owed);
            calls::write(call, &pack_id(&id, call.signature.as_ref()), true, rest, w);
        }
    });
}

/// The call's id, or one made of its place where the provider gives none.
pub(super) fn call_id<'c>(call: &'c ToolUse<'_>, place: (usize, usize), owed: &Owed) -> Text<'c> {
    if call.id.is_empty() { made_id(place, owed) } else { Text::Borrowed(&call.id) }
}

pub(super) fn made_id((choice, place): (usize, usize), owed: &Owed) -> Text<'static> {
    let token = owed.token.get(..16).unwrap_or(&owed.token);
    Text::Owned(format!("call_{token}_{choice}_{place}"))
}
