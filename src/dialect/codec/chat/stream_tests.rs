//! Streams, read and written.

use super::*;
use crate::chat::{
    BlockKind, BlockStart, Collector, Delta, Event, Response, Signature, Stop, StopReason, Vendor,
};
use crate::dialect::codec::{DecodeStream, EncodeStream, Owed};
use crate::types::{Protocol, Usage};

fn owed(wants_usage: bool) -> Owed {
    Owed {
        model: "alias".into(),
        token: "0123456789abcdef0123".into(),
        created: 1_760_000_000,
        wants_usage,
        is_array: false,
        echo: String::new(),
    }
}

/// The events of chunks, one a line, and whether the stream ended as it should.
fn events(chunks: &[&str]) -> String {
    let mut decoder = Decoder::new();
    let mut out = String::new();
    let mut sink = |event: Event<'_>| {
        let line = format!("{event:?}").replace("choice: 0, ", "");
        out.push_str(&line);
        out.push('\n');
    };
    for chunk in chunks {
        decoder.on_frame(None, chunk.as_bytes(), &mut sink).unwrap();
    }
    decoder.on_end(&mut sink);
    out
}

fn gathered(chunks: &[&str]) -> (Response<'static>, bool) {
    let (mut decoder, mut collector) = (Decoder::new(), Collector::new(Protocol::Chat));
    for chunk in chunks {
        decoder.on_frame(None, chunk.as_bytes(), &mut |event| collector.take(&event)).unwrap();
    }
    decoder.on_end(&mut |event| collector.take(&event));
    collector.finish()
}

/// Id, name and arguments of every call.
fn calls(chunks: &[&str]) -> Vec<(String, String, String)> {
    let (response, is_ended) = gathered(chunks);
    assert!(is_ended);
    let blocks = &response.choices[0].blocks;
    let calls = blocks.iter().filter_map(|block| match &block.kind {
        BlockKind::ToolUse(call) => {
            Some((call.id.to_string(), call.name.to_string(), call.arguments.to_string()))
        }
        _ => None,
    });
    calls.collect()
}

