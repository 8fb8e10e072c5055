//! Anthropic Messages.

use crate::asked::{Asked, Role, Said, content, joined};
use crate::facts::{first_text, list, text};
use serde_json::Value;
use tidegate::chat::Feature;

pub fn read(body: &Value, asked: &mut Asked) {
    asked.say(Role::System, &joined(&body["system"]));
    for message in list(&body["messages"]) {
        let role = match text(&message["role"]) {
            "assistant" => Role::Assistant,
            "system" => Role::System,
            _ => Role::User,
        };
        asked.say(role, text(&message["content"]));
        list(&message["content"]).for_each(|block| read_block(block, role, asked));
    }
    for tool in list(&body["tools"]).filter(|tool| tool["input_schema"].is_object()) {
        asked.tool(text(&tool["name"]), text(&tool["description"]), &tool["input_schema"]);
    }
    let choice = &body["tool_choice"];
    asked.choice = match text(&choice["type"]) {
        "" => None,
        "tool" => Some(format!("tool {}", text(&choice["name"]))),
        word => Some(word.to_owned()),
    };
    asked.max = body["max_tokens"].as_u64();
    asked.temperature = body["temperature"].as_f64();
    asked.stop = list(&body["stop_sequences"]).map(|word| text(word).to_owned()).collect();
    asked.stream = body["stream"].as_bool();
    asked.set(body, &[("top_k", Feature::TopK), ("top_p", Feature::TopP), ("container", Feature::Unknown)]);
}

fn read_block(block: &Value, role: Role, asked: &mut Asked) {
    let source = &block["source"];
    let place = first_text(&[&source["data"], &source["url"], &source["file_id"]]);
    match text(&block["type"]) {
        "text" => asked.say(role, text(&block["text"])),
        "thinking" => asked.think(text(&block["thinking"])),
        "image" => asked.image(place),
        "document" => asked.document(place),
        "tool_use" => asked.said.push(Said::Call(
            text(&block["id"]).into(),
            text(&block["name"]).into(),
            block["input"].clone(),
        )),
        "tool_result" => {
            let result = content(&joined(&block["content"]));
            asked.said.push(Said::Result(text(&block["tool_use_id"]).into(), result));
            let inner = list(&block["content"]).filter(|inner| inner["type"] != "text");
            inner.for_each(|inner| read_block(inner, role, asked));
        }
        _ => {}
    }
}
