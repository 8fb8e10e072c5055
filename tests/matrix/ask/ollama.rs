//! Ollama's `/api/chat`.

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
                let of = [&message["tool_call_id"], &message["tool_name"], &message["name"]];
                let id = first_text(&of).to_owned();
                asked.said.push(Said::Result(id, content(text(&message["content"]))));
                continue;
            }
            _ => Role::User,
        };
        asked.think(text(&message["thinking"]));
        asked.say(role, text(&message["content"]));
        list(&message["images"]).for_each(|image| asked.image(text(image)));
        for call in list(&message["tool_calls"]) {
            let function = &call["function"];
            let id = first_text(&[&call["id"], &function["name"]]);
            let name = text(&function["name"]);
            asked.said.push(Said::Call(id.into(), name.into(), function["arguments"].clone()));
        }
    }
    for function in list(&body["tools"]).map(|tool| &tool["function"]) {
        asked.tool(text(&function["name"]), text(&function["description"]), &function["parameters"]);
    }
    let options = &body["options"];
    asked.max = options["num_predict"].as_u64();
    asked.temperature = options["temperature"].as_f64();
    asked.stop = list(&options["stop"]).map(|word| text(word).to_owned()).collect();
    asked.stream = body["stream"].as_bool();
    asked.set(
        options,
        &[
            ("top_p", Feature::TopP),
            ("top_k", Feature::TopK),
            ("min_p", Feature::MinP),
            ("seed", Feature::Seed),
            ("repeat_penalty", Feature::RepetitionPenalty),
            ("num_ctx", Feature::Unknown),
        ],
    );
    asked.set(body, &[("keep_alive", Feature::Unknown)]);
}
