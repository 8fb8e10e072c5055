//! Recorded traffic: every stream, answer and request of this protocol. What is expected is worked out
//! here a second time, on JSON trees.
//!
//! The recordings lie outside of the repository: `TIDEGATE_CORPUS` names their folder, the default is
//! `../shared/corpus`. Where they are absent the tests say so and pass.

use super::response_tests::owed;
use super::*;
use crate::chat::{
    BlockKind, Collector, Event, Feature, Losses, Request, Response, Role, StopReason, Target, Turn,
};
use crate::dialect::codec::{Called, DecodeStream, EncodeStream};
use crate::dialect::tap::StreamFault;
use crate::framing::json::{Duplicates, parse_bytes};
use crate::framing::sse::SseScanner;
use crate::types::Protocol;
use crate::types::recordings;
use serde_json::Value;
use std::fs;

/// The bytes of `file` of every recorded call to Claude, with its folder's name.
fn recorded(file: &str, with_failures: bool) -> Vec<(String, Vec<u8>)> {
    let Some(root) = recordings::folder() else { return Vec::new() };
    let index: Value = serde_json::from_slice(&fs::read(root.join("index.json")).unwrap()).unwrap();
    let mut all = Vec::new();
    for entry in index["entries"].as_array().unwrap() {
        let dir = entry["dir"].as_str().unwrap();
        let is_bedrock = ["invoke-cached-tokens-claude", "invoke-image-input-claude"]
            .iter()
            .any(|name| dir.contains(name));
        let is_ok = with_failures || entry["status"] == 200;
        if (entry["api"] == "messages" || is_bedrock) && is_ok {
            let Ok(mut bytes) = fs::read(root.join(dir).join(file)) else { continue };
            if file.ends_with(".json") {
                // Written JSON has no line ends between its tokens: those of the recordings are taken out.
                bytes.retain(|byte| !matches!(byte, b'\n' | b'\r'));
            }
            all.push((dir.to_owned(), bytes));
        }
    }
    assert!(all.len() > 20, "{} recordings have a {file}", all.len());
    all
}

fn streams() -> Vec<(String, Vec<u8>)> {
    recorded("stream.sse", false)
}

/// Events in words, fed in the given cuts.
fn hear(stream: &[u8], cuts: &[usize]) -> (Vec<String>, Response<'static>, Result<bool, StreamFault>) {
    let (mut decoder, mut words) = (Decoder::new(), Vec::new());
    let mut collector = Collector::new(Protocol::Messages);
    let mut fault = None;
    let mut scanner = SseScanner::new(1 << 22);
    let mut take = |name: Option<&[u8]>, data: &[u8]| {
        if fault.is_none() {
            fault = decoder
                .on_frame(name, data, &mut |event| {
                    words.push(format!("{event:?}"));
                    collector.take(&event);
                })
                .err();
        }
    };
    let mut from = 0;
    for to in cuts.iter().copied().chain([stream.len()]) {
        scanner.feed(&stream[from..to], |event, _| take(event.name, event.data)).unwrap();
        from = to;
    }
    scanner.finish(|event| take(event.name, event.data));
    let (response, is_ended) = collector.finish();
    (words, response, fault.map_or(Ok(is_ended), Err))
}

/// Text, thinking, and calls by id, name and arguments.
type Said = (String, String, Vec<(String, String, Value)>);

