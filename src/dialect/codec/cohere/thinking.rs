//! Thinking: a content part, or the plan for the tools.

use crate::chat::{Block, BlockKind, Signature, Text, Thinking, Vendor};
use crate::framing::json::{JsonWriter, Node};

/// What stands in the place of a proof in thinking that was a `tool_plan`. Clients of other protocols
/// give it back as they give proofs back.
pub(super) const PLAN: &str = "tool_plan";

/// Thinking that belongs into `tool_plan`.
pub(super) fn plan(text: Text<'_>) -> BlockKind<'_> {
    BlockKind::Thinking(Thinking {
        text,
        signature: Some(Signature::new(Vendor::Unsigned, PLAN)),
        is_summary: false,
        item_id: None,
    })
}

pub(super) fn is_plan(thinking: &Thinking<'_>) -> bool {
    matches!(&thinking.signature, Some(signed) if signed.vendor == Vendor::Unsigned && signed.data == PLAN)
}

/// Writes `tool_plan`, where there is one.
pub(super) fn write_plan(blocks: &[Block<'_>], w: &mut JsonWriter<'_>) {
    let plans: Vec<&str> = blocks.iter().filter_map(as_plan).collect();
    if !plans.is_empty() {
        w.key("tool_plan");
        w.string_of(plans.iter().enumerate().flat_map(|(at, text)| [if at == 0 { "" } else { "\n" }, text]));
    }
}

pub(super) fn as_plan<'b>(block: &'b Block<'_>) -> Option<&'b str> {
    match &block.kind {
        BlockKind::Thinking(thought) if is_plan(thought) => Some(&thought.text),
        _ => None,
    }
}

/// Whether Cohere takes it back: nobody's proof hangs on it.
pub(super) fn is_own(thinking: &Thinking<'_>) -> bool {
    thinking.signature.as_ref().is_none_or(|signed| signed.vendor == Vendor::Unsigned)
}

/// Reads a `thinking` part. Proofs of other vendors stand in `signature` and `redacted`, where
/// [`write`] put them.
pub(super) fn read<'a>(part: &Node<'a>) -> BlockKind<'a> {
    let slot = |key: &str| Some(Signature::from_slot(part.text_of(key)?, Vendor::Unsigned));
    let text = part.text_of("thinking").or_else(|| part.text_of("text")).unwrap_or_default();
    match slot("redacted") {
        Some(hidden) => BlockKind::Redacted(hidden),
        None => BlockKind::Thinking(Thinking {
            text,
            signature: slot("signature"),
            is_summary: false,
            item_id: None,
        }),
    }
}

/// Writes a part for a client.
pub(super) fn write(thinking: &Thinking<'_>, w: &mut JsonWriter<'_>) {
    w.object(|w| {
        w.field_str("type", "thinking");
        w.field_str("thinking", &thinking.text);
        if let Some(signature) = &thinking.signature {
            w.field_str("signature", &signature.to_slot(Vendor::Unsigned));
        }
    });
}

/// Writes thinking nobody can read, for a client.
pub(super) fn write_hidden(signature: &Signature<'_>, w: &mut JsonWriter<'_>) {
    w.object(|w| {
        w.field_str("type", "thinking");
        w.field_str("thinking", "");
        w.field_str("redacted", &signature.to_slot(Vendor::Unsigned));
    });
}
