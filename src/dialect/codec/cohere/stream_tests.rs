//! Streams, both ways.

use super::*;
use crate::chat::{BlockKind, BlockStart, Citation, Delta, Event, Raw, Signature, Stop, StopReason, Vendor};
use crate::dialect::codec::{DecodeStream, EncodeStream};
use crate::types::{Protocol, Usage};

pub(super) const SAMPLE: [&str; 15] = [
    r#"{"id":"i","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":""}}}"#,
    r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":""}}}}"#,
    r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"hm"}}}}"#,
    r#"{"type":"content-end","index":0}"#,
    r#"{"type":"content-start","index":1,"delta":{"message":{"content":{"type":"text","text":""}}}}"#,
    r#"{"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"Hé"}}}}"#,
    r#"{"type":"content-end","index":1}"#,
    r#"{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":0,"end":1,"text":"H","sources":[]}}}}"#,
    r#"{"type":"citation-end","index":0}"#,
    r#"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"plan"}}}"#,
    r#"{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"c","type":"function","function":{"name":"f","arguments":""}}}}}"#,
    r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{}"}}}}}"#,
    r#"{"type":"tool-call-end","index":0}"#,
    r#"{"type":"debug","prompt":"x"}"#,
    r#"{"type":"message-end","delta":{"finish_reason":"TOOL_CALL","usage":{"tokens":{"input_tokens":5,"output_tokens":2},"cached_tokens":1}}}"#,
];

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

fn decode(frames: &[&str]) -> Vec<String> {
    let mut decoder = Decoder::new();
    let mut seen = Vec::new();
    let mut open = Vec::new();
    for frame in frames {
        let read = decoder.on_frame(None, frame.as_bytes(), &mut |event| {
            check_order(&event, &mut open);
            seen.push(short(&event));
        });
        if let Err(fault) = read {
            seen.push(format!("{} {}: {}", fault.status, fault.code, fault.message));
            return seen;
        }
    }
    decoder.on_end(&mut |event| seen.push(short(&event)));
    seen
}

