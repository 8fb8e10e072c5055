//! Streams, both ways.

use super::*;
use crate::chat::{
    BlockKind, BlockStart, Delta, Event, Media, Raw, Signature, Source, Stop, StopReason, Vendor,
};
use crate::dialect::codec::{DecodeStream, EncodeStream};
use crate::types::Usage;

/// Asserts what an event list promises of its blocks.
pub(super) fn check_order(event: &Event<'_>, open: &mut Vec<u32>) {
    match event {
        Event::BlockStart { block, .. } => open.push(*block),
        Event::Delta { block, .. } => assert!(open.contains(block), "{event:?}"),
        Event::BlockStop { block, .. } => {
            let at = open.iter().position(|known| known == block).unwrap();
            open.remove(at);
        }
        Event::Stop { .. } | Event::End => assert!(open.is_empty(), "{event:?}"),
        _ => {}
    }
}

fn decode(lines: &[&str]) -> Vec<String> {
    let mut decoder = Decoder::new();
    let (mut seen, mut open) = (Vec::new(), Vec::new());
    for line in lines {
        let read = decoder.on_frame(None, line.as_bytes(), &mut |event| {
            check_order(&event, &mut open);
            seen.push(short(&event));
        });
        if let Err(fault) = read {
            seen.push(format!("{} {}", fault.status, fault.message));
            return seen;
        }
    }
    decoder.on_end(&mut |event| seen.push(short(&event)));
    seen
}

