//! Claude's answer, whole.

use super::fields::{extra, extra_of_part};
use super::usage::{self, Told};
use super::{blocks_in, stop};
use crate::chat::{Block, BlockKind, Choice, Extra, Response, Text};
use crate::dialect::codec::Garbled;
use crate::framing::json::Node;
use crate::types::Protocol;

const KNOWN: [&str; 9] =
    ["id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage", "service_tier"];

/// Reads a `message`.
///
/// # Errors
/// [`Garbled`] where it is none: no object, no content, or blocks that are not what they say.
pub fn decode_response<'a>(root: &Node<'a>) -> Result<Response<'a>, Garbled> {
    if !root.is_object() {
        return Err(Garbled(format!("the answer is {}, not a message", root.kind())));
    }
    if root.get("type").is_some_and(|kind| !kind.is("message")) {
        return Err(Garbled("the answer is not of type message".to_owned()));
    }
    let Some(content) = root.get("content") else {
        return Err(Garbled("the answer has no content".to_owned()));
    };
    let blocks = blocks_in::content(content).map_err(|refused| Garbled(refused.message))?;
    let blocks: Vec<Block<'a>> = blocks.into_iter().map(blocks_in::unwrapped).collect();
    let has_calls = blocks.iter().any(|block| matches!(block.kind, BlockKind::ToolUse(_)));
    let stop = stop::read(root.text_of("stop_reason"), root.text_of("stop_sequence"), has_calls);
    let mut response = Response::new(Protocol::Messages);
    response.id = root.text_of("id").unwrap_or(Text::Borrowed(""));
    response.model = root.text_of("model").unwrap_or(Text::Borrowed(""));
    response.extra = extra(root, &KNOWN);
    if let Some(node) = root.get("usage") {
        let mut told = Told::default();
        told.read(node);
        response.usage = told.usage();
        response.service_tier = node.text_of("service_tier");
        extra_of_part(&mut response.extra, node, "usage", &usage::KNOWN);
    }
    response.choices.push(Choice { index: 0, blocks, stop, logprobs: None, extra: Extra::none() });
    Ok(response)
}