fn delta(delta: &str) -> String {
    format!(r#"{{"id":"chatcmpl-1","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#)
}

fn stream(deltas: &[&str]) -> Vec<(String, String, String)> {
    let mut chunks: Vec<String> = deltas.iter().map(|d| delta(d)).collect();
    chunks.push(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#.to_owned());
    chunks.push("[DONE]".to_owned());
    calls(&chunks.iter().map(String::as_str).collect::<Vec<_>>())
}

fn own(call: (&str, &str, &str)) -> (String, String, String) {
    (call.0.into(), call.1.into(), call.2.into())
}

fn written(events: &[Event<'_>], wants_usage: bool) -> String {
    let (mut encoder, mut out) = (Encoder::new(owed(wants_usage)), Vec::new());
    events.iter().for_each(|event| encoder.write(event, &mut out));
    String::from_utf8(out).unwrap()
}

fn start(block: u32, start: BlockStart<'static>) -> Event<'static> {
    Event::BlockStart { choice: 0, block, start }
}

fn add(block: u32, delta: Delta<'static>) -> Event<'static> {
    Event::Delta { choice: 0, block, delta }
}

fn stop(block: u32) -> Event<'static> {
    Event::BlockStop { choice: 0, block }
}

fn tool(id: &'static str, signature: Option<Signature<'static>>) -> BlockStart<'static> {
    BlockStart::ToolUse { id: id.into(), name: "look".into(), is_custom: false, signature }
}

#[test]
fn a_stream_is_told_event_by_event() {
    insta::assert_snapshot!(events(&[
        r#"{"choices":[],"id":"","model":"","object":"","prompt_filter_results":[{}]}"#,
        r#"{"id":"chatcmpl-1","model":"m","created":7,"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#,
        &delta(r#"{"reasoning_content":"Hm"}"#),
        &delta(r#"{"content":"Só"}"#),
        &delta(r#"{"content":"."}"#),
        &delta(r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}"#),
        &delta(r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":"}}]}"#),
        &delta(r#"{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}"#),
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop","logprobs":{"content":[1]}}]}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#,
        "[DONE]",
    ]), @r#"
Start { id: "chatcmpl-1", model: "m", created: Some(7) }
BlockStart { block: 0, start: Thinking { is_summary: false, item_id: None } }
Delta { block: 0, delta: Text("Hm") }
BlockStop { block: 0 }
BlockStart { block: 1, start: Text }
Delta { block: 1, delta: Text("Só") }
Delta { block: 1, delta: Text(".") }
BlockStop { block: 1 }
BlockStart { block: 2, start: ToolUse { id: "a", name: "f", is_custom: false, signature: None } }
Delta { block: 2, delta: Arguments("{\"x\":") }
Delta { block: 2, delta: Arguments("1}") }
Logprobs { json: Raw("{\"content\":[1]}") }
Usage(Usage { input: 3, cache_read: 0, cache_write_5m: 0, cache_write_1h: 0, audio_input: 0, image_input: 0, output: 2, reasoning: 0, audio_output: 0, image_output: 0, searches: 0, is_estimated: false })
BlockStop { block: 2 }
Stop { stop: Stop { reason: ToolUse, sequence: None, native: Some("stop") } }
End
"#);
}

#[test]
fn a_stream_for_a_client_is_openais() {
    let events = [
        Event::Start { id: "msg_1".into(), model: "claude-opus-5".into(), created: None },
        start(0, BlockStart::Thinking { is_summary: false, item_id: None }),
        add(0, Delta::Text("Hm".into())),
        add(0, Delta::Text(".".into())),
        add(0, Delta::Signature(Signature::new(Vendor::Anthropic, "EqQ="))),
        stop(0),
        start(1, BlockStart::Text),
        add(1, Delta::Text("Só".into())),
        stop(1),
        start(2, tool("toolu_1", None)),
        add(2, Delta::Arguments("{\"a\":".into())),
        start(3, tool("", Some(Signature::new(Vendor::Gemini, "CiQ=")))),
        add(2, Delta::Arguments("1}".into())),
        stop(2),
        stop(3),
        Event::Usage(Usage { input: 5, output: 3, ..Usage::default() }),
        Event::Stop { choice: 0, stop: Stop::native(StopReason::ToolUse, "tool_use") },
        Event::End,
    ];
    insta::assert_snapshot!(written(&events, true), @r#"
data: {"id":"chatcmpl-0123456789abcdef0123","object":"chat.completion.chunk","created":1760000000,"model":"claude-opus-5","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-0123456789abcdef0123","object":"chat.completion.chunk","created":1760000000,"model":"claude-opus-5","choices":[{"index":0,"delta":{"reasoning_content":"Hm","reasoning_details":[{"type":"reasoning.text","text":"Hm","format":"unknown","index":0}]},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-0123456789abcdef0123","object":"chat.completion.chunk","created":1760000000,"model":"claude-opus-5","choices":[{"index":0,"delta":{"reasoning_content":".","reasoning_details":[{"type":"reasoning.text","text":".","index":0}]},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-0123456789abcdef0123","object":"chat.completion.chunk","created":1760000000,"model":"claude-opus-5","choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.text","signature":"tg1.a.RXFRPQ","index":0}]},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-0123456789abcdef0123","object":"chat.completion.chunk","created":1760000000,"model":"claude-opus-5","choices":[{"index":0,"delta":{"content":"Só"},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-0123456789abcdef0123","object":"chat.completion.chunk","created":1760000000,"model":"claude-opus-5","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"toolu_1","type":"function","function":{"name":"look","arguments":""}}]},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-0123456789abcdef0123","object":"chat.completion.chunk","created":1760000000,"model":"claude-opus-5","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-0123456789abcdef0123","object":"chat.completion.chunk","created":1760000000,"model":"claude-opus-5","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_0123456789abcdef_0_1-tg1-gQ2lRPQ","type":"function","function":{"name":"look","arguments":""},"extra_content":{"google":{"thought_signature":"CiQ="}}}]},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-0123456789abcdef0123","object":"chat.completion.chunk","created":1760000000,"model":"claude-opus-5","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-0123456789abcdef0123","object":"chat.completion.chunk","created":1760000000,"model":"claude-opus-5","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-0123456789abcdef0123","object":"chat.completion.chunk","created":1760000000,"model":"claude-opus-5","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls","native_finish_reason":"tool_use"}],"usage":null}

data: {"id":"chatcmpl-0123456789abcdef0123","object":"chat.completion.chunk","created":1760000000,"model":"claude-opus-5","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}

data: [DONE]
"#);
}

#[test]
fn usage_is_sent_to_those_who_asked_and_the_end_only_at_the_end() {
    let events = [
        Event::Start { id: "".into(), model: "".into(), created: None },
        start(0, BlockStart::Text),
        add(0, Delta::Text("x".into())),
        Event::Usage(Usage { input: 5, output: 3, ..Usage::default() }),
    ];
    let text = written(&events, false);
    assert!(!text.contains("usage") && !text.contains("[DONE]"), "{text}");
    assert!(text.contains(r#""model":"alias""#) && text.contains("chatcmpl-0123456789abcdef0123"));
    let ended =
        [&events[..], &[stop(0), Event::Stop { choice: 0, stop: Stop::new(StopReason::End) }, Event::End]]
            .concat();
    let text = written(&ended, true);
    assert!(text.contains(r#""choices":[],"usage":{"prompt_tokens":5"#), "{text}");
    assert!(text.ends_with("data: [DONE]\n\n"));
}

#[test]
fn three_calls_with_interleaved_arguments_keep_what_is_theirs() {
    let calls = stream(&[
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}}]}"#,
        r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"{\"k\":\"\\"}}]}"#,
        r#"{"tool_calls":[{"index":2,"id":"c","function":{"name":"h","arguments":"{}"}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"é"}},{"index":1,"function":{"arguments":"u00e9\"}"}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"\":1}"}}]}"#,
    ]);
    assert_eq!(
        calls,
        [own(("a", "f", "{\"é\":1}")), own(("b", "g", "{\"k\":\"\\u00e9\"}")), own(("c", "h", "{}"))]
    );
}

