//! What Claude's other hosts refuse: another dress, and betas that are not theirs.

use serde_json::Value;

use super::super::request::Head;
use super::{anthropic, text};

/// Betas Bedrock documents, without their dates.
const BEDROCK: [&str; 9] = [
    "context-management-",
    "compact-",
    "interleaved-thinking-",
    "context-1m-",
    "computer-use-",
    "tool-search-tool-",
    "token-efficient-tools-",
    "output-128k-",
    "tool-examples-",
];
/// Vertex's.
const VERTEX: [&str; 6] = [
    "context-management-",
    "compact-",
    "interleaved-thinking-",
    "context-1m-",
    "tool-search-tool-",
    "web-search-",
];

/// `:rawPredict` and `:streamRawPredict`.
pub fn vertex(model: &str, head: &Head, body: &Value) -> Option<String> {
    if text(body, "anthropic_version") != "vertex-2023-10-16" {
        return Some("anthropic_version: Field required".to_owned());
    }
    if body.get("model").is_some() {
        return Some("model: Extra inputs are not permitted".to_owned());
    }
    let betas = head.header("anthropic-beta").unwrap_or_default();
    let names = betas.split(',').map(str::trim).filter(|name| !name.is_empty());
    unknown(names, &VERTEX).or_else(|| anthropic::messages(model, None, &undressed(body)))
}

/// `/invoke` and `/invoke-with-response-stream`.
pub fn bedrock(model: &str, head: &Head, body: &Value) -> Option<String> {
    if text(body, "anthropic_version") != "bedrock-2023-05-31" {
        return Some("anthropic_version: Field required".to_owned());
    }
    if let Some(name) = ["model", "stream"].iter().find(|name| body.get(**name).is_some()) {
        return Some(format!("{name}: Extra inputs are not permitted"));
    }
    if head.header("anthropic-beta").is_some() {
        return Some("invalid beta flag".to_owned());
    }
    let betas = body.get("anthropic_beta").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    unknown(betas.iter().filter_map(Value::as_str), &BEDROCK)
        .or_else(|| anthropic::messages(model, None, &undressed(body)))
}

/// Vertex's `count-tokens:rawPredict`.
pub fn vertex_count(body: &Value) -> Option<String> {
    let is_named = !text(body, "model").is_empty();
    (!is_named).then(|| "model: Field required".to_owned())
}

/// Bedrock's `/count-tokens`.
pub fn bedrock_count(body: &Value) -> Option<String> {
    let wrapped = body.pointer("/input/invokeModel/body").and_then(Value::as_str);
    (wrapped.is_none_or(str::is_empty)).then(|| "input: exactly one of converse, invokeModel".to_owned())
}

fn unknown<'n>(mut names: impl Iterator<Item = &'n str>, known: &[&str]) -> Option<String> {
    let is_known = |name: &str| known.iter().any(|known| name.starts_with(known));
    names.find(|name| !is_known(name)).map(|_| "invalid beta flag".to_owned())
}

/// The body as Anthropic itself takes it: fields of betas apart, which its own check does not know
/// without their names.
fn undressed(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(fields) = body.as_object_mut() {
        for name in ["anthropic_version", "anthropic_beta", "context_management"] {
            fields.remove(name);
        }
    }
    body
}
