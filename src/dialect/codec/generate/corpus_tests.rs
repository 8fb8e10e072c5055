//! Recorded traffic of Google's, through both halves. What is expected is worked out a second time,
//! on JSON trees.
//!
//! The recordings lie outside of the repository: `TIDEGATE_CORPUS` names their folder, the default
//! is `../shared/corpus`. Where they are absent the tests say so and pass.

use super::request_tests::{gemini3, unplaced};
use super::stream_tests::gather;
use super::*;
use crate::chat::*;
use crate::dialect::codec::{Called, DecodeStream};
use crate::dialect::gemini::array::ArrayScanner;
use crate::framing::json::{Duplicates, parse, parse_bytes};
use crate::framing::sse::SseScanner;
use crate::types::Usage;
use crate::types::recordings;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Folders of good answers of generateContent and streamGenerateContent.
fn cases() -> Vec<PathBuf> {
    let Some(root) = recordings::folder() else { return Vec::new() };
    let index: Value = serde_json::from_slice(&std::fs::read(root.join("index.json")).unwrap()).unwrap();
    let is_ours = |entry: &&Value| {
        let api = entry["api"].as_str().unwrap_or_default();
        matches!(api, "generateContent" | "streamGenerateContent" | "countTokens") && entry["status"] == 200
    };
    let entries = index["entries"].as_array().unwrap().iter().filter(is_ours);
    let all: Vec<PathBuf> = entries.map(|entry| root.join(entry["dir"].as_str().unwrap())).collect();
    assert!(all.len() > 40, "only {} recordings", all.len());
    all
}

fn sse(bytes: &[u8], sizes: impl Iterator<Item = usize>) -> Vec<String> {
    let mut scanner = SseScanner::new(1 << 22);
    let mut all = Vec::new();
    let mut rest = bytes;
    for size in sizes {
        let (chunk, more) = rest.split_at(size.clamp(1, rest.len().max(1)).min(rest.len()));
        scanner.feed(chunk, |event, _| all.push(String::from_utf8(event.data.to_vec()).unwrap())).unwrap();
        rest = more;
        if rest.is_empty() {
            break;
        }
    }
    scanner.finish(|event| all.push(String::from_utf8(event.data.to_vec()).unwrap()));
    all
}

/// A recording without line ends between its tokens: what is written has none.
fn flat(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = std::fs::read(path)?;
    bytes.retain(|byte| !matches!(byte, b'\n' | b'\r'));
    Ok(bytes)
}

/// The elements of a recorded stream: SSE, or the body of an array.
fn elements(dir: &Path) -> Option<Vec<String>> {
    if let Ok(stream) = std::fs::read(dir.join("stream.sse")) {
        return Some(sse(&stream, std::iter::repeat(usize::MAX)));
    }
    let body = flat(&dir.join("response.json")).ok()?;
    let mut all = Vec::new();
    if body.trim_ascii_start().starts_with(b"[") {
        let mut scanner = ArrayScanner::new();
        scanner.feed(&body, |one, _| all.push(String::from_utf8(one.to_vec()).unwrap())).unwrap();
    }
    (!all.is_empty()).then_some(all)
}

fn events(frames: &[String]) -> Vec<String> {
    let mut decoder = Decoder::new();
    let mut all = Vec::new();
    for frame in frames {
        decoder.on_frame(None, frame.as_bytes(), &mut |event| all.push(format!("{event:?}"))).unwrap();
    }
    decoder.on_end(&mut |event| all.push(format!("{event:?}")));
    all
}

#[test]
fn cuts_do_not_change_what_a_recorded_stream_says() {
    let mut seed = 7u64;
    for dir in cases() {
        let Ok(stream) = std::fs::read(dir.join("stream.sse")) else { continue };
        let whole = events(&sse(&stream, std::iter::repeat(usize::MAX)));
        assert_eq!(whole.last().map(String::as_str), Some("End"), "{}", dir.display());
        assert_eq!(whole, events(&sse(&stream, std::iter::repeat(1))), "{}", dir.display());
        let random = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize % 997
        });
        assert_eq!(whole, events(&sse(&stream, random)), "{}", dir.display());
    }
}

