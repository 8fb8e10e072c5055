//! Content blocks, written.

use super::blocks_in::GUARDED;
use super::media::{self, BASE64, Kind, Names};
use super::{HERE, NATIVE};
use crate::chat::{
    Block, BlockKind, CacheHint, Citation, Extra, Media, Signature, Thinking, ToolResult, ToolUse,
};
use crate::framing::json::{Duplicates, JsonWriter, parse};
use base64::Engine;

/// Writes the fields that were Bedrock's own.
pub(super) fn extra(extra: &Extra<'_>, w: &mut JsonWriter<'_>) {
    for field in extra.for_protocol(HERE) {
        w.field_raw(&field.name, field.value.as_str());
    }
}

pub(super) fn text(words: &str, w: &mut JsonWriter<'_>) {
    w.object(|w| w.field_str("text", words));
}

/// `{"cachePoint":{"type":"default"}}`. Five minutes are the default, and older models know no other:
/// only who speaks Bedrock's own protocol gets them spelled out.
pub(super) fn cache_point(hint: &CacheHint<'_>, is_own: bool, w: &mut JsonWriter<'_>) {
    w.object(|w| {
        w.field_object("cachePoint", |w| {
            w.field_str("type", "default");
            match hint.ttl_s {
                Some(ttl) if ttl >= CacheHint::ONE_HOUR => w.field_str("ttl", "1h"),
                Some(_) if is_own => w.field_str("ttl", "5m"),
                _ => {}
            }
            extra(&hint.extra, w);
        });
    });
}

/// Writes a block that is no call and no result; nothing for one that Converse has no form for.
pub(super) fn block(block: &Block<'_>, is_own: bool, names: &mut Names, w: &mut JsonWriter<'_>) {
    if block.extra.for_protocol(HERE).iter().any(|field| field.name == GUARDED) {
        return w.object(|w| extra(&block.extra, w));
    }
    match &block.kind {
        BlockKind::Text { text: words, citations } => cited(words, citations, w),
        BlockKind::Refusal(words) => text(words, w),
        BlockKind::Image(m) => medium(m, Kind::Image, block, is_own, names, w),
        BlockKind::Document(m) => medium(m, Kind::Document, block, is_own, names, w),
        BlockKind::Audio(m) => medium(m, Kind::Audio, block, is_own, names, w),
        BlockKind::Video(m) => medium(m, Kind::Video, block, is_own, names, w),
        BlockKind::Thinking(thinking) => w.object(|w| {
            w.field_object("reasoningContent", |w| reasoning(thinking, w));
        }),
        BlockKind::Redacted(signature) => w.object(|w| {
            w.field_object("reasoningContent", |w| w.field_str("redactedContent", &blob(signature)));
        }),
        BlockKind::Opaque { of, json, .. } if *of == HERE => w.raw(json.as_str()),
        BlockKind::Opaque { .. } | BlockKind::ToolUse(_) | BlockKind::ToolResult(_) => {}
    }
}

fn medium(
    media: &Media<'_>,
    kind: Kind,
    block: &Block<'_>,
    is_own: bool,
    names: &mut Names,
    w: &mut JsonWriter<'_>,
) {
    let name = (kind == Kind::Document).then(|| names.next(media.name.as_deref()));
    w.object(|w| {
        w.field_object(kind.key(), |w| {
            media::encode(media, kind, name.as_deref(), is_own, w);
            extra(&block.extra, w);
        });
    });
}

fn reasoning(thinking: &Thinking<'_>, w: &mut JsonWriter<'_>) {
    w.field_object("reasoningText", |w| {
        w.field_str("text", &thinking.text);
        if let Some(signature) = &thinking.signature {
            w.field_str("signature", &signature.to_slot(NATIVE));
        }
    });
}

/// What stands in `redactedContent`: the vendor's text as bytes, in base64.
pub(super) fn blob(signature: &Signature<'_>) -> String {
    BASE64.encode(signature.to_slot(NATIVE).as_bytes())
}

fn cited(words: &str, citations: &[Citation<'_>], w: &mut JsonWriter<'_>) {
    if citations.is_empty() {
        return text(words, w);
    }
    w.object(|w| {
        w.field_object("citationsContent", |w| {
            w.field_array("content", |w| text(words, w));
            w.field_array("citations", |w| citations.iter().for_each(|one| citation(one, w)));
        });
    });
}

/// Bedrock's own citation as it was, another vendor's in Bedrock's words.
pub(super) fn citation(citation: &Citation<'_>, w: &mut JsonWriter<'_>) {
    if citation.of == HERE {
        return w.raw(citation.json.as_str());
    }
    w.object(|w| {
        w.field_opt_str("title", citation.title.as_deref());
        w.field_opt_str("source", citation.url.as_deref());
        if let Some(quote) = &citation.quote {
            w.field_array("sourceContent", |w| text(quote, w));
        }
        if let Some(url) = &citation.url {
            w.field_object("location", |w| w.field_object("web", |w| w.field_str("url", url)));
        }
    });
}

/// `{"toolUse":{…}}` under the id and name given.
pub(super) fn call(call: &ToolUse<'_>, (id, name): (&str, &str), extras: &Extra<'_>, w: &mut JsonWriter<'_>) {
    w.object(|w| {
        w.field_object("toolUse", |w| {
            w.field_str("toolUseId", id);
            w.field_str("name", name);
            w.field_raw("input", &call.arguments_object());
            extra(extras, w);
        });
    });
}

/// How a model wants the text of a tool's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResultForm {
    Text,
    /// As an object (Mistral); text that is none stands under `result`.
    Json,
}

/// `{"toolResult":{…}}` under the id given.
pub(super) fn result(
    (result, id, extras): (&ToolResult<'_>, &str, &Extra<'_>),
    form: ResultForm,
    is_own: bool,
    names: &mut Names,
    w: &mut JsonWriter<'_>,
) {
    w.object(|w| {
        w.field_object("toolResult", |w| {
            w.field_str("toolUseId", id);
            w.field_array("content", |w| {
                let mut is_empty = true;
                for inner in &result.content {
                    match inner.as_text() {
                        Some("") => continue,
                        Some(words) if form == ResultForm::Json => json(words, w),
                        Some(words) => text(words, w),
                        None => block(inner, is_own, names, w),
                    }
                    is_empty = false;
                }
                // Bedrock refuses a failure without a word.
                if is_empty && result.is_error {
                    text("error", w);
                }
            });
            if result.is_error {
                w.field_str("status", "error");
            }
            extra(extras, w);
        });
    });
}

fn json(words: &str, w: &mut JsonWriter<'_>) {
    let is_object = parse(words, Duplicates::LastCounts).is_ok_and(|node| node.is_object());
    w.object(|w| match is_object {
        true => w.field_raw("json", words),
        false => w.field_object("json", |w| w.field_str("result", words)),
    });
}
