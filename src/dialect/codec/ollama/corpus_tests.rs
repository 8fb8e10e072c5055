//! Recorded traffic, checked against what a walk over the raw JSON finds.

use super::*;
use crate::chat::{Block, BlockKind, Collector, Losses, Response, Target};
use crate::dialect::codec::{Called, DecodeStream};
use crate::framing::json::{Duplicates, parse, parse_bytes};
use crate::framing::lines::LineScanner;
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
    let folder = std::fs::read_dir(root.join("ollama")).unwrap();
    let mut cases: Vec<Case> = folder
        .map(|entry| entry.unwrap().path())
        .filter(|dir| {
            let meta: Value = serde_json::from_slice(&std::fs::read(dir.join("meta.json")).unwrap()).unwrap();
            meta["api"] == "chat-native" && meta["status"] == 200
        })
        .map(|dir| Case { name: dir.file_name().unwrap().to_string_lossy().into_owned(), dir })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(cases.len() > 6, "{}", cases.len());
    cases
}

type Said = (String, String, Vec<(String, Value)>, Option<u64>, Option<u64>, String);

/// Text, thinking, calls, counts and stop of all lines, by hand.
fn expected(lines: &[Value]) -> Said {
    let all = |key: &str| lines.iter().filter_map(|line| line["message"][key].as_str()).collect::<String>();
    let calls =
        lines.iter().flat_map(|line| line["message"]["tool_calls"].as_array().cloned().unwrap_or_default());
    let call = |call: Value| {
        (call["function"]["name"].as_str().unwrap().to_owned(), call["function"]["arguments"].clone())
    };
    let last = lines.last().unwrap();
    assert_eq!(last["done"], true);
    (
        all("content"),
        all("thinking"),
        calls.map(call).collect(),
        last["prompt_eval_count"].as_u64(),
        last["eval_count"].as_u64(),
        last["done_reason"].as_str().unwrap().to_owned(),
    )
}

fn found(response: &Response<'_>) -> Said {
    let choice = &response.choices[0];
    let text = choice.blocks.iter().filter_map(Block::as_text).collect();
    let (mut thinking, mut calls) = (String::new(), Vec::new());
    for block in &choice.blocks {
        match &block.kind {
            BlockKind::Thinking(thought) => thinking.push_str(&thought.text),
            BlockKind::ToolUse(call) => {
                calls.push((call.name.to_string(), serde_json::from_str(&call.arguments).unwrap()));
            }
            _ => {}
        }
    }
    let usage = response.usage;
    let native = choice.stop.native.as_deref().unwrap_or_default().to_owned();
    (text, thinking, calls, usage.map(|u| u.input), usage.map(|u| u.output), native)
}

fn events(bytes: &[u8], cut: &mut dyn FnMut(usize) -> usize) -> Vec<String> {
    let mut scanner = LineScanner::new(1 << 20);
    let mut decoder = Decoder::new();
    let mut seen = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, more) = rest.split_at(cut(rest.len()).clamp(1, rest.len()));
        rest = more;
        scanner
            .feed(piece, |line, _| {
                decoder.on_frame(None, line, &mut |event| seen.push(format!("{event:?}"))).unwrap();
            })
            .unwrap();
    }
    scanner
        .finish(|line| decoder.on_frame(None, line, &mut |event| seen.push(format!("{event:?}"))).unwrap());
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
        assert_eq!(found(&response), expected(&[serde_json::from_slice(&body).unwrap()]), "{}", case.name);
        let year = response.created.unwrap() / 31_556_952 + 1970;
        assert!((2024..=2026).contains(&year), "{}: {year}", case.name);
        count += 1;
    }
    eprintln!("answers: {count}");
}

#[test]
fn recorded_streams_are_the_same_however_they_are_cut_and_say_what_their_json_says() {
    let mut count = 0;
    for case in cases() {
        let Some(bytes) = case.read("stream.ndjson") else { continue };
        let whole = events(&bytes, &mut |rest| rest);
        assert_eq!(whole.last().unwrap(), "End", "{}", case.name);
        assert_eq!(events(&bytes, &mut |_| 1), whole, "{}", case.name);
        let mut seed = 7u64;
        let mut random = |_: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % 97
        };
        assert_eq!(events(&bytes, &mut random), whole, "{}", case.name);
        let (mut decoder, mut collector) = (Decoder::new(), Collector::new(Protocol::Ollama));
        let mut lines: Vec<Value> = Vec::new();
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            lines.push(serde_json::from_slice(line).unwrap());
            decoder.on_frame(None, line, &mut |event| collector.take(&event)).unwrap();
        }
        let (response, is_ended) = collector.finish();
        assert!(is_ended, "{}", case.name);
        assert_eq!(found(&response), expected(&lines), "{}", case.name);
        count += 1;
    }
    eprintln!("streams: {count}");
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
        let mut response = decode_response(&node).unwrap();
        let mut out = Vec::new();
        encode_response(&response, &super::response_tests::owed(), &mut out);
        let text = String::from_utf8(out).unwrap();
        let again = parse(&text, Duplicates::Refuse).unwrap();
        let read = decode_response(&again).unwrap();
        for block in response.choices.iter_mut().flat_map(|choice| &mut choice.blocks) {
            if let BlockKind::ToolUse(call) = &mut block.kind
                && call.id.is_empty()
            {
                call.id = "call_0123456789abcdef_0".into();
            }
        }
        assert_eq!(read, response, "{}", case.name);
    }
}
