use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::types::{Endpoint, Origin, Reason};

fn every_reject() -> impl Iterator<Item = Reject> {
    Reason::ALL.into_iter().flat_map(|reason| {
        let plain = Reject::new(reason, "a \"quoted\"\nmessage");
        let full = plain.clone().with_param("messages[0]").with_retry_after(Duration::from_millis(34_400));
        [plain, full.clone().from_provider().with_status(529), full]
    })
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Checks OpenAI's error object against the reject it was made from.
fn check_openai(error: &Value, reject: &Reject) {
    assert_eq!(keys(error), ["code", "message", "origin", "param", "request_id", "type"]);
    assert_eq!(error["code"], reject.reason.as_str());
    assert_eq!(error["message"], *reject.message);
    assert_eq!(error["param"].as_str(), reject.param.as_deref());
    assert_eq!((&error["origin"], &error["request_id"]), (&reject.origin.as_str().into(), &"req_1".into()));
    let kinds = [
        "authentication_error",
        "permission_error",
        "rate_limit_error",
        "server_error",
        "invalid_request_error",
    ];
    assert!(kinds.contains(&error["type"].as_str().unwrap()));
    assert_eq!(error["type"] == "server_error", reject.status >= 500);
}

fn check_anthropic(body: &Value, reject: &Reject) {
    assert_eq!(keys(body), ["error", "request_id", "type"]);
    assert_eq!((&body["type"], &body["request_id"]), (&"error".into(), &"req_1".into()));
    let error = &body["error"];
    assert_eq!(error["message"], *reject.message);
    assert_eq!(error["code"], reject.reason.as_str());
    assert_eq!(error["origin"], reject.origin.as_str());
    assert_eq!(error.get("param").and_then(Value::as_str), reject.param.as_deref());
    let kind = match reject.status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        408 | 504 => "timeout_error",
        503 | 529 => "overloaded_error",
        500 | 502 => "api_error",
        _ => "invalid_request_error",
    };
    assert_eq!(error["type"], kind, "{reject:?}");
}

fn check_gemini(body: &Value, reject: &Reject) {
    assert_eq!(keys(body), ["error"]);
    let error = &body["error"];
    assert_eq!(keys(error), ["code", "details", "message", "status"]);
    assert_eq!(error["code"], reject.status);
    assert_eq!(error["message"], *reject.message);
    let statuses = [
        "INVALID_ARGUMENT",
        "UNAUTHENTICATED",
        "PERMISSION_DENIED",
        "NOT_FOUND",
        "UNIMPLEMENTED",
        "DEADLINE_EXCEEDED",
        "RESOURCE_EXHAUSTED",
        "UNAVAILABLE",
        "INTERNAL",
    ];
    assert!(statuses.contains(&error["status"].as_str().unwrap()));
    let info = &error["details"][0];
    assert_eq!(info["@type"], "type.googleapis.com/google.rpc.ErrorInfo");
    assert_eq!(info["domain"], "tidegate");
    assert_eq!(info["reason"].as_str().unwrap().to_lowercase(), reject.reason.as_str());
    assert!(info["metadata"].as_object().unwrap().values().all(Value::is_string), "a map of strings");
    assert_eq!(info["metadata"]["requestId"], "req_1");
    assert_eq!(info["metadata"]["origin"], reject.origin.as_str());
    let retry = error["details"].get(1);
    assert_eq!(retry.is_some(), reject.retry_after.is_some());
    if let Some(retry) = retry {
        assert_eq!(retry["@type"], "type.googleapis.com/google.rpc.RetryInfo");
        assert_eq!(retry["retryDelay"], "34.400s");
    }
}

#[test]
fn every_reason_is_rendered_in_every_dialect_to_its_schema() {
    for reject in every_reject() {
        check_openai(&json(&render_body(Dialect::OpenAi, &reject, "req_1"))["error"], &reject);
        check_anthropic(&json(&render_body(Dialect::Anthropic, &reject, "req_1")), &reject);
        check_gemini(&json(&render_body(Dialect::Gemini, &reject, "req_1")), &reject);
    }
}

/// The events of a stream's end as (name, data).
fn events(endpoint: Endpoint, form: StreamForm, reject: &Reject) -> Vec<(String, Value)> {
    let place =
        StreamPlace { endpoint, form, request_id: "req_1", response_id: Some("resp_1"), next_sequence: 7 };
    let text = String::from_utf8(render_stream_error(&place, reject)).unwrap();
    let line_end = if endpoint.dialect() == Dialect::Gemini { "\r\n" } else { "\n" };
    let blank = line_end.repeat(2);
    let rest = text.strip_suffix(&blank).unwrap_or_else(|| panic!("{text:?} ends with an empty line"));
    let event = |event: &str| {
        let (name, data) = event.split_once("data: ").unwrap();
        let name = name.strip_prefix("event: ").map_or("", |name| name.strip_suffix(line_end).unwrap());
        (name.to_owned(), json(data.as_bytes()))
    };
    rest.split(&blank).map(event).collect()
}

