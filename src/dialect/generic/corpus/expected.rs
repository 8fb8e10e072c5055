//! What the recordings say, worked out on JSON trees and by the papers of the formats, not by the
//! readers under test.

use serde_json::Value;

use crate::types::{Endpoint, Usage};

/// Usage of a whole call, from the documents of its stream or from its one body.
pub(super) fn usage(endpoint: Endpoint, documents: &[Value]) -> Option<Usage> {
    let usage = match endpoint {
        Endpoint::ChatCompletions | Endpoint::Completions => openai(&chat_objects(documents)),
        Endpoint::Responses | Endpoint::ResponseById => openai(&response_objects(documents)),
        Endpoint::Messages => anthropic(documents),
        Endpoint::GenerateContent | Endpoint::StreamGenerateContent | Endpoint::EmbedContent => {
            gemini(documents)
        }
        Endpoint::CountTokens | Endpoint::GeminiCountTokens => Usage::default(),
        _ => match &documents[0]["meta"]["billed_units"] {
            Value::Null => openai(&[&documents[0]["usage"]]),
            billed => Usage { searches: number(&billed["search_units"]), ..openai(&[billed]) },
        },
    };
    (usage.total() > 0 || usage.searches > 0).then_some(usage)
}

fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_f64().map(|n| n as u64)).unwrap_or(0)
}

fn chat_objects(documents: &[Value]) -> Vec<&Value> {
    documents.iter().flat_map(|d| [&d["usage"], &d["x_groq"]["usage"], &d["choices"][0]["usage"]]).collect()
}

fn response_objects(documents: &[Value]) -> Vec<&Value> {
    documents.iter().flat_map(|d| [&d["usage"], &d["response"]["usage"]]).collect()
}

/// The largest report; what the total has beyond prompt and completion was generated.
fn openai(objects: &[&Value]) -> Usage {
    let mut largest = Usage::default();
    for object in objects.iter().filter(|o| o.is_object()) {
        let first = |names: &[&str]| names.iter().map(|n| number(&object[*n])).max().unwrap_or(0);
        let given = first(&["prompt_tokens", "input_tokens"]);
        let completion = first(&["completion_tokens", "output_tokens"]);
        let total = number(&object["total_tokens"]);
        let input = if given == 0 { total - completion } else { given };
        let details =
            |kind: [&str; 2], name: &str| kind.iter().map(|k| number(&object[*k][name])).max().unwrap();
        let (ins, outs) = (
            ["prompt_tokens_details", "input_tokens_details"],
            ["completion_tokens_details", "output_tokens_details"],
        );
        let unseen = total.saturating_sub(input + completion);
        largest.merge_max(&Usage {
            input,
            output: completion + unseen,
            cache_read: details(ins, "cached_tokens").max(first(&[
                "cached_tokens",
                "num_cached_tokens",
                "prompt_cache_hit_tokens",
            ])),
            cache_write_5m: details(ins, "cache_write_tokens"),
            audio_input: details(ins, "audio_tokens").max(number(&object["audio_prompt_tokens"])),
            image_input: details(ins, "image_tokens"),
            reasoning: details(outs, "reasoning_tokens").max(unseen).min(completion + unseen),
            audio_output: details(outs, "audio_tokens"),
            image_output: details(outs, "image_tokens"),
            ..Usage::default()
        });
    }
    largest
}

fn anthropic(documents: &[Value]) -> Usage {
    let objects: Vec<&Value> = documents.iter().flat_map(|d| [&d["usage"], &d["message"]["usage"]]).collect();
    let most = |pointer: &str| objects.iter().filter_map(|o| o.pointer(pointer)?.as_u64()).max().unwrap_or(0);
    let read = most("/cache_read_input_tokens");
    let written = most("/cache_creation_input_tokens");
    let long = most("/cache_creation/ephemeral_1h_input_tokens");
    Usage {
        input: most("/input_tokens") + read + written,
        cache_read: read,
        cache_write_5m: written - long,
        cache_write_1h: long,
        output: most("/output_tokens"),
        reasoning: most("/output_tokens_details/thinking_tokens"),
        ..Usage::default()
    }
}