fn short(event: &Event<'_>) -> String {
    match event {
        Event::Start { model, created, .. } => format!("start {model} {created:?}"),
        Event::BlockStart { block, start, .. } => match start {
            BlockStart::ToolUse { id, name, is_custom, .. } => {
                format!("{block} call {id} {name} {is_custom}")
            }
            BlockStart::Text => format!("{block} text"),
            BlockStart::Thinking { .. } => format!("{block} thinking"),
            _ => format!("{block} whole"),
        },
        Event::Delta { block, delta: Delta::Text(text) | Delta::Arguments(text), .. } => {
            format!("{block} + {text}")
        }
        Event::BlockStop { block, .. } => format!("{block} ."),
        Event::Stop { stop, .. } => format!("stop {:?}", stop.reason),
        Event::Usage(usage) => format!("usage {}/{}", usage.input, usage.output),
        Event::Logprobs { json, .. } => json.as_str().to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_stream_with_everything_is_read() {
    let seen = decode(&[
        r#"{"model":"m","created_at":"1970-01-01T00:00:09.5Z","message":{"role":"assistant","content":"","thinking":"h"},"done":false}"#,
        r#"{"model":"m","message":{"role":"assistant","content":"","thinking":"m"},"done":false}"#,
        r#"{"model":"m","message":{"role":"assistant","content":"Hé"},"logprobs":[{"token":"Hé"}],"done":false}"#,
        r#"{"model":"m","message":{"content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":1.0}}},{"id":"x","function":{"name":"patch__tgfreeform","arguments":{"input":"p\n"}}}]},"done":false}"#,
        r#"{"status":"unheard of"}"#,
        r#"{"model":"m","message":{"content":""},"done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":2}"#,
        r#"{"model":"m","message":{"content":"late"},"done":false}"#,
    ]);
    assert_eq!(
        seen,
        [
            "start m Some(9)",
            "0 thinking",
            "0 + h",
            "0 + m",
            "0 .",
            "1 text",
            "1 + Hé",
            r#"{"content":[{"token":"Hé"}]}"#,
            "1 .",
            "2 call  f false",
            r#"2 + {"a":1.0}"#,
            "2 .",
            "3 call x patch true",
            "3 + p\n",
            "3 .",
            "stop ToolUse",
            "usage 5/2",
            "End"
        ]
    );
}

#[test]
fn an_error_line_is_a_fault_and_a_stream_that_breaks_off_has_no_end() {
    let said = r#"{"model":"m","message":{"content":"a"},"done":false}"#;
    assert_eq!(decode(&[said, r#"{"error":"out of memory"}"#]).last().unwrap(), "500 out of memory");
    assert_eq!(decode(&[said]).last().unwrap(), "0 + a");
}

fn encode(events: &[Event<'_>]) -> String {
    let mut encoder = Encoder::new(super::response_tests::owed());
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.write(event, &mut out));
    String::from_utf8(out).unwrap()
}

fn start(block: u32, start: BlockStart<'static>) -> Event<'static> {
    Event::BlockStart { choice: 0, block, start }
}

fn delta(block: u32, delta: Delta<'static>) -> Event<'static> {
    Event::Delta { choice: 0, block, delta }
}

fn stop(block: u32) -> Event<'static> {
    Event::BlockStop { choice: 0, block }
}

fn call(id: &'static str, name: &'static str) -> BlockStart<'static> {
    let signature = (id == "own").then(|| Signature::new(Vendor::Gemini, "g"));
    BlockStart::ToolUse { id: id.into(), name: name.into(), is_custom: false, signature }
}

#[test]
fn a_stream_of_another_vendor_is_written() {
    let picture = Media { source: Source::Base64("iVBO".into()), mime: None, name: None, detail: None };
    let events = [
        Event::Start { id: "msg_1".into(), model: "m".into(), created: Some(9) },
        start(0, BlockStart::Thinking { is_summary: false, item_id: None }),
        delta(0, Delta::Text("hm".into())),
        delta(0, Delta::Signature(Signature::new(Vendor::Anthropic, "sig"))),
        stop(0),
        start(1, BlockStart::Text),
        delta(1, Delta::Text("Hé\n".into())),
        Event::Logprobs { choice: 0, json: Raw(r#"{"content":[{"token":"x"}],"refusal":null}"#.into()) },
        stop(1),
        start(2, call("own", "f")),
        start(3, call("", "g")),
        delta(2, Delta::Arguments("{\"a\":".into())),
        delta(3, Delta::Arguments("{".into())),
        delta(2, Delta::Arguments("1.0}".into())),
        stop(2),
        stop(3),
        start(4, BlockStart::Whole(Box::new(BlockKind::Image(picture)))),
        stop(4),
        Event::Stop { choice: 0, stop: Stop::new(StopReason::ToolUse) },
        Event::Usage(Usage { input: 7, output: 3, ..Usage::default() }),
        Event::End,
    ];
    insta::assert_snapshot!(encode(&events), @r#"
    {"model":"m","created_at":"1970-01-01T00:00:09Z","message":{"role":"assistant","content":"","thinking":"hm"},"done":false}
    {"model":"m","created_at":"1970-01-01T00:00:09Z","message":{"role":"assistant","content":"Hé\n"},"done":false}
    {"model":"m","created_at":"1970-01-01T00:00:09Z","message":{"role":"assistant","content":""},"logprobs":[{"token":"x"}],"done":false}
    {"model":"m","created_at":"1970-01-01T00:00:09Z","message":{"role":"assistant","content":"","tool_calls":[{"id":"own-tg1-gZw","function":{"index":0,"name":"f","arguments":{"a":1.0}}}]},"done":false}
    {"model":"m","created_at":"1970-01-01T00:00:09Z","message":{"role":"assistant","content":"","tool_calls":[{"id":"call_0123456789abcdef_1","function":{"index":1,"name":"g","arguments":{"INVALID_JSON":"{"}}}]},"done":false}
    {"model":"m","created_at":"1970-01-01T00:00:09Z","message":{"role":"assistant","content":"","images":["iVBO"]},"done":false}
    {"model":"m","created_at":"1970-01-01T00:00:09Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":7,"eval_count":3}
    "#);
}

#[test]
fn arguments_past_the_bound_are_told_as_far_as_they_came() {
    let piece = "é".repeat(300 * 1024);
    let text = encode(&[
        start(0, call("x", "f")),
        delta(0, Delta::Arguments(piece.clone().into())),
        delta(0, Delta::Arguments(piece.into())),
        stop(0),
    ]);
    assert!(text.len() < 1024 * 1024 + 512 && text.contains("INVALID_JSON"), "{}", text.len());
    assert!(text.contains(r#""model":"asked""#));
}

#[test]
fn arguments_printed_over_several_lines_stay_on_one() {
    let events = [
        start(0, call("a", "f")),
        delta(0, Delta::Arguments("{\r\n  \"a\": \"x\\n\"".into())),
        delta(0, Delta::Arguments("\n}".into())),
        stop(0),
        Event::End,
    ];
    let text = encode(&events);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains(r#""arguments":{  "a": "x\n"}"#), "{text}");
}

#[test]
fn a_free_form_call_has_the_name_its_client_knows() {
    let custom =
        BlockStart::ToolUse { id: "a".into(), name: "patch".into(), is_custom: true, signature: None };
    let text = encode(&[start(0, custom), delta(0, Delta::Arguments("p\"".into())), stop(0), Event::End]);
    assert!(text.contains(r#""name":"patch","arguments":{"input":"p\""}"#), "{text}");
}
