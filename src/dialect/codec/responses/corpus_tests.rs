//! Recorded traffic through this codec. What is expected is worked out a second time here, on the raw
//! JSON.
//!
//! The recordings lie outside of the repository: `TIDEGATE_CORPUS` names their folder, the default
//! is `../shared/corpus`. Where they are absent the tests say so and pass.

use super::testing::{decode, lifecycle, node, owed, split, target};
use super::{Encoder, decode_request, decode_response, encode_request, encode_response};
use crate::chat::{Block, BlockKind, Collector, Event, Losses, Response, StopReason};
use crate::dialect::codec::{Called, DecodeStream, EncodeStream};
use crate::types::recordings;
use crate::types::{Protocol, Usage};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

struct Recording {
    dir: String,
    api: String,
    root: PathBuf,
}

impl Recording {
    fn file(&self, name: &str) -> Option<Vec<u8>> {
        let mut bytes = fs::read(self.root.join(&self.dir).join(name)).ok()?;
        if name.ends_with(".json") {
            // Written JSON has no line ends between its tokens: those of the recordings are taken out.
            bytes.retain(|byte| !matches!(byte, b'\n' | b'\r'));
        }
        Some(bytes)
    }
}

/// The recordings of generations: their `api` is one of `apis`.
fn recordings(apis: &[&str]) -> Vec<Recording> {
    let Some(root) = recordings::folder() else { return Vec::new() };
    let index: Value = serde_json::from_slice(&fs::read(root.join("index.json")).unwrap()).unwrap();
    let entries = index["entries"].as_array().unwrap().iter();
    let all = entries.map(|entry| Recording {
        dir: entry["dir"].as_str().unwrap().to_owned(),
        api: entry["api"].as_str().unwrap_or_default().to_owned(),
        root: root.clone(),
    });
    // Filed under another call than the one it records.
    let is_filed_wrong = |dir: &str| dir == "azure-openai/fx-azure-deepseek-reasoning.1";
    all.filter(|one| apis.contains(&one.api.as_str()) && !is_filed_wrong(&one.dir)).collect()
}

const ANSWERS: [&str; 3] = ["responses", "responses-get", "responses-compact"];

/// What an answer says, by two ways.
#[derive(Debug, Default, PartialEq)]
struct Said {
    text: String,
    refusal: String,
    thinking: Vec<String>,
    proofs: Vec<String>,
    calls: Vec<(String, String, String, bool)>,
    others: Vec<String>,
    citations: usize,
}

