//! Recorded traffic of many vendors, checked against the raw JSON walked by hand.
//!
//! The recordings lie outside of the repository: `TIDEGATE_CORPUS` names their folder, the default is
//! `../shared/corpus`. Where they are absent the tests say so and pass.

use super::*;
use crate::chat::{
    Block, BlockKind, Choice, Collector, Losses, Request, Response, Stop, StopReason, Target, ThinkingEcho,
    ToolKind,
};
use crate::dialect::codec::{Called, DecodeStream, EncodeStream, Owed};
use crate::framing::json::{Duplicates, parse_bytes};
use crate::framing::sse::SseScanner;
use crate::types::Protocol;
use crate::types::bounds::SSE_EVENT_BYTES_MAX;
use crate::types::recordings;
use serde_json::Value;
use std::fs;

/// Streams that fail in a 200, and the status of the fault.
const FAULTY: [(&str, u16); 2] = [
    ("groq/chat-stream-reasoning-output-openai-gpt-oss-120b-3", 400),
    ("openrouter/chat-stream-reasoning-output-minimax-minimax-m2-free", 400),
];

struct Recording {
    dir: String,
    provider: String,
    status: u64,
    request: Option<Vec<u8>>,
    body: Option<Vec<u8>>,
    stream: Option<Vec<u8>>,
}

fn recordings() -> Vec<Recording> {
    let Some(root) = recordings::folder() else { return Vec::new() };
    let index: Value = serde_json::from_slice(&fs::read(root.join("index.json")).unwrap()).unwrap();
    let mut all = Vec::new();
    for entry in index["entries"].as_array().unwrap() {
        if entry["api"] != "chat" {
            continue;
        }
        let dir = entry["dir"].as_str().unwrap().to_owned();
        let read = |name: &str| {
            let mut bytes = fs::read(root.join(&dir).join(name)).ok()?;
            if name.ends_with(".json") {
                // Written JSON has no line ends between its tokens: those of the recordings are taken out.
                bytes.retain(|byte| !matches!(byte, b'\n' | b'\r'));
            }
            Some(bytes)
        };
        all.push(Recording {
            provider: entry["provider"].as_str().unwrap().to_owned(),
            status: entry["status"].as_u64().unwrap(),
            request: read("request.json"),
            body: read("response.json"),
            stream: read("stream.sse"),
            dir,
        });
    }
    assert!(all.len() > 100, "only {} recordings", all.len());
    all
}

fn owed() -> Owed {
    Owed {
        model: "asked".into(),
        token: "0123456789abcdef0123".into(),
        created: 1_760_000_000,
        wants_usage: true,
        is_array: false,
        echo: String::new(),
    }
}

