//! Recorded traffic of many providers, run through every reader. What is expected is worked out
//! here a second time, on JSON trees.
//!
//! The recordings lie outside of the repository: `TIDEGATE_CORPUS` names their folder, the default
//! is `../shared/corpus`. Where they are absent the tests say so and pass.

mod expected;

use std::fs;

use serde_json::Value;

use crate::dialect::tap::{
    ArrayScanner, EventClass, StreamFault, StreamTap, for_each_output_text, read_body,
};
use crate::framing::sse::SseScanner;
use crate::types::bounds::SSE_EVENT_BYTES_MAX;
use crate::types::recordings;
use crate::types::{Endpoint, Usage};

/// Streams that fail in a 200, with the status each fault is brought to.
const FAULTY_STREAMS: [(&str, u16); 4] = [
    ("groq/chat-stream-reasoning-output-openai-gpt-oss-120b-3", 400),
    ("openrouter/chat-stream-reasoning-output-minimax-minimax-m2-free", 400),
    ("openai/fx-openai-error.1-stream", 429),
    ("anthropic/doc-stream-overloaded-mid-stream", 529),
];
/// Bodies that fail in a 200.
const FAULTY_BODIES: [(&str, u16); 1] = [("azure-openai/chat-plain-openllmetry-testing-2", 400)];

struct Recording {
    dir: String,
    endpoint: Endpoint,
    status: u64,
    /// `(event name, data)`, one per event; empty for a body.
    events: Vec<(Option<String>, String)>,
    body: Vec<u8>,
}

/// What listening to a whole stream gave.
#[derive(Default)]
struct Heard {
    classes: Vec<EventClass>,
    text: String,
}

fn endpoint(api: &str, provider: &str) -> Option<Endpoint> {
    Some(match api {
        "chat" => Endpoint::ChatCompletions,
        "completions" => Endpoint::Completions,
        "responses" => Endpoint::Responses,
        "responses-get" | "responses-compact" => Endpoint::ResponseById,
        "messages" => Endpoint::Messages,
        "count-tokens" if provider == "anthropic" => Endpoint::CountTokens,
        "generateContent" => Endpoint::GenerateContent,
        "streamGenerateContent" => Endpoint::StreamGenerateContent,
        "countTokens" => Endpoint::GeminiCountTokens,
        "embedContent" => Endpoint::EmbedContent,
        "embeddings" => Endpoint::Embeddings,
        "embed" if provider == "cohere" => Endpoint::Embeddings,
        "rerank" => Endpoint::Rerank,
        "images" => Endpoint::Images,
        "transcriptions" => Endpoint::Transcriptions,
        _ => return None,
    })
}

fn recordings() -> Vec<Recording> {
    let Some(root) = recordings::folder() else { return Vec::new() };
    let index: Value = serde_json::from_slice(&fs::read(root.join("index.json")).unwrap()).unwrap();
    let mut all = Vec::new();
    for entry in index["entries"].as_array().unwrap() {
        let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let dir = text("dir");
        // Filed under another call than the one it records.
        let api =
            if dir == "azure-openai/fx-azure-deepseek-reasoning.1" { "chat".into() } else { text("api") };
        let Some(endpoint) = endpoint(&api, &text("provider")) else { continue };
        let stream = fs::read(root.join(&dir).join("stream.sse"));
        let body = fs::read(root.join(&dir).join("response.json")).unwrap_or_default();
        let is_array = endpoint == Endpoint::StreamGenerateContent && body.starts_with(b"[");
        let events = match stream {
            Ok(stream) => split_sse(&stream),
            Err(_) if is_array => split_array(&body),
            Err(_) => Vec::new(),
        };
        all.push(Recording { dir, endpoint, status: entry["status"].as_u64().unwrap(), events, body });
    }
    assert!(all.is_empty() || all.len() > 250, "only {} recordings have an endpoint", all.len());
    all
}

fn split_sse(stream: &[u8]) -> Vec<(Option<String>, String)> {
    let mut scanner = SseScanner::new(SSE_EVENT_BYTES_MAX);
    let mut events = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    for chunk in stream.chunks(997) {
        scanner.feed(chunk, |event, _| events.push((event.name.map(text), text(event.data)))).unwrap();
    }
    scanner.finish(|event| events.push((event.name.map(text), text(event.data))));
    events
}

fn split_array(body: &[u8]) -> Vec<(Option<String>, String)> {
    let mut scanner = ArrayScanner::new();
    let mut events = Vec::new();
    for chunk in body.chunks(7) {
        scanner.feed(chunk, |e, _| events.push((None, String::from_utf8(e.to_vec()).unwrap()))).unwrap();
    }
    assert!(scanner.is_closed());
    events
}

fn listen(tap: &mut StreamTap, events: &[(Option<String>, String)]) -> Heard {
    let mut heard = Heard::default();
    for (name, data) in events {
        let name = name.as_deref().map(str::as_bytes);
        let class = tap.on_event(name, data.as_bytes(), &mut |piece| heard.text.push_str(piece));
        heard.classes.push(class);
    }
    heard
}

fn documents(recording: &Recording) -> Vec<Value> {
    if recording.events.is_empty() {
        return vec![serde_json::from_slice(&recording.body).unwrap()];
    }
    recording.events.iter().filter_map(|(_, data)| serde_json::from_str(data).ok()).collect()
}

fn first_fault(heard: &Heard) -> Option<&StreamFault> {
    heard.classes.iter().find_map(|class| match class {
        EventClass::Fault(fault) => Some(fault),
        _ => None,
    })
}

