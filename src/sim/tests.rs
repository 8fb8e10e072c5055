//! The simulator through its socket.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use super::{
    Behaviour, Scenario, ScriptEnd, ScriptFraming, ScriptedReply, SimHandle, SimOptions, Split, start,
};

/// How a connection ended for its client.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Fin,
    Reset,
}

fn sim() -> SimHandle {
    start(SimOptions::default()).unwrap()
}

fn connect(sim: &SimHandle) -> TcpStream {
    let stream = TcpStream::connect(sim.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: sim\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

/// Everything up to the connection's end, which `headers` or a fault must bring about.
fn read_to_end(mut stream: TcpStream) -> (String, End) {
    let mut bytes = Vec::new();
    let end = match stream.read_to_end(&mut bytes) {
        Ok(_) => End::Fin,
        Err(e) if e.kind() == ErrorKind::ConnectionReset => End::Reset,
        Err(e) => panic!("{e} after {}", String::from_utf8_lossy(&bytes)),
    };
    (String::from_utf8(bytes).unwrap(), end)
}

fn exchange(sim: &SimHandle, method: &str, path: &str, headers: &str, body: &str) -> (String, End) {
    let mut stream = connect(sim);
    stream
        .write_all(request(method, path, &format!("connection: close\r\n{headers}"), body).as_bytes())
        .unwrap();
    read_to_end(stream)
}

/// Status and body; chunks are put together.
fn call(sim: &SimHandle, method: &str, path: &str, headers: &str, body: &Value) -> (u16, String) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let (answer, end) = exchange(sim, method, path, headers, &body);
    assert_eq!(end, End::Fin);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, if head.contains("transfer-encoding: chunked") { unchunk(body) } else { body.to_owned() })
}

fn unchunk(mut rest: &str) -> String {
    let mut body = String::new();
    loop {
        let (size, tail) = rest.split_once("\r\n").expect("a whole chunk");
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            assert_eq!(tail, "\r\n");
            return body;
        }
        body.push_str(&tail[..size]);
        rest = tail[size..].strip_prefix("\r\n").unwrap();
    }
}

