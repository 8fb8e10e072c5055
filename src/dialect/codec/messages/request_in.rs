//! What a Messages client asks for.

use super::blocks_in::content;
use super::fields::{
    add, extra, extra_of_part, items, opt_bool, opt_object, opt_text, opt_whole, text, wrong,
};
use super::tools_in;
use crate::chat::{
    At, Effort, Extra, Feature, Field, OutputFormat, Raw, Reasoning, Refused, Request, Role, Setting, Text,
    Turn,
};
use crate::dialect::codec::Called;
use crate::framing::json::Node;
use crate::types::Protocol;

/// Fields with a place in the canonical form; the others are kept beside it.
const KNOWN: [&str; 16] = [
    "model",
    "messages",
    "max_tokens",
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "output_format",
    "stop_sequences",
    "stream",
    "metadata",
    "service_tier",
    "temperature",
    "top_p",
    "top_k",
];

/// Reads a call to `/v1/messages`.
///
/// # Errors
/// [`Refused`] with the place of the first field that is missing or of the wrong shape.
pub fn decode_request<'a>(root: &Node<'a>, called: Called<'_>) -> Result<Request<'a>, Refused> {
    let request = decode(root, called)?;
    if request.max_output.is_none() {
        return Err(Refused::new(
            At::of(root),
            "`max_tokens` is missing: the most tokens the answer may have",
        ));
    }
    Ok(request)
}

/// Reads a call to `/v1/messages/count_tokens`: the same without `max_tokens`.
///
/// # Errors
/// [`Refused`], likewise.
pub fn decode_count<'a>(root: &Node<'a>, called: Called<'_>) -> Result<Request<'a>, Refused> {
    decode(root, called)
}

fn decode<'a>(root: &Node<'a>, called: Called<'_>) -> Result<Request<'a>, Refused> {
    if !root.is_object() {
        return Err(Refused::new(At::of(root), format!("the body is an object, not {}", root.kind())));
    }
    let model = match called.model {
        Some(model) => Text::Owned(model.to_owned()),
        None => text(root, "model")?,
    };
    let mut request = Request::new(Protocol::Messages, model);
    request.wants_usage = true;
    request.is_stream = opt_bool(root, "stream")?.or(called.is_stream).unwrap_or(false);
    request.max_output = opt_whole(root, "max_tokens")?;
    request.system = root.get("system").map(content).transpose()?.unwrap_or_default();
    request.turns = turns(root)?;
    request.tools = tools_in::tools(root)?;
    (request.tool_choice, request.parallel_tools) = tools_in::choice(root)?;
    for sequence in items(root, "stop_sequences")? {
        let words = sequence.text().ok_or_else(|| wrong(sequence, "stop_sequences[]", "a string"))?;
        request.stop.push(words);
    }
    request.extra = extra(root, &KNOWN);
    settings(root, &mut request)?;
    request.reasoning = thinking(root)?;
    output_config(root, &mut request)?;
    Ok(request)
}

fn turns<'a>(root: &Node<'a>) -> Result<Vec<Turn<'a>>, Refused> {
    if root.get("messages").is_none() {
        return Err(Refused::new(At::of(root), "`messages` is missing: an array of turns"));
    }
    items(root, "messages")?.iter().map(turn).collect()
}

fn turn<'a>(node: &Node<'a>) -> Result<Turn<'a>, Refused> {
    if !node.is_object() {
        return Err(Refused::new(At::of(node), format!("a message is an object, not {}", node.kind())));
    }
    let role = match text(node, "role")?.as_ref() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        other => {
            let at = node.get("role").map_or(At::of(node), At::of);
            return Err(Refused::new(at, format!("`role` is user, assistant or system, not {other:?}")));
        }
    };
    let Some(said) = node.get("content") else {
        return Err(Refused::new(At::of(node), "`content` is missing: a string or an array of blocks"));
    };
    let extra = extra(node, &["role", "content"]);
    Ok(Turn { at: At::of(node), role, blocks: content(said)?, name: None, extra })
}