/// What a person would find in the parts.
#[derive(Debug, Default, PartialEq)]
struct Said {
    text: String,
    thoughts: String,
    calls: Vec<(String, Value)>,
    signatures: Vec<String>,
}

impl Said {
    fn by_hand(&mut self, element: &Value) {
        for part in element["candidates"][0]["content"]["parts"].as_array().unwrap_or(&Vec::new()) {
            let text = part["text"].as_str().unwrap_or_default();
            if part["thought"] == true {
                self.thoughts.push_str(text)
            } else {
                self.text.push_str(text)
            }
            let call = &part["functionCall"];
            if let Some(name) = call["name"].as_str() {
                self.calls.push((name.to_owned(), call.get("args").cloned().unwrap_or(Value::Null)));
            }
            for piece in call["partialArgs"].as_array().unwrap_or(&Vec::new()) {
                let path = piece["jsonPath"].as_str().unwrap().trim_start_matches('$');
                let path = path.replace(['.', '['], "/").replace(']', "");
                put(&mut self.calls.last_mut().unwrap().1, &path, piece["stringValue"].as_str().unwrap());
            }
            let is_opaque = part.get("toolCall").is_some() || part.get("toolResponse").is_some();
            if let Some(slot) = part["thoughtSignature"].as_str().filter(|_| !is_opaque) {
                self.signatures.push(slot.to_owned());
            }
        }
    }

    fn by_codec(response: &Response<'_>) -> Self {
        let mut said = Said::default();
        for block in &response.choices[0].blocks {
            match &block.kind {
                BlockKind::Text { text, .. } => said.text.push_str(text),
                BlockKind::Thinking(thinking) => {
                    said.thoughts.push_str(&thinking.text);
                    said.signatures.extend(thinking.signature.iter().map(|s| s.data.to_string()));
                }
                BlockKind::ToolUse(call) => {
                    let arguments = serde_json::from_str(&call.arguments).unwrap_or(Value::Null);
                    said.calls.push((call.name.to_string(), arguments));
                    said.signatures.extend(call.signature.iter().map(|s| s.data.to_string()));
                    assert!(!call.id.is_empty());
                }
                _ => {}
            }
        }
        said
    }
}

fn put(value: &mut Value, path: &str, text: &str) {
    let mut value = value;
    for step in path.split('/').skip(1) {
        if let Ok(at) = step.parse::<usize>() {
            if !value.is_array() {
                *value = Value::Array(Vec::new());
            }
            let items = value.as_array_mut().unwrap();
            if items.len() == at {
                items.push(Value::Null);
            }
            value = &mut items[at];
        } else {
            if !value.is_object() {
                *value = Value::Object(serde_json::Map::new());
            }
            value = value.as_object_mut().unwrap().entry(step).or_insert(Value::Null);
        }
    }
    *value = Value::String(format!("{}{text}", value.as_str().unwrap_or_default()));
}

/// Of each count the last that was told; reports are cumulative and leave fields out.
fn usage_by_hand(elements: &[Value]) -> Option<(u64, u64, u64, u64)> {
    let last = |name: &str| {
        let told = elements.iter().rev().filter_map(|element| element["usageMetadata"][name].as_u64());
        told.into_iter().find(|count| *count > 0).unwrap_or(0)
    };
    let input = last("promptTokenCount") + last("toolUsePromptTokenCount");
    let output = last("candidatesTokenCount") + last("thoughtsTokenCount");
    (input + output > 0).then(|| (input, output, last("thoughtsTokenCount"), last("cachedContentTokenCount")))
}

fn four(usage: Option<Usage>) -> Option<(u64, u64, u64, u64)> {
    usage.map(|usage| (usage.input, usage.output, usage.reasoning, usage.cache_read))
}

