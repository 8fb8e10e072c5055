//! A client's request.

use crate::chat::{At, OutputFormat, Raw, Refused, Request, Text};
use crate::dialect::codec::Called;
use crate::framing::json::Node;
use crate::types::Protocol;

use super::messages_in::Conversation;
use super::{extra, options, reasoning, tools};

const KNOWN: [&str; 9] =
    ["model", "messages", "tools", "format", "options", "stream", "think", "logprobs", "top_logprobs"];

/// Reads a request of an Ollama client. It streams unless it says not to.
///
/// # Errors
/// [`Refused`] at the field that is wrong.
pub fn decode_request<'a>(root: &Node<'a>, called: Called<'_>) -> Result<Request<'a>, Refused> {
    if !root.is_object() {
        return Err(Refused::new(At::of(root), "the body must be a JSON object"));
    }
    let model = match (called.model, root.get("model")) {
        (Some(model), _) => Text::Owned(model.to_owned()),
        (None, None) => return Err(Refused::new(At::of(root), "`model` is missing")),
        (None, Some(node)) => node.text().filter(|model| !model.is_empty()).ok_or_else(|| {
            Refused::new(At::of(node), format!("`model` must be a name, not {}", node.kind()))
        })?,
    };
    let messages = root.get("messages").ok_or_else(|| Refused::new(At::of(root), "`messages` is missing"))?;
    let conversation = Conversation::read(messages)?;
    let mut rest = extra::of(root, &KNOWN);
    let options = options::read(root, &mut rest)?;
    let mut request = Request::new(Protocol::Ollama, model);
    request.system = conversation.system;
    request.turns = conversation.turns;
    request.tools = tools::read(root)?;
    request.output = output(root)?;
    request.reasoning = reasoning::read(root)?;
    request.max_output = options.max_output;
    request.stop = options.stop;
    request.settings = options.settings;
    request.is_stream = match (called.is_stream, root.get("stream")) {
        (Some(is_stream), _) => is_stream,
        (None, Some(node)) => node.as_bool().ok_or_else(|| {
            Refused::new(At::of(node), format!("`stream` must be true or false, not {}", node.kind()))
        })?,
        (None, None) => true,
    };
    request.wants_usage = true;
    request.extra = rest;
    Ok(request)
}

/// Reads `format`: `json`, a schema, or an empty string for none.
fn output<'a>(root: &Node<'a>) -> Result<Option<OutputFormat<'a>>, Refused> {
    let Some(node) = root.get("format") else { return Ok(None) };
    if node.is_object() {
        let schema = Raw::of(node);
        return Ok(Some(OutputFormat::Schema { name: None, description: None, schema, strict: None }));
    }
    match node.text().as_deref() {
        Some("") => Ok(None),
        Some("json") => Ok(Some(OutputFormat::Json)),
        _ => Err(Refused::new(At::of(node), "`format` must be \"json\" or a JSON schema object")),
    }
}
