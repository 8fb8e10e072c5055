//! Bedrock, Cohere, Ollama and the strict modes through a socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::{SimHandle, SimOptions, start};
use crate::framing::eventstream::EventStreamScanner;

const CONVERSE: &str = "/model/us.claude-v1%3A0/converse";
const LINES: &str = "/api/chat";

fn sim() -> SimHandle {
    start(SimOptions::default()).unwrap()
}

/// Head and body; chunks are put together.
fn call(sim: &SimHandle, path: &str, headers: &str, body: &Value) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(sim.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = memchr::memmem::find(&bytes, b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let body = if head.contains("chunked") { unchunk(&bytes[end..]) } else { bytes[end..].to_vec() };
    (head, body)
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let at = memchr::memmem::find(rest, b"\r\n").expect("a whole chunk");
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..at]).unwrap(), 16).unwrap();
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[at + 2..at + 2 + size]);
        rest = &rest[at + 2 + size + 2..];
    }
}

fn json_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(body)))
}

/// Name and payload of each binary message.
fn messages(body: &[u8]) -> Vec<(String, Value)> {
    let mut seen = Vec::new();
    let mut scanner = EventStreamScanner::new();
    scanner
        .feed(body, |message, _| {
            seen.push((String::from_utf8(message.name.to_vec()).unwrap(), json_of(message.payload)));
        })
        .unwrap();
    assert!(scanner.is_at_boundary());
    seen
}

fn joined(events: &[(String, Value)], pointer: &str) -> String {
    events.iter().filter_map(|(_, event)| event.pointer(pointer)?.as_str()).collect()
}

fn said(text: &str) -> Value {
    json!({"messages": [{"role": "user", "content": [{"text": text}]}], "inferenceConfig": {"maxTokens": 6},
        "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object",
            "properties": {"city": {"type": "string"}}, "required": ["city"]}}}}]}})
}

#[test]
fn bedrock_streams_in_frames_what_it_says_whole() {
    let sim = sim();
    let whole = json_of(&call(&sim, CONVERSE, "", &said("hi")).1);
    assert_eq!(whole["stopReason"], "max_tokens");
    let (head, body) = call(&sim, &format!("{CONVERSE}-stream"), "", &said("hi"));
    assert!(head.contains("content-type: application/vnd.amazon.eventstream"), "{head}");
    let events = messages(&body);
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[0], "messageStart");
    assert_eq!(&names[names.len() - 3..], ["contentBlockStop", "messageStop", "metadata"]);
    assert_eq!(joined(&events, "/delta/text"), whole["output"]["message"]["content"][0]["text"]);
    assert_eq!(events.last().unwrap().1["usage"], whole["usage"]);
    assert_eq!(whole["usage"]["outputTokens"], 6);
    assert_eq!(sim.stats().by_model.get("us.claude-v1:0"), Some(&2));
    assert_eq!(sim.stats().by_path.get(CONVERSE), Some(&1));
}

#[test]
fn bedrock_calls_tools_and_fails_by_header_and_by_frame() {
    let sim = sim();
    let whole = json_of(&call(&sim, CONVERSE, "", &said("the weather?")).1);
    let used = &whole["output"]["message"]["content"][0]["toolUse"];
    assert_eq!((&used["name"], &used["input"]), (&json!("f"), &json!({"city": "Paris"})));
    let path = format!("{CONVERSE}-stream");
    let events = messages(&call(&sim, &path, "", &said("the weather?")).1);
    assert_eq!(events[1].1["start"]["toolUse"]["name"], "f");
    assert_eq!(json_of(joined(&events, "/delta/toolUse/input").as_bytes()), json!({"city": "Paris"}));
    let (head, body) = call(&sim, CONVERSE, "x-sim-fault: status:429\r\n", &said("hi"));
    assert!(
        head.starts_with("HTTP/1.1 429") && head.contains("x-amzn-errortype: ThrottlingException:"),
        "{head}"
    );
    assert!(json_of(&body)["message"].is_string());
    let events = messages(&call(&sim, &path, "x-sim-fault: error-after:2\r\n", &said("hi")).1);
    assert_eq!(events.last().unwrap().0, "modelStreamErrorException");
    let broken = call(&sim, &path, "x-sim-fault: malformed-sse\r\n", &said("hi")).1;
    assert!(EventStreamScanner::new().feed(&broken, |_, _| {}).is_err());
}

