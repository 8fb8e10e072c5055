//! A client's request.

use crate::chat::{At, Extra, OutputFormat, Raw, Reasoning, Refused, Request, Text};
use crate::dialect::codec::Called;
use crate::framing::json::Node;
use crate::types::Protocol;

use super::messages_in::Conversation;
use super::{documents, extra, settings, tools};

/// Fields with a place of their own in the canonical form; [`settings`] has the flat ones.
const KNOWN: [&str; 11] = [
    "model",
    "messages",
    "documents",
    "tools",
    "strict_tools",
    "tool_choice",
    "response_format",
    "thinking",
    "max_tokens",
    "stop_sequences",
    "stream",
];

/// Reads a request of a Cohere client.
///
/// # Errors
/// [`Refused`] at the field that is wrong.
pub fn decode_request<'a>(root: &Node<'a>, called: Called<'_>) -> Result<Request<'a>, Refused> {
    if !root.is_object() {
        return Err(Refused::new(At::of(root), "the body must be a JSON object"));
    }
    let model = match called.model {
        Some(model) => Text::Owned(model.to_owned()),
        None => model(root)?,
    };
    let messages = root.get("messages").ok_or_else(|| Refused::new(At::of(root), "`messages` is missing"))?;
    let conversation = Conversation::read(messages)?;
    let known: Vec<&str> = KNOWN.into_iter().chain(settings::names()).collect();
    let mut rest = extra::of(root, &known);
    let mut request = Request::new(Protocol::Cohere, model);
    request.system = conversation.system;
    request.turns = conversation.turns;
    documents::add(root, &mut request.turns)?;
    request.tools = tools::read(root)?;
    request.tool_choice = tools::read_choice(root)?;
    request.output = output(root, &mut rest)?;
    request.reasoning = reasoning(root)?;
    request.max_output = max_output(root)?;
    request.stop = stop(root)?;
    request.settings = settings::read(root)?;
    request.is_stream = match (called.is_stream, root.get("stream")) {
        (Some(is_stream), _) => is_stream,
        (None, Some(node)) => node.as_bool().ok_or_else(|| {
            Refused::new(At::of(node), format!("`stream` must be true or false, not {}", node.kind()))
        })?,
        (None, None) => false,
    };
    request.wants_usage = true;
    request.extra = rest;
    Ok(request)
}

fn model<'a>(root: &Node<'a>) -> Result<Text<'a>, Refused> {
    let Some(node) = root.get("model") else {
        return Err(Refused::new(At::of(root), "`model` is missing"));
    };
    let wrong = || Refused::new(At::of(node), format!("`model` must be a name, not {}", node.kind()));
    node.text().filter(|model| !model.is_empty()).ok_or_else(wrong)
}

/// Reads `response_format`; its schema stands under the older name or the newer.
fn output<'a>(root: &Node<'a>, rest: &mut Extra<'a>) -> Result<Option<OutputFormat<'a>>, Refused> {
    let Some(node) = root.get("response_format") else { return Ok(None) };
    let schema = node.get("json_schema").or_else(|| node.get("schema"));
    if let Some(odd) = schema.filter(|schema| !schema.is_object()) {
        return Err(Refused::new(At::of(odd), format!("a schema must be an object, not {}", odd.kind())));
    }
    extra::add_inner(rest, "response_format", node, &["type", "json_schema", "schema"]);
    match node.text_of("type").as_deref() {
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(match schema {
            None => OutputFormat::Json,
            Some(schema) => {
                OutputFormat::Schema { name: None, description: None, schema: Raw::of(schema), strict: None }
            }
        })),
        _ => Err(Refused::new(At::of(node), "`response_format` must have the `type` text or json_object")),
    }
}

fn reasoning<'a>(root: &Node<'a>) -> Result<Option<Reasoning<'a>>, Refused> {
    let Some(node) = root.get("thinking") else { return Ok(None) };
    let budget = match node.get("token_budget") {
        Some(tokens) => Some(
            tokens
                .as_u64()
                .ok_or_else(|| Refused::new(At::of(tokens), "a number of tokens must be a whole number"))?,
        ),
        None => None,
    };
    let is_off = match node.text_of("type").as_deref() {
        Some("enabled") => false,
        Some("disabled") => true,
        _ => return Err(Refused::new(At::of(node), "`thinking` must have the `type` enabled or disabled")),
    };
    Ok(Some(Reasoning {
        at: At::of(node),
        budget,
        is_adaptive: !is_off && budget.is_none(),
        is_off,
        extra: extra::of(node, &["type", "token_budget"]),
        ..Reasoning::default()
    }))
}

fn max_output(root: &Node<'_>) -> Result<Option<u64>, Refused> {
    let Some(node) = root.get("max_tokens") else { return Ok(None) };
    let wrong = || Refused::new(At::of(node), "`max_tokens` must be a whole number");
    node.as_u64().map(Some).ok_or_else(wrong)
}

fn stop<'a>(root: &Node<'a>) -> Result<Vec<Text<'a>>, Refused> {
    let Some(node) = root.get("stop_sequences") else { return Ok(Vec::new()) };
    let wrong = |node: &Node<'_>| Refused::new(At::of(node), "`stop_sequences` must be a list of strings");
    if !node.is_array() {
        return Err(wrong(node));
    }
    node.items().iter().map(|item| item.text().ok_or_else(|| wrong(item))).collect()
}
