//! Cohere's `/v2/chat`.

use crate::asked::{Asked, Role, Said, content};
use crate::facts::{first_text, list, text};
use serde_json::Value;
use tidegate::chat::Feature;

pub fn read(body: &Value, asked: &mut Asked) {
    for message in list(&body["messages"]) {
        let role = match text(&message["role"]) {
            "system" => Role::System,
            "assistant" => Role::Assistant,
            "tool" => {
                result(message, asked);
                continue;
            }
            _ => Role::User,
        };
        asked.say(role, text(&message["content"]));
        for part in list(&message["content"]) {
            asked.think(text(&part["thinking"]));
            asked.say(role, text(&part["text"]));
            if part["type"] == "image_url" {
                asked.image(text(&part["image_url"]["url"]));
            }
        }
        asked.think(text(&message["tool_plan"]));
        for call in list(&message["tool_calls"]) {
            let function = &call["function"];
            let (id, name) = (text(&call["id"]), text(&function["name"]));
            asked.said.push(Said::Call(id.into(), name.into(), content(text(&function["arguments"]))));
        }
    }
    for function in list(&body["tools"]).map(|tool| &tool["function"]) {
        asked.tool(text(&function["name"]), text(&function["description"]), &function["parameters"]);
    }
    asked.choice = super::chat::choice(&body["tool_choice"])
        .map(|word| if word == "required" { "any".into() } else { word });
    asked.max = body["max_tokens"].as_u64();
    asked.temperature = body["temperature"].as_f64();
    asked.stop = list(&body["stop_sequences"]).map(|word| text(word).to_owned()).collect();
    asked.stream = body["stream"].as_bool();
    asked.set(body, &[("p", Feature::TopP), ("k", Feature::TopK), ("seed", Feature::Seed)]);
}

fn result(message: &Value, asked: &mut Asked) {
    let mut whole = text(&message["content"]).to_owned();
    for part in list(&message["content"]) {
        let data = &part["document"]["data"];
        let own = first_text(&[&part["text"], data, &data["text"], &data["content"]]);
        match own.is_empty() && data.is_object() {
            true => whole.push_str(&data.to_string()),
            false => whole.push_str(own),
        }
    }
    asked.said.push(Said::Result(text(&message["tool_call_id"]).into(), content(&whole)));
}
