//! Gemini `:generateContent`. Both spellings of names are read.

use crate::asked::{Asked, Role, Said};
use crate::facts::{first_text, list, text};
use serde_json::Value;
use tidegate::chat::Feature;

/// The member of either name.
fn at<'v>(value: &'v Value, camel: &str, snake: &str) -> &'v Value {
    if value[camel].is_null() { &value[snake] } else { &value[camel] }
}

pub fn read(body: &Value, asked: &mut Asked) {
    let system = at(body, "systemInstruction", "system_instruction");
    list(&system["parts"]).for_each(|part| asked.say(Role::System, text(&part["text"])));
    for turn in list(&body["contents"]) {
        let role = if turn["role"] == "model" { Role::Assistant } else { Role::User };
        list(&turn["parts"]).for_each(|part| read_part(part, role, asked));
    }
    for tool in list(&body["tools"]) {
        for function in list(at(tool, "functionDeclarations", "function_declarations")) {
            let (parameters, json) =
                (&function["parameters"], at(function, "parametersJsonSchema", "parameters_json_schema"));
            let schema = if json.is_null() { parameters } else { json };
            asked.tool(text(&function["name"]), text(&function["description"]), schema);
        }
    }
    let calling =
        at(at(body, "toolConfig", "tool_config"), "functionCallingConfig", "function_calling_config");
    let names: Vec<&str> =
        list(at(calling, "allowedFunctionNames", "allowed_function_names")).map(text).collect();
    asked.choice = match (text(&calling["mode"]), names.as_slice()) {
        ("", _) => None,
        ("ANY", [one]) => Some(format!("tool {one}")),
        ("ANY", [_, ..]) => Some(format!("any of {}", names.join(","))),
        (word, _) => Some(word.to_lowercase()),
    };
    let config = at(body, "generationConfig", "generation_config");
    asked.max = at(config, "maxOutputTokens", "max_output_tokens").as_u64();
    asked.temperature = config["temperature"].as_f64();
    let stop = at(config, "stopSequences", "stop_sequences");
    asked.stop = list(stop).map(|word| text(word).to_owned()).collect();
    asked.set(
        config,
        &[
            ("topP", Feature::TopP),
            ("top_p", Feature::TopP),
            ("topK", Feature::TopK),
            ("top_k", Feature::TopK),
            ("seed", Feature::Seed),
            ("presencePenalty", Feature::PresencePenalty),
            ("presence_penalty", Feature::PresencePenalty),
            ("frequencyPenalty", Feature::FrequencyPenalty),
            ("frequency_penalty", Feature::FrequencyPenalty),
        ],
    );
    asked.set(
        body,
        &[
            ("safetySettings", Feature::SafetySettings),
            ("cachedContent", Feature::Unknown),
            ("modelArmorConfig", Feature::Unknown),
        ],
    );
}

fn read_part(part: &Value, role: Role, asked: &mut Asked) {
    match part["thought"] == true {
        true => asked.think(text(&part["text"])),
        false => asked.say(role, text(&part["text"])),
    }
    let call = at(part, "functionCall", "function_call");
    if call.is_object() {
        let id = first_text(&[&call["id"], &call["name"]]);
        let arguments = if call["args"].is_null() { serde_json::json!({}) } else { call["args"].clone() };
        asked.said.push(Said::Call(id.into(), text(&call["name"]).into(), arguments));
    }
    let result = at(part, "functionResponse", "function_response");
    if result.is_object() {
        let id = first_text(&[&result["id"], &result["name"]]);
        asked.said.push(Said::Result(id.into(), result["response"].clone()));
    }
    for (media, place) in
        [(at(part, "inlineData", "inline_data"), "data"), (at(part, "fileData", "file_data"), "uri")]
    {
        if !media.is_object() {
            continue;
        }
        let kind = text(at(media, "mimeType", "mime_type"));
        let source = if place == "data" { &media["data"] } else { at(media, "fileUri", "file_uri") };
        match kind.starts_with("image/") {
            true => asked.image(text(source)),
            false => asked.document(text(source)),
        }
    }
}