fn said(blocks: &[Block<'_>]) -> Said {
    let mut said = Said::default();
    for block in blocks {
        match &block.kind {
            BlockKind::Text { text, citations } => {
                said.text.push_str(text);
                said.citations += citations.len();
            }
            BlockKind::Refusal(words) => said.refusal.push_str(words),
            BlockKind::Thinking(thinking) => {
                said.thinking.push(thinking.text.to_string());
                said.proofs.extend(thinking.signature.iter().map(|s| s.data.to_string()));
            }
            BlockKind::Redacted(signature) => said.proofs.push(signature.data.to_string()),
            BlockKind::ToolUse(call) => said.calls.push((
                call.id.to_string(),
                call.name.to_string(),
                call.arguments.to_string(),
                call.is_custom,
            )),
            BlockKind::Opaque { kind, .. } => said.others.push(kind.to_string()),
            other => panic!("{other:?}"),
        }
    }
    said
}

/// The same of the raw output.
fn walked(output: &Value) -> Said {
    let mut said = Said::default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for item in output.as_array().unwrap() {
        match item["type"].as_str().unwrap() {
            "message" if item["role"] == "assistant" => {
                for part in item["content"].as_array().unwrap() {
                    said.text += &text(&part["text"]);
                    said.refusal += &text(&part["refusal"]);
                    said.citations += part["annotations"].as_array().map_or(0, Vec::len);
                }
            }
            "reasoning" => {
                for list in ["summary", "content"] {
                    let parts = item[list].as_array().cloned().unwrap_or_default();
                    let texts: Vec<String> = parts.iter().map(|part| text(&part["text"])).collect();
                    said.thinking.extend((!texts.is_empty()).then(|| texts.join("\n\n")));
                }
                said.proofs.extend(item["encrypted_content"].as_str().map(str::to_owned));
            }
            kind @ ("function_call" | "custom_tool_call") => {
                let is_custom = kind == "custom_tool_call";
                let key = if is_custom { "input" } else { "arguments" };
                said.calls.push((text(&item["call_id"]), text(&item["name"]), text(&item[key]), is_custom));
            }
            kind => said.others.push(kind.to_owned()),
        }
    }
    said
}

fn walked_stop(response: &Value) -> StopReason {
    let has = |kind: &str| response["output"].as_array().unwrap().iter().any(|item| item["type"] == kind);
    match response["status"].as_str().unwrap_or("completed") {
        "completed" if has("function_call") || has("custom_tool_call") => StopReason::ToolUse,
        "completed" => StopReason::End,
        "incomplete" if response["incomplete_details"]["reason"] == "max_output_tokens" => StopReason::Length,
        "queued" => StopReason::Pause,
        other => panic!("{other}"),
    }
}

fn walked_usage(response: &Value) -> Option<Usage> {
    let usage = &response["usage"];
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let is_told = usage.is_object() && number(&usage["total_tokens"]) > 0;
    is_told.then(|| Usage {
        input: number(&usage["input_tokens"]),
        cache_read: number(&usage["input_tokens_details"]["cached_tokens"]),
        cache_write_5m: number(&usage["input_tokens_details"]["cache_write_tokens"]),
        output: number(&usage["output_tokens"]),
        reasoning: number(&usage["output_tokens_details"]["reasoning_tokens"]),
        ..Usage::default()
    })
}

fn check(response: &Response<'_>, raw: &Value, dir: &str) {
    assert_eq!(response.choices.len(), 1, "{dir}");
    let choice = &response.choices[0];
    assert_eq!(said(&choice.blocks), walked(&raw["output"]), "{dir}");
    assert_eq!(choice.stop.reason, walked_stop(raw), "{dir}");
    assert_eq!(response.usage, walked_usage(raw), "{dir}");
    assert_eq!(response.id, raw["id"].as_str().unwrap(), "{dir}");
    assert_eq!(response.model, raw["model"].as_str().unwrap_or_default(), "{dir}");
    assert_eq!(response.created, raw["created_at"].as_u64(), "{dir}");
}

/// The items of the events that end them, and the response of the first event that ends the stream.
/// Some recordings hold several streams.
fn ending(stream: &[u8]) -> (Value, Value) {
    let mut items = Vec::new();
    for (_, data) in split([stream].into_iter()) {
        let Ok(event) = serde_json::from_str::<Value>(&data) else { continue };
        match event["type"].as_str().unwrap() {
            "response.output_item.done" => items.push(event["item"].clone()),
            "response.completed" | "response.incomplete" => {
                return (Value::Array(items), event["response"].clone());
            }
            _ => {}
        }
    }
    panic!("no end");
}

#[test]
fn every_recorded_answer_says_what_its_json_says() {
    let mut count = 0;
    for recording in recordings(&ANSWERS) {
        let Some(body) = recording.file("response.json") else { continue };
        let raw: Value = serde_json::from_slice(&body).unwrap();
        let body = String::from_utf8(body).unwrap();
        let read = decode_response(&node(&body)).map(|response| check(&response, &raw, &recording.dir));
        assert_eq!(read.is_err(), raw.get("output").is_none(), "{}: {read:?}", recording.dir);
        count += usize::from(read.is_ok());
    }
    assert!(count == 0 || count > 40, "only {count} answers");
}

#[test]
fn every_recorded_stream_says_what_its_last_event_says() {
    let mut count = 0;
    for recording in recordings(&ANSWERS) {
        let Some(stream) = recording.file("stream.sse") else { continue };
        let (_, response, is_ended, fault) = decode(&split([stream.as_slice()].into_iter()));
        if recording.dir == "openai/fx-openai-error.1-stream" {
            assert_eq!(fault.unwrap().status, 429);
            continue;
        }
        assert!(fault.is_none() && is_ended, "{}: {fault:?}", recording.dir);
        // Its makers thinned the deltas out.
        if recording.dir == "openai/fx-openai-phase.1-stream" {
            continue;
        }
        let (items, mut raw) = ending(&stream);
        // Each event encrypts anew, and one recording's last event lacks an item.
        let mut last = walked(&raw["output"]);
        let mut read = said(&response.choices[0].blocks);
        assert_eq!(last.proofs.len(), read.proofs.len(), "{}", recording.dir);
        assert!(last.others.len() <= read.others.len(), "{}", recording.dir);
        (last.proofs, read.proofs) = (Vec::new(), Vec::new());
        (last.others, read.others) = (Vec::new(), Vec::new());
        assert_eq!(last, read, "{}", recording.dir);
        // And one stream never says that two of its items are done.
        if items.as_array().unwrap().len() >= raw["output"].as_array().unwrap().len() {
            raw["output"] = items;
        }
        check(&response, &raw, &recording.dir);
        count += 1;
    }
    assert!(count == 0 || count > 25, "only {count} streams");
}

#[test]
fn a_stream_gives_the_same_events_however_it_is_cut() {
    for recording in recordings(&ANSWERS) {
        let Some(stream) = recording.file("stream.sse") else { continue };
        let (whole, ..) = decode(&split([stream.as_slice()].into_iter()));
        let (bytes, ..) = decode(&split(stream.chunks(1)));
        assert!(whole == bytes, "{} byte by byte", recording.dir);
        for seed in 1..4u64 {
            let mut state = seed;
            let mut cuts = Vec::new();
            let mut rest = stream.as_slice();
            while !rest.is_empty() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let (piece, after) = rest.split_at(rest.len().min(1 + (state >> 33) as usize % 700));
                cuts.push(piece);
                rest = after;
            }
            let (cut, ..) = decode(&split(cuts.into_iter()));
            assert!(whole == cut, "{} with seed {seed}", recording.dir);
        }
    }
}

