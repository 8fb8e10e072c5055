//! Bedrock Converse.

use crate::asked::{Asked, Role, Said, content};
use crate::facts::{first_text, list, text};
use serde_json::Value;
use tidegate::chat::Feature;

pub fn read(body: &Value, asked: &mut Asked) {
    list(&body["system"]).for_each(|block| asked.say(Role::System, text(&block["text"])));
    for message in list(&body["messages"]) {
        let role = if message["role"] == "assistant" { Role::Assistant } else { Role::User };
        list(&message["content"]).for_each(|block| read_block(block, role, asked));
    }
    for tool in list(&body["toolConfig"]["tools"]).map(|tool| &tool["toolSpec"]).filter(|t| t.is_object()) {
        asked.tool(text(&tool["name"]), text(&tool["description"]), &tool["inputSchema"]["json"]);
    }
    let choice = &body["toolConfig"]["toolChoice"];
    asked.choice = match choice.as_object().and_then(|choice| choice.keys().next()).map(String::as_str) {
        None => None,
        Some("tool") => Some(format!("tool {}", text(&choice["tool"]["name"]))),
        Some(word) => Some(word.to_owned()),
    };
    let config = &body["inferenceConfig"];
    asked.max = config["maxTokens"].as_u64();
    asked.temperature = config["temperature"].as_f64();
    asked.stop = list(&config["stopSequences"]).map(|word| text(word).to_owned()).collect();
    asked.set(config, &[("topP", Feature::TopP)]);
    asked.set(body, &[("guardrailConfig", Feature::Unknown)]);
}

fn read_block(block: &Value, role: Role, asked: &mut Asked) {
    asked.say(role, text(&block["text"]));
    asked.say(role, text(&block["guardContent"]["text"]["text"]));
    asked.think(text(&block["reasoningContent"]["reasoningText"]["text"]));
    let place = |media: &Value| {
        let source = &media["source"];
        let text = first_text(&[&source["bytes"], &source["s3Location"]["uri"], &source["text"]]);
        text.to_owned()
    };
    for sound in [&block["audio"], &block["video"]].into_iter().filter(|sound| sound.is_object()) {
        asked.document(&place(sound));
    }
    if block["image"].is_object() {
        asked.image(&place(&block["image"]));
    }
    if block["document"].is_object() {
        asked.document(&place(&block["document"]));
    }
    // Tools that Bedrock runs itself are no calls of the client's.
    let call = &block["toolUse"];
    if call.is_object() && call["type"] != "server_tool_use" {
        let (id, name) = (text(&call["toolUseId"]), text(&call["name"]));
        asked.said.push(Said::Call(id.into(), name.into(), call["input"].clone()));
    }
    let result = &block["toolResult"];
    if result.is_object() && !text(&result["type"]).ends_with("_result") {
        let texts: String = list(&result["content"]).map(|inner| text(&inner["text"])).collect();
        let json = list(&result["content"]).map(|inner| &inner["json"]).find(|json| !json.is_null());
        let value = json.cloned().unwrap_or_else(|| content(&texts));
        asked.said.push(Said::Result(text(&result["toolUseId"]).into(), value));
        let inner = list(&result["content"]).filter(|inner| inner["text"].is_null());
        inner.for_each(|inner| read_block(inner, role, asked));
    }
}