fn gemini(documents: &[Value]) -> Usage {
    let objects: Vec<&Value> = documents.iter().map(|d| &d["usageMetadata"]).collect();
    let last = |name: &str| objects.iter().filter_map(|o| o[name].as_u64()).next_back().unwrap_or(0);
    let modality = |list: &str, names: [&str; 2]| {
        let Some(parts) = objects.iter().filter_map(|o| o[list].as_array()).next_back() else { return 0 };
        let of_kind = parts.iter().filter(|p| names.contains(&p["modality"].to_string().trim_matches('"')));
        of_kind.map(|p| number(&p["tokenCount"])).sum()
    };
    let (audio, image) = (["AUDIO", "4"], ["IMAGE", "2"]);
    Usage {
        input: last("promptTokenCount") + last("toolUsePromptTokenCount"),
        cache_read: last("cachedContentTokenCount"),
        audio_input: modality("promptTokensDetails", audio) + modality("toolUsePromptTokensDetails", audio),
        image_input: modality("promptTokensDetails", image) + modality("toolUsePromptTokensDetails", image),
        output: last("candidatesTokenCount") + last("thoughtsTokenCount"),
        reasoning: last("thoughtsTokenCount"),
        audio_output: modality("candidatesTokensDetails", audio),
        image_output: modality("candidatesTokensDetails", image),
        ..Usage::default()
    }
}

/// Bytes of all generated text; `None` where this paper does not say.
pub(super) fn text_bytes(endpoint: Endpoint, documents: &[Value]) -> Option<usize> {
    let len = |value: &Value| value.as_str().map_or(0, str::len);
    let each = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let sum = |per: &dyn Fn(&Value) -> usize| Some(documents.iter().map(per).sum());
    match endpoint {
        Endpoint::ChatCompletions | Endpoint::Completions => {
            sum(&|d| each(&d["choices"]).iter().map(chat_choice).sum())
        }
        // LM Studio sends arguments only when they are done.
        Endpoint::Responses if documents.len() > 1 => {
            let is_arguments_delta = |d: &Value| d["type"] == "response.function_call_arguments.delta";
            let only_done = !documents.iter().any(is_arguments_delta);
            sum(&|d| len(&d["delta"]) + if only_done { len(&d["arguments"]) } else { 0 })
        }
        Endpoint::Messages if documents.len() > 1 => sum(&|d| {
            let (delta, block) = (&d["delta"], &d["content_block"]);
            let input = block["input"].as_object().filter(|input| !input.is_empty());
            let input = input.map_or(0, |_| block["input"].to_string().len());
            let deltas = len(&delta["text"]) + len(&delta["thinking"]) + len(&delta["partial_json"]);
            deltas + len(&block["name"]) + input
        }),
        Endpoint::Messages => sum(&|d| {
            let blocks = each(&d["content"]);
            let generated =
                blocks.iter().filter(|b| !b["type"].as_str().unwrap_or_default().ends_with("_result"));
            let words = |b: &Value| len(&b["text"]) + len(&b["thinking"]) + len(&b["name"]);
            generated.map(words).sum()
        })
        .filter(|_| !documents[0]["content"].to_string().contains("\"input\":{\"")),
        Endpoint::GenerateContent | Endpoint::StreamGenerateContent => {
            let is_plain = |d: &&Value| {
                !d.to_string().contains("functionCall") && !d.to_string().contains("executableCode")
            };
            if documents.iter().filter(is_plain).count() != documents.len() {
                return None;
            }
            sum(&|d| {
                let candidates = each(&d["candidates"]);
                let parts = candidates.iter().flat_map(|c| each(&c["content"]["parts"]));
                parts.map(|p| len(&p["text"])).sum()
            })
        }
        _ => None,
    }
}

fn chat_choice(choice: &Value) -> usize {
    let len = |value: &Value| value.as_str().map_or(0, str::len);
    let message = if choice["delta"].is_object() { &choice["delta"] } else { &choice["message"] };
    if !message.is_object() {
        return len(&choice["text"]);
    }
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let content: usize = match &message["content"] {
        Value::Array(parts) => parts
            .iter()
            .map(|p| len(&p["text"]) + list(&p["thinking"]).iter().map(|t| len(&t["text"])).sum::<usize>())
            .sum(),
        other => len(other),
    };
    let plain = len(&message["reasoning"]).max(len(&message["reasoning_content"]));
    let details = list(&message["reasoning_details"]);
    let details: usize = details.iter().map(|d| len(&d["text"]) + len(&d["summary"])).sum();
    let calls: usize = list(&message["tool_calls"])
        .iter()
        .chain(Some(&serde_json::json!({ "function": message["function_call"] })))
        .map(|call| len(&call["function"]["name"]) + len(&call["function"]["arguments"]))
        .sum();
    content + len(&message["refusal"]) + if plain > 0 { plain } else { details } + calls
}
