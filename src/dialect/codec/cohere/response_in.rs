//! A whole answer of Cohere.

use crate::chat::{BlockKind, Choice, Response};
use crate::dialect::codec::Garbled;
use crate::dialect::generic::fault;
use crate::framing::json::Node;
use crate::types::Protocol;

use super::messages_in::{ASSISTANT, assistant};
use super::{citation, extra, stop, usage};

/// Reads a whole answer.
///
/// # Errors
/// [`Garbled`] for what is no answer of `/v2/chat`.
pub fn decode_response<'a>(root: &Node<'a>) -> Result<Response<'a>, Garbled> {
    let Some(message) = root.get("message").filter(|message| message.is_object()) else {
        return Err(Garbled(match fault::read_document(root.raw().as_bytes()) {
            Some(fault) => format!("an error in place of an answer: {}", fault.message),
            None => "no Cohere answer: it has no message".to_owned(),
        }));
    };
    let mut blocks = assistant(message).map_err(|refused| Garbled(refused.message))?;
    let mut known = ASSISTANT.to_vec();
    if citation::attach(message, &mut blocks) {
        known.push("citations");
    }
    let has_calls = blocks.iter().any(|block| matches!(block.kind, BlockKind::ToolUse(_)));
    let mut response = Response::new(Protocol::Cohere);
    response.id = root.text_of("id").unwrap_or_default();
    response.model = root.text_of("model").unwrap_or_default();
    response.usage = usage::read(root.get("usage"));
    response.extra = extra::of(root, &["id", "model", "message", "finish_reason", "usage"]);
    response.choices = vec![Choice {
        index: 0,
        blocks,
        stop: stop::read(root.text_of("finish_reason"), has_calls),
        logprobs: None,
        extra: extra::of(message, &known),
    }];
    Ok(response)
}