/// What an answer amounts to.
#[derive(Debug, Default, PartialEq)]
struct Amount {
    text: String,
    thinking: String,
    refusal: String,
    calls: Vec<(String, String, String)>,
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Adds one message or delta, by hand.
fn add_raw(amount: &mut Amount, message: &Value) {
    match &message["content"] {
        Value::String(content) => amount.text.push_str(content),
        chunks => {
            for chunk in list(chunks) {
                amount.text.push_str(text(&chunk["text"]));
                list(&chunk["thinking"]).for_each(|piece| amount.thinking.push_str(text(&piece["text"])));
            }
        }
    }
    let details: Vec<&Value> = list(&message["reasoning_details"]).collect();
    for detail in &details {
        amount.thinking.push_str(text(&detail["text"]));
        amount.thinking.push_str(text(&detail["summary"]));
    }
    if details.is_empty() {
        amount.thinking.push_str(text(&message["reasoning_content"]));
        amount.thinking.push_str(text(&message["reasoning"]));
    }
    amount.refusal.push_str(text(&message["refusal"]));
    for call in list(&message["tool_calls"]) {
        let (id, function) = (text(&call["id"]), &call["function"]);
        let (name, arguments) = (text(&function["name"]), text(&function["arguments"]));
        if name.is_empty() {
            let number = call["index"].as_u64().unwrap() as usize;
            amount.calls[number].2.push_str(arguments);
        } else {
            amount.calls.push((id.into(), name.into(), arguments.into()));
        }
    }
    let function = &message["function_call"];
    if !text(&function["name"]).is_empty() {
        amount.calls.push((
            String::new(),
            text(&function["name"]).into(),
            text(&function["arguments"]).into(),
        ));
    }
}

fn amount(blocks: &[Block<'_>]) -> Amount {
    let mut amount = Amount::default();
    for block in blocks {
        match &block.kind {
            BlockKind::Text { text, .. } => amount.text.push_str(text),
            BlockKind::Thinking(thinking) => amount.thinking.push_str(&thinking.text),
            BlockKind::Refusal(text) => amount.refusal.push_str(text),
            BlockKind::ToolUse(call) => {
                amount.calls.push((call.id.to_string(), call.name.to_string(), call.arguments.to_string()));
            }
            _ => {}
        }
    }
    amount
}

fn frames(stream: &[u8], cut: usize) -> Vec<(Option<Vec<u8>>, Vec<u8>)> {
    let mut scanner = SseScanner::new(SSE_EVENT_BYTES_MAX);
    let mut frames = Vec::new();
    for chunk in stream.chunks(cut) {
        scanner
            .feed(chunk, |event, _| frames.push((event.name.map(<[u8]>::to_vec), event.data.to_vec())))
            .unwrap();
    }
    scanner.finish(|event| frames.push((event.name.map(<[u8]>::to_vec), event.data.to_vec())));
    frames
}

/// The whole answer of a stream, its events as text, and its fault.
fn listen(stream: &[u8], cut: usize) -> (Response<'static>, bool, Vec<String>, Option<u16>) {
    let mut decoder = Decoder::new();
    let mut collector = Collector::new(Protocol::Chat);
    let mut events = Vec::new();
    let mut fault = None;
    for (name, data) in frames(stream, cut) {
        let read = decoder.on_frame(name.as_deref(), &data, &mut |event| {
            collector.take(&event);
            events.push(format!("{event:?}"));
        });
        if let Err(failed) = read {
            fault = Some(failed.status);
            break;
        }
    }
    if fault.is_none() {
        decoder.on_end(&mut |event| {
            collector.take(&event);
            events.push(format!("{event:?}"));
        });
    }
    let (response, is_ended) = collector.finish();
    (response, is_ended, events, fault)
}

/// The stream a client would see, and what it amounts to for a chat reader.
fn again(stream: &[u8]) -> Response<'static> {
    let (mut decoder, mut encoder) = (Decoder::new(), Encoder::new(owed()));
    let mut out = Vec::new();
    for (name, data) in frames(stream, usize::MAX) {
        decoder.on_frame(name.as_deref(), &data, &mut |event| encoder.write(&event, &mut out)).unwrap();
    }
    decoder.on_end(&mut |event| encoder.write(&event, &mut out));
    assert!(out.ends_with(b"data: [DONE]\n\n"));
    let (response, is_ended, ..) = listen(&out, usize::MAX);
    assert!(is_ended);
    response
}

#[test]
fn every_recorded_answer_says_what_its_json_says() {
    let mut counted = 0;
    for recording in recordings().iter().filter(|r| r.status == 200) {
        let Some(body) = &recording.body else { continue };
        let raw: Value = serde_json::from_slice(body).unwrap();
        let root = parse_bytes(body, Duplicates::LastCounts).unwrap();
        if raw["choices"].is_null() {
            assert!(decode_response(&root).is_err(), "{}", recording.dir);
            continue;
        }
        let response = decode_response(&root).expect(&recording.dir);
        assert_eq!(response.choices.len(), raw["choices"].as_array().unwrap().len());
        for (choice, raw) in response.choices.iter().zip(list(&raw["choices"])) {
            let mut expected = Amount::default();
            add_raw(&mut expected, &raw["message"]);
            assert_eq!(amount(&choice.blocks), expected, "{}", recording.dir);
            let word = text(&raw["finish_reason"]);
            let expected = match word {
                "length" => StopReason::Length,
                "content_filter" => StopReason::ContentFilter,
                _ if !expected.calls.is_empty() => StopReason::ToolUse,
                _ if !expected.refusal.is_empty() => StopReason::Refusal,
                _ => StopReason::End,
            };
            assert_eq!(choice.stop.reason, expected, "{}", recording.dir);
        }
        counted += 1;
    }
    eprintln!("answers: {counted}");
}

#[test]
fn usage_of_xai_counts_the_reasoning_it_leaves_out() {
    for recording in recordings().iter().filter(|r| r.dir == "xai/fx-xai-tool-call-stream-compat") {
        let (response, ..) = listen(recording.stream.as_ref().unwrap(), usize::MAX);
        let usage = response.usage.unwrap();
        assert_eq!((usage.input, usage.output, usage.reasoning, usage.cache_read), (307, 253, 227, 306));
    }
}

#[test]
fn every_recorded_stream_says_what_its_chunks_say_however_it_is_cut() {
    let mut counted = 0;
    for recording in recordings().iter().filter(|r| r.status == 200) {
        let Some(stream) = &recording.stream else { continue };
        let (response, is_ended, events, fault) = listen(stream, usize::MAX);
        let known = FAULTY.iter().find(|(dir, _)| *dir == recording.dir);
        assert_eq!(fault, known.map(|(_, status)| *status), "{}", recording.dir);
        assert_eq!(is_ended, fault.is_none(), "{}", recording.dir);
        let mut seed = 7u64;
        for cut in [1, 2, 997, stream.len().div_ceil(2)] {
            assert_eq!(listen(stream, cut).2, events, "{} cut every {cut}", recording.dir);
        }
        for _ in 0..4 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let cut = 1 + (seed >> 33) as usize % 2048;
            assert_eq!(listen(stream, cut).2, events, "{} cut every {cut}", recording.dir);
        }
        let mut expected: Vec<Amount> = Vec::new();
        for (_, data) in frames(stream, usize::MAX) {
            let Ok(chunk) = serde_json::from_slice::<Value>(&data) else { continue };
            for choice in list(&chunk["choices"]) {
                let index = choice["index"].as_u64().unwrap_or(0) as usize;
                expected.resize_with(expected.len().max(index + 1), Amount::default);
                add_raw(&mut expected[index], &choice["delta"]);
            }
        }
        let mut choices: Vec<&Choice<'_>> = response.choices.iter().collect();
        choices.sort_by_key(|choice| choice.index);
        let seen: Vec<Amount> = choices.iter().map(|choice| amount(&choice.blocks)).collect();
        if fault.is_none() {
            assert_eq!(seen, expected, "{}", recording.dir);
        }
        counted += 1;
    }
    eprintln!("streams: {counted}");
}

