//! OpenAI's refusals, and DeepSeek's where the model is one of theirs.

use serde_json::{Map, Value};

use super::schema::{keyword, not_closed, walk};
use super::{is_set, list, missing, text, unknown};

/// Parameters of chat completions (SDK 3.52), with those of clients that are let through.
const CHAT: [&str; 39] = [
    "model",
    "messages",
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "metadata",
    "modalities",
    "moderation",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
    "padding",
    "sim",
];
/// What a strict schema cannot say.
const NOT_STRICT: [&str; 9] = [
    "oneOf",
    "allOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
];

/// `/chat/completions`.
pub fn chat(model: &str, body: &Value) -> Option<String> {
    if model.starts_with("deepseek") {
        return pairs(body).or_else(|| reasoning(body));
    }
    if let Some(name) = unknown(body, &CHAT) {
        return Some(format!("Unrecognized request argument supplied: {name}"));
    }
    let is_reasoning = ["gpt-5", "gpt-6", "o1", "o3", "o4"].iter().any(|start| model.starts_with(start));
    if is_reasoning && let Some(name) = refused_when_reasoning(body) {
        return Some(format!("Unsupported parameter: '{name}' is not supported with this model."));
    }
    let format = body.pointer("/response_format/json_schema");
    let format = format.filter(|format| format.get("strict") == Some(&Value::Bool(true)));
    format
        .and_then(|format| {
            strict(format.get("schema")?, &format!("response_format '{}'", text(format, "name")))
        })
        .or_else(|| list(body, "tools").iter().find_map(|tool| tool_schema(tool.get("function")?)))
        .or_else(|| pairs(body))
}

/// `/responses`.
pub fn responses(body: &Value) -> Option<String> {
    let format =
        body.pointer("/text/format").filter(|format| format.get("strict") == Some(&Value::Bool(true)));
    format
        .and_then(|format| {
            strict(format.get("schema")?, &format!("response_format '{}'", text(format, "name")))
        })
        .or_else(|| list(body, "tools").iter().find_map(tool_schema))
        .or_else(|| items(body))
}

fn refused_when_reasoning(body: &Value) -> Option<&'static str> {
    let is_changed =
        |name: &str| body.get(name).is_some_and(|value| !value.is_null() && value.as_f64() != Some(1.0));
    ["max_tokens", "logprobs", "presence_penalty", "frequency_penalty"]
        .into_iter()
        .find(|name| is_set(body, name))
        .or_else(|| ["temperature", "top_p"].into_iter().find(|name| is_changed(name)))
}

fn tool_schema(tool: &Value) -> Option<String> {
    let is_strict = tool.get("strict") == Some(&Value::Bool(true));
    let name = format!("function '{}'", text(tool, "name"));
    if is_strict { strict(tool.get("parameters")?, &name) } else { None }
}

/// What is wrong with a schema that is promised to be strict.
fn strict(schema: &Value, what: &str) -> Option<String> {
    let check = |node: &Map<String, Value>, path: &str| {
        if let Some(name) = keyword(node, &NOT_STRICT) {
            return Some(format!("in {path}, '{name}' is not permitted"));
        }
        let required: Vec<&str> = node
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let properties = node.get("properties").and_then(Value::as_object);
        let names: Vec<&str> = properties.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        not_closed(node, path).or_else(|| {
            let name = missing(&names, &required)?;
            Some(format!(
                "in {path}, 'required' is required to include every key in properties. Missing '{name}'"
            ))
        })
    };
    walk(schema, "schema", &check).map(|complaint| format!("Invalid schema for {what}: {complaint}."))
}

/// Each call is answered right behind it, and each answer has a call.
fn pairs(body: &Value) -> Option<String> {
    let messages = list(body, "messages");
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        if text(message, "role") == "tool" {
            let id = text(message, "tool_call_id");
            let Some(place) = open.iter().position(|known| *known == id) else {
                return Some(format!(
                    "Invalid parameter: messages[{index}] with role 'tool' must be a response to a preceding message with 'tool_calls'."
                ));
            };
            open.swap_remove(place);
            continue;
        }
        if let Some(id) = open.first() {
            return Some(format!(
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. Not answered: {id}"
            ));
        }
        open = list(message, "tool_calls").iter().map(|call| text(call, "id")).collect();
    }
    open.first().map(|id| format!("messages with 'tool_calls' must be followed by tool messages: {id}"))
}

/// The same for the items of a response; what is stored is not known here.
fn items(body: &Value) -> Option<String> {
    if is_set(body, "previous_response_id") || is_set(body, "conversation") {
        return None;
    }
    if body.get("input").is_some_and(|input| input.as_array().is_some_and(Vec::is_empty)) {
        return Some(
            "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation' must be provided."
                .to_owned(),
        );
    }
    let of = |kind: &str| -> Vec<&str> {
        let items = list(body, "input").iter().filter(|item| text(item, "type") == kind);
        items.map(|item| text(item, "call_id")).collect()
    };
    let (calls, outputs) = (of("function_call"), of("function_call_output"));
    missing(&calls, &outputs).map(|id| format!("No tool output found for function call {id}.")).or_else(
        || {
            let id = missing(&outputs, &calls)?;
            Some(format!("No tool call found for function call output with call_id {id}."))
        },
    )
}

/// DeepSeek: what was thought before a call goes back with it, while the turn lasts.
fn reasoning(body: &Value) -> Option<String> {
    let messages = list(body, "messages");
    let turn = messages.rsplit(|message| text(message, "role") == "user").next().unwrap_or_default();
    turn.iter()
        .any(|message| !list(message, "tool_calls").is_empty() && !is_set(message, "reasoning_content"))
        .then(|| "The reasoning_content in the thinking mode must be passed back to the API.".to_owned())
}