#[test]
fn every_recorded_request_is_itself_again() {
    let mut count = 0;
    for recording in recordings(&ANSWERS) {
        let Some(body) = recording.file("request.json") else { continue };
        let body = String::from_utf8(body).unwrap();
        if recording.api != "responses" {
            continue;
        }
        let root = node(&body);
        let first =
            decode_request(&root, Called::default()).unwrap_or_else(|e| panic!("{}: {e}", recording.dir));
        let mut losses = Losses::default();
        let mut out = Vec::new();
        let mut target = target();
        target.model = first.model.to_string();
        encode_request(&first, &target, &mut losses, &mut out).unwrap();
        assert!(losses.is_empty(), "{}: {losses:?}", recording.dir);
        let out = String::from_utf8(out).unwrap();
        let second = decode_request(&node(&out), Called::default()).map(|request| format!("{request:?}"));
        // Places differ and are no part of equality; the debug form shows them, so compare values.
        let again = node(&out);
        let second_value = decode_request(&again, Called::default()).unwrap();
        assert_eq!(first, second_value, "{}: {second:?}", recording.dir);
        check_input(
            &serde_json::from_str(&body).unwrap(),
            &serde_json::from_str(&out).unwrap(),
            &recording.dir,
        );
        count += 1;
    }
    assert!(count == 0 || count > 50, "only {count} requests");
}

