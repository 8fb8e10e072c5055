//! Gemini's refusals.

use serde_json::{Map, Value};

use super::schema::walk;
use super::{list, text, unknown};
use crate::sim::gemini::SIGNATURE;

const FIELDS: [&str; 14] = [
    "model",
    "contents",
    "systemInstruction",
    "system_instruction",
    "tools",
    "toolConfig",
    "tool_config",
    "generationConfig",
    "generation_config",
    "safetySettings",
    "safety_settings",
    "cachedContent",
    "serviceTier",
    "store",
];
/// Keywords of Gemini's schema, a subset of OpenAPI's.
const KEYWORDS: [&str; 22] = [
    "type",
    "format",
    "title",
    "description",
    "nullable",
    "enum",
    "items",
    "maxItems",
    "minItems",
    "properties",
    "required",
    "minProperties",
    "maxProperties",
    "minLength",
    "maxLength",
    "pattern",
    "example",
    "anyOf",
    "propertyOrdering",
    "default",
    "minimum",
    "maximum",
];
/// Stands for a signature that was never made (calls of another model's turn).
const SKIPS: [&str; 2] = ["skip_thought_signature_validator", "context_engineering_is_the_way_to_go"];

/// `:generateContent` and `:streamGenerateContent`.
pub fn generate(model: &str, body: &Value) -> Option<String> {
    if let Some(name) = unknown(body, &FIELDS) {
        return Some(invalid(name));
    }
    let declared = list(body, "tools").iter().flat_map(|tool| {
        list(tool, "functionDeclarations").iter().chain(list(tool, "function_declarations"))
    });
    for declaration in declared {
        let parameters = declaration.get("parameters");
        if parameters.is_some() && declaration.get("parametersJsonSchema").is_some() {
            return Some("parameters and parametersJsonSchema cannot both be set".to_owned());
        }
        let found = parameters.and_then(|schema| walk(schema, "parameters", &subset));
        if found.is_some() {
            return found;
        }
    }
    let has_functions = list(body, "tools").iter().any(|tool| tool.get("functionDeclarations").is_some());
    let is_json =
        body.pointer("/generationConfig/responseMimeType").is_some_and(|kind| kind == "application/json");
    if has_functions && is_json && !model.contains("gemini-3") {
        return Some(
            "Function calling with a response mime type: 'application/json' is unsupported".to_owned(),
        );
    }
    let schema = body.pointer("/generationConfig/responseSchema");
    schema
        .and_then(|schema| walk(schema, "response_schema", &subset))
        .or_else(|| pairs(body))
        .or_else(|| if model.contains("gemini-3") { signatures(body) } else { None })
}

fn invalid(name: &str) -> String {
    format!("Invalid JSON payload received. Unknown name \"{name}\": Cannot find field.")
}

fn subset(node: &Map<String, Value>, path: &str) -> Option<String> {
    if let Some(name) = node.keys().find(|name| !KEYWORDS.contains(&name.as_str())) {
        return Some(format!(
            "Invalid JSON payload received. Unknown name \"{name}\" at '{path}': Cannot find field."
        ));
    }
    if node.get("type").is_some_and(|kind| !kind.is_string()) {
        return Some(format!(
            "Invalid value at '{path}.type': Proto field is not repeating, cannot start list."
        ));
    }
    let properties = node.get("properties").and_then(Value::as_object);
    let mut required =
        node.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let undefined =
        required.find(|name| !properties.is_some_and(|properties| properties.contains_key(*name)));
    undefined.map(|name| format!("{path}.required: property is not defined: {name}"))
}

fn parts_with<'a>(content: &'a Value, field: &str) -> Vec<&'a Value> {
    list(content, "parts").iter().filter(|part| part.get(field).is_some()).collect()
}

/// Each turn of calls is followed by a turn with as many responses, and the other way round.
fn pairs(body: &Value) -> Option<String> {
    let contents = list(body, "contents");
    for (index, content) in contents.iter().enumerate() {
        if list(content, "parts").is_empty() {
            return Some("GenerateContentRequest.contents: contents.parts must not be empty.".to_owned());
        }
        let count =
            |content: Option<&Value>, field| content.map_or(0, |content| parts_with(content, field).len());
        let calls = count(Some(content), "functionCall");
        if calls > 0 && calls != count(contents.get(index + 1), "functionResponse") {
            return Some(
                "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.".to_owned(),
            );
        }
        let before = index.checked_sub(1).and_then(|before| contents.get(before));
        if count(Some(content), "functionResponse") > 0 && count(before, "functionCall") == 0 {
            return Some(
                "Please ensure that function response turn comes immediately after a function call turn."
                    .to_owned(),
            );
        }
    }
    None
}

/// The first call of each step since the user last spoke carries the signature it was given.
fn signatures(body: &Value) -> Option<String> {
    let contents = list(body, "contents");
    let speaks = |content: &Value| {
        text(content, "role") == "user" && parts_with(content, "functionResponse").is_empty()
    };
    let turn = contents.rsplit(speaks).next().unwrap_or_default();
    let first = |content: &Value| parts_with(content, "functionCall").first().map(|part| (*part).clone());
    let unsigned = turn.iter().filter_map(first).find(|part| {
        let signature = text(part, "thoughtSignature");
        signature != SIGNATURE && !SKIPS.contains(&signature)
    })?;
    let name = unsigned.pointer("/functionCall/name").and_then(Value::as_str).unwrap_or_default();
    Some(format!(
        "Function call `{name}` is missing a thought_signature in functionCall parts, or has one that is not valid."
    ))
}
