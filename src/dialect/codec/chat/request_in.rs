//! A client's request.

use crate::chat::{At, Extra, OutputFormat, Raw, Refused, Request, Text};
use crate::dialect::codec::Called;
use crate::framing::json::Node;
use crate::types::Protocol;

use super::messages_in::Conversation;
use super::{choice, extra, reasoning, settings, tools};

/// Fields with a place of their own in the canonical form; [`settings`] has the flat ones.
const KNOWN: [&str; 16] = [
    "model",
    "messages",
    "tools",
    "functions",
    "tool_choice",
    "function_call",
    "parallel_tool_calls",
    "response_format",
    "reasoning",
    "reasoning_effort",
    "thinking",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "stream",
    "stream_options",
];

/// Reads a request of a chat completions client.
///
/// # Errors
/// [`Refused`] at the field that is wrong.
pub fn decode_request<'a>(root: &Node<'a>, called: Called<'_>) -> Result<Request<'a>, Refused> {
    if !root.is_object() {
        return Err(Refused::new(At::of(root), "the body must be a JSON object"));
    }
    let model = match called.model {
        Some(model) => Text::Owned(model.to_owned()),
        None => text(root, "model")?
            .filter(|model| !model.is_empty())
            .ok_or_else(|| Refused::new(At::of(root), "`model` is missing"))?,
    };
    let messages = root.get("messages").ok_or_else(|| Refused::new(At::of(root), "`messages` is missing"))?;
    let conversation = Conversation::read(messages)?;
    let mut request = Request::new(Protocol::Chat, model);
    let mut rest = unknown(root);
    request.settings = settings::read(root, &mut rest)?;
    request.reasoning = reasoning::read(root, &mut rest)?;
    request.system = conversation.system;
    request.turns = conversation.turns;
    request.tools = tools::read(root)?;
    request.tool_choice = choice::read(root)?;
    request.parallel_tools = flag(root, "parallel_tool_calls")?;
    request.output = output(root, &mut rest)?;
    request.max_output = max_output(root)?;
    request.stop = stop(root)?;
    request.is_stream = match called.is_stream {
        Some(is_stream) => is_stream,
        None => flag(root, "stream")?.unwrap_or(false),
    };
    let options = root.get("stream_options");
    request.wants_usage = options.and_then(|o| o.get("include_usage")?.as_bool()).unwrap_or(false);
    if let Some(field) = settings::stream_options(root) {
        rest.of = Some(Protocol::Chat);
        rest.fields.push(field);
    }
    request.extra = rest;
    Ok(request)
}

fn unknown<'a>(root: &Node<'a>) -> Extra<'a> {
    let known: Vec<&str> = KNOWN.into_iter().chain(settings::names()).collect();
    extra::of(root, &known)
}

fn text<'a>(root: &Node<'a>, key: &str) -> Result<Option<Text<'a>>, Refused> {
    let Some(node) = root.get(key) else { return Ok(None) };
    let wrong = || Refused::new(At::of(node), format!("`{key}` must be a string, not {}", node.kind()));
    node.text().map(Some).ok_or_else(wrong)
}

fn flag(root: &Node<'_>, key: &str) -> Result<Option<bool>, Refused> {
    let Some(node) = root.get(key) else { return Ok(None) };
    let wrong = || Refused::new(At::of(node), format!("`{key}` must be true or false, not {}", node.kind()));
    node.as_bool().map(Some).ok_or_else(wrong)
}

/// The newer name counts. Minus one, which local servers take for "no limit", is none.
fn max_output(root: &Node<'_>) -> Result<Option<u64>, Refused> {
    let given = root.get("max_completion_tokens").or_else(|| root.get("max_tokens"));
    let Some(node) = given.filter(|node| node.raw() != "-1") else { return Ok(None) };
    let wrong = || Refused::new(At::of(node), "the most tokens to answer with must be a whole number");
    node.as_u64().map(Some).ok_or_else(wrong)
}

fn stop<'a>(root: &Node<'a>) -> Result<Vec<Text<'a>>, Refused> {
    let Some(node) = root.get("stop") else { return Ok(Vec::new()) };
    if let Some(only) = node.text() {
        return Ok(vec![only]);
    }
    let wrong = |node: &Node<'_>| Refused::new(At::of(node), "`stop` must be a string or a list of strings");
    if !node.is_array() {
        return Err(wrong(node));
    }
    node.items().iter().map(|item| item.text().ok_or_else(|| wrong(item))).collect()
}

/// Reads `response_format`. A type of a vendor's own is kept as it is.
fn output<'a>(root: &Node<'a>, rest: &mut Extra<'a>) -> Result<Option<OutputFormat<'a>>, Refused> {
    let Some(node) = root.get("response_format") else { return Ok(None) };
    let kind = node.text_of("type");
    match kind.as_deref() {
        Some("text") => Ok(None),
        Some("json_object") => {
            // Together, Fireworks: a schema beside the JSON mode.
            let schema = node.get("schema").filter(|schema| schema.is_object());
            Ok(Some(schema.map_or(OutputFormat::Json, |schema| OutputFormat::Schema {
                name: None,
                description: None,
                schema: Raw::of(schema),
                strict: None,
            })))
        }
        Some("json_schema") => schema(node, rest).map(Some),
        Some(_) => {
            extra::add(rest, "response_format", node);
            Ok(None)
        }
        None => Err(Refused::new(At::of(node), "`response_format` must be an object with a `type`")),
    }
}

fn schema<'a>(node: &Node<'a>, rest: &mut Extra<'a>) -> Result<OutputFormat<'a>, Refused> {
    let inner = node.get("json_schema").unwrap_or(node);
    let Some(schema) = inner.get("schema").filter(|schema| schema.is_object()) else {
        return Err(Refused::new(At::of(inner), "`json_schema` needs a `schema` object"));
    };
    const KNOWN: [&str; 6] = ["type", "json_schema", "name", "description", "schema", "strict"];
    extra::add_inner(rest, "response_format.json_schema", inner, &KNOWN);
    Ok(OutputFormat::Schema {
        name: inner.text_of("name"),
        description: inner.text_of("description"),
        schema: Raw::of(schema),
        strict: inner.get("strict").and_then(Node::as_bool),
    })
}
