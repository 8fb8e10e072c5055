//! Anthropic's refusals.

use serde_json::{Map, Value};

use super::schema::{keyword, not_closed, walk};
use super::{is_set, list, missing, text, unknown};

/// Top-level fields (SDK 2.11 and its betas).
const FIELDS: [&str; 24] = [
    "model",
    "messages",
    "max_tokens",
    "system",
    "metadata",
    "stop_sequences",
    "stream",
    "temperature",
    "top_k",
    "top_p",
    "tools",
    "tool_choice",
    "thinking",
    "service_tier",
    "container",
    "context_management",
    "mcp_servers",
    "output_config",
    "output_format",
    "cache_control",
    "inference_geo",
    "speed",
    "fallbacks",
    "betas",
];
/// Betas by name, their dates left off.
const BETAS: [&str; 33] = [
    "advanced-tool-use",
    "advisor-tool",
    "cache-diagnosis",
    "claude-code",
    "code-execution",
    "compact",
    "computer-use",
    "context-1m",
    "context-management",
    "effort",
    "extended-cache-ttl",
    "fallback-credit",
    "fast-mode",
    "files-api",
    "fine-grained-tool-streaming",
    "inline-tools",
    "interleaved-thinking",
    "mcp-client",
    "message-batches",
    "message-threads",
    "mid-conversation-output-config",
    "mid-conversation-tool-changes",
    "model-context-window-exceeded",
    "oauth",
    "output-128k",
    "output-300k",
    "pdfs",
    "prompt-caching",
    "server-side-fallback",
    "skills",
    "structured-outputs",
    "task-budgets",
    "token-counting",
];
const SAMPLING: [&str; 3] = ["temperature", "top_p", "top_k"];
/// What the schema of an answer or of a strict tool cannot say.
const NOT_STRICT: [&str; 11] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "oneOf",
    "patternProperties",
];

/// `/v1/messages`. `betas` is the header.
pub fn messages(model: &str, betas: Option<&str>, body: &Value) -> Option<String> {
    let wrong =
        betas.unwrap_or_default().split(',').map(str::trim).find(|beta| !beta.is_empty() && !is_known(beta));
    if let Some(beta) = wrong {
        return Some(format!("Unexpected value(s) `{beta}` for the `anthropic-beta` header."));
    }
    if let Some(name) = unknown(body, &FIELDS) {
        return Some(format!("{name}: Extra inputs are not permitted"));
    }
    if !is_set(body, "max_tokens") {
        return Some("max_tokens: Field required".to_owned());
    }
    if takes_no_sampling(model)
        && let Some(name) = SAMPLING.into_iter().find(|name| is_set(body, name))
    {
        return Some(format!("`{name}` is not supported for this model."));
    }
    thinking(body).or_else(|| schemas(body)).or_else(|| turns(body)).or_else(|| pairs(body))
}

fn is_known(beta: &str) -> bool {
    let is_date = |tail: &str| tail.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    BETAS
        .iter()
        .any(|name| beta.strip_prefix(name).and_then(|tail| tail.strip_prefix('-')).is_some_and(is_date))
}

/// Opus from 4.7 on, Sonnet 5.
fn takes_no_sampling(model: &str) -> bool {
    ["claude-opus-4-7", "claude-opus-4-8", "claude-opus-5", "claude-sonnet-5"]
        .iter()
        .any(|name| model.contains(name))
}

fn thinking(body: &Value) -> Option<String> {
    let thinking = body.get("thinking")?;
    if !matches!(text(thinking, "type"), "enabled" | "adaptive") {
        return None;
    }
    let forces = body.get("tool_choice").map(|choice| text(choice, "type"));
    if matches!(forces, Some("any" | "tool")) {
        return Some("Thinking may not be enabled when tool_choice forces tool use.".to_owned());
    }
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64);
    let budget = number(thinking, "budget_tokens")?;
    if budget < 1024 {
        return Some(
            "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024".to_owned(),
        );
    }
    (number(body, "max_tokens")? <= budget)
        .then(|| "`max_tokens` must be greater than `thinking.budget_tokens`.".to_owned())
}