#[test]
fn every_stream_ends_in_its_own_error_event_and_no_sign_of_success() {
    let is_sse = |e: &Endpoint| !matches!(e.dialect(), Dialect::Bedrock | Dialect::Ollama);
    let endpoints = Endpoint::ALL.into_iter().filter(is_sse);
    for (endpoint, reject) in endpoints.flat_map(|e| every_reject().map(move |r| (e, r))) {
        let events = events(endpoint, StreamForm::Sse, &reject);
        let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
        let (_, first) = &events[0];
        match endpoint {
            Endpoint::Responses | Endpoint::ResponseById => {
                assert_eq!(names, ["error", "response.failed"]);
                check_openai(&first["error"], &reject);
                assert_eq!((&first["type"], &first["sequence_number"]), (&"error".into(), &7.into()));
                assert_eq!(first["message"], *reject.message);
                let (_, failed) = &events[1];
                assert_eq!(
                    (&failed["type"], &failed["sequence_number"]),
                    (&"response.failed".into(), &8.into())
                );
                let response = &failed["response"];
                assert_eq!((&response["id"], &response["status"]), (&"resp_1".into(), &"failed".into()));
                assert_eq!(response["error"]["message"], *reject.message);
                assert_eq!(response["error"]["code"], reject.reason.as_str());
            }
            _ => match endpoint.dialect() {
                Dialect::OpenAi => {
                    assert_eq!(names, [""]);
                    check_openai(&first["error"], &reject);
                }
                Dialect::Anthropic => {
                    assert_eq!(names, ["error"]);
                    check_anthropic(first, &reject);
                }
                Dialect::Gemini => {
                    assert_eq!(names, [""]);
                    check_gemini(first, &reject);
                }
                Dialect::Cohere => {
                    assert_eq!(names, ["message-end"]);
                    assert_eq!(first["type"], "message-end");
                    assert_eq!(first["delta"]["finish_reason"], "ERROR");
                    assert_eq!(first["delta"]["error"], *reject.message);
                }
                Dialect::Bedrock | Dialect::Ollama => unreachable!("no SSE"),
            },
        }
    }
}

#[test]
fn a_json_array_stays_one_array_wherever_it_breaks() {
    let reject = Reject::new(Reason::UpstreamTruncated, "cut");
    let end = |state| {
        let form = StreamForm::JsonArray(state);
        let endpoint = Endpoint::StreamGenerateContent;
        let place = StreamPlace { endpoint, form, request_id: "req_1", response_id: None, next_sequence: 0 };
        render_stream_error(&place, &reject)
    };
    for (sent, state, elements) in [
        ("\n", ArrayState::NotOpened, 1),
        ("[", ArrayState::ExpectsElement, 1),
        ("[{}\r\n", ArrayState::AfterElement, 2),
        ("[{},", ArrayState::ExpectsElement, 2),
    ] {
        let whole = json(&[sent.as_bytes(), &end(state)].concat());
        assert_eq!(whole.as_array().unwrap().len(), elements, "{sent:?}");
        check_gemini(&whole[elements - 1], &reject);
    }
    assert_eq!(end(ArrayState::InsideElement), b"");
}

#[test]
fn a_whole_number_of_seconds_to_wait_is_written_without_a_fraction() {
    let reject = Reject::new(Reason::RateLimited, "m").with_retry_after(Duration::from_secs(12));
    assert_eq!(json(&render_body(Dialect::Gemini, &reject, "r"))["error"]["details"][1]["retryDelay"], "12s");
}