/// The answer a stream amounts to, by hand: text, thinking, calls, stop, usage.
fn by_hand(stream: &[u8]) -> (Said, Option<String>, u64, u64) {
    let (mut text, mut thinking, mut calls, mut stop) = (String::new(), String::new(), Vec::new(), None);
    let (mut input, mut output) = ([0u64; 3], 0);
    let mut partial: Option<(String, String, String)> = None;
    for line in std::str::from_utf8(stream).unwrap().lines() {
        let Some(data) = line.strip_prefix("data:") else { continue };
        let event: Value = serde_json::from_str(data).unwrap();
        let delta = &event["delta"];
        text.push_str(delta["text"].as_str().unwrap_or_default());
        thinking.push_str(delta["thinking"].as_str().unwrap_or_default());
        if event["content_block"]["type"] == "tool_use" {
            let word = |key: &str| event["content_block"][key].as_str().unwrap().to_owned();
            partial = Some((word("id"), word("name"), String::new()));
        }
        if let Some((.., arguments)) = &mut partial {
            arguments.push_str(delta["partial_json"].as_str().unwrap_or_default());
        }
        if event["type"] == "content_block_stop"
            && let Some((id, name, arguments)) = partial.take()
        {
            let arguments = if arguments.is_empty() { "{}".to_owned() } else { arguments };
            calls.push((id, name, serde_json::from_str(&arguments).unwrap()));
        }
        stop = delta["stop_reason"].as_str().map(str::to_owned).or(stop);
        for usage in [&event["usage"], &event["message"]["usage"]] {
            let fields = ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"];
            for (sum, field) in input.iter_mut().zip(fields) {
                *sum = usage[field].as_u64().unwrap_or(0).max(*sum);
            }
            output = usage["output_tokens"].as_u64().unwrap_or(0).max(output);
        }
    }
    ((text, thinking, calls), stop, input.iter().sum(), output)
}

fn said(response: &Response<'_>) -> Said {
    let (mut text, mut thinking, mut calls) = (String::new(), String::new(), Vec::new());
    for block in &response.choices[0].blocks {
        match &block.kind {
            BlockKind::Text { text: more, .. } => text.push_str(more),
            BlockKind::Thinking(more) => thinking.push_str(&more.text),
            BlockKind::ToolUse(call) => calls.push((
                call.id.to_string(),
                call.name.to_string(),
                serde_json::from_str(&call.arguments_object()).unwrap(),
            )),
            _ => {}
        }
    }
    (text, thinking, calls)
}

#[test]
fn every_recorded_stream_is_heard_as_it_was_written() {
    for (dir, stream) in streams() {
        let (_, response, ended) = hear(&stream, &[]);
        if dir.ends_with("overloaded-mid-stream") {
            assert_eq!(ended.unwrap_err().status, 529);
            continue;
        }
        assert_eq!(ended, Ok(true), "{dir}");
        let (expected, stop, input, output) = by_hand(&stream);
        assert_eq!(said(&response), expected, "{dir}");
        assert_eq!(response.choices[0].stop.native.as_deref(), stop.as_deref(), "{dir}");
        let usage = response.usage.unwrap();
        assert_eq!((usage.input, usage.output), (input, output), "{dir}");
    }
}

#[test]
fn the_cuts_of_the_network_change_no_event() {
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below.max(1)
    };
    for (dir, stream) in streams() {
        let whole = hear(&stream, &[]);
        let every: Vec<usize> = (0..stream.len()).collect();
        assert_eq!(hear(&stream, &every), whole, "{dir} byte by byte");
        for _ in 0..8 {
            let mut cuts: Vec<usize> = (0..40).map(|_| random(stream.len())).collect();
            cuts.sort_unstable();
            assert_eq!(hear(&stream, &cuts), whole, "{dir} at {cuts:?}");
        }
    }
}