#[test]
fn recorded_streams_say_what_a_person_reads_in_them() {
    let mut count = 0;
    for dir in cases() {
        let Some(frames) = elements(&dir) else { continue };
        let (response, is_ended) = gather(&frames);
        assert!(is_ended, "{}", dir.display());
        let mut said = Said::default();
        let all: Vec<Value> = frames.iter().map(|frame| serde_json::from_str(frame).unwrap()).collect();
        all.iter().for_each(|element| said.by_hand(element));
        assert_eq!(Said::by_codec(&response), said, "{}", dir.display());
        assert_eq!(four(response.usage), usage_by_hand(&all), "{}", dir.display());
        let expects_call = !said.calls.is_empty();
        assert_eq!(response.choices[0].stop.reason == StopReason::ToolUse, expects_call, "{}", dir.display());
        count += 1;
    }
    assert!(count == 0 || count > 20, "{count}");
}

#[test]
fn recorded_answers_are_read_and_written_back() {
    let mut count = 0;
    for dir in cases() {
        let Ok(body) = flat(&dir.join("response.json")) else { continue };
        let tree: Value = serde_json::from_slice(&body).unwrap();
        if tree.get("candidates").is_none() && tree.get("promptFeedback").is_none() {
            continue;
        }
        let root = parse_bytes(&body, Duplicates::LastCounts).unwrap();
        let response = decode_response(&root).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        let mut said = Said::default();
        said.by_hand(&tree);
        assert_eq!(Said::by_codec(&response), said, "{}", dir.display());
        assert_eq!(four(response.usage), usage_by_hand(std::slice::from_ref(&tree)), "{}", dir.display());
        let mut out = Vec::new();
        encode_response(&response, &super::response_tests::owed(), &mut out);
        let again = parse_bytes(&out, Duplicates::Refuse).unwrap();
        let mut again = decode_response(&again).unwrap();
        // Tools' prompts are part of the prompt's count now; a time is always told.
        again.created = response.created;
        again.usage = response.usage;
        assert_eq!(again, response, "{}", dir.display());
        count += 1;
    }
    assert!(count == 0 || count > 15, "{count}");
}

#[test]
fn recorded_requests_keep_their_meaning() {
    let called = Called { model: Some("m"), is_stream: Some(false) };
    let mut count = 0;
    for dir in cases() {
        let Ok(body) = flat(&dir.join("request.json")) else { continue };
        let Ok(root) = parse_bytes(&body, Duplicates::Refuse) else { continue };
        let request = decode_count(&root, called).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        let (mut losses, mut out) = (Losses::default(), Vec::new());
        let target = Target { takes_no_effort: true, ..gemini3() };
        encode_request(&request, &target, &mut losses, &mut out)
            .unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        let unexpected: Vec<&Loss> =
            losses.all().iter().filter(|loss| loss.feature != Feature::SchemaConstraint).collect();
        assert!(unexpected.is_empty(), "{}: {unexpected:?}", dir.display());
        let text = String::from_utf8(out).unwrap();
        let again = decode_request(&parse(&text, Duplicates::Refuse).unwrap(), called).unwrap();
        let blocks = |request: &Request<'_>| -> Vec<String> {
            let all = request.turns.iter().flat_map(|turn| &turn.blocks);
            all.map(|block| format!("{:?}", block.kind.to_static())).map(|text| plain(&text)).collect()
        };
        assert_eq!(blocks(&again), blocks(&request), "{}", dir.display());
        assert_eq!(again.system, request.system, "{}", dir.display());
        assert_eq!(again.tool_choice, request.tool_choice, "{}", dir.display());
        assert_eq!(again.reasoning, request.reasoning, "{}", dir.display());
        assert_eq!(again.max_output, request.max_output, "{}", dir.display());
        count += 1;
    }
    assert!(count == 0 || count > 30, "{count}");
}

/// Debug text without places, and without the signature made for calls that had none.
fn plain(text: &str) -> String {
    let dummy = r#"Some(Signature { vendor: Gemini, data: "skip_thought_signature_validator" })"#;
    unplaced(&text.replace(dummy, "None"))
}
