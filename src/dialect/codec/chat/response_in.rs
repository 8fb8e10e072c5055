//! A whole answer of an upstream.

use crate::chat::{Block, BlockKind, Choice, Extra, Raw, Response, Signature, Text, Thinking, Vendor};
use crate::dialect::codec::Garbled;
use crate::dialect::generic::fault;
use crate::framing::json::Node;
use crate::types::Protocol;

use super::messages_in::thinking;
use super::{audio, calls, citation, extra, media, parts_in, stop, usage};

const ROOT: [&str; 8] =
    ["id", "object", "created", "model", "choices", "usage", "service_tier", "obfuscation"];
const CHOICE: [&str; 8] = [
    "index",
    "message",
    "delta",
    "text",
    "finish_reason",
    "native_finish_reason",
    "logprobs",
    "content_filter_offsets",
];
const MESSAGE: [&str; 10] = [
    "role",
    "content",
    "refusal",
    "tool_calls",
    "function_call",
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "images",
    "annotations",
];

/// Reads a whole answer.
///
/// # Errors
/// [`Garbled`] for what is no chat completion, or one that says that it failed.
pub fn decode_response<'a>(root: &Node<'a>) -> Result<Response<'a>, Garbled> {
    let Some(choices) = root.get("choices").filter(|choices| choices.is_array()) else {
        return Err(Garbled(match fault::read_document(root.raw().as_bytes()) {
            Some(fault) => format!("an error in place of an answer: {}", fault.message),
            None => "no chat completion: it has no list of choices".to_owned(),
        }));
    };
    if let Some(fault) = failure(root) {
        return Err(Garbled(format!("an error beside the answer: {fault}")));
    }
    let mut response = Response::new(Protocol::Chat);
    response.id = root.text_of("id").unwrap_or_default();
    response.model = root.text_of("model").unwrap_or_default();
    response.created = root.get("created").and_then(Node::as_u64).filter(|seconds| *seconds > 0);
    response.usage = usage::read(root);
    response.service_tier = root.text_of("service_tier").filter(|tier| !tier.is_empty());
    response.extra = extra::of(root, &ROOT);
    for node in choices.items() {
        response.choices.push(choice(node)?);
    }
    response.choices.sort_by_key(|choice| choice.index);
    cite(root, &mut response);
    Ok(response)
}

fn failure(root: &Node<'_>) -> Option<String> {
    let error = root.get("error").filter(|error| !error.entries().is_empty() || error.is_string())?;
    Some(error.text_of("message").or_else(|| error.text()).unwrap_or_default().into_owned())
}

/// Perplexity's list beside the choices, unless the text has annotations of its own.
fn cite<'a>(root: &Node<'a>, response: &mut Response<'a>) {
    let cited: Vec<_> = citation::list(root).iter().filter_map(citation::of_list).collect();
    let Some(first) = response.choices.first_mut() else { return };
    let has_own = first
        .blocks
        .iter()
        .any(|block| matches!(&block.kind, BlockKind::Text { citations, .. } if !citations.is_empty()));
    if !has_own {
        citation::attach(&mut first.blocks, cited);
    }
}

fn choice<'a>(node: &Node<'a>) -> Result<Choice<'a>, Garbled> {
    let mut rest = extra::of(node, &CHOICE);
    let blocks = match node.get("message") {
        Some(message) if message.is_object() => blocks(message, &mut rest)?,
        // Azure's filter leaves the message out.
        None if node.get("finish_reason").is_some_and(Node::is_string) => Vec::new(),
        _ => return Err(Garbled("no chat completion: a choice has no message".to_owned())),
    };
    let held = stop::Held {
        has_calls: blocks.iter().any(|block| matches!(block.kind, BlockKind::ToolUse(_))),
        has_refusal: blocks.iter().any(|block| matches!(block.kind, BlockKind::Refusal(_))),
    };
    let stop = stop::read(node, held);
    if stop.sequence.is_some() {
        rest.fields.retain(|field| field.name != "stop_reason");
        rest.of = rest.of.filter(|_| !rest.fields.is_empty());
    }
    Ok(Choice {
        index: node.get("index").and_then(Node::as_u64).map_or(0, |n| u32::try_from(n).unwrap_or(u32::MAX)),
        blocks,
        stop,
        logprobs: logprobs(node).map(Raw::of),
        extra: rest,
    })
}