/// The items are the same, but for ids, states and forms that mean the same.
fn check_input(was: &Value, is: &Value, dir: &str) {
    let items = |request: &Value| -> Vec<Value> {
        let input = match &request["input"] {
            Value::String(text) => serde_json::json!([{"role": "user", "content": text}]),
            list => list.clone(),
        };
        let mut items = Vec::new();
        for mut item in input.as_array().unwrap().clone() {
            let kind = item["type"].as_str().unwrap_or("message").to_owned();
            let fields = item.as_object_mut().unwrap();
            fields.retain(|_, value| !value.is_null());
            if ["message", "function_call", "reasoning"].contains(&kind.as_str()) {
                let keeps_id = kind == "reasoning";
                fields.retain(|name, _| name != "status" && (keeps_id || name != "id"));
            }
            if kind == "message" {
                let part = if item["role"] == "assistant" { "output_text" } else { "input_text" };
                if let Some(text) = item["content"].as_str().map(str::to_owned) {
                    item["content"] = serde_json::json!([{"type": part, "text": text}]);
                }
                for part in item["content"].as_array_mut().unwrap() {
                    let part = part.as_object_mut().unwrap();
                    part.retain(|_, value| value != &Value::Array(Vec::new()));
                }
            }
            // A redacted item's id names nothing where the item itself is sent.
            if kind == "reasoning"
                && item["summary"].as_array().is_some_and(Vec::is_empty)
                && item["content"].is_null()
            {
                item.as_object_mut().unwrap().remove("id");
            }
            item["type"] = kind.into();
            items.push(item);
        }
        items
    };
    let text = |request: &Value| {
        let mut all = request["instructions"].as_str().unwrap_or_default().to_owned();
        for item in items(request).iter().filter(|item| item["role"] == "system") {
            all += item["content"][0]["text"].as_str().unwrap();
        }
        all
    };
    assert_eq!(text(was), text(is), "{dir}");
    let rest = |request: &Value| -> Vec<Value> {
        items(request).into_iter().filter(|item| item["role"] != "system").collect()
    };
    assert_eq!(rest(was), rest(is), "{dir}");
    assert_eq!(was["tools"].as_array().map(Vec::len), is["tools"].as_array().map(Vec::len), "{dir}");
}

#[test]
fn every_recorded_answer_is_itself_again() {
    for recording in recordings(&ANSWERS) {
        let Some(body) = recording.file("response.json") else { continue };
        let body = String::from_utf8(body).unwrap();
        let root = node(&body);
        let Ok(first) = decode_response(&root) else { continue };
        if first.choices[0].stop.native.as_deref() == Some("queued") {
            continue;
        }
        let mut out = Vec::new();
        encode_response(&first, &owed(), &mut out);
        let out = String::from_utf8(out).unwrap();
        let again = node(&out);
        let second = decode_response(&again).unwrap();
        assert_eq!(said(&first.choices[0].blocks), said(&second.choices[0].blocks), "{}", recording.dir);
        assert_eq!(first.choices[0].stop, second.choices[0].stop, "{}", recording.dir);
        assert_eq!(first.choices[0].logprobs, second.choices[0].logprobs, "{}", recording.dir);
        assert_eq!((first.usage, &first.extra), (second.usage, &second.extra), "{}", recording.dir);
    }
}

#[test]
fn every_recorded_stream_reaches_a_client_with_its_whole_lifecycle() {
    for recording in recordings(&ANSWERS) {
        let Some(stream) = recording.file("stream.sse") else { continue };
        if recording.dir == "openai/fx-openai-error.1-stream" {
            continue;
        }
        let frames = split([stream.as_slice()].into_iter());
        let mut decoder = super::Decoder::new();
        let mut encoder = Encoder::new(owed());
        let mut collector = Collector::new(Protocol::Responses);
        let mut out = Vec::new();
        for (name, data) in &frames {
            let mut sink = |event: Event<'_>| {
                collector.take(&event);
                encoder.write(&event, &mut out);
            };
            decoder.on_frame(name.as_deref().map(str::as_bytes), data.as_bytes(), &mut sink).unwrap();
        }
        let sent = split([out.as_slice()].into_iter());
        let last = lifecycle(&sent);
        let kept: Value = serde_json::from_str(encoder.finished().unwrap()).unwrap();
        assert_eq!(kept, last, "{}", recording.dir);
        let (first, _) = collector.finish();
        let (_, second, is_ended, _) = decode(&sent);
        assert!(is_ended);
        let expected = said(&first.choices[0].blocks);
        assert_eq!(expected, said(&second.choices[0].blocks), "{}", recording.dir);
        assert_eq!(expected, walked(&last["output"]), "{}", recording.dir);
        assert_eq!(first.usage, second.usage, "{}", recording.dir);
        assert_eq!(first.choices[0].stop.reason, second.choices[0].stop.reason, "{}", recording.dir);
    }
}
