//! Blocks of an answer as a Messages client reads them.

use super::ids;
use crate::chat::{Block, BlockKind, Citation, Media, Signature, Source, ToolUse, Vendor, pack_id};
use crate::dialect::codec::Owed;
use crate::framing::json::JsonWriter;
use crate::types::Protocol;
use std::borrow::Cow;

/// Whether the citation is Anthropic's own, not one written here in its form (those have no index).
pub(super) fn is_own(citation: &Citation<'_>) -> bool {
    citation.of == Protocol::Messages && !citation.json.as_str().contains("\"encrypted_index\":\"\"")
}

/// The citation in Anthropic's form.
pub(super) fn write_citation(citation: &Citation<'_>, w: &mut JsonWriter<'_>) {
    if citation.of == Protocol::Messages {
        return w.raw(citation.json.as_str());
    }
    w.object(|w| {
        w.field_str("type", "web_search_result_location");
        w.field_str("cited_text", citation.quote.as_deref().unwrap_or_default());
        w.field_str("url", citation.url.as_deref().unwrap_or_default());
        w.field_str("title", citation.title.as_deref().unwrap_or_default());
        w.field_str("encrypted_index", "");
    });
}

/// The id a client sees: the call's own with its signature, in Anthropic's alphabet, or one made up.
pub(super) fn client_id(id: &str, signature: Option<&Signature<'_>>, owed: &Owed, number: u32) -> String {
    let own =
        if id.is_empty() { Cow::Owned(format!("toolu_{}_{number}", owed.token)) } else { ids::allowed(id) };
    pack_id(&own, signature).into_owned()
}

/// What stands in a thinking block's signature. Never empty: some clients echo signed blocks only.
pub(super) fn signature_slot<'s>(signature: Option<&'s Signature<'_>>) -> Cow<'s, str> {
    match signature {
        Some(proof) => proof.to_slot(Vendor::Anthropic),
        None => Cow::Owned(Signature::new(Vendor::Unsigned, "").to_slot(Vendor::Anthropic).into_owned()),
    }
}

/// Media in the answer, for a protocol whose answers have none: a link in Markdown.
pub(super) fn media_as_text(kind: &BlockKind<'_>) -> Option<String> {
    let (media, bang, default) = match kind {
        BlockKind::Image(media) => (media, "!", "image/png"),
        BlockKind::Document(media) => (media, "", "application/octet-stream"),
        BlockKind::Audio(media) => (media, "", "audio/wav"),
        BlockKind::Video(media) => (media, "", "video/mp4"),
        _ => return None,
    };
    let Media { source, mime, name, .. } = media;
    let mime = mime.as_deref().unwrap_or(default);
    let name = name.as_deref().unwrap_or("media");
    Some(match source {
        Source::Base64(data) => format!("{bang}[{name}](data:{mime};base64,{data})"),
        Source::Url(link) | Source::File { id: link, .. } => format!("{bang}[{name}]({link})"),
        Source::Text(words) => words.to_string(),
    })
}

/// Writes the block; false, and nothing, where Messages has no form for it.
pub(super) fn write(block: &Block<'_>, owed: &Owed, number: u32, w: &mut JsonWriter<'_>) -> bool {
    let extra = block.extra.for_protocol(Protocol::Messages);
    match &block.kind {
        BlockKind::Text { text, citations } => w.object(|w| {
            w.field_str("type", "text");
            w.field_str("text", text);
            if !citations.is_empty() {
                w.field_array("citations", |w| citations.iter().for_each(|c| write_citation(c, w)));
            }
            super::part::write_extra(w, extra);
        }),
        BlockKind::Refusal(text) => write_text(text, w),
        BlockKind::ToolUse(call) => w.object(|w| {
            write_call(call, owed, number, w);
            super::part::write_extra(w, extra);
        }),
        BlockKind::Thinking(thinking) => w.object(|w| {
            w.field_str("type", "thinking");
            w.field_str("thinking", &thinking.text);
            w.field_str("signature", &signature_slot(thinking.signature.as_ref()));
        }),
        BlockKind::Redacted(proof) => w.object(|w| {
            w.field_str("type", "redacted_thinking");
            w.field_str("data", &proof.to_slot(Vendor::Anthropic));
        }),
        BlockKind::Opaque { of: Protocol::Messages, json, .. } => w.raw(json.as_str()),
        BlockKind::Opaque { .. } | BlockKind::ToolResult(_) => return false,
        kind => match media_as_text(kind) {
            Some(text) => write_text(&text, w),
            None => return false,
        },
    }
    true
}

fn write_text(text: &str, w: &mut JsonWriter<'_>) {
    w.object(|w| {
        w.field_str("type", "text");
        w.field_str("text", text);
    });
}

fn write_call(call: &ToolUse<'_>, owed: &Owed, number: u32, w: &mut JsonWriter<'_>) {
    w.field_str("type", "tool_use");
    w.field_str("id", &client_id(&call.id, call.signature.as_ref(), owed, number));
    w.field_str("name", &call.name);
    w.field_raw("input", &call.arguments_object());
}
