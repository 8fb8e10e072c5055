//! Cohere's and Ollama's refusals.

use serde_json::Value;

use super::{is_set, list, text, unknown};

const COHERE: [&str; 23] = [
    "model",
    "messages",
    "stream",
    "tools",
    "strict_tools",
    "documents",
    "citation_options",
    "response_format",
    "safety_mode",
    "max_tokens",
    "stop_sequences",
    "temperature",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "k",
    "p",
    "logprobs",
    "tool_choice",
    "thinking",
    "priority",
    "raw_prompting",
    "return_prompt",
];

/// `/v2/chat`.
pub fn cohere(body: &Value) -> Option<String> {
    if let Some(name) = unknown(body, &COHERE) {
        return Some(format!("invalid request: unknown field '{name}'"));
    }
    if is_set(body, "tool_choice") && !matches!(text(body, "tool_choice"), "REQUIRED" | "NONE") {
        return Some("invalid request: tool_choice must be one of REQUIRED, NONE".to_owned());
    }
    let mut called: Vec<&str> = Vec::new();
    for message in list(body, "messages") {
        called.extend(list(message, "tool_calls").iter().map(|call| text(call, "id")));
        let id = text(message, "tool_call_id");
        if text(message, "role") == "tool" && !called.contains(&id) {
            return Some(format!("invalid request: tool_call_id {id} not found in tool calls"));
        }
    }
    None
}

/// `/api/chat`.
pub fn ollama(body: &Value) -> Option<String> {
    for message in list(body, "messages") {
        let is_text =
            |call: &Value| call.pointer("/function/arguments").is_some_and(|value| !value.is_object());
        if list(message, "tool_calls").iter().any(is_text) {
            return Some(
                "json: cannot unmarshal string into Go struct field .arguments of type api.ToolCallFunctionArguments"
                    .to_owned(),
            );
        }
        if is_set(message, "content") && !message.get("content").is_some_and(Value::is_string) {
            return Some(
                "json: cannot unmarshal array into Go struct field .content of type string".to_owned(),
            );
        }
        let is_link = |image: &Value| image.as_str().is_none_or(|image| image.contains(':'));
        if list(message, "images").iter().any(is_link) {
            return Some("illegal base64 data at input byte 4".to_owned());
        }
    }
    None
}