fn short(event: &Event<'_>) -> String {
    match event {
        Event::Start { id, .. } => format!("start {id}"),
        Event::BlockStart { block, start, .. } => match start {
            BlockStart::ToolUse { id, name, is_custom, .. } => {
                format!("{block} call {id} {name} {is_custom}")
            }
            BlockStart::Text => format!("{block} text"),
            BlockStart::Thinking { .. } => format!("{block} thinking"),
            other => format!("{block} {other:?}"),
        },
        Event::Delta { block, delta, .. } => match delta {
            Delta::Text(text) | Delta::Arguments(text) => format!("{block} + {text}"),
            Delta::Signature(signature) => {
                format!("{block} signed {:?} {}", signature.vendor, signature.data)
            }
            Delta::Citation(cited) => format!("{block} cited {:?}", cited.span),
        },
        Event::BlockStop { block, .. } => format!("{block} ."),
        Event::Stop { stop, .. } => format!("stop {:?}", stop.reason),
        Event::Usage(usage) => format!("usage {}/{}/{}", usage.input, usage.cache_read, usage.output),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_stream_with_everything_is_read() {
    assert_eq!(
        decode(&SAMPLE),
        [
            "start i",
            "0 thinking",
            "0 + hm",
            "0 .",
            "1 text",
            "1 + Hé",
            "1 cited Some((0, 1))",
            "1 .",
            "2 thinking",
            "2 + plan",
            "2 signed Unsigned tool_plan",
            "2 .",
            "3 call c f false",
            "3 + {}",
            "3 .",
            "stop ToolUse",
            "usage 5/1/2",
            "End"
        ]
    );
}

#[test]
fn names_stand_in_for_missing_types_and_what_follows_the_end_is_nothing() {
    let mut decoder = Decoder::new();
    let mut seen = Vec::new();
    let mut frame = |name: &str, data: &str| {
        decoder
            .on_frame(Some(name.as_bytes()), data.as_bytes(), &mut |event| seen.push(short(&event)))
            .unwrap();
    };
    frame("content-delta", r#"{"delta":{"message":{"content":{"text":"a"}}}}"#);
    frame("brand-new", r#"{"x":1}"#);
    frame("message-end", r#"{"delta":{"finish_reason":"MAX_TOKENS"}}"#);
    frame("message-end", "[DONE]");
    frame("message-end", r#"{"delta":{}}"#);
    assert_eq!(seen, ["start ", "0 text", "0 + a", "0 .", "stop Length", "End"]);
}

#[test]
fn a_free_form_call_is_told_whole_and_bare() {
    let start = r#"{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"c","function":{"name":"patch__tgfreeform","arguments":"{\"inp"}}}}}"#;
    let more = r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"ut\":\"a\\nb\"}"}}}}}"#;
    let end = r#"{"type":"message-end","delta":{"finish_reason":"TOOL_CALL"}}"#;
    assert_eq!(
        decode(&[start, more, end]),
        ["start ", "0 call c patch true", "0 + a\nb", "0 .", "stop ToolUse", "End"]
    );
}

#[test]
fn failures_are_faults() {
    let cases = [
        (r#"{"message":"too many requests"}"#, "500 error: too many requests"),
        (r#"{"type":"message-end","delta":{"finish_reason":"ERROR","error":"oops"}}"#, "500 ERROR: oops"),
        (r#"{"type":"message-end","delta":{"finish_reason":"TIMEOUT"}}"#, "504 TIMEOUT: the model broke off"),
    ];
    for (frame, expected) in cases {
        assert_eq!(decode(&[frame]), [expected]);
    }
}

#[test]
fn a_stream_that_breaks_off_has_no_end() {
    assert_eq!(decode(&SAMPLE[..6]).last().unwrap(), "1 + Hé");
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

fn call(name: &'static str, is_custom: bool) -> BlockStart<'static> {
    BlockStart::ToolUse { id: "".into(), name: name.into(), is_custom, signature: None }
}

/// Thinking, text with a citation, and two calls at once.
fn foreign_events() -> Vec<Event<'static>> {
    let cited = Citation {
        url: None,
        title: Some("T".into()),
        quote: None,
        span: None,
        of: Protocol::Messages,
        json: Raw("{}".into()),
    };
    vec![
        Event::Start { id: "msg_1".into(), model: "m".into(), created: None },
        start(0, BlockStart::Thinking { is_summary: false, item_id: None }),
        delta(0, Delta::Text("hm".into())),
        delta(0, Delta::Signature(Signature::new(Vendor::Anthropic, "sig"))),
        stop(0),
        start(1, BlockStart::Whole(Box::new(BlockKind::Redacted(Signature::new(Vendor::Anthropic, "hid"))))),
        stop(1),
        start(2, BlockStart::Text),
        delta(2, Delta::Text("Hé".into())),
        delta(2, Delta::Citation(cited)),
        stop(2),
        start(3, call("f", false)),
        start(4, call("g", false)),
        delta(3, Delta::Arguments("{\"a\":".into())),
        delta(3, Delta::Arguments("1}".into())),
        stop(3),
        stop(4),
        Event::Stop { choice: 0, stop: Stop::new(StopReason::ToolUse) },
        Event::Usage(Usage { input: 7, output: 3, ..Usage::default() }),
        Event::End,
    ]
}

#[test]
fn a_stream_of_another_vendor_is_written() {
    insta::assert_snapshot!(encode(&foreign_events()), @r#"
    event: message-start
    data: {"type":"message-start","id":"msg_1","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}

    event: content-start
    data: {"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":""}}}}

    event: content-delta
    data: {"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"hm"}}}}

    event: content-delta
    data: {"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"","signature":"tg1.a.c2ln"}}}}

    event: content-end
    data: {"type":"content-end","index":0}

    event: content-start
    data: {"type":"content-start","index":1,"delta":{"message":{"content":{"type":"thinking","thinking":""}}}}

    event: content-delta
    data: {"type":"content-delta","index":1,"delta":{"message":{"content":{"redacted":"tg1.a.aGlk"}}}}

    event: content-end
    data: {"type":"content-end","index":1}

    event: content-start
    data: {"type":"content-start","index":2,"delta":{"message":{"content":{"type":"text","text":""}}}}

    event: content-delta
    data: {"type":"content-delta","index":2,"delta":{"message":{"content":{"text":"Hé"}}}}

    event: citation-start
    data: {"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":0,"end":2,"text":"","sources":[{"type":"document","id":"T","document":{"title":"T"}}],"content_index":2,"type":"TEXT_CONTENT"}}}}

    event: citation-end
    data: {"type":"citation-end","index":0}

    event: content-end
    data: {"type":"content-end","index":2}

    event: tool-call-start
    data: {"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"call_0123456789abcdef_0","type":"function","function":{"name":"f","arguments":""}}}}}

    event: tool-call-delta
    data: {"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"a\":"}}}}}

    event: tool-call-delta
    data: {"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"1}"}}}}}

    event: tool-call-end
    data: {"type":"tool-call-end","index":0}

    event: tool-call-start
    data: {"type":"tool-call-start","index":1,"delta":{"message":{"tool_calls":{"id":"call_0123456789abcdef_1","type":"function","function":{"name":"g","arguments":""}}}}}

    event: tool-call-delta
    data: {"type":"tool-call-delta","index":1,"delta":{"message":{"tool_calls":{"function":{"arguments":"{}"}}}}}

    event: tool-call-end
    data: {"type":"tool-call-end","index":1}

    event: message-end
    data: {"type":"message-end","delta":{"finish_reason":"TOOL_CALL","usage":{"billed_units":{"input_tokens":7,"output_tokens":3},"tokens":{"input_tokens":7,"output_tokens":3}}}}
    "#);
}

#[test]
fn a_broken_stream_has_no_message_end() {
    let text = encode(&[
        Event::Start { id: "".into(), model: "m".into(), created: None },
        start(0, BlockStart::Text),
        delta(0, Delta::Text("a".into())),
    ]);
    assert!(text.contains(r#""id":"0123456789abcdefXYZ""#) && !text.contains("message-end"), "{text}");
}

#[test]
fn a_free_form_call_is_written_as_the_function_it_stands_for() {
    let events = [
        start(0, call("patch", true)),
        delta(0, Delta::Arguments("a\"".into())),
        delta(0, Delta::Arguments("\nb".into())),
        stop(0),
        Event::End,
    ];
    let text = encode(&events);
    let frames: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let read = decode(&frames);
    assert_eq!(read[1], "0 call call_0123456789abcdef_0 patch false", "the name its client knows");
    assert_eq!(read[2..5].concat(), r#"0 + {"input":"0 + a\"0 + \nb"#);
}
