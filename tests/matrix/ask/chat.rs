//! OpenAI chat completions.

use crate::asked::{Asked, Role, Said, content, joined};
use crate::facts::{first_text, list, text};
use serde_json::Value;
use tidegate::chat::Feature;

pub fn read(body: &Value, asked: &mut Asked) {
    for message in list(&body["messages"]) {
        match text(&message["role"]) {
            "system" | "developer" => asked.say(Role::System, &joined(&message["content"])),
            "assistant" => assistant(message, asked),
            "tool" | "function" => {
                let id = first_text(&[&message["tool_call_id"], &message["name"]]).to_owned();
                asked.said.push(Said::Result(id, content(&joined(&message["content"]))));
                list(&message["content"]).for_each(|part| media(part, asked));
            }
            _ => {
                asked.say(Role::User, text(&message["content"]));
                for part in list(&message["content"]) {
                    asked.say(Role::User, text(&part["text"]));
                    media(part, asked);
                }
            }
        }
    }
    for tool in list(&body["tools"]).chain(list(&body["functions"])) {
        let function = if tool["function"].is_object() { &tool["function"] } else { tool };
        if matches!(text(&tool["type"]), "" | "function") {
            asked.tool(text(&function["name"]), text(&function["description"]), &function["parameters"]);
        }
    }
    asked.choice = choice(&body["tool_choice"]).or_else(|| choice(&body["function_call"]));
    let max = [&body["max_completion_tokens"], &body["max_tokens"]];
    asked.max = max.iter().find_map(|max| max.as_u64());
    asked.temperature = body["temperature"].as_f64();
    asked.stop = match &body["stop"] {
        Value::String(word) => vec![word.clone()],
        words => list(words).map(|word| text(word).to_owned()).collect(),
    };
    asked.stream = body["stream"].as_bool();
    asked.set(body, SETTINGS);
    if body["n"].as_u64().is_some_and(|n| n > 1) {
        asked.settings.push((Feature::Choices, body["n"].clone()));
    }
}

const SETTINGS: &[(&str, Feature)] = &[
    ("top_p", Feature::TopP),
    ("top_k", Feature::TopK),
    ("min_p", Feature::MinP),
    ("frequency_penalty", Feature::FrequencyPenalty),
    ("presence_penalty", Feature::PresencePenalty),
    ("repetition_penalty", Feature::RepetitionPenalty),
    ("seed", Feature::Seed),
    ("logit_bias", Feature::LogitBias),
    ("logprobs", Feature::Logprobs),
    ("prompt_cache_key", Feature::PromptCacheKey),
    ("safe_prompt", Feature::Unknown),
    ("clear_thinking", Feature::Unknown),
    ("reasoning_format", Feature::Unknown),
    ("provider", Feature::Unknown),
    ("echo", Feature::Unknown),
    ("safety_model", Feature::Unknown),
];

fn assistant(message: &Value, asked: &mut Asked) {
    asked.think(first_text(&[&message["reasoning_content"], &message["reasoning"]]));
    asked.say(Role::Assistant, text(&message["content"]));
    for part in list(&message["content"]) {
        asked.say(Role::Assistant, first_text(&[&part["text"], &part["refusal"]]));
    }
    for call in list(&message["tool_calls"]) {
        let function = &call["function"];
        asked.said.push(Said::Call(
            text(&call["id"]).into(),
            text(&function["name"]).into(),
            content(text(&function["arguments"])),
        ));
    }
    let function = &message["function_call"];
    if function.is_object() {
        let name = text(&function["name"]);
        asked.said.push(Said::Call(String::new(), name.into(), content(text(&function["arguments"]))));
    }
}

fn media(part: &Value, asked: &mut Asked) {
    match text(&part["type"]) {
        "image_url" => asked.image(first_text(&[&part["image_url"]["url"], &part["image_url"]])),
        "file" => {
            let file = &part["file"];
            asked.document(first_text(&[&file["file_data"], &file["file_id"]]));
        }
        "document_url" => asked.document(text(&part["document_url"])),
        "input_audio" => asked.document(text(&part["input_audio"]["data"])),
        // vLLM's and OpenRouter's.
        kind @ ("audio_url" | "video_url") => asked.document(text(&part[kind]["url"])),
        _ => {}
    }
}

pub(super) fn choice(choice: &Value) -> Option<String> {
    match choice {
        Value::String(word) if word == "required" || word == "any" => Some("any".into()),
        Value::String(word) => Some(word.to_lowercase()),
        Value::Null => None,
        some if some["type"] == "allowed_tools" => Some(allowed(some)),
        one => Some(format!("tool {}", first_text(&[&one["function"]["name"], &one["name"]]))),
    }
}

/// `auto of a,b` or `any of a,b`; chat puts it one level deeper than Responses.
fn allowed(choice: &Value) -> String {
    let inner = if choice["allowed_tools"].is_object() { &choice["allowed_tools"] } else { choice };
    let mode = if inner["mode"] == "required" { "any" } else { "auto" };
    let names = list(&inner["tools"]).map(|tool| first_text(&[&tool["function"]["name"], &tool["name"]]));
    format!("{mode} of {}", names.collect::<Vec<_>>().join(","))
}
