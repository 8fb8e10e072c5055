//! Recorded traffic, checked against what a walk over the raw JSON finds.

use super::*;
use crate::chat::{Block, BlockKind, Collector, Event, Losses, Response, StopReason, Target};
use crate::dialect::codec::{Called, DecodeStream};
use crate::framing::json::{Duplicates, parse, parse_bytes};
use crate::framing::sse::SseScanner;
use crate::types::{Protocol, recordings};
use serde_json::Value;
use std::path::PathBuf;

struct Case {
    name: String,
    dir: PathBuf,
}

impl Case {
    fn read(&self, file: &str) -> Option<Vec<u8>> {
        let mut bytes = std::fs::read(self.dir.join(file)).ok()?;
        if file.ends_with(".json") {
            // What is written has no line ends between tokens.
            bytes.retain(|byte| !matches!(byte, b'\n' | b'\r'));
        }
        Some(bytes)
    }
}

fn cases() -> Vec<Case> {
    let Some(root) = recordings::folder() else { return Vec::new() };
    let folder = std::fs::read_dir(root.join("cohere")).unwrap();
    let mut cases: Vec<Case> = folder
        .map(|entry| entry.unwrap().path())
        .filter(|dir| {
            let meta: Value = serde_json::from_slice(&std::fs::read(dir.join("meta.json")).unwrap()).unwrap();
            meta["api"] == "chat-v2" && meta["status"] == 200
        })
        .map(|dir| Case { name: dir.file_name().unwrap().to_string_lossy().into_owned(), dir })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(cases.len() > 12, "{}", cases.len());
    cases
}

/// Text, thinking, calls and stop, by hand.
fn expected(answer: &Value) -> (String, String, Vec<(String, String, Value)>, String) {
    let message = &answer["message"];
    let all = |key: &str| {
        let parts = message["content"].as_array().cloned().unwrap_or_default();
        parts.iter().filter_map(|part| part[key].as_str()).collect::<String>()
    };
    let thinking = all("thinking") + message["tool_plan"].as_str().unwrap_or_default();
    let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
    let call = |call: &Value| {
        let arguments = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
        (
            call["id"].as_str().unwrap().to_owned(),
            call["function"]["name"].as_str().unwrap().to_owned(),
            arguments,
        )
    };
    let calls = calls.iter().map(call).collect();
    (all("text"), thinking, calls, answer["finish_reason"].as_str().unwrap().to_owned())
}

fn found(response: &Response<'_>) -> (String, String, Vec<(String, String, Value)>, String) {
    let choice = &response.choices[0];
    let text = choice.blocks.iter().filter_map(Block::as_text).collect();
    let (mut thinking, mut calls) = (String::new(), Vec::new());
    for block in &choice.blocks {
        match &block.kind {
            BlockKind::Thinking(thought) => thinking.push_str(&thought.text),
            BlockKind::ToolUse(call) => {
                let arguments = serde_json::from_str(&call.arguments).unwrap();
                calls.push((call.id.to_string(), call.name.to_string(), arguments));
            }
            _ => {}
        }
    }
    (text, thinking, calls, choice.stop.native.as_deref().unwrap_or_default().to_owned())
}

/// The message a recorded stream amounts to, by hand.
fn gather(events: &[Value]) -> Value {
    let (mut text, mut thinking, mut plan) = (String::new(), String::new(), String::new());
    let mut calls: Vec<Value> = Vec::new();
    let mut end = Value::Null;
    for event in events {
        let message = &event["delta"]["message"];
        text += message["content"]["text"].as_str().unwrap_or_default();
        thinking += message["content"]["thinking"].as_str().unwrap_or_default();
        match event["type"].as_str().unwrap() {
            "tool-plan-delta" => plan += message["tool_plan"].as_str().unwrap(),
            "tool-call-start" => calls.push(message["tool_calls"].clone()),
            "tool-call-delta" => {
                let call = &mut calls[event["index"].as_u64().unwrap() as usize]["function"]["arguments"];
                let more = message["tool_calls"]["function"]["arguments"].as_str().unwrap();
                *call = Value::String(call.as_str().unwrap().to_owned() + more);
            }
            "message-end" => end = event["delta"].clone(),
            _ => {}
        }
    }
    serde_json::json!({
        "message": {
            "content": [{"thinking": thinking}, {"text": text}],
            "tool_plan": plan,
            "tool_calls": calls
        },
        "finish_reason": end["finish_reason"],
        "usage": end["usage"],
    })
}

fn check_usage(response: &Response<'_>, answer: &Value, name: &str) {
    let usage = response.usage.unwrap_or_else(|| panic!("{name}: no usage"));
    let tokens = &answer["usage"]["tokens"];
    assert_eq!(tokens["input_tokens"].as_u64(), Some(usage.input), "{name}");
    assert_eq!(tokens["output_tokens"].as_u64(), Some(usage.output), "{name}");
    assert_eq!(answer["usage"]["cached_tokens"].as_u64().unwrap_or(0), usage.cache_read, "{name}");
}