fn settings<'a>(root: &Node<'a>, request: &mut Request<'a>) -> Result<(), Refused> {
    let numbers = [("temperature", Feature::Temperature), ("top_p", Feature::TopP), ("top_k", Feature::TopK)];
    for (key, feature) in numbers {
        let Some(value) = root.get(key) else { continue };
        if !value.is_number() {
            return Err(wrong(value, key, "a number"));
        }
        request.settings.push(setting(feature, value));
    }
    if let Some(tier) = root.get("service_tier") {
        opt_text(root, "service_tier")?;
        request.settings.push(setting(Feature::ServiceTier, tier));
    }
    if let Some(metadata) = opt_object(root, "metadata")? {
        opt_text(metadata, "user_id")?;
        if let Some(user) = metadata.get("user_id") {
            request.settings.push(setting(Feature::User, user));
        }
        extra_of_part(&mut request.extra, metadata, "metadata", &["user_id"]);
    }
    Ok(())
}

fn setting<'a>(feature: Feature, value: &Node<'a>) -> Setting<'a> {
    Setting { feature, at: At::of(value), value: Raw::of(value) }
}

/// `thinking`. A type not known here, `between_tools` among them, is kept whole beside what can be said
/// of it: that the model thinks as it sees fit.
fn thinking<'a>(root: &Node<'a>) -> Result<Option<Reasoning<'a>>, Refused> {
    let Some(node) = opt_object(root, "thinking")? else { return Ok(None) };
    let mut reasoning = Reasoning { at: At::of(node), ..Reasoning::default() };
    match text(node, "type")?.as_ref() {
        "enabled" => {
            reasoning.budget = opt_whole(node, "budget_tokens")?;
            if reasoning.budget.is_none() {
                return Err(Refused::new(At::of(node), "`budget_tokens` is missing: tokens to think with"));
            }
        }
        "adaptive" => reasoning.is_adaptive = true,
        "disabled" => reasoning.is_off = true,
        _ => {
            reasoning.is_adaptive = true;
            let field = Field { name: "thinking".into(), at: At::of(node), value: Raw::of(node) };
            add(&mut reasoning.extra, field);
            return Ok(Some(reasoning));
        }
    }
    let mut known = vec!["type", "budget_tokens"];
    match opt_text(node, "display")?.as_deref() {
        Some("summarized") => reasoning.is_shown = Some(true),
        Some("omitted") => reasoning.is_shown = Some(false),
        _ => {}
    }
    if reasoning.is_shown.is_some() {
        known.push("display");
    }
    reasoning.extra = extra(node, &known);
    Ok(Some(reasoning))
}

/// `output_config`, and `output_format`, its older form.
fn output_config<'a>(root: &Node<'a>, request: &mut Request<'a>) -> Result<(), Refused> {
    if let Some(config) = opt_object(root, "output_config")? {
        let mut known = vec!["effort", "format"];
        if let Some(word) = opt_text(config, "effort")? {
            match Effort::of(&word) {
                Some(effort) => request.reasoning.get_or_insert_default().effort = Some(effort),
                // A word of tomorrow: for the vendor to judge.
                None => known.retain(|key| *key != "effort"),
            }
        }
        if let Some(format) = opt_object(config, "format")? {
            request.output = schema(format, "output_config.format", &mut request.extra);
        }
        extra_of_part(&mut request.extra, config, "output_config", &known);
    }
    if request.output.is_none()
        && let Some(format) = opt_object(root, "output_format")?
    {
        request.output = schema(format, "output_config.format", &mut request.extra);
    }
    Ok(())
}

/// The schema; a format that is not plainly one is kept whole.
fn schema<'a>(node: &Node<'a>, name: &'static str, into: &mut Extra<'a>) -> Option<OutputFormat<'a>> {
    let schema = node.get("schema").filter(|schema| schema.is_object());
    let is_plain = node.get("type").is_some_and(|kind| kind.is("json_schema"))
        && extra(node, &["type", "schema"]).is_empty();
    match schema.filter(|_| is_plain) {
        Some(schema) => Some(OutputFormat::Schema {
            name: None,
            description: None,
            schema: Raw::of(schema),
            strict: None,
        }),
        None => {
            add(into, Field { name: name.into(), at: At::of(node), value: Raw::of(node) });
            None
        }
    }
}