#[test]
fn calls_are_told_apart_when_the_vendor_numbers_them_all_zero_or_not_at_all() {
    let two = [own(("a", "f", "{}")), own(("b", "f", "{\"x\":1}"))];
    let zero = stream(&[
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"b","function":{"name":"f","arguments":"{\"x\":1}"}}]}"#,
    ]);
    assert_eq!(zero, two);
    let none = stream(&[
        r#"{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}},{"id":"b","function":{"name":"f","arguments":"{\"x\""}}]}"#,
        r#"{"tool_calls":[{"function":{"arguments":":1}"}}]}"#,
    ]);
    assert_eq!(none, two);
    let nameless = stream(&[
        r#"{"tool_calls":[{"index":0,"id":"a"}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"x"}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"name":"f"}}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"\":1}"}}]}"#,
    ]);
    assert_eq!(nameless, [own(("a", "f", "{\"x\":1}"))]);
    let ids_missing = stream(&[
        r#"{"tool_calls":[{"index":0,"id":"","function":{"name":"f","arguments":"{}"}}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"","function":{"name":"f","arguments":"{\"x\":1}"}}]}"#,
    ]);
    assert_eq!(ids_missing, [own(("", "f", "{}")), own(("", "f", "{\"x\":1}"))]);
}

#[test]
fn a_free_form_call_streams_back_as_one() {
    let chunks = [
        delta(
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"patch__tgfreeform","arguments":"{\"inp"}}]}"#,
        ),
        delta(r#"{"tool_calls":[{"index":0,"function":{"arguments":"ut\":\"x\\n\"}"}}]}"#),
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#.to_owned(),
    ];
    let (response, _) = gathered(&chunks.iter().map(String::as_str).collect::<Vec<_>>());
    let BlockKind::ToolUse(call) = &response.choices[0].blocks[0].kind else { panic!() };
    assert_eq!((call.name.as_ref(), call.arguments.as_ref(), call.is_custom), ("patch", "x\n", true));
}

