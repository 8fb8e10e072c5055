//! Content parts of messages and tool outputs: `input_text`, `output_text`, `refusal` and the media.

use super::read::{needed, text};
use super::{citations, media};
use crate::chat::{At, Block, BlockKind, CacheHint, Extra, Raw, Refused, Text};
use crate::framing::json::{JsonWriter, Node};
use crate::types::Protocol;

/// Before the type of a part that is kept whole, to tell it from an item: one is written into a
/// message, the other beside it.
const PART_MARK: &str = "content/";
const BREAKPOINT: &str = "prompt_cache_breakpoint";

/// One part, in a request or in an answer.
///
/// # Errors
/// [`Refused`] where a member has a wrong type or is missing. Answers count that as nonsense.
pub(super) fn read<'a>(node: &Node<'a>) -> Result<Block<'a>, Refused> {
    if let Some(words) = node.text() {
        return Ok(Block::text(words).at(At::of(node)));
    }
    let kind = needed(node, "type")?;
    let (kind, known): (_, &[&str]) = match kind.as_ref() {
        "input_text" | "output_text" | "text" => {
            let words = needed(node, "text")?;
            let citations = citations::read(node);
            (BlockKind::Text { text: words, citations }, &["type", "text", "annotations", "logprobs"])
        }
        "refusal" => (BlockKind::Refusal(needed(node, "refusal")?), &["type", "refusal"]),
        "input_image" | "image_url" => (media::image(node)?, &["type", "image_url", "file_id", "detail"]),
        "input_file" => (media::file(node)?, &["type", "filename", "file_data", "file_url", "file_id"]),
        "input_audio" => (media::audio(node)?, &["type", "input_audio"]),
        other => {
            let kind = Text::Owned(format!("{PART_MARK}{other}"));
            let opaque = BlockKind::Opaque { of: Protocol::Responses, kind, json: Raw::of(node) };
            return Ok(Block::new(opaque).at(At::of(node)));
        }
    };
    let mut block = Block::new(kind).at(At::of(node));
    block.cache = breakpoint(node)?;
    block.extra = Extra::of(Protocol::Responses, node, known);
    block.extra.fields.retain(|field| field.name != BREAKPOINT);
    if block.extra.fields.is_empty() {
        block.extra = Extra::none();
    }
    Ok(block)
}

/// Whether `block` is written into a message of the assistant (or else into one of another role).
pub(super) fn is_part(block: &Block<'_>, is_assistant: bool) -> bool {
    match &block.kind {
        BlockKind::Text { .. } | BlockKind::Refusal(_) => true,
        BlockKind::Image(_) | BlockKind::Document(_) | BlockKind::Audio(_) => !is_assistant,
        BlockKind::Opaque { of: Protocol::Responses, kind, .. } => kind.starts_with(PART_MARK),
        _ => false,
    }
}

/// Writes a part; `is_output`: as the model's, not as the user's. `is_own`: it was written in this
/// protocol, and its cache hint is meant for it.
pub(super) fn write(w: &mut JsonWriter<'_>, block: &Block<'_>, is_output: bool, is_own: bool) {
    if let BlockKind::Opaque { json, .. } = &block.kind {
        return w.raw(json.as_str());
    }
    w.object(|w| {
        match &block.kind {
            BlockKind::Text { text, citations } if is_output => {
                w.field_str("type", "output_text");
                w.field_str("text", text);
                if !citations.is_empty() {
                    w.field_array("annotations", |w| citations::write(w, citations));
                }
            }
            BlockKind::Text { text, .. } => {
                w.field_str("type", "input_text");
                w.field_str("text", text);
            }
            BlockKind::Refusal(words) if is_output => {
                w.field_str("type", "refusal");
                w.field_str("refusal", words);
            }
            BlockKind::Refusal(words) => {
                w.field_str("type", "input_text");
                w.field_str("text", words);
            }
            BlockKind::Image(media) => media::write_image(w, media),
            BlockKind::Document(media) => media::write_document(w, media),
            BlockKind::Audio(media) => media::write_audio(w, media),
            _ => {}
        }
        if let (Some(hint), true) = (&block.cache, is_own) {
            write_breakpoint(w, hint);
        }
        write_extra(w, &block.extra);
    });
}

/// The fields of this protocol that the canonical form has no word for.
pub(super) fn write_extra(w: &mut JsonWriter<'_>, extra: &Extra<'_>) {
    for field in extra.for_protocol(Protocol::Responses) {
        w.field_raw(&field.name, field.value.as_str());
    }
}

/// `prompt_cache_breakpoint{mode:"explicit",ttl:"30m"|"12h"}`.
fn breakpoint<'a>(node: &Node<'a>) -> Result<Option<CacheHint<'a>>, Refused> {
    let Some(hint) = super::read::object(node, BREAKPOINT)? else { return Ok(None) };
    let ttl = text(hint, "ttl")?;
    let ttl_s = ttl.as_deref().and_then(seconds);
    let is_left = |name: &str, value: &Node<'_>| match name {
        "mode" => !value.is("explicit"),
        "ttl" => ttl_s.is_none(),
        _ => true,
    };
    let mut extra = Extra::of(Protocol::Responses, hint, &[]);
    extra.fields.retain(|field| hint.get(&field.name).is_some_and(|value| is_left(&field.name, value)));
    if extra.fields.is_empty() {
        extra = Extra::none();
    }
    Ok(Some(CacheHint { ttl_s, extra }))
}

/// `30m`, `12h`.
fn seconds(ttl: &str) -> Option<u32> {
    let (number, unit) = ttl.split_at_checked(ttl.len().checked_sub(1)?)?;
    let unit_s = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    number.parse::<u32>().ok()?.checked_mul(unit_s)
}

fn write_breakpoint(w: &mut JsonWriter<'_>, hint: &CacheHint<'_>) {
    w.field_object(BREAKPOINT, |w| {
        if hint.extra.get("mode").is_none() {
            w.field_str("mode", "explicit");
        }
        if let Some(ttl_s) = hint.ttl_s {
            let ttl = match ttl_s {
                _ if ttl_s % 3600 == 0 => format!("{}h", ttl_s / 3600),
                _ if ttl_s % 60 == 0 => format!("{}m", ttl_s / 60),
                _ => format!("{ttl_s}s"),
            };
            w.field_str("ttl", &ttl);
        }
        write_extra(w, &hint.extra);
    });
}