/// Events of a stream fed in the pieces `cut` makes.
fn events(bytes: &[u8], cut: &mut dyn FnMut(usize) -> usize) -> Vec<String> {
    let mut scanner = SseScanner::new(1 << 20);
    let mut decoder = Decoder::new();
    let mut seen = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, more) = rest.split_at(cut(rest.len()).clamp(1, rest.len()));
        rest = more;
        scanner
            .feed(piece, |frame, _| {
                decoder
                    .on_frame(frame.name, frame.data, &mut |event| seen.push(format!("{event:?}")))
                    .unwrap();
            })
            .unwrap();
    }
    scanner.finish(|frame| {
        decoder.on_frame(frame.name, frame.data, &mut |event| seen.push(format!("{event:?}"))).unwrap();
    });
    decoder.on_end(&mut |event| seen.push(format!("{event:?}")));
    seen
}

#[test]
fn recorded_answers_say_what_their_json_says() {
    let mut count = 0;
    for case in cases() {
        let Some(body) = case.read("response.json") else { continue };
        let node = parse_bytes(&body, Duplicates::LastCounts).unwrap();
        let response = decode_response(&node).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(found(&response), expected(&answer), "{}", case.name);
        check_usage(&response, &answer, &case.name);
        let cited = answer["message"]["citations"].as_array().map_or(0, Vec::len);
        let citations = response.choices[0].blocks.iter().map(|block| match &block.kind {
            BlockKind::Text { citations, .. } => citations.len(),
            _ => 0,
        });
        assert_eq!(citations.sum::<usize>(), cited, "{}", case.name);
        count += 1;
    }
    eprintln!("answers: {count}");
}

#[test]
fn recorded_streams_are_the_same_however_they_are_cut_and_say_what_their_json_says() {
    let mut count = 0;
    for case in cases() {
        let Some(bytes) = case.read("stream.sse") else { continue };
        let whole = events(&bytes, &mut |rest| rest);
        assert_eq!(whole.last().unwrap(), "End", "{}", case.name);
        assert_eq!(events(&bytes, &mut |_| 1), whole, "{}", case.name);
        let mut seed = 7u64;
        let mut random = |_: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % 97
        };
        assert_eq!(events(&bytes, &mut random), whole, "{}", case.name);
        let (response, raw) = collected(&bytes);
        let answer = gather(&raw);
        assert_eq!(found(&response), expected(&answer), "{}", case.name);
        check_usage(&response, &answer, &case.name);
        count += 1;
    }
    eprintln!("streams: {count}");
}

fn collected(bytes: &[u8]) -> (Response<'static>, Vec<Value>) {
    let (mut decoder, mut collector) = (Decoder::new(), Collector::new(Protocol::Cohere));
    let mut raw = Vec::new();
    let mut scanner = SseScanner::new(1 << 20);
    scanner
        .feed(bytes, |frame, _| {
            raw.extend(serde_json::from_slice::<Value>(frame.data).ok());
            decoder.on_frame(frame.name, frame.data, &mut |event: Event<'_>| collector.take(&event)).unwrap();
        })
        .unwrap();
    let (response, is_ended) = collector.finish();
    assert!(is_ended);
    (response, raw)
}

#[test]
fn recorded_requests_mean_the_same_once_read_and_written() {
    let mut count = 0;
    for case in cases() {
        let Some(body) = case.read("request.json") else { continue };
        let node = parse_bytes(&body, Duplicates::Refuse).unwrap();
        let request =
            decode_request(&node, Called::default()).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        let (mut losses, mut out) = (Losses::default(), Vec::new());
        encode_request(&request, &Target::new(request.model.to_string()), &mut losses, &mut out).unwrap();
        assert!(losses.is_empty(), "{}: {losses:?}", case.name);
        let text = String::from_utf8(out).unwrap();
        let again = parse(&text, Duplicates::Refuse).unwrap();
        assert_eq!(decode_request(&again, Called::default()).unwrap(), request, "{}", case.name);
        count += 1;
    }
    eprintln!("requests: {count}");
}

#[test]
fn recorded_answers_mean_the_same_once_read_and_written() {
    for case in cases() {
        let Some(body) = case.read("response.json") else { continue };
        let node = parse_bytes(&body, Duplicates::LastCounts).unwrap();
        let response = decode_response(&node).unwrap();
        let mut out = Vec::new();
        encode_response(&response, &super::response_tests::owed(), &mut out);
        let text = String::from_utf8(out).unwrap();
        let again = parse(&text, Duplicates::Refuse).unwrap();
        assert_eq!(decode_response(&again).unwrap(), response, "{}", case.name);
        assert_ne!(response.choices[0].stop.reason, StopReason::Error);
    }
}
