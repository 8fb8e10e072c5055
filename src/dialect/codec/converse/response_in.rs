//! A Converse answer, read.

use super::stop::{self, Seen};
use super::{HERE, OUTPUT_TOOL, blocks_in, usage};
use crate::chat::{Block, BlockKind, Choice, Extra, Refused, Response, Text, ToolUse, freeform};
use crate::dialect::codec::Garbled;
use crate::framing::json::Node;

/// Reads the body of a 200.
///
/// # Errors
/// [`Garbled`] where it is no Converse answer.
pub fn decode_response<'a>(root: &Node<'a>) -> Result<Response<'a>, Garbled> {
    let message = root.get("output").and_then(|output| output.get("message"));
    let content = message.and_then(|message| message.get("content")).filter(|content| content.is_array());
    let (Some(message), Some(content)) = (message, content) else {
        return Err(Garbled("the answer has no `output.message.content`".to_owned()));
    };
    let garbled = |refused: Refused| Garbled(refused.message);
    let mut seen = Seen::default();
    let blocks = blocks_in::blocks(content.items()).map_err(garbled)?;
    let blocks = blocks.into_iter().map(|block| answered(block, &mut seen)).collect();
    let word = root.text_of("stopReason");
    let mut known = vec!["output", "stopReason", "usage"];
    let mut response = Response::new(HERE);
    if let Some(tier) = root.get("serviceTier").filter(|tier| tier.entries().len() == 1) {
        response.service_tier = tier.text_of("type");
        known.extend(response.service_tier.as_ref().map(|_| "serviceTier"));
    }
    let more = root.get("additionalModelResponseFields");
    let sequence = more.and_then(sequence);
    if sequence.is_some() && more.is_some_and(|more| more.entries().len() == 1) {
        known.push("additionalModelResponseFields");
    }
    response.usage = root.get("usage").and_then(usage::read);
    response.extra = Extra::of(HERE, root, &known);
    response.choices.push(Choice {
        index: 0,
        blocks,
        stop: stop::read(word, sequence, seen),
        logprobs: None,
        extra: Extra::of(HERE, message, &["role", "content"]),
    });
    Ok(response)
}

/// The stop sequence, where the client asked for it by `additionalModelResponseFieldPaths`.
pub(super) fn sequence<'a>(more: &Node<'a>) -> Option<Text<'a>> {
    more.text_of("stop_sequence")
}

/// Notes what bears on the stop reason; the input of the output tool becomes the answer's text.
fn answered<'a>(block: Block<'a>, seen: &mut Seen) -> Block<'a> {
    match block.kind {
        BlockKind::ToolUse(call) if call.name == OUTPUT_TOOL => {
            seen.has_output_tool = true;
            let kind = BlockKind::Text { text: call.arguments, citations: Vec::new() };
            Block { kind, extra: Extra::none(), ..block }
        }
        BlockKind::ToolUse(call) => {
            seen.has_call = true;
            Block { kind: BlockKind::ToolUse(freed(call)), ..block }
        }
        kind => Block { kind, ..block },
    }
}

/// The call of a free-form tool, under its own name and with its bare text.
fn freed<'a>(call: ToolUse<'a>) -> ToolUse<'a> {
    let Some(name) = freeform::unwrap_name(&call.name) else { return call };
    let name = Text::Owned(name.to_owned());
    let arguments = Text::Owned(freeform::unwrap_input(&call.arguments).into_owned());
    ToolUse { name, arguments, is_custom: true, ..call }
}
