//! The recorded traffic, by protocol. Outside of the repository: `TIDEGATE_CORPUS` names its folder.

use crate::frames::{self, Frame};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tidegate::types::Protocol;

pub struct Case {
    pub dir: String,
    pub protocol: Protocol,
    pub answer: Option<Recorded>,
    pub request: Option<Vec<u8>>,
    pub is_stream: bool,
}

pub enum Recorded {
    Whole(Vec<u8>),
    Stream(Vec<Frame>),
}

/// Filed under a protocol whose answers they are not.
const NO_ANSWERS: [&str; 2] = [
    // Chat completions of DeepSeek, filed as Responses.
    "azure-openai/fx-azure-deepseek-reasoning.1",
    // A background answer that has not begun (`queued`).
    "openai/responses-plain-gpt-4o",
];

#[expect(clippy::disallowed_methods, reason = "a test asks where the recordings lie; no product code does")]
fn root() -> Option<PathBuf> {
    let named = std::env::var_os("TIDEGATE_CORPUS").map(PathBuf::from);
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let root = named.unwrap_or_else(beside);
    if root.join("index.json").is_file() {
        return Some(root);
    }
    eprintln!("skipped: no corpus at {} (TIDEGATE_CORPUS)", root.display());
    None
}

fn protocol_of(api: &str) -> Option<Protocol> {
    Some(match api {
        "chat" => Protocol::Chat,
        "responses" | "responses-get" => Protocol::Responses,
        "messages" => Protocol::Messages,
        "generateContent" | "streamGenerateContent" => Protocol::Generate,
        "converse" | "converse-stream" => Protocol::Converse,
        "chat-v2" => Protocol::Cohere,
        "chat-native" => Protocol::Ollama,
        _ => return None,
    })
}

/// Every case of a protocol that is translated; empty where there is no corpus.
pub fn cases() -> Vec<Case> {
    let Some(root) = root() else { return Vec::new() };
    let index: Value = serde_json::from_slice(&fs::read(root.join("index.json")).unwrap()).unwrap();
    let mut cases = Vec::new();
    for entry in index["entries"].as_array().unwrap() {
        let api = entry["api"].as_str().unwrap_or_default();
        let Some(protocol) = protocol_of(api) else { continue };
        let dir = entry["dir"].as_str().unwrap().to_owned();
        let read = |name: &str| fs::read(root.join(&dir).join(name)).ok();
        let is_answer = entry["status"] == 200 && !NO_ANSWERS.contains(&dir.as_str());
        // A stored answer is asked for by GET: no request of a generation.
        let request = read("request.json").filter(|_| api != "responses-get");
        let answer = if is_answer { answer(&read) } else { None };
        let is_stream = entry["stream"] == true;
        cases.push(Case { dir, protocol, answer, request, is_stream });
    }
    assert!(cases.len() > 300, "only {} cases", cases.len());
    cases
}

fn answer(read: &dyn Fn(&str) -> Option<Vec<u8>>) -> Option<Recorded> {
    if let Some(body) = read("stream.sse") {
        return Some(Recorded::Stream(frames::sse(&body)));
    }
    if let Some(body) = read("stream.ndjson") {
        return Some(Recorded::Stream(frames::lines(&body)));
    }
    if let Some(body) = read("stream.eventstream.bin") {
        return Some(Recorded::Stream(frames::eventstream(&body)));
    }
    if let Some(body) = read("stream.decoded.jsonl") {
        return Some(Recorded::Stream(frames::decoded_lines(&body)));
    }
    let body = read("response.json")?;
    let value: Value = serde_json::from_slice(&body).ok()?;
    // Gemini without `alt=sse`.
    if value.is_array() {
        return Some(Recorded::Stream(frames::array(&value)));
    }
    Some(Recorded::Whole(body))
}
