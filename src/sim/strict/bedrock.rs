//! Bedrock Converse's refusals.

use serde_json::Value;

use super::{list, missing, text};

/// `/converse` and `/converse-stream`.
pub fn converse(body: &Value) -> Option<String> {
    let messages = list(body, "messages");
    let mut before = "assistant";
    for (index, message) in messages.iter().enumerate() {
        let at = format!("messages.{index}");
        if text(message, "role") == before {
            return Some("A conversation must alternate between user and assistant roles.".to_owned());
        }
        before = text(message, "role");
        let blocks = list(message, "content");
        if blocks.is_empty() {
            return Some(format!("The content field in the Message object at {at} is empty."));
        }
        let is_blank = |block: &Value| {
            block.get("text").and_then(Value::as_str).is_some_and(|text| text.trim().is_empty())
        };
        if blocks.iter().any(is_blank) {
            return Some(format!("The text field in the ContentBlock object at {at}.content is blank."));
        }
        if blocks.iter().any(has_no_bytes) {
            return Some(format!("{at}.content: an image source must be bytes or s3Location."));
        }
        let next = messages.get(index + 1);
        let uses = ids(Some(message), "toolUse");
        if let Some(id) = missing(&uses, &ids(next, "toolResult")) {
            return Some(format!("Expected toolResult blocks at {at}.content for the following Ids: {id}"));
        }
        let earlier = index.checked_sub(1).and_then(|before| messages.get(before));
        if missing(&ids(Some(message), "toolResult"), &ids(earlier, "toolUse")).is_some() {
            return Some(format!(
                "The number of toolResult blocks at {at}.content exceeds the number of toolUse blocks of previous turn."
            ));
        }
    }
    let uses_tools = messages
        .iter()
        .flat_map(|message| list(message, "content"))
        .any(|block| block.get("toolUse").or_else(|| block.get("toolResult")).is_some());
    let has_tools = !list(body.get("toolConfig").unwrap_or(&Value::Null), "tools").is_empty();
    if uses_tools && !has_tools {
        return Some(
            "The toolConfig field must be defined when using toolUse and toolResult content blocks."
                .to_owned(),
        );
    }
    let bare = list(body.get("toolConfig").unwrap_or(&Value::Null), "tools")
        .iter()
        .filter_map(|tool| tool.get("toolSpec"));
    let untyped =
        bare.filter(|spec| spec.pointer("/inputSchema/json/type").and_then(Value::as_str) != Some("object"));
    untyped.map(|spec| text(spec, "name")).next().map(|name| {
        format!("The value at toolConfig.tools.toolSpec.inputSchema.json.type must be one of the following: object. ({name})")
    })
}

fn ids<'a>(message: Option<&'a Value>, kind: &str) -> Vec<&'a str> {
    let blocks = message.map(|message| list(message, "content")).unwrap_or_default();
    blocks.iter().filter_map(|block| block.get(kind)).map(|block| text(block, "toolUseId")).collect()
}

fn has_no_bytes(block: &Value) -> bool {
    block.get("image").is_some_and(|image| {
        let source = |name: &str| image.get("source").and_then(|source| source.get(name));
        let bytes = source("bytes").and_then(Value::as_str);
        source("s3Location").is_none() && bytes.is_none_or(|bytes| bytes.starts_with("http"))
    })
}