#[test]
fn cohere_chats_calls_embeds_and_reranks() {
    let sim = sim();
    let ask = |content: &str, is_stream: bool| {
        json!({"model": "command-a", "stream": is_stream, "max_tokens": 5, "messages": [{"role": "user", "content": content}],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]})
    };
    let whole = json_of(&call(&sim, "/v2/chat", "", &ask("hi", false)).1);
    assert_eq!(whole["finish_reason"], "MAX_TOKENS");
    let body = String::from_utf8(call(&sim, "/v2/chat", "", &ask("hi", true)).1).unwrap();
    let texts: String = body
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
        .filter_map(|event| {
            event.pointer("/delta/message/content/text").and_then(Value::as_str).map(str::to_owned)
        })
        .collect();
    assert_eq!(texts, whole["message"]["content"][0]["text"]);
    assert!(body.contains("event: message-end\n") && body.ends_with("data: [DONE]\n\n"));
    let called = json_of(&call(&sim, "/v2/chat", "", &ask("weather", false)).1);
    assert_eq!(called["message"]["tool_calls"][0]["function"]["name"], "f");
    let embedded = json_of(
        &call(&sim, "/v2/embed", "", &json!({"model": "e", "texts": ["a", "b"], "output_dimension": 8})).1,
    );
    assert_eq!(embedded["embeddings"]["float"][1].as_array().unwrap().len(), 8);
    let ranked = json_of(
        &call(
            &sim,
            "/v2/rerank",
            "",
            &json!({"model": "r", "query": "q", "documents": ["a", "b"], "top_n": 1}),
        )
        .1,
    );
    assert_eq!(ranked["results"].as_array().unwrap().len(), 1);
    let (head, body) = call(&sim, "/v2/chat", "", &json!({"messages": []}));
    assert!(head.starts_with("HTTP/1.1 400") && json_of(&body)["message"].is_string());
}

#[test]
fn ollama_streams_lines_unless_it_is_told_not_to() {
    let sim = sim();
    let ask =
        json!({"model": "l", "messages": [{"role": "user", "content": "hi"}], "options": {"num_predict": 4}});
    let mut whole = ask.clone();
    whole["stream"] = json!(false);
    let whole = json_of(&call(&sim, LINES, "", &whole).1);
    assert_eq!((&whole["done_reason"], &whole["eval_count"]), (&json!("length"), &json!(4)));
    let (head, body) = call(&sim, LINES, "", &ask);
    assert!(head.contains("application/x-ndjson"), "{head}");
    let lines: Vec<Value> =
        body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(json_of).collect();
    let text: String = lines.iter().filter_map(|line| line["message"]["content"].as_str()).collect();
    assert_eq!(text, whole["message"]["content"]);
    assert_eq!(lines.iter().filter(|line| line["done"] == true).count(), 1);
    let embedded = json_of(&call(&sim, "/api/embed", "", &json!({"model": "e", "input": ["a", "b"]})).1);
    assert_eq!(embedded["embeddings"].as_array().unwrap().len(), 2);
}

#[test]
fn strict_refuses_by_header_and_by_scenario_and_is_off_otherwise() {
    let sim = sim();
    let mut ask = said("hi");
    ask["messages"] = json!([{"role": "assistant", "content": [{"text": "a"}]}]);
    assert!(call(&sim, CONVERSE, "", &ask).0.starts_with("HTTP/1.1 200"));
    let (head, body) = call(&sim, CONVERSE, "x-sim-strict: 1\r\n", &ask);
    assert!(head.starts_with("HTTP/1.1 400") && head.contains("ValidationException"), "{head}");
    assert!(json_of(&body)["message"].as_str().unwrap().contains("alternate"));
    let scenario = super::Scenario::from_toml("[models.\"*\"]\nstrict = true\n").unwrap();
    sim.set_scenario(scenario);
    assert!(call(&sim, CONVERSE, "", &ask).0.starts_with("HTTP/1.1 400"));
    assert!(call(&sim, CONVERSE, "", &said("hi")).0.starts_with("HTTP/1.1 200"));
}

#[test]
fn a_schema_that_is_asked_for_is_answered_in_one_piece_and_in_events() {
    let sim = sim();
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let ask = |is_stream: bool| {
        json!({"model": "m", "stream": is_stream, "max_tokens": 2, "messages": [{"role": "user", "content": "hi"}],
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}})
    };
    let whole = json_of(&call(&sim, "/v1/chat/completions", "", &ask(false)).1);
    let text = whole["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(json_of(text.as_bytes()), json!({"city": "Paris"}));
    let body = String::from_utf8(call(&sim, "/v1/chat/completions", "", &ask(true)).1).unwrap();
    let pieces: String = body
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(pieces, text);
}