#[test]
fn every_recorded_stream_comes_out_of_the_encoder_as_it_went_in() {
    for (dir, stream) in streams() {
        let (_, before, ended) = hear(&stream, &[]);
        let (mut decoder, mut encoder) = (Decoder::new(), Encoder::new(owed()));
        let mut out = Vec::new();
        let mut scanner = SseScanner::new(1 << 22);
        let mut take = |name: Option<&[u8]>, data: &[u8]| {
            let _ = decoder.on_frame(name, data, &mut |event: Event<'_>| encoder.write(&event, &mut out));
        };
        scanner.feed(&stream, |event, _| take(event.name, event.data)).unwrap();
        scanner.finish(|event| take(event.name, event.data));
        let (_, after, ended_after) = hear(&out, &[]);
        if ended == Ok(true) {
            assert_eq!((after, ended_after), (before, ended), "{dir}");
        } else {
            assert_eq!(ended_after, Ok(false), "{dir}");
        }
    }
}

#[test]
fn every_recorded_answer_is_read_and_written_back() {
    for (dir, body) in recorded("response.json", false) {
        let root = parse_bytes(&body, Duplicates::LastCounts).unwrap();
        let response = decode_response(&root).unwrap_or_else(|e| panic!("{dir}: {e}"));
        let value: Value = serde_json::from_slice(&body).unwrap();
        let mut calls = Vec::new();
        let mut text = String::new();
        for block in value["content"].as_array().unwrap() {
            if block["type"] == "tool_use" {
                let word = |key: &str| block[key].as_str().unwrap().to_owned();
                calls.push((word("id"), word("name"), block["input"].clone()));
            }
            if block["type"] == "text" {
                text.push_str(block["text"].as_str().unwrap());
            }
        }
        let (said_text, _, said_calls) = said(&response);
        assert_eq!((said_text, said_calls), (text, calls), "{dir}");
        assert_ne!(response.choices[0].stop.reason, StopReason::Error);
        let mut out = Vec::new();
        encode_response(&response, &owed(), &mut out);
        let again = parse_bytes(&out, Duplicates::Refuse).unwrap();
        assert_eq!(decode_response(&again).unwrap(), response, "{dir}");
        // Nothing but nulls and zeros may differ on the wire.
        let written: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(written["content"], without_nulls(value["content"].clone()), "{dir}");
    }
}

/// Optional members of known blocks that say nothing are not written.
fn without_nulls(content: Value) -> Value {
    let Value::Array(mut blocks) = content else { panic!("an array") };
    for block in &mut blocks {
        if let Value::Object(fields) = block
            && fields.get("type").is_some_and(|kind| kind == "text")
        {
            fields.retain(|_, value| !value.is_null());
        }
    }
    Value::Array(blocks)
}

#[test]
fn recorded_errors_are_no_answers() {
    for (dir, body) in recorded("response.json", true) {
        let root = parse_bytes(&body, Duplicates::LastCounts).unwrap();
        assert_eq!(decode_response(&root).is_err(), root.get("error").is_some(), "{dir}");
    }
}

#[test]
fn every_recorded_request_means_the_same_when_written_again() {
    for (dir, body) in recorded("request.json", true) {
        let root = parse_bytes(&body, Duplicates::Refuse).unwrap();
        let called = Called { model: root.get("model").is_none().then_some("claude"), is_stream: None };
        let request = decode_request(&root, called).unwrap_or_else(|e| panic!("{dir}: {e}"));
        let (mut losses, mut out) = (Losses::default(), Vec::new());
        let target = Target::new(request.model.as_ref());
        encode_request(&request, &target, &mut losses, &mut out).unwrap_or_else(|e| panic!("{dir}: {e}"));
        assert!(losses.is_empty(), "{dir}: {losses:?}");
        let written = parse_bytes(&out, Duplicates::Refuse).unwrap();
        let back = decode_request(&written, called).unwrap();
        assert_eq!(back.turns, merged(&request), "{dir}");
        let rest = |request: &Request<'_>| {
            let mut fields: Vec<String> =
                request.extra.fields.iter().map(|field| format!("{field:?}")).collect();
            fields.sort();
            (
                format!("{:?} {:?} {:?}", request.system, request.tools, request.tool_choice),
                format!("{:?} {:?} {:?}", request.output, request.reasoning, request.stop),
                (request.max_output, request.is_stream, request.setting(Feature::Temperature).is_some()),
                fields,
            )
        };
        assert_eq!(without_places(rest(&back)), without_places(rest(&request)), "{dir}");
    }
}

/// The turns as the vendor sees them: those of one speaker are one.
fn merged<'a>(request: &Request<'a>) -> Vec<Turn<'a>> {
    let mut turns: Vec<Turn<'a>> = Vec::new();
    for turn in &request.turns {
        match turns.last_mut() {
            Some(last) if last.role == turn.role && last.role != Role::System => {
                last.blocks.extend(turn.blocks.iter().cloned());
            }
            _ => turns.push(turn.clone()),
        }
    }
    turns
}

/// Debug words show where a thing stood; that is not what it is.
fn without_places<T: std::fmt::Debug>(value: T) -> String {
    let words = format!("{value:?}");
    let mut out = String::new();
    for (number, piece) in words.split("At(").enumerate() {
        let rest = if number == 0 { piece } else { piece.split_once(')').map_or("", |(_, rest)| rest) };
        out.push_str(rest);
    }
    out
}
