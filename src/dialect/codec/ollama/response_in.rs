//! A whole answer of Ollama.

use crate::chat::{BlockKind, Choice, Raw, Response};
use crate::dialect::codec::Garbled;
use crate::dialect::generic::fault;
use crate::framing::json::Node;
use crate::types::{Protocol, utc};

use super::messages_in::{ASSISTANT, assistant};
use super::{extra, stop, usage};

const ROOT: [&str; 8] =
    ["model", "created_at", "message", "done", "done_reason", "prompt_eval_count", "eval_count", "logprobs"];

/// Reads a whole answer.
///
/// # Errors
/// [`Garbled`] for what is no answer of `/api/chat`.
pub fn decode_response<'a>(root: &Node<'a>) -> Result<Response<'a>, Garbled> {
    let message = root.get("message").filter(|message| message.is_object());
    let Some(message) = message.filter(|_| root.get("error").is_none()) else {
        return Err(Garbled(match fault::read_document(root.raw().as_bytes()) {
            Some(fault) => format!("an error in place of an answer: {}", fault.message),
            None => "no Ollama answer: it has no message".to_owned(),
        }));
    };
    let blocks = assistant(message).map_err(|refused| Garbled(refused.message))?;
    let has_calls = blocks.iter().any(|block| matches!(block.kind, BlockKind::ToolUse(_)));
    let mut response = Response::new(Protocol::Ollama);
    response.model = root.text_of("model").unwrap_or_default();
    response.created = root.text_of("created_at").and_then(|text| utc::unix_s(&text));
    response.usage = usage::read(root);
    response.extra = extra::of(root, &ROOT);
    response.choices = vec![Choice {
        index: 0,
        blocks,
        stop: stop::read(root.text_of("done_reason"), has_calls),
        logprobs: logprobs(root),
        extra: extra::of(message, &ASSISTANT),
    }];
    Ok(response)
}

/// Ollama's list of tokens is what OpenAI has under `content`.
pub(super) fn logprobs<'a>(root: &Node<'a>) -> Option<Raw<'a>> {
    let list = root.get("logprobs").filter(|list| !list.items().is_empty())?;
    Some(Raw(format!("{{\"content\":{}}}", list.raw()).into()))
}
