//! Recorded calls of Bedrock. They lie outside of the repository: `TIDEGATE_CORPUS` names their folder.

use super::family::Family;
use super::stream_tests::gather;
use super::{Decoder, decode_request, decode_response, encode_request, encode_response, unwrap_invoke};
use crate::chat::*;
use crate::dialect::codec::{Called, DecodeStream};
use crate::framing::eventstream::EventStreamScanner;
use crate::framing::json::{Duplicates, parse};
use crate::types::recordings;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn recordings() -> Vec<PathBuf> {
    let Some(root) = recordings::folder() else { return Vec::new() };
    let listing = fs::read_dir(root.join("bedrock")).unwrap();
    let mut all: Vec<PathBuf> = listing.map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

fn name(dir: &Path) -> String {
    dir.file_name().unwrap().to_string_lossy().into_owned()
}

fn json(path: PathBuf) -> Option<(String, Value)> {
    // What is written has no line ends between tokens.
    let text = fs::read_to_string(path).ok()?.replace(['\n', '\r'], "");
    let value = serde_json::from_str(&text).unwrap();
    Some((text, value))
}

fn model(dir: &Path) -> String {
    let (_, meta) = json(dir.join("meta.json")).unwrap();
    meta["model"].as_str().unwrap_or("unknown").to_owned()
}

/// Text, thinking and calls of a recorded message, walked by hand.
fn expected(content: &Value) -> (String, String, Vec<(String, String, Value)>) {
    let (mut text, mut thinking, mut calls) = (String::new(), String::new(), Vec::new());
    for block in content.as_array().unwrap() {
        text.push_str(block["text"].as_str().unwrap_or_default());
        thinking.push_str(block["reasoningContent"]["reasoningText"]["text"].as_str().unwrap_or_default());
        let call = &block["toolUse"];
        if call.is_object() && call["type"] != "server_tool_use" {
            let of = |key: &str| call[key].as_str().unwrap().to_owned();
            calls.push((of("toolUseId"), of("name"), call["input"].clone()));
        }
    }
    (text, thinking, calls)
}

fn found(blocks: &[Block<'_>]) -> (String, String, Vec<(String, String, Value)>) {
    let (mut text, mut thinking, mut calls) = (String::new(), String::new(), Vec::new());
    for block in blocks {
        match &block.kind {
            BlockKind::Text { text: words, .. } => text.push_str(words),
            BlockKind::Thinking(thought) => thinking.push_str(&thought.text),
            BlockKind::ToolUse(call) => {
                let arguments = if call.arguments.is_empty() { "{}" } else { &call.arguments };
                calls.push((
                    call.id.to_string(),
                    call.name.to_string(),
                    serde_json::from_str(arguments).unwrap(),
                ));
            }
            _ => {}
        }
    }
    (text, thinking, calls)
}

#[test]
fn every_recorded_answer_says_what_was_recorded_and_comes_back_the_same() {
    let mut count = 0;
    for dir in recordings() {
        let Some((text, value)) = json(dir.join("response.json")) else { continue };
        let root = parse(&text, Duplicates::LastCounts).unwrap();
        if value["output"]["message"].is_null() {
            assert!(decode_response(&root).is_err(), "{}", name(&dir));
            continue;
        }
        count += 1;
        let response = decode_response(&root).unwrap();
        let choice = &response.choices[0];
        assert_eq!(found(&choice.blocks), expected(&value["output"]["message"]["content"]), "{}", name(&dir));
        assert_eq!(choice.stop.native.as_deref(), value["stopReason"].as_str());
        let usage = response.usage.unwrap();
        assert_eq!(Some(usage.total()), value["usage"]["totalTokens"].as_u64(), "{}", name(&dir));
        let mut out = Vec::new();
        encode_response(&response, &super::response_tests::owed(), &mut out);
        let again = parse(std::str::from_utf8(&out).unwrap(), Duplicates::Refuse).unwrap();
        let mut back = decode_response(&again).unwrap();
        if value["metrics"].is_null() {
            // SDKs want them: they are made up where there are none.
            back.extra = Extra::none();
        }
        assert_eq!(back, response, "{}", name(&dir));
    }
    println!("answers: {count}");
}

#[test]
fn every_recorded_request_comes_back_with_its_meaning() {
    let mut count = 0;
    for dir in recordings().into_iter().filter(|dir| name(dir).starts_with("converse")) {
        let Some((text, _)) = json(dir.join("request.json")) else { continue };
        count += 1;
        let model = model(&dir);
        let called = Called { model: Some(&model), is_stream: Some(name(&dir).contains("stream")) };
        let root = parse(&text, Duplicates::Refuse).unwrap();
        let request = decode_request(&root, called).unwrap();
        let has_budget = request.reasoning.as_ref().is_some_and(|reasoning| reasoning.budget.is_some());
        let thinking = if has_budget { ThinkingStyle::Budget } else { ThinkingStyle::Effort };
        let target = Target { thinking, ..Target::new(model.clone()) };
        let (mut losses, mut out) = (Losses::default(), Vec::new());
        encode_request(&request, &target, &mut losses, &mut out).unwrap();
        assert!(losses.is_empty(), "{}: {losses:?}", name(&dir));
        let again = parse(std::str::from_utf8(&out).unwrap(), Duplicates::Refuse).unwrap();
        let back = decode_request(&again, called).unwrap();
        // Two user turns on end are one turn to Bedrock.
        let mut wanted = request.clone();
        wanted.turns.dedup_by(|next, last| {
            let is_same = next.role == last.role;
            if is_same {
                last.blocks.append(&mut next.blocks);
            }
            is_same
        });
        assert_eq!(back, wanted, "{}", name(&dir));
        assert_ne!(Family::of(&model), Family::Cohere, "none is recorded");
    }
    println!("requests: {count}");
}

/// Events as text, with pieces of one block joined: cuts must not show.
fn events(bytes: &[u8], cuts: &[usize]) -> Vec<String> {
    let (mut scanner, mut decoder, mut all) = (EventStreamScanner::new(), Decoder::new(), Vec::new());
    let mut rest = bytes;
    let mut feed = |piece: &[u8]| {
        scanner
            .feed(piece, |message, _| {
                assert_eq!(message.kind, b"event");
                decoder
                    .on_frame(Some(message.name), message.payload, &mut |event| {
                        all.push(format!("{event:?}"))
                    })
                    .unwrap();
            })
            .unwrap();
    };
    for cut in cuts {
        let (piece, after) = rest.split_at((*cut).min(rest.len()));
        feed(piece);
        rest = after;
    }
    feed(rest);
    decoder.on_end(&mut |event| all.push(format!("{event:?}")));
    all
}

#[test]
fn every_recorded_stream_gives_the_same_events_however_it_is_cut() {
    let mut seed = 7u64;
    let mut count = 0;
    for dir in recordings().into_iter().filter(|dir| name(dir).starts_with("converse-stream")) {
        let Ok(bytes) = fs::read(dir.join("stream.eventstream.bin")) else { continue };
        count += 1;
        let whole = events(&bytes, &[]);
        assert!(
            whole.first().unwrap().starts_with("Start") && whole.last().unwrap() == "End",
            "{}",
            name(&dir)
        );
        assert_eq!(events(&bytes, &vec![1; bytes.len()]), whole, "{}", name(&dir));
        for _ in 0..20 {
            let cuts: Vec<usize> = (0..30)
                .map(|_| {
                    seed =
                        seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (seed >> 33) as usize % (bytes.len() / 10)
                })
                .collect();
            assert_eq!(events(&bytes, &cuts), whole, "{}", name(&dir));
        }
    }
    println!("streams: {count}");
}

/// The frames as the recorder decoded them; the fixtures have no headers.
fn recorded_frames(dir: &Path) -> Option<Vec<(String, Value)>> {
    let text = fs::read_to_string(dir.join("stream.decoded.jsonl")).ok()?;
    let frame = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        match value["headers"][":event-type"].as_str() {
            Some(name) => (name.to_owned(), value["payload"].clone()),
            None => {
                let (name, payload) = value.as_object().unwrap().iter().next().unwrap();
                (name.clone(), payload.clone())
            }
        }
    };
    Some(text.lines().map(frame).collect())
}

#[test]
fn every_recorded_stream_tells_what_was_recorded() {
    let mut count = 0;
    for dir in recordings() {
        if !name(&dir).starts_with("converse-stream")
            && !name(&dir).starts_with("fx-amazon-bedrock-reasoning")
        {
            continue;
        }
        let frames = recorded_frames(&dir).unwrap();
        count += 1;
        let (mut text, mut thinking, mut inputs) =
            (String::new(), String::new(), Vec::<(u64, String, bool)>::new());
        let (mut stop, mut total) = (None, None);
        for (_, payload) in &frames {
            let (delta, index) = (&payload["delta"], payload["contentBlockIndex"].as_u64().unwrap_or(0));
            text.push_str(delta["text"].as_str().unwrap_or_default());
            thinking.push_str(delta["reasoningContent"]["text"].as_str().unwrap_or_default());
            let call = &payload["start"]["toolUse"];
            if call.is_object() {
                inputs.push((index, String::new(), call["type"] != "server_tool_use"));
            }
            if let Some(piece) = delta["toolUse"]["input"].as_str() {
                inputs.iter_mut().find(|(of, ..)| *of == index).unwrap().1.push_str(piece);
            }
            stop = payload["stopReason"].as_str().map(str::to_owned).or(stop);
            total = payload["usage"]["totalTokens"].as_u64().or(total);
        }
        let lines: Vec<(String, String)> = frames.iter().map(|(n, p)| (n.clone(), p.to_string())).collect();
        let borrowed: Vec<(&str, &str)> = lines.iter().map(|(n, p)| (n.as_str(), p.as_str())).collect();
        let (response, is_ended) = gather(&borrowed).unwrap();
        let heard = found(&response.choices[0].blocks);
        assert!(is_ended, "{}", name(&dir));
        assert_eq!((heard.0, heard.1), (text, thinking), "{}", name(&dir));
        let wanted: Vec<Value> = inputs
            .iter()
            .filter(|(.., is_call)| *is_call)
            .map(|(_, input, _)| serde_json::from_str(if input.is_empty() { "{}" } else { input }).unwrap())
            .collect();
        assert_eq!(
            heard.2.into_iter().map(|(.., input)| input).collect::<Vec<_>>(),
            wanted,
            "{}",
            name(&dir)
        );
        assert_eq!(response.choices[0].stop.native.as_deref(), stop.as_deref());
        assert_eq!(response.usage.map(|usage| usage.total()), total, "{}", name(&dir));
    }
    println!("streams: {count}");
}

#[test]
fn every_recorded_invoke_stream_is_unwrapped() {
    let mut count = 0;
    for dir in recordings().into_iter().filter(|dir| name(dir).starts_with("invoke-stream")) {
        let Ok(bytes) = fs::read(dir.join("stream.eventstream.bin")) else { continue };
        count += 1;
        let mut inner = Vec::new();
        EventStreamScanner::new()
            .feed(&bytes, |message, _| inner.push(unwrap_invoke(message.payload).unwrap()))
            .unwrap();
        let text = fs::read_to_string(dir.join("stream.decoded.jsonl")).unwrap();
        let wanted =
            text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["payload_inner"].clone());
        let inner: Vec<Value> = inner.iter().map(|event| serde_json::from_slice(event).unwrap()).collect();
        assert_eq!(inner, wanted.collect::<Vec<_>>(), "{}", name(&dir));
    }
    println!("invoke streams: {count}");
}
