//! OpenAI Responses.

use crate::asked::{Asked, Role, Said, content, joined};
use crate::facts::{first_text, list, text};
use serde_json::Value;
use tidegate::chat::Feature;

pub fn read(body: &Value, asked: &mut Asked) {
    asked.say(Role::System, text(&body["instructions"]));
    asked.say(Role::User, text(&body["input"]));
    for item in list(&body["input"]) {
        read_item(item, asked);
    }
    for tool in list(&body["tools"]).filter(|tool| tool["type"] == "function") {
        asked.tool(text(&tool["name"]), text(&tool["description"]), &tool["parameters"]);
    }
    asked.choice = super::chat::choice(&body["tool_choice"]);
    asked.max = body["max_output_tokens"].as_u64();
    asked.temperature = body["temperature"].as_f64();
    asked.stream = body["stream"].as_bool();
    asked.set(
        body,
        &[
            ("top_p", Feature::TopP),
            ("top_logprobs", Feature::TopLogprobs),
            ("service_tier", Feature::ServiceTier),
            ("prompt_cache_key", Feature::PromptCacheKey),
            ("truncation", Feature::ContextManagement),
            ("provider", Feature::Unknown),
        ],
    );
}

fn read_item(item: &Value, asked: &mut Asked) {
    match text(&item["type"]) {
        "" | "message" => {
            let role = match text(&item["role"]) {
                "assistant" => Role::Assistant,
                "system" | "developer" => Role::System,
                _ => Role::User,
            };
            asked.say(role, text(&item["content"]));
            for part in list(&item["content"]) {
                asked.say(role, first_text(&[&part["text"], &part["refusal"]]));
                media(part, asked);
            }
        }
        "reasoning" => {
            let pieces = list(&item["summary"]).chain(list(&item["content"]));
            asked.think(&pieces.map(|part| text(&part["text"])).collect::<String>());
        }
        "function_call" => asked.said.push(Said::Call(
            text(&item["call_id"]).into(),
            text(&item["name"]).into(),
            content(text(&item["arguments"])),
        )),
        "function_call_output" => {
            let output = content(&joined(&item["output"]));
            asked.said.push(Said::Result(text(&item["call_id"]).into(), output));
            list(&item["output"]).for_each(|part| media(part, asked));
        }
        _ => {}
    }
}

fn media(part: &Value, asked: &mut Asked) {
    match text(&part["type"]) {
        "input_image" => asked.image(first_text(&[&part["image_url"], &part["file_id"]])),
        "input_audio" => asked.document(first_text(&[&part["input_audio"]["data"], &part["data"]])),
        "input_file" => {
            asked.document(first_text(&[&part["file_data"], &part["file_url"], &part["file_id"]]));
        }
        _ => {}
    }
}