#[test]
fn the_message_is_found_in_every_providers_shape() {
    for (body, message) in [
        (r#"{"error":{"message":"openai","type":"x","code":null}}"#, Some("openai")),
        (r#"{"type":"error","error":{"type":"overloaded_error","message":"anthropic"}}"#, Some("anthropic")),
        (r#"[{"error":{"code":429,"message":"gemini array"}}]"#, Some("gemini array")),
        (r#"{"code":"bad","error":"xai"}"#, Some("xai")),
        (r#"{"error":{"code":402,"message":"openrouter"},"user_id":"u"}"#, Some("openrouter")),
        (r#"{"object":"error","message":{"detail":[{"loc":["body"],"msg":"mistral"}]}}"#, Some("mistral")),
        (r#"{"detail":"mistral 401"}"#, Some("mistral 401")),
        (r#"{"detail":[{"type":"missing","msg":"fastapi"}]}"#, Some("fastapi")),
        (r#"{"id":"1","message":"cohere"}"#, Some("cohere")),
        (r#"{"Message":"bedrock"}"#, Some("bedrock")),
        (r#"{"error":null,"message":"second"}"#, Some("second")),
        ("upstream connect error\r\n", Some("upstream connect error")),
        ("\"text\"", Some("text")),
        (r#"{"error":"a\u0000\u001b[2Jb\nc"}"#, Some("a  [2Jb c")),
        ("<html>busy</html>", None),
        ("{\"error\":{\"mess", None),
        ("{}", None),
        ("", None),
        ("{\"error\":{}}", None),
    ] {
        assert_eq!(provider_message(body.as_bytes()).as_deref(), message, "{body}");
    }
    let long = format!("{{\"error\":\"{}\"}}", "é".repeat(5000));
    assert_eq!(provider_message(long.as_bytes()).unwrap().len(), 2048);
    let deep = format!("{}\"x\"{}", "{\"error\":".repeat(50), "}".repeat(50));
    assert_eq!(provider_message(deep.as_bytes()), None);
}

#[test]
fn a_clients_own_fault_passes_and_what_is_about_our_account_or_leaks_does_not() {
    let needles: [&[u8]; 3] = [b"api.lab.internal", b"sk-up", b""];
    for status in [400, 404, 405, 409, 410, 413, 415, 416, 422] {
        assert!(may_pass_through(status, b"{\"error\":\"no\"}", &needles), "{status}");
    }
    for status in [401, 402, 403, 407, 408, 429, 500, 502, 503, 529] {
        assert!(!may_pass_through(status, b"{}", &needles), "{status}");
    }
    assert!(!may_pass_through(400, b"see https://API.Lab.Internal/x", &needles));
    assert!(!may_pass_through(400, b"key SK-UP is", &needles));
    assert!(!may_pass_through(400, br#"{"code":"x","error":"Incorrect API key provided: xa***"}"#, &needles));
    assert!(!may_pass_through(400, br#"{"details":[{"reason":"API_KEY_INVALID"}]}"#, &needles));
    assert!(!may_pass_through(400, &vec![b' '; 64 * 1024 + 1], &needles));
    assert!(!leaks(b"sk-u", &needles) && leaks(b"xsk-up", &needles));
}

#[test]
fn a_rewritten_provider_error_keeps_status_and_harmless_words_only() {
    let needles: [&[u8]; 1] = [b"api.lab.internal"];
    let reject = |status, body: &str| provider_reject(status, body.as_bytes(), &needles);
    let limited = reject(429, r#"{"error":{"message":"slow down"}}"#);
    assert_eq!(
        (limited.status, limited.origin, limited.reason),
        (429, Origin::Provider, Reason::UpstreamError)
    );
    assert_eq!(limited.message, "slow down");
    for (status, body) in [
        (401, r#"{"error":{"message":"bad key sk-1"}}"#),
        (402, r#"{"error":{"message":"org_1 has no money"}}"#),
        (403, r#"{"error":{"message":"project 77 may not"}}"#),
        (400, r#"{"error":"Incorrect API key provided: xa***"}"#),
        (429, r#"{"error":{"message":"visit https://elsewhere/"}}"#),
        (500, r#"{"error":{"message":"API.LAB.INTERNAL is down"}}"#),
        (503, "<html>"),
        (504, ""),
    ] {
        let reject = reject(status, body);
        assert_eq!(reject.status, status);
        assert!(reject.message.starts_with("the provider "), "{status}: {}", reject.message);
    }
}

#[test]
fn streams_that_are_no_sse_end_in_a_frame_of_their_own() {
    let reject = Reject::new(Reason::UpstreamTruncated, "cut").with_status(429);
    let end = |endpoint| {
        let form = StreamForm::Sse;
        let place = StreamPlace { endpoint, form, request_id: "req_1", response_id: None, next_sequence: 0 };
        render_stream_error(&place, &reject)
    };
    let line = end(Endpoint::OllamaChat);
    assert_eq!(line.last(), Some(&b'\n'));
    assert_eq!(json(&line)["error"], "cut");
    let mut seen = Vec::new();
    let mut scanner = crate::framing::eventstream::EventStreamScanner::new();
    let frame = end(Endpoint::ConverseStream);
    scanner
        .feed(&frame, |message, _| {
            seen.push((message.kind.to_vec(), message.name.to_vec(), json(message.payload)));
        })
        .unwrap();
    let (kind, name, payload) = &seen[0];
    assert_eq!((kind.as_slice(), name.as_slice()), (&b"exception"[..], &b"throttlingException"[..]));
    assert_eq!((seen.len(), &payload["message"]), (1, &"cut".into()));
}
