//! From an upstream's response object to the canonical form.

use super::stop::{self, Held};
use super::{parts, reasoning, usage};
use crate::chat::{At, Block, BlockKind, Choice, Extra, Raw, Response, Text, ToolUse, freeform};
use crate::dialect::codec::Garbled;
use crate::framing::json::{JsonWriter, Node};
use crate::types::Protocol;

/// Members that are read, or that repeat the request.
const KNOWN: [&str; 35] = [
    "id",
    "object",
    "created_at",
    "completed_at",
    "status",
    "model",
    "output",
    "output_text",
    "usage",
    "service_tier",
    "background",
    "frequency_penalty",
    "presence_penalty",
    "incomplete_details",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

/// Reads a whole answer. `failed` in a 200 is an answer that stopped by [`StopReason::Error`](crate::chat::StopReason); its
/// `error` stays in the extras.
///
/// # Errors
/// [`Garbled`] where it is no response object, or its output makes no sense.
pub fn decode_response<'a>(root: &Node<'a>) -> Result<Response<'a>, Garbled> {
    let garbled = |why: &str| Garbled(format!("the provider's answer is no response object: {why}"));
    if !root.is_object() {
        return Err(garbled("it is not an object"));
    }
    let is_failed = root.get("status").is_some_and(|status| status.is("failed"));
    let items = match root.get("output") {
        Some(output) if output.is_array() => output.items(),
        Some(_) => return Err(garbled("`output` is not an array")),
        None if is_failed => &[],
        None => return Err(garbled("`output` is missing")),
    };
    let mut response = Response::new(Protocol::Responses);
    let text = |key: &str| root.text_of(key).unwrap_or(Text::Borrowed(""));
    response.id = text("id");
    response.model = text("model");
    response.created = created(root);
    response.usage = usage::read(root);
    response.service_tier = root.text_of("service_tier");
    response.extra = Extra::of(Protocol::Responses, root, &KNOWN);
    let mut blocks = Vec::new();
    for item in items {
        blocks.extend(item_blocks(item)?);
    }
    let stop = stop::read(root, held(&blocks));
    response.choices =
        vec![Choice { index: 0, blocks, stop, logprobs: logprobs(items), extra: Extra::none() }];
    Ok(response)
}

/// `created_at`, also as a fraction.
pub(super) fn created(response: &Node<'_>) -> Option<u64> {
    let node = response.get("created_at")?;
    node.as_u64().or_else(|| node.as_f64().filter(|seconds| *seconds >= 0.0).map(|seconds| seconds as u64))
}

fn held(blocks: &[Block<'_>]) -> Held {
    Held {
        has_call: blocks.iter().any(|block| matches!(block.kind, BlockKind::ToolUse(_))),
        has_refusal: blocks.iter().any(|block| matches!(block.kind, BlockKind::Refusal(_))),
    }
}

/// The blocks of one output item.
///
/// # Errors
/// [`Garbled`] where a member has a wrong type.
pub(super) fn item_blocks<'a>(item: &Node<'a>) -> Result<Vec<Block<'a>>, Garbled> {
    let Some(kind) = item.text_of("type") else {
        return Err(Garbled(format!("an output item of the provider is {} without a type", item.kind())));
    };
    match kind.as_ref() {
        // A compaction repeats what the user said.
        "message" if item.get("role").is_none_or(|role| role.is("assistant")) => message(item),
        "reasoning" => Ok(reasoning::read(item, false)),
        "function_call" | "custom_tool_call" => {
            Ok(call(item).map(|(call, extra)| Block { extra, ..Block::new(BlockKind::ToolUse(call)) }))
                .map(|block| block.into_iter().collect())
        }
        _ => Ok(vec![Block::new(opaque(item, kind)).at(At::of(item))]),
    }
}

/// An item that is kept whole.
pub(super) fn opaque<'a>(item: &Node<'a>, kind: Text<'a>) -> BlockKind<'a> {
    BlockKind::Opaque { of: Protocol::Responses, kind, json: Raw::of(item) }
}

/// The message's own fields (`phase`) go to its first block.
fn message<'a>(item: &Node<'a>) -> Result<Vec<Block<'a>>, Garbled> {
    let content = item.get("content");
    let read = |part: &Node<'a>| parts::read(part).map_err(|fault| Garbled(fault.message));
    let mut blocks = match content {
        Some(node) if node.is_array() => node.items().iter().map(read).collect::<Result<Vec<_>, _>>()?,
        Some(node) if node.is_string() => vec![Block::text(node.text().unwrap_or_default())],
        Some(node) => {
            return Err(Garbled(format!("the content of an output message is {}", node.kind())));
        }
        None => Vec::new(),
    };
    let extra = Extra::of(Protocol::Responses, item, &["type", "role", "content", "id", "status"]);
    if let Some(first) = blocks.first_mut()
        && !extra.is_empty()
    {
        first.extra.of = extra.of;
        first.extra.fields.extend(extra.fields);
    }
    Ok(blocks)
}

/// A call and the fields that have no place in it (`namespace`, `caller`); None where it has no name.
pub(super) fn call<'a>(item: &Node<'a>) -> Option<(ToolUse<'a>, Extra<'a>)> {
    let is_custom = item.get("type").is_some_and(|kind| kind.is("custom_tool_call"));
    let key = if is_custom { "input" } else { "arguments" };
    let filled = |key: &str| item.text_of(key).filter(|text| !text.is_empty());
    let mut call = ToolUse {
        id: filled("call_id").or_else(|| filled("id")).unwrap_or_default(),
        name: filled("name")?,
        arguments: arguments(item, key).unwrap_or_default(),
        is_custom,
        signature: None,
    };
    if let (Some(own), false) = (freeform::unwrap_name(&call.name), is_custom) {
        call.name = Text::Owned(own.to_owned());
        call.arguments = Text::Owned(freeform::unwrap_input(&call.arguments).into_owned());
        call.is_custom = true;
    }
    let known = ["type", "call_id", "name", key, "id", "status"];
    Some((call, Extra::of(Protocol::Responses, item, &known)))
}

/// Arguments as text, also where a vendor writes the object itself.
pub(super) fn arguments<'a>(node: &Node<'a>, key: &str) -> Option<Text<'a>> {
    let node = node.get(key)?;
    node.text().or_else(|| node.is_object().then(|| Text::Borrowed(node.raw())))
}

/// The log probabilities of all texts, in chat's form: `{"content":[…],"refusal":null}`.
fn logprobs(items: &[Node<'_>]) -> Option<Raw<'static>> {
    let parts = items.iter().filter_map(|item| item.get("content")).flat_map(Node::items);
    let lists = parts.filter_map(|part| part.get("logprobs")).flat_map(Node::items);
    logprobs_of(lists)
}

/// None where there are none.
pub(super) fn logprobs_of<'n, 'a: 'n>(tokens: impl Iterator<Item = &'n Node<'a>>) -> Option<Raw<'static>> {
    let mut tokens = tokens.peekable();
    tokens.peek()?;
    let mut json = Vec::new();
    JsonWriter::new(&mut json).object(|w| {
        w.field_array("content", |w| tokens.for_each(|token| w.raw(token.raw())));
        w.field_null("refusal");
    });
    Some(Raw(Text::Owned(String::from_utf8(json).unwrap_or_default())))
}