/// Log probabilities that hold any; Snowflake sends empty ones.
pub(super) fn logprobs<'n, 'a>(choice: &'n Node<'a>) -> Option<&'n Node<'a>> {
    choice.get("logprobs").filter(|node| node.entries().iter().any(|(_, value)| !value.is_null()))
}

fn blocks<'a>(message: &Node<'a>, rest: &mut Extra<'a>) -> Result<Vec<Block<'a>>, Garbled> {
    let mut blocks = thinking(message);
    let spoken = message.get("audio").and_then(audio::read);
    let content = content(message);
    if content.is_empty()
        && let Some(transcript) = spoken.as_ref().and_then(|_| message.get("audio")?.text_of("transcript"))
        && !transcript.is_empty()
    {
        blocks.push(Block::text(transcript));
    }
    blocks.extend(content);
    if let Some(refusal) = message.text_of("refusal").filter(|refusal| !refusal.is_empty()) {
        blocks.push(Block::new(BlockKind::Refusal(refusal)));
    }
    let cited = message.get("annotations").map(Node::items).unwrap_or_default();
    citation::attach(&mut blocks, cited.iter().filter_map(citation::read).collect());
    blocks.extend(images(message));
    blocks.extend(spoken);
    for call in message.get("tool_calls").map(Node::items).unwrap_or_default() {
        let mut block = calls::read(call).map_err(|refused| Garbled(refused.message))?;
        calls::unwrapped(&mut block);
        blocks.push(block);
    }
    let function = message.get("function_call");
    blocks.extend(function.and_then(|call| calls::read_function(call, Text::Borrowed(""))));
    sign(message, &mut blocks);
    let mut known = MESSAGE.to_vec();
    known.extend(["audio", "extra_content", "thought_signature"]);
    extra::add_inner(rest, "message", message, &known);
    Ok(blocks)
}

/// The text of a message, or Mistral's list of chunks.
pub(super) fn content<'a>(message: &Node<'a>) -> Vec<Block<'a>> {
    let Some(node) = message.get("content") else { return Vec::new() };
    if let Some(text) = node.text() {
        return if text.is_empty() { Vec::new() } else { vec![Block::text(text)] };
    }
    let is_said = |block: &Block<'_>| block.as_text() != Some("");
    node.items().iter().filter_map(|part| parts_in::read_part(part).ok()).filter(is_said).collect()
}

/// OpenRouter: pictures the model made.
pub(super) fn images<'a>(message: &Node<'a>) -> Vec<Block<'a>> {
    let image = |node: &Node<'a>| {
        let url = node.get("image_url").and_then(|image| image.text().or_else(|| image.text_of("url")))?;
        let media = media::of_url(url, crate::chat::At::of(node)).ok()?;
        Some(Block::new(BlockKind::Image(media)))
    };
    message.get("images").map(Node::items).unwrap_or_default().iter().filter_map(image).collect()
}

/// Gemini's signature of the whole message: its first call's, or a thought's without words.
fn sign<'a>(message: &Node<'a>, blocks: &mut Vec<Block<'a>>) {
    let Some(signature) = message_signature(message) else { return };
    if !calls::sign_first(blocks, &signature) {
        blocks.insert(0, Block::new(signed_thought(signature)));
    }
}

pub(super) fn message_signature<'a>(message: &Node<'a>) -> Option<Signature<'a>> {
    calls::google_signature(message).or_else(|| {
        let data = message.text_of("thought_signature").filter(|data| !data.is_empty())?;
        Some(Signature::new(Vendor::Gemini, data))
    })
}

fn signed_thought(signature: Signature<'_>) -> BlockKind<'_> {
    BlockKind::Thinking(Thinking {
        text: Text::Borrowed(""),
        signature: Some(signature),
        is_summary: false,
        item_id: None,
    })
}