#[test]
fn every_recorded_stream_reaches_a_client_whole() {
    for recording in recordings().iter().filter(|r| r.status == 200) {
        let Some(stream) = recording.stream.as_ref() else { continue };
        if FAULTY.iter().any(|(dir, _)| *dir == recording.dir) {
            continue;
        }
        let (mut first, ..) = listen(stream, usize::MAX);
        let mut second = again(stream);
        // Ids of chat's form and times are made up where the provider has none.
        for response in [&mut first, &mut second] {
            response.id = "".into();
            response.created = None;
            response.model = "".into();
            response.choices.sort_by_key(|choice| choice.index);
            for choice in &mut response.choices {
                choice.stop.native = None;
                choice.blocks.iter_mut().for_each(plain_citations);
            }
        }
        assert_eq!(first, second, "{}", recording.dir);
    }
}

/// A citation without a form of its own gets chat's.
fn plain_citations(block: &mut Block<'_>) {
    if let BlockKind::Text { citations, .. } = &mut block.kind {
        for citation in citations {
            citation.json = crate::chat::Raw("".into());
            citation.span = None;
            citation.title = citation.title.take().filter(|title| !title.is_empty());
        }
    }
}

#[test]
fn every_recorded_answer_reads_the_same_after_it_was_written() {
    for recording in recordings().iter().filter(|r| r.status == 200) {
        let Some(body) = &recording.body else { continue };
        let root = parse_bytes(body, Duplicates::LastCounts).unwrap();
        let Ok(mut first) = decode_response(&root) else { continue };
        let mut out = Vec::new();
        encode_response(&first, &owed(), &mut out);
        let written = parse_bytes(&out, Duplicates::LastCounts).unwrap();
        let mut second = decode_response(&written).unwrap();
        for response in [&mut first, &mut second] {
            response.id = "".into();
            response.created = None;
            for choice in &mut response.choices {
                choice.blocks.iter_mut().for_each(plain_citations);
                choice.stop = Stop { native: None, ..choice.stop.clone() };
                choice.blocks.iter_mut().for_each(known_id);
            }
        }
        assert_eq!(first, second, "{}", recording.dir);
    }
}

/// Gemini's compatible endpoint gives no ids.
fn known_id(block: &mut Block<'_>) {
    if let BlockKind::ToolUse(call) = &mut block.kind
        && (call.id.is_empty() || call.id.starts_with("call_0123456789abcdef"))
    {
        call.id = "made".into();
    }
}

#[test]
fn every_recorded_request_means_the_same_after_it_was_written() {
    let mut counted = 0;
    for recording in &recordings() {
        let Some(request) = &recording.request else { continue };
        let root = parse_bytes(request, Duplicates::LastCounts).unwrap();
        let first = decode_request(&root, Called::default()).expect(&recording.dir);
        let mut target = Target::new(first.model.to_string());
        target.takes_custom_tools = true;
        target.echo = ThinkingEcho::ReasoningDetails;
        target.says_any = recording.provider == "mistral";
        target.has_short_tool_ids = target.says_any;
        let (mut losses, mut out) = (Losses::default(), Vec::new());
        encode_request(&first, &target, &mut losses, &mut out).expect(&recording.dir);
        assert!(losses.is_empty(), "{}: {losses:?}", recording.dir);
        let written = parse_bytes(&out, Duplicates::Refuse).unwrap();
        let second = decode_request(&written, Called::default()).expect(&recording.dir);
        assert_eq!(plain(second), plain(first), "{}", recording.dir);
        counted += 1;
    }
    eprintln!("requests: {counted}");
}

/// What an upstream is told without the client's word.
fn plain(mut request: Request<'_>) -> Request<'_> {
    request.wants_usage = false;
    if request.tools.is_empty() {
        request.tool_choice = None;
    }
    for tool in &mut request.tools {
        if let ToolKind::Function { schema, .. } = &mut tool.kind {
            *schema = schema.take().filter(|schema| schema.as_str() != "{}");
        }
    }
    request
}

#[test]
fn requests_of_every_vendor_are_counted() {
    let all = recordings();
    let mut providers: Vec<&str> = all.iter().map(|r| r.provider.as_str()).collect();
    providers.sort_unstable();
    providers.dedup();
    assert!(all.is_empty() || providers.len() >= 20, "{providers:?}");
}
