//! Content blocks of turns and answers.
//!
//! Invariant: a block of a kind not known here is kept whole, whatever it holds.

use super::fields::{cache, extra, items, opt_bool, opt_text, text, wrong};
use super::format::OUTPUT_TOOL;
use super::media_in;
use crate::chat::{
    At, Block, BlockKind, Citation, Raw, Refused, Signature, Text, Thinking, ToolResult, ToolUse, Vendor,
    freeform, unpack_id,
};
use crate::framing::json::Node;
use crate::types::Protocol;

/// A string, or an array of blocks. An empty string is no block.
pub(super) fn content<'a>(node: &Node<'a>) -> Result<Vec<Block<'a>>, Refused> {
    if let Some(words) = node.text() {
        return Ok(if words.is_empty() { Vec::new() } else { vec![Block::text(words).at(At::of(node))] });
    }
    if !node.is_array() {
        return Err(wrong(node, "content", "a string or an array of blocks"));
    }
    node.items().iter().map(block).collect()
}

/// One block.
pub(super) fn block<'a>(node: &Node<'a>) -> Result<Block<'a>, Refused> {
    if !node.is_object() {
        return Err(Refused::new(At::of(node), format!("a block is an object, not {}", node.kind())));
    }
    let kind = text(node, "type")?;
    let known = match kind.as_ref() {
        "text" => Some(text_block(node)?),
        "image" => media_in::image(node)?,
        "document" => media_in::document(node)?,
        "tool_use" => Some(tool_use(node)?),
        "tool_result" => Some(tool_result(node)?),
        "thinking" => Some(thinking(node)?),
        "redacted_thinking" => {
            let proof = Signature::from_slot(text(node, "data")?, Vendor::Anthropic);
            Some(plain(node, BlockKind::Redacted(proof), &["data"])?)
        }
        _ => None,
    };
    Ok(known.unwrap_or_else(|| opaque(node, kind)))
}

/// The block as it stands.
pub(super) fn opaque<'a>(node: &Node<'a>, kind: Text<'a>) -> Block<'a> {
    Block::new(BlockKind::Opaque { of: Protocol::Messages, kind, json: Raw::of(node) }).at(At::of(node))
}

fn plain<'a>(node: &Node<'a>, kind: BlockKind<'a>, known: &[&str]) -> Result<Block<'a>, Refused> {
    let mut all = vec!["type", "cache_control"];
    all.extend_from_slice(known);
    Ok(Block { at: At::of(node), kind, cache: cache(node)?, extra: extra(node, &all) })
}

fn text_block<'a>(node: &Node<'a>) -> Result<Block<'a>, Refused> {
    let citations = items(node, "citations")?.iter().map(citation).collect();
    plain(node, BlockKind::Text { text: text(node, "text")?, citations }, &["text", "citations"])
}

/// A citation of any kind: what it says of its source, and itself.
pub(super) fn citation<'a>(node: &Node<'a>) -> Citation<'a> {
    Citation {
        url: node.text_of("url").or_else(|| node.text_of("source")),
        title: node.text_of("title").or_else(|| node.text_of("document_title")),
        quote: node.text_of("cited_text"),
        span: None,
        of: Protocol::Messages,
        json: Raw::of(node),
    }
}

fn tool_use<'a>(node: &Node<'a>) -> Result<Block<'a>, Refused> {
    let (id, signature) = unpack_id(text(node, "id")?);
    let (name, is_custom) = own_name(text(node, "name")?);
    let arguments = match node.get("input") {
        None => Text::Borrowed("{}"),
        Some(input) if input.is_object() => Text::Borrowed(input.raw()),
        Some(input) => return Err(wrong(input, "input", "an object")),
    };
    let arguments =
        if is_custom { Text::Owned(freeform::unwrap_input(&arguments).into_owned()) } else { arguments };
    let call = ToolUse { id, name, arguments, is_custom, signature };
    plain(node, BlockKind::ToolUse(call), &["id", "name", "input"])
}

/// A tool's own name, and whether it is a free-form one.
pub(super) fn own_name(name: Text<'_>) -> (Text<'_>, bool) {
    match freeform::unwrap_name(&name) {
        Some(own) => (Text::Owned(own.to_owned()), true),
        None => (name, false),
    }
}

/// The answer by schema that a forced tool call holds, as the text it stands for.
pub(super) fn unwrapped<'a>(block: Block<'a>) -> Block<'a> {
    match block.kind {
        BlockKind::ToolUse(call) if call.name == OUTPUT_TOOL => Block::text(call.arguments).at(block.at),
        kind => Block { kind, ..block },
    }
}

fn tool_result<'a>(node: &Node<'a>) -> Result<Block<'a>, Refused> {
    let (id, _) = unpack_id(text(node, "tool_use_id")?);
    let content = node.get("content").map(content).transpose()?.unwrap_or_default();
    let is_error = opt_bool(node, "is_error")?.unwrap_or(false);
    let result = ToolResult { id, name: None, content, is_error, is_custom: false };
    plain(node, BlockKind::ToolResult(result), &["tool_use_id", "content", "is_error"])
}

fn thinking<'a>(node: &Node<'a>) -> Result<Block<'a>, Refused> {
    let slot = opt_text(node, "signature")?.filter(|slot| !slot.is_empty());
    let thinking = Thinking {
        text: text(node, "thinking")?,
        signature: slot.map(|slot| Signature::from_slot(slot, Vendor::Anthropic)),
        is_summary: false,
        item_id: None,
    };
    plain(node, BlockKind::Thinking(thinking), &["thinking", "signature"])
}