#[test]
fn usage_of_every_recorded_stream_equals_the_recording() {
    let mut counted = 0;
    for recording in recordings().iter().filter(|r| !r.events.is_empty()) {
        let mut tap = StreamTap::new(recording.endpoint);
        listen(&mut tap, &recording.events);
        let expected = expected::usage(recording.endpoint, &documents(recording));
        assert_eq!(tap.usage(), expected, "{}", recording.dir);
        counted += usize::from(expected.is_some());
    }
    println!("streams with usage: {counted}");
}

#[test]
fn usage_of_every_recorded_body_equals_the_recording() {
    let mut counted = 0;
    for recording in recordings().iter().filter(|r| r.events.is_empty() && r.status == 200) {
        let reading = read_body(recording.endpoint, &recording.body);
        let expected = expected::usage(recording.endpoint, &documents(recording));
        assert_eq!(reading.usage, expected, "{}", recording.dir);
        counted += usize::from(expected.is_some());
    }
    println!("bodies with usage: {counted}");
}

#[test]
fn every_recorded_stream_ends_or_is_a_known_fault() {
    for recording in recordings().iter().filter(|r| !r.events.is_empty()) {
        let mut tap = StreamTap::new(recording.endpoint);
        let heard = listen(&mut tap, &recording.events);
        let known = FAULTY_STREAMS.iter().find(|(dir, _)| *dir == recording.dir);
        let status = first_fault(&heard).map(|fault| fault.status);
        assert_eq!(status, known.map(|(_, status)| *status), "{}", recording.dir);
        assert!(tap.is_terminated() || status.is_some(), "{} does not end", recording.dir);
        assert!(!heard.classes.contains(&EventClass::Other), "{}: {:?}", recording.dir, heard.classes);
    }
}

#[test]
fn no_recorded_stream_has_ended_before_its_last_word() {
    const LAST_WORDS: [&str; 5] = [
        "\"message_stop\"",
        "\"response.completed\"",
        "\"response.incomplete\"",
        "\"finishReason\"",
        "[DONE]",
    ];
    for recording in recordings().iter().filter(|r| !r.events.is_empty()) {
        let finishes = |data: &str| {
            let compact: String = data.split_whitespace().collect();
            compact.contains("\"finish_reason\":\"") || LAST_WORDS.iter().any(|w| compact.contains(w))
        };
        let end = recording.events.iter().position(|(_, data)| finishes(data)).unwrap_or(0);
        let mut tap = StreamTap::new(recording.endpoint);
        listen(&mut tap, &recording.events[..end]);
        assert!(!tap.is_terminated(), "{}", recording.dir);
    }
}

#[test]
fn the_text_heard_is_the_text_recorded() {
    for recording in recordings().iter().filter(|r| r.status == 200) {
        let documents = documents(recording);
        let mut heard = String::new();
        if recording.events.is_empty() {
            for_each_output_text(recording.endpoint, &recording.body, &mut |piece| heard.push_str(piece));
        } else {
            heard = listen(&mut StreamTap::new(recording.endpoint), &recording.events).text;
        }
        let Some(expected) = expected::text_bytes(recording.endpoint, &documents) else { continue };
        assert_eq!(heard.len(), expected, "{}: {heard}", recording.dir);
    }
}

#[test]
fn every_recorded_answer_has_its_shape_and_no_recorded_error_has() {
    for recording in recordings().iter().filter(|r| r.events.is_empty()) {
        let reading = read_body(recording.endpoint, &recording.body);
        let known = FAULTY_BODIES.iter().find(|(dir, _)| *dir == recording.dir);
        if recording.status == 200 {
            let status = reading.fault.as_ref().map(|f| f.status);
            assert_eq!(status, known.map(|(_, status)| *status), "{}", recording.dir);
            assert_eq!(reading.is_expected_shape, known.is_none(), "{}", recording.dir);
        } else {
            assert!(!reading.is_expected_shape, "{}", recording.dir);
            assert!(reading.fault.is_some(), "{}", recording.dir);
        }
    }
}

#[test]
fn recordings_cut_or_garbled_anywhere_never_panic_and_never_count_more_than_the_bound() {
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below.max(1)
    };
    let bounded = |usage: Option<Usage>| {
        let usage = usage.unwrap_or_default();
        assert!(
            usage.total() < 1 << 45 && usage.cache_read <= usage.input && usage.reasoning <= usage.output
        );
    };
    for recording in recordings().iter().filter(|r| r.body.len() < 64 * 1024) {
        let mut tap = StreamTap::new(recording.endpoint);
        for (name, data) in &recording.events {
            let mut bytes = data.clone().into_bytes();
            for _ in 0..3 {
                let at = random(bytes.len());
                bytes[at] = b"{}[]\",:\\0-9e\xffnu"[random(15)];
            }
            bytes.truncate(random(bytes.len()) + bytes.len() / 2);
            tap.on_event(name.as_deref().map(str::as_bytes), &bytes, &mut |_| {});
        }
        bounded(tap.usage());
        if !recording.body.is_empty() {
            let mut body = recording.body.clone();
            let at = random(body.len());
            body[at] = b"{}[]\",:\\0-9e\xff"[random(13)];
            bounded(read_body(recording.endpoint, &body).usage);
            for_each_output_text(recording.endpoint, &body, &mut |_| {});
            body.truncate(random(body.len()));
            assert!(!read_body(recording.endpoint, &body).is_expected_shape, "{}", recording.dir);
        }
    }
}