fn events(body: &str) -> Vec<Value> {
    let data = body.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn chat(is_stream: bool) -> Value {
    json!({"model": "m", "stream": is_stream, "max_tokens": 6, "messages": [{"role": "user", "content": "hi"}]})
}

const CHAT: &str = "/v1/chat/completions";

/// All texts at `pointer` of the events, put together.
fn joined(events: &[Value], pointer: &str) -> String {
    events.iter().filter_map(|event| event.pointer(pointer)?.as_str()).collect()
}

#[test]
fn every_endpoint_answers_in_its_shape() {
    let sim = sim();
    let model = json!({"model": "m", "input": ["a"], "prompt": "a", "messages": [], "max_tokens": 3,
                       "documents": ["a", "b"], "query": "q"});
    for (method, path, pointer) in [
        ("POST", CHAT, "/choices/0/message/content"),
        ("POST", "/v1/completions", "/choices/0/text"),
        ("POST", "/v1/responses", "/output/0/content/0/text"),
        ("POST", "/v1/embeddings", "/data/0/embedding/63"),
        ("POST", "/v1/moderations", "/results/0/categories/hate"),
        ("POST", "/v1/rerank", "/results/1/relevance_score"),
        ("POST", "/v1/images/generations", "/data/0/b64_json"),
        ("POST", "/v1/audio/transcriptions", "/text"),
        ("POST", "/v1/files", "/id"),
        ("POST", "/v1/messages", "/content/0/text"),
        ("POST", "/v1/messages/count_tokens", "/input_tokens"),
        ("POST", "/v1beta/models/g:generateContent", "/candidates/0/content/parts/0/text"),
        ("POST", "/v1/models/g:countTokens", "/totalTokens"),
        ("POST", "/v1/models/g:embedContent", "/embedding/values/63"),
        ("POST", "/openai/deployments/d/chat/completions", "/model"),
    ] {
        let (status, body) = call(&sim, method, path, "", &model);
        let body: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{path}: {body}"));
        assert_eq!(status, 200, "{path}");
        assert!(body.pointer(pointer).is_some(), "{path} has no {pointer}: {body}");
    }
    for (path, pointer) in
        [("/v1/models", "/data/5/id"), ("/v1/files", "/data/0/id"), ("/v1beta/models", "/models/5/name")]
    {
        let body: Value = serde_json::from_str(&call(&sim, "GET", path, "", &Value::Null).1).unwrap();
        assert!(body.pointer(pointer).is_some(), "{path}: {body}");
    }
    assert_eq!(call(&sim, "POST", "/v1/nothing", "", &model).0, 404);
    assert_eq!(call(&sim, "POST", CHAT, "", &json!({"messages": []})).0, 400);
}

#[test]
fn stream_and_answer_say_the_same_words_and_count_them() {
    let sim = sim();
    let body = |is_stream: bool| {
        json!({"model": "m", "stream": is_stream, "max_tokens": 6, "max_output_tokens": 6, "seed": 3, "input": "a",
               "prompt": "a", "messages": [], "generationConfig": {"maxOutputTokens": 6},
               "stream_options": {"include_usage": true}})
    };
    for (path, stream_path, text, delta, usage) in [
        (CHAT, CHAT, "/choices/0/message/content", "/choices/0/delta/content", "/usage/completion_tokens"),
        (
            "/v1/completions",
            "/v1/completions",
            "/choices/0/text",
            "/choices/0/text",
            "/usage/completion_tokens",
        ),
        ("/v1/messages", "/v1/messages", "/content/0/text", "/delta/text", "/usage/output_tokens"),
        (
            "/v1/models/g:generateContent",
            "/v1/models/g:streamGenerateContent?alt=sse",
            "/candidates/0/content/parts/0/text",
            "/candidates/0/content/parts/0/text",
            "/usageMetadata/candidatesTokenCount",
        ),
        (
            "/v1/responses",
            "/v1/responses",
            "/output/0/content/0/text",
            "/delta",
            "/response/usage/output_tokens",
        ),
    ] {
        let whole: Value = serde_json::from_str(&call(&sim, "POST", path, "", &body(false)).1).unwrap();
        let whole = whole.pointer(text).unwrap().as_str().unwrap();
        assert_eq!(whole.split(' ').count(), 6, "{path}");
        let stream = events(&call(&sim, "POST", stream_path, "", &body(true)).1);
        assert_eq!(joined(&stream, delta), whole, "{path}");
        let last_usage = stream.iter().rev().find_map(|event| event.pointer(usage)).unwrap();
        assert_eq!(last_usage, &json!(6), "{path}");
    }
}

#[test]
fn a_forced_tool_streams_its_arguments_in_pieces() {
    let sim = sim();
    let parameters =
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let chat = json!({"model": "m", "stream": true, "messages": [], "tool_choice": "required",
        "tools": [{"type": "function", "function": {"name": "w", "parameters": parameters}}]});
    let messages = json!({"model": "m", "stream": true, "max_tokens": 9, "messages": [], "tool_choice": {"type": "any"},
        "tools": [{"name": "w", "input_schema": parameters}]});
    for (path, body, delta) in [
        (CHAT, chat, "/choices/0/delta/tool_calls/0/function/arguments"),
        ("/v1/messages", messages, "/delta/partial_json"),
    ] {
        let stream = events(&call(&sim, "POST", path, "", &body).1);
        assert_eq!(joined(&stream, delta), r#"{"city":"Paris"}"#, "{path}");
        assert!(stream.iter().filter(|event| event.pointer(delta).is_some()).count() > 2);
    }
}

#[test]
fn usage_comes_in_a_chat_stream_only_when_asked_for() {
    let sim = sim();
    let stream = call(&sim, "POST", CHAT, "", &chat(true)).1;
    assert!(!stream.contains("usage") && stream.ends_with("data: [DONE]\n\n"));
    let mut asking = chat(true);
    asking["stream_options"] = json!({"include_usage": true});
    let stream = events(&call(&sim, "POST", CHAT, "", &asking).1);
    assert_eq!(stream.last().unwrap()["choices"], json!([]));
    assert_eq!(stream.first().unwrap()["usage"], Value::Null);
}

#[test]
fn gemini_streams_crlf_events_or_one_array() {
    let sim = sim();
    let path = "/v1beta/models/g:streamGenerateContent";
    let body = json!({"contents": [], "generationConfig": {"maxOutputTokens": 3}});
    let sse = call(&sim, "POST", &format!("{path}?alt=sse"), "", &body).1;
    assert_eq!(sse.matches("}\r\n\r\n").count(), 4);
    let array: Vec<Value> = serde_json::from_str(&call(&sim, "POST", path, "", &body).1).unwrap();
    assert_eq!(array.len(), 4);
    let failed = call(&sim, "POST", path, "x-sim-fault: error-after:1\r\n", &body).1;
    let failed: Vec<Value> = serde_json::from_str(&failed).unwrap();
    assert_eq!(failed.last().unwrap()["error"]["status"], "UNAVAILABLE");
}

#[test]
fn streams_break_where_they_are_told_to() {
    let sim = sim();
    let broken = |fault: &str| {
        exchange(&sim, "POST", CHAT, &format!("x-sim-fault: {fault}\r\n"), &chat(true).to_string())
    };
    let contents = |answer: &str| answer.matches(r#""content":""#).count();
    // The role chunk has a content too.
    for (fault, words, end, is_ended) in [
        ("reset-after:2", 3, End::Reset, false),
        ("close-after:2", 3, End::Fin, false),
        ("end-after:2", 3, End::Fin, true),
        ("error-after:0", 1, End::Fin, true),
        ("no-terminal", 7, End::Fin, true),
    ] {
        let (answer, ended) = broken(fault);
        assert_eq!(ended, end, "{fault}");
        assert_eq!(contents(&answer), words, "{fault}: {answer}");
        assert_eq!(answer.ends_with("0\r\n\r\n"), is_ended, "{fault}");
        assert!(!answer.contains("[DONE]") && !answer.contains(r#""finish_reason":"l"#), "{fault}");
    }
    assert!(broken("error-after:0").0.contains(r#"data: {"error":"#));
    assert_eq!(broken("refuse"), (String::new(), End::Reset));
    assert!(!broken("no-done").0.contains("[DONE]"));
    assert!(broken("huge-line:70000").0.lines().any(|line| line.len() > 70_000));
    assert!(broken("both-lengths").0.contains("content-length: 100\r\ntransfer-encoding: chunked"));
    let bytewise = broken("split-every-byte").0;
    let plain = unchunk(bytewise.split_once("\r\n\r\n").unwrap().1);
    assert_eq!(events(&plain).len(), 8);
    assert!(bytewise.contains("1\r\nd\r\n1\r\na\r\n"));
}

#[test]
fn answers_break_where_they_are_told_to() {
    let sim = sim();
    let broken = |fault: &str| {
        exchange(&sim, "POST", CHAT, &format!("x-sim-fault: {fault}\r\n"), &chat(false).to_string())
    };
    let length = |answer: &str| -> usize {
        let (_, rest) = answer.split_once("content-length: ").unwrap();
        rest.split_once("\r\n").unwrap().0.parse().unwrap()
    };
    let body = |answer: &str| answer.split_once("\r\n\r\n").unwrap().1.len();
    for (fault, more) in [("wrong-content-length:+7", 7), ("wrong-content-length:-7", -7)] {
        let (answer, _) = broken(fault);
        assert_eq!(length(&answer) as i64 - body(&answer) as i64, more, "{fault}");
    }
    let (answer, end) = broken("reset-after:9");
    assert_eq!((body(&answer), end), (9, End::Reset));
    assert!(broken("not-json").0.contains("text/html"));
    assert_eq!(body(&broken("empty").0), 0);
    assert!(broken("status:503,slow-header:1").0.starts_with("HTTP/1.1 503 "));
    assert!(broken("explode").0.starts_with("HTTP/1.1 400 "));
    assert!(!broken("no-usage").0.contains("usage"));
}

#[test]
fn a_status_brings_its_retry_after_and_may_repeat_the_headers() {
    let sim = sim();
    let with = |headers: &str| exchange(&sim, "POST", "/v1/messages", headers, "{}").0;
    assert!(with("x-sim-fault: status:529\r\nx-sim-retry-after: 7\r\n").contains("\r\nretry-after: 7\r\n"));
    assert!(
        with("x-sim-fault: status:529\r\nx-sim-retry-after: ms:70\r\n")
            .contains("\r\nretry-after-ms: 70\r\n")
    );
    assert!(with("x-sim-fault: status:429\r\nx-sim-retry-after: date:5\r\n").contains(" GMT\r\n"));
    let echoed = with("x-sim-fault: echo-headers\r\nauthorization: Bearer sk-secret\r\n");
    assert!(echoed.contains("Bearer sk-secret") && echoed.contains("api_error"));
}

/// Asks the simulator, over its socket, until `is_so`; a bound on the questions bounds the time.
fn until(sim: &SimHandle, is_so: impl Fn(&SimHandle) -> bool) {
    for _ in 0..200_000 {
        if is_so(sim) {
            return;
        }
        call(sim, "GET", "/sim/stats", "", &Value::Null);
    }
    panic!("never so: {:?}", sim.stats());
}

#[test]
fn a_client_that_leaves_is_noticed_in_every_wait() {
    let sim = sim();
    let waits = [
        ("x-sim-fault: black-hole\r\n", false),
        ("x-sim-fault: hold\r\n", false),
        ("x-sim-fault: hold\r\n", true),
        ("x-sim-delay-first-ms: 600000\r\n", false),
        ("x-sim-delay-token-ms: 600000\r\n", true),
        ("x-sim-fault: slow-header:600000\r\n", true),
        ("x-sim-fault: slow-drip:600000\r\n", true),
    ];
    for (number, (headers, is_stream)) in waits.into_iter().enumerate() {
        let mut stream = connect(&sim);
        stream.write_all(request("POST", CHAT, headers, &chat(is_stream).to_string()).as_bytes()).unwrap();
        until(&sim, |sim| sim.stats().in_flight == 1);
        stream.shutdown(Shutdown::Both).unwrap();
        until(&sim, |sim| sim.stats().aborted == number as u64 + 1);
        assert_eq!((sim.stats().in_flight, sim.stats().streams_open), (0, 0), "{headers}");
    }
}

#[test]
fn requests_in_one_packet_are_answered_in_order_on_one_connection() {
    let sim = sim();
    let mut stream = connect(&sim);
    let first = request("POST", CHAT, "", &chat(false).to_string());
    let chunked = "POST /v1/messages/count_tokens HTTP/1.1\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
                   5;x=y\r\n{\"mod\r\n8\r\nel\":\"c\"}\r\n0\r\nt: x\r\n\r\n";
    stream.write_all((first + chunked).as_bytes()).unwrap();
    let (answers, _) = read_to_end(stream);
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2);
    assert!(answers.ends_with(r#"{"input_tokens":4}"#), "{answers}");
    assert_eq!((sim.stats().requests, sim.stats().connections_total), (2, 1));
    assert_eq!(sim.stats().by_model.get("c"), Some(&1));
}

#[test]
fn a_waiting_client_is_told_to_continue() {
    let sim = sim();
    let mut stream = connect(&sim);
    stream
        .write_all(
            b"POST /v1/messages/count_tokens HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 13\r\n\r\n",
        )
        .unwrap();
    let mut told = [0u8; 25];
    stream.read_exact(&mut told).unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(br#"{"model":"c"}"#).unwrap();
    let mut start = [0u8; 15];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK");
}

#[test]
fn nonsense_is_refused_and_the_connection_closed() {
    let sim = sim();
    let mut stream = connect(&sim);
    stream.write_all(b"POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
    let (answer, end) = read_to_end(stream);
    assert!(answer.starts_with("HTTP/1.1 400 ") && end == End::Fin);
}

#[test]
fn scripted_answers_come_first_and_byte_for_byte() {
    let sim = sim();
    let body = "data: {\"a\":1}\n\ndata: [DONE]\n\n";
    sim.script(vec![
        ScriptedReply { split: Split::EveryByte, ..ScriptedReply::sse(body) },
        ScriptedReply {
            body: b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort".to_vec(),
            framing: ScriptFraming::Raw,
            end: ScriptEnd::Reset,
            ..ScriptedReply::default()
        },
        ScriptedReply { framing: ScriptFraming::Close, ..ScriptedReply::json(418, "{}") },
    ]);
    assert_eq!(call(&sim, "POST", CHAT, "", &chat(true)), (200, body.to_owned()));
    let (raw, end) = exchange(&sim, "POST", CHAT, "", "{}");
    assert_eq!((raw.as_str(), end), ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", End::Reset));
    assert_eq!(call(&sim, "POST", CHAT, "", &chat(true)), (418, "{}".to_owned()));
    assert_eq!(call(&sim, "POST", CHAT, "", &chat(false)).0, 200);
}

#[test]
fn requests_are_kept_as_they_came_while_capture_is_on() {
    let sim = sim();
    call(&sim, "POST", "/v1/chat/completions?x=1", "X-Odd: Yes\r\n", &chat(false));
    let kept = sim.requests();
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].target.as_str(), kept[0].header("x-odd")), ("/v1/chat/completions?x=1", Some("Yes")));
    assert_eq!(serde_json::from_slice::<Value>(&kept[0].body).unwrap(), chat(false));
    assert_eq!(kept[0].body_sha256.len(), 64);
    call(&sim, "POST", "/sim/capture?on=0", "", &Value::Null);
    call(&sim, "POST", CHAT, "", &chat(false));
    let shown: Vec<Value> =
        serde_json::from_str(&call(&sim, "GET", "/sim/requests?last=5", "", &Value::Null).1).unwrap();
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0]["body"]["utf8"], chat(false).to_string());
    sim.reset();
    assert!(sim.requests().is_empty() && sim.stats().requests == 0);
}

#[test]
fn a_scenario_fails_the_first_requests_of_a_model() {
    let sim = sim();
    let behaviour =
        Behaviour { fault: "status:500".parse().unwrap(), fault_first: Some(2), ..Behaviour::default() };
    sim.set_scenario(Scenario::all(behaviour));
    let statuses: Vec<u16> = (0..4).map(|_| call(&sim, "POST", CHAT, "", &chat(false)).0).collect();
    assert_eq!(statuses, [500, 500, 200, 200]);
    let by_key = json!({"keys": {"sk-dead": {"fault": "status:401"}}});
    assert_eq!(call(&sim, "PUT", "/sim/scenario", "", &by_key).0, 200);
    assert_eq!(call(&sim, "POST", CHAT, "authorization: Bearer sk-dead\r\n", &chat(false)).0, 401);
    assert_eq!(call(&sim, "POST", CHAT, "authorization: Bearer sk-well\r\n", &chat(false)).0, 200);
    assert_eq!(call(&sim, "PUT", "/sim/scenario", "", &json!({"colour": 1})).0, 400);
}

#[test]
fn a_kept_connection_is_closed_after_an_answer_or_under_the_next_request() {
    let sim = sim();
    for fault in ["close-idle-after:1", "race-after:1"] {
        let mut stream = connect(&sim);
        let body = chat(false).to_string();
        stream
            .write_all(request("POST", CHAT, &format!("x-sim-fault: {fault}\r\n"), &body).as_bytes())
            .unwrap();
        if fault == "race-after:1" {
            stream.write_all(request("POST", CHAT, "", "{}").as_bytes()).unwrap();
        }
        let (answer, _) = read_to_end(stream);
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{fault}");
        assert!(!answer.contains("connection:"), "{fault}");
    }
}

#[test]
fn a_response_is_fetched_and_deleted_where_it_was_made() {
    let (here, there) = (sim(), sim());
    let body = json!({"model": "m", "input": "a", "stream": true});
    let stream = events(&call(&here, "POST", "/v1/responses", "", &body).1);
    let made = &stream.last().unwrap()["response"];
    let path = format!("/v1/responses/{}", made["id"].as_str().unwrap());
    let (status, stored) = call(&here, "GET", &path, "", &Value::Null);
    assert_eq!((status, &serde_json::from_str::<Value>(&stored).unwrap()), (200, made));
    assert_eq!(call(&there, "GET", &path, "", &Value::Null).0, 404);
    assert_eq!(call(&here, "DELETE", &path, "", &Value::Null).0, 200);
    assert_eq!(call(&here, "GET", &path, "", &Value::Null).0, 404);
}

#[test]
fn stamped_events_carry_a_rising_time() {
    let sim = sim();
    let stream = events(&call(&sim, "POST", CHAT, "x-sim-stamp: 1\r\n", &chat(true)).1);
    let stamps: Vec<u64> = stream.iter().map(|event| event["sim_ns"].as_u64().unwrap()).collect();
    assert!(stamps.len() == 8 && stamps.is_sorted() && stamps[0] > 0);
}

#[test]
fn a_websocket_shakes_hands_echoes_and_closes() {
    let sim = sim();
    let mut stream = connect(&sim);
    stream
        .write_all(
            b"GET /v1/realtime HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
              sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: realtime, secret\r\n\r\n",
        )
        .unwrap();
    // A masked text "Hel" and a masked close with code 1000.
    stream.write_all(&[0x81, 0x83, 1, 2, 3, 4, b'H' ^ 1, b'e' ^ 2, b'l' ^ 3]).unwrap();
    stream.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = memchr::memmem::find(&bytes, b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8_lossy(&bytes[..end]);
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    assert!(head.contains("sec-websocket-protocol: realtime\r\n"));
    assert_eq!(&bytes[end..], &[0x81, 3, b'H', b'e', b'l', 0x88, 2, 0x03, 0xe8]);
    // An unmasked frame is a protocol error.
    assert_eq!(call(&sim, "GET", "/v1/realtime", "", &Value::Null).0, 400);
}