#[test]
fn a_stream_ends_by_its_last_word_or_by_a_reason_on_every_choice() {
    let open = delta(r#"{"content":"a"}"#);
    let reason = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}"#;
    assert!(!gathered(&[]).1 && !gathered(&[&open]).1);
    assert!(gathered(&[&open, "[DONE]"]).1);
    let (response, is_ended) = gathered(&[&open, reason]);
    assert!(is_ended);
    assert_eq!(response.choices[0].stop, Stop::native(StopReason::Length, "length"));
    let other = r#"{"choices":[{"index":1,"delta":{"content":"b"}}]}"#;
    assert!(!gathered(&[&open, other, reason]).1);
}

#[test]
fn what_a_vendor_says_after_its_reason_is_not_lost() {
    let (response, _) = gathered(&[
        &delta(r#"{"content":"a"}"#),
        r#"{"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"stop"}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"c"},"finish_reason":"stop"}]}"#,
        "[DONE]",
    ]);
    assert_eq!(response.choices[0].blocks[0].as_text(), Some("abc"));
}

#[test]
fn faults_inside_a_200_are_faults() {
    for (name, frame, status) in [
        (
            None,
            r#"{"error":{"code":502,"message":"x"},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}"#,
            502,
        ),
        (None, r#"{"choices":[{"delta":{},"finish_reason":"insufficient_system_resource"}]}"#, 503),
        (None, r#"{"object":"error","message":"x","type":"BadRequestError","code":400}"#, 400),
        (None, r#"{"error":"out of memory"}"#, 500),
        (None, r#"{"x_groq":{"error":{"type":"server_error","message":"x"}},"choices":[]}"#, 500),
        (Some(&b"error"[..]), "<html>busy", 500),
    ] {
        let fault = Decoder::new().on_frame(name, frame.as_bytes(), &mut |_| {}).unwrap_err();
        assert_eq!(fault.status, status, "{frame}");
    }
}

#[test]
fn citations_of_perplexity_are_told_once() {
    let chunk =
        r#"{"id":"x","citations":["https://a","https://b"],"choices":[{"index":0,"delta":{"content":"t"}}]}"#;
    let (response, _) = gathered(&[chunk, chunk, "[DONE]"]);
    let BlockKind::Text { text, citations } = &response.choices[0].blocks[0].kind else { panic!() };
    let urls: Vec<_> = citations.iter().filter_map(|cited| cited.url.as_deref()).collect();
    assert_eq!((text.as_ref(), urls), ("tt", vec!["https://a", "https://b"]));
}

#[test]
fn a_streamed_refusal_that_ends_is_a_refusal_for_every_client() {
    let chunks = [
        r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"refusal":"I cannot."}}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        "[DONE]",
    ];
    let (response, _) = gathered(&chunks);
    assert_eq!(response.choices[0].stop, Stop::native(StopReason::Refusal, "stop"));
    let (mut decoder, mut encoder, mut out) = (Decoder::new(), Encoder::new(owed(false)), Vec::new());
    for chunk in chunks {
        decoder.on_frame(None, chunk.as_bytes(), &mut |event| encoder.write(&event, &mut out)).unwrap();
    }
    let written = String::from_utf8(out).unwrap();
    assert!(written.contains(r#""finish_reason":"stop""#), "{written}");
}
