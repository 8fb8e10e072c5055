//! Answers of upstreams: what their events and bodies are taken for.

use crate::input::{BYTES_MAX, Input, each_input};
use crate::json;
use tidegate::dialect::tap::{EventClass, StreamTap, for_each_output_text, read_body};
use tidegate::types::{Endpoint, Usage};

const KEYS: [&str; 48] = [
    "\"choices\"",
    "\"delta\"",
    "\"content\"",
    "\"finish_reason\"",
    "\"usage\"",
    "\"prompt_tokens\"",
    "\"completion_tokens\"",
    "\"prompt_tokens_details\"",
    "\"cached_tokens\"",
    "\"reasoning_tokens\"",
    "\"tool_calls\"",
    "\"function\"",
    "\"arguments\"",
    "\"index\"",
    "\"type\"",
    "\"message\"",
    "\"content_block\"",
    "\"text\"",
    "\"input_tokens\"",
    "\"output_tokens\"",
    "\"cache_read_input_tokens\"",
    "\"cache_creation\"",
    "\"stop_reason\"",
    "\"error\"",
    "\"code\"",
    "\"candidates\"",
    "\"parts\"",
    "\"finishReason\"",
    "\"usageMetadata\"",
    "\"promptTokenCount\"",
    "\"candidatesTokenCount\"",
    "\"thoughtsTokenCount\"",
    "\"totalTokens\"",
    "\"response\"",
    "\"output\"",
    "\"id\"",
    "\"status\"",
    "\"object\"",
    "\"item\"",
    "\"refusal\"",
    "\"reasoning_content\"",
    "\"data\"",
    "\"results\"",
    "\"promptFeedback\"",
    "\"us\\u0061ge\"",
    "\"x\"",
    "\"partial_json\"",
    "\"thinking\"",
];
const WORDS: [&str; 22] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\ud83d",
    "[DONE]",
    "\"usage\":{",
    "\"prompt_tokens\":7",
    "-1",
    "1e99",
    "99999999999999999999",
    "null",
    "\"error\":{\"message\":\"x\"}",
    "\u{e9}",
    "\n",
    "<html>",
    "\"type\":\"message_stop\"",
    "\"text\":\"a\\u00e9\"",
];
const NAMES: [Option<&str>; 7] = [
    None,
    Some("message_start"),
    Some("content_block_delta"),
    Some("message_delta"),
    Some("error"),
    Some("response.completed"),
    Some("x"),
];
const EVENTS: [&str; 8] = [
    r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}"#,
    r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":3}}}"#,
    r#"{"type":"message_start","message":{"id":"m","usage":{"input_tokens":5,"cache_read_input_tokens":2,"output_tokens":1}}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"h\u00e9\n"}}"#,
    r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}"#,
    r#"{"type":"response.completed","response":{"id":"r","status":"completed","usage":{"input_tokens":1,"output_tokens":2},"output":[]}}"#,
    r#"{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":4}}"#,
    r#"{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED"}}"#,
];

/// Parts are never more than their whole, whatever an upstream says.
fn assert_sound(usage: Option<Usage>, what: &dyn Fn() -> String) {
    let Some(usage) = usage else { return };
    let reported = [usage.input, usage.output, usage.cache_read, usage.reasoning, usage.audio_input];
    assert!(reported.iter().any(|count| *count > 0) || usage.total() == 0, "{usage:?}: {}", what());
    assert!(!usage.is_estimated, "nothing was estimated: {}", what());
}

fn check_stream(endpoint: Endpoint, events: &[(Option<&str>, &[u8])]) {
    let mut tap = StreamTap::new(endpoint);
    for (name, data) in events {
        let shown = || format!("{endpoint:?} {name:?} {:?}", String::from_utf8_lossy(data));
        let mut text_len = 0;
        let had_content = tap.has_content();
        let class = tap.on_event(name.map(str::as_bytes), data, &mut |text| text_len += text.len());
        // A lone surrogate is six bytes on the wire and three in the text.
        assert!(text_len <= data.len(), "{text_len} bytes of text in {}", shown());
        assert!(class != EventClass::Content || tap.has_content(), "{}", shown());
        assert!(!had_content || tap.has_content());
        assert!(tap.finish_reason().is_none_or(|reason| reason.len() <= 32), "{}", shown());
        assert!(tap.response_id().is_none_or(|id| id.len() <= 120), "{}", shown());
        assert_sound(tap.usage(), &shown);
        tap.is_terminated();
        tap.has_final_usage();
    }
}

fn check_body(endpoint: Endpoint, body: &[u8]) {
    let shown = || format!("{endpoint:?} {:?}", String::from_utf8_lossy(body));
    let reading = read_body(endpoint, body);
    assert!(reading.response_id.as_ref().is_none_or(|id| id.len() <= 256), "{}", shown());
    assert!(
        !reading.is_expected_shape || reading.fault.is_none() || endpoint == Endpoint::Opaque,
        "{}",
        shown()
    );
    assert_sound(reading.usage, &shown);
    let mut text_len = 0;
    for_each_output_text(endpoint, body, &mut |text| text_len += text.len());
    assert!(text_len <= body.len(), "{text_len} bytes of text in {}", shown());
}

fn check(input: Input<'_>, data: &[u8]) {
    let name = NAMES[input.choice % NAMES.len()];
    for endpoint in Endpoint::ALL {
        let (before, after) = (EVENTS[input.choice % 8].as_bytes(), EVENTS[input.choice / 8 % 8].as_bytes());
        check_stream(endpoint, &[(None, before), (name, data), (None, after), (name, data)]);
        check_body(endpoint, data);
    }
}

#[test]
fn tap_takes_any_bytes() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        check(input, input.bytes);
        check(input, &input.spelt(&WORDS));
    });
}

#[test]
fn tap_takes_any_json() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let value = json::value(input.bytes, &KEYS);
        check(input, value.as_bytes());
        check(input, &input.changed(EVENTS[input.choice / 4 % EVENTS.len()].as_bytes(), &WORDS));
    });
}