fn schemas(body: &Value) -> Option<String> {
    for (index, tool) in list(body, "tools").iter().enumerate() {
        let Some(schema) = tool.get("input_schema") else { continue };
        if text(schema, "type") != "object" {
            return Some(format!("tools.{index}.custom.input_schema.type: Field required"));
        }
        let top = schema.as_object().and_then(|node| keyword(node, &["oneOf", "allOf", "anyOf"]));
        if top.is_some() {
            return Some(format!(
                "tools.{index}.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"
            ));
        }
        let is_strict = tool.get("strict") == Some(&Value::Bool(true));
        if is_strict && let Some(complaint) = walk(schema, "input_schema", &strict) {
            return Some(format!("tools.{index}.custom: {complaint}"));
        }
    }
    let format =
        body.pointer("/output_config/format/schema").or_else(|| body.pointer("/output_format/schema"))?;
    walk(format, "schema", &strict).map(|complaint| format!("output_config.format: {complaint}"))
}

fn strict(node: &Map<String, Value>, path: &str) -> Option<String> {
    match keyword(node, &NOT_STRICT) {
        Some(name) => Some(format!("{path}: property '{name}' is not supported")),
        None => not_closed(node, path),
    }
}

/// Blocks of a message; none where its content is a string.
fn blocks(message: &Value) -> &[Value] {
    list(message, "content")
}

fn turns(body: &Value) -> Option<String> {
    let mut before = "assistant";
    for (index, message) in list(body, "messages").iter().enumerate() {
        let role = text(message, "role");
        let is_empty =
            |value: Option<&Value>| value.and_then(Value::as_str).is_some_and(|text| text.trim().is_empty());
        let has_empty = is_empty(message.get("content"))
            || blocks(message)
                .iter()
                .any(|block| text(block, "type") == "text" && is_empty(block.get("text")));
        if has_empty {
            return Some(format!("messages.{index}: text content blocks must be non-empty"));
        }
        if role == "system" {
            continue;
        }
        if role == before {
            return Some(format!(
                "messages.{index}: roles must alternate between \"user\" and \"assistant\""
            ));
        }
        before = role;
    }
    None
}

fn pairs(body: &Value) -> Option<String> {
    let turns: Vec<&Value> =
        list(body, "messages").iter().filter(|message| text(message, "role") != "system").collect();
    let of = |message: Option<&&Value>, kind: &str, field: &'static str| -> Vec<String> {
        let blocks = message.map(|message| blocks(message)).unwrap_or_default();
        blocks
            .iter()
            .filter(|block| text(block, "type") == kind)
            .map(|block| text(block, field).to_owned())
            .collect()
    };
    for index in 0..turns.len() {
        let (this, next) = (turns.get(index), turns.get(index + 1));
        let before = index.checked_sub(1).and_then(|before| turns.get(before));
        let uses = of(this, "tool_use", "id");
        let answers = of(next, "tool_result", "tool_use_id");
        if let Some(id) = lacking(&uses, &answers) {
            return Some(format!(
                "messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: {id}."
            ));
        }
        let results = of(this, "tool_result", "tool_use_id");
        if let Some(id) = lacking(&results, &of(before, "tool_use", "id")) {
            return Some(format!(
                "messages.{index}: unexpected `tool_use_id` found in `tool_result` blocks: {id}."
            ));
        }
        let kinds: Vec<&str> = this
            .map(|message| blocks(message))
            .unwrap_or_default()
            .iter()
            .map(|block| text(block, "type"))
            .collect();
        let last = kinds.iter().rposition(|kind| *kind == "tool_result").map_or(0, |place| place + 1);
        if kinds.iter().take(last).any(|kind| *kind != "tool_result") {
            return Some(format!("messages.{index}: tool_result blocks must come first"));
        }
    }
    None
}

fn lacking(wanted: &[String], given: &[String]) -> Option<String> {
    let (wanted, given): (Vec<&str>, Vec<&str>) =
        (wanted.iter().map(String::as_str).collect(), given.iter().map(String::as_str).collect());
    missing(&wanted, &given).map(str::to_owned)
}
