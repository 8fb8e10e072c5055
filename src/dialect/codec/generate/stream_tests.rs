//! Streams both ways.

use super::response_tests::owed;
use super::*;
use crate::chat::*;
use crate::dialect::codec::{DecodeStream, EncodeStream, Owed};
use crate::dialect::gemini::array::ArrayScanner;
use crate::dialect::tap::StreamFault;
use crate::framing::json::{Duplicates, parse};
use crate::framing::sse::SseScanner;
use crate::types::{Protocol, Usage};

/// What a decoder says to `frames`, shown, and whether it ended.
fn heard(frames: &[&str]) -> Result<Vec<String>, StreamFault> {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    for frame in frames {
        decoder.on_frame(None, frame.as_bytes(), &mut |event| events.push(show(&event)))?;
    }
    decoder.on_end(&mut |event| events.push(show(&event)));
    Ok(events)
}

fn show(event: &Event<'_>) -> String {
    format!("{event:?}").replace("choice: 0, ", "").replace("Some(", "(")
}

/// The frames of an encoder's bytes.
pub(super) fn frames(bytes: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    let mut scanner = SseScanner::new(1 << 22);
    scanner.feed(bytes, |event, _| all.push(String::from_utf8(event.data.to_vec()).unwrap())).unwrap();
    all
}

/// Fails where events break the order that [`Event`] promises.
#[derive(Default)]
struct Order {
    has_started: bool,
    is_ended: bool,
    blocks: u32,
    /// Choice, number, and whether it may stand beside others.
    open: Vec<(u32, u32, bool)>,
    stopped: Vec<u32>,
}

impl Order {
    fn take(&mut self, event: &Event<'_>) {
        assert!(!self.is_ended && (self.has_started || matches!(event, Event::Start { .. })), "{event:?}");
        match event {
            Event::Start { .. } => assert!(!std::mem::replace(&mut self.has_started, true)),
            Event::BlockStart { choice, block, start } => {
                let is_beside = matches!(start, BlockStart::ToolUse { .. });
                assert!(is_beside || self.open.iter().all(|open| open.0 != *choice || open.2), "{event:?}");
                assert!(!self.stopped.contains(choice) && *block >= self.blocks, "{event:?}");
                self.blocks = *block + 1;
                self.open.push((*choice, *block, is_beside));
            }
            Event::Delta { choice, block, .. } => {
                assert!(self.open.iter().any(|open| (open.0, open.1) == (*choice, *block)), "{event:?}");
            }
            Event::BlockStop { choice, block } => {
                let at = self.open.iter().position(|open| (open.0, open.1) == (*choice, *block));
                self.open.remove(at.unwrap());
            }
            Event::Stop { choice, .. } => {
                assert!(self.open.iter().all(|open| open.0 != *choice) && !self.stopped.contains(choice));
                self.stopped.push(*choice);
            }
            Event::End => self.is_ended = true,
            Event::Logprobs { .. } | Event::Usage(_) => {}
        }
    }
}

pub(super) fn gather(frames: &[String]) -> (Response<'static>, bool) {
    let mut collector = Collector::new(Protocol::Generate);
    let (mut decoder, mut order) = (Decoder::new(), Order::default());
    let mut take = |event: Event<'_>| {
        order.take(&event);
        collector.take(&event);
    };
    for frame in frames {
        decoder.on_frame(None, frame.as_bytes(), &mut take).unwrap();
    }
    decoder.on_end(&mut take);
    collector.finish()
}

fn chunk(parts: &str, more: &str) -> String {
    format!(
        r#"{{"candidates":[{{"content":{{"parts":[{parts}],"role":"model"}}{more},"index":0}}],"modelVersion":"m","responseId":"r1"}}"#
    )
}

#[test]
fn a_stream_is_read_piece_by_piece() {
    let frames = [
        chunk(r#"{"text":"Hm","thought":true}"#, ""),
        chunk(r#"{"text":".","thought":true}"#, ""),
        chunk(r#"{"text":"Hel","thoughtSignature":"CiQB"}"#, ""),
        chunk(r#"{"text":"lo"}"#, ""),
        chunk(r#"{"functionCall":{"name":"f","args":{"a":1.0}},"thoughtSignature":"AY89"},{"functionCall":{"name":"g"}}"#, ""),
        r#"{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"thoughtsTokenCount":1}}"#.to_owned(),
    ];
    let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
    insta::assert_snapshot!(heard(&frames).unwrap().join("\n"), @r#"
Start { id: "r1", model: "m", created: None }
BlockStart { block: 0, start: Thinking { is_summary: false, item_id: None } }
Delta { block: 0, delta: Text("Hm") }
Delta { block: 0, delta: Text(".") }
BlockStop { block: 0 }
BlockStart { block: 1, start: Thinking { is_summary: false, item_id: None } }
Delta { block: 1, delta: Signature(Signature { vendor: Gemini, data: "CiQB" }) }
BlockStop { block: 1 }
BlockStart { block: 2, start: Text }
Delta { block: 2, delta: Text("Hel") }
Delta { block: 2, delta: Text("lo") }
BlockStop { block: 2 }
BlockStart { block: 3, start: ToolUse { id: "call_r1_0_0", name: "f", is_custom: false, signature: (Signature { vendor: Gemini, data: "AY89" }) } }
Delta { block: 3, delta: Arguments("{\"a\":1.0}") }
BlockStop { block: 3 }
BlockStart { block: 4, start: ToolUse { id: "call_r1_0_1", name: "g", is_custom: false, signature: None } }
BlockStop { block: 4 }
Usage(Usage { input: 3, cache_read: 0, cache_write_5m: 0, cache_write_1h: 0, audio_input: 0, image_input: 0, output: 3, reasoning: 1, audio_output: 0, image_output: 0, searches: 0, is_estimated: false })
Stop { stop: Stop { reason: ToolUse, sequence: None, native: ("STOP") } }
End
"#);
}

#[test]
fn arguments_in_pieces_are_told_whole_at_their_end() {
    let frames = [
        chunk(r#"{"functionCall":{"name":"f","willContinue":true},"thoughtSignature":"AY89"}"#, ""),
        chunk(
            r#"{"functionCall":{"partialArgs":[{"jsonPath":"$.a[0].b","stringValue":"x","willContinue":true}],"willContinue":true}}"#,
            "",
        ),
        chunk(
            r#"{"functionCall":{"partialArgs":[{"jsonPath":"$.a[0].b","stringValue":"y"}],"willContinue":true}}"#,
            "",
        ),
        chunk(r#"{"functionCall":{}}"#, ""),
        chunk(r#"{"functionCall":{"name":"g","willContinue":true}}"#, ""),
        chunk(r#"{"functionCall":{}}"#, r#","finishReason":"STOP""#),
    ];
    let (response, is_ended) = gather(&frames);
    assert!(is_ended);
    let [first, second] = response.choices[0].blocks.as_slice() else { panic!() };
    let BlockKind::ToolUse(first) = &first.kind else { panic!() };
    let BlockKind::ToolUse(second) = &second.kind else { panic!() };
    assert_eq!((first.name.as_ref(), first.arguments.as_ref()), ("f", r#"{"a":[{"b":"xy"}]}"#));
    assert_eq!(first.signature, Some(Signature::new(Vendor::Gemini, "AY89")));
    assert_eq!((second.name.as_ref(), second.arguments.as_ref()), ("g", ""));
    assert_ne!(first.id, second.id);
    assert_eq!(response.choices[0].stop.reason, StopReason::ToolUse);
}

#[test]
fn a_reason_with_every_chunk_stops_only_at_the_end() {
    let frames = [
        chunk(r#"{"text":"a"}"#, r#","finishReason":"STOP""#),
        chunk(r#"{"text":"b"}"#, r#","finishReason":"STOP""#),
    ];
    let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
    let events = heard(&frames).unwrap();
    assert_eq!(events.iter().filter(|event| event.starts_with("Stop")).count(), 1);
    assert_eq!(events.last().map(String::as_str), Some("End"));
}

#[test]
fn a_stream_without_its_reason_does_not_end() {
    for frames in [
        vec![chunk(r#"{"text":"a"}"#, "")],
        vec![],
        vec![r#"{"usageMetadata":{"promptTokenCount":1}}"#.to_owned()],
    ] {
        let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
        let events = heard(&frames).unwrap();
        assert!(!events.iter().any(|event| event == "End" || event.starts_with("Stop")), "{events:?}");
    }
}

#[test]
fn a_blocked_prompt_ends_filtered() {
    let events =
        heard(&[r#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4}}"#])
            .unwrap();
    insta::assert_snapshot!(events.join("\n"), @r#"
Start { id: "", model: "", created: None }
Usage(Usage { input: 4, cache_read: 0, cache_write_5m: 0, cache_write_1h: 0, audio_input: 0, image_input: 0, output: 0, reasoning: 0, audio_output: 0, image_output: 0, searches: 0, is_estimated: false })
Stop { stop: Stop { reason: ContentFilter, sequence: None, native: ("SAFETY") } }
End
"#);
}

#[test]
fn candidates_beside_each_other_keep_their_blocks() {
    let both = |a: &str, b: &str, more: &str| {
        let one = |index: u8, text: &str| {
            format!(r#"{{"content":{{"parts":[{{"text":"{text}"}}]}},"index":{index}{more}}}"#)
        };
        format!(r#"{{"candidates":[{},{}],"responseId":"r"}}"#, one(1, a), one(0, b))
    };
    let (response, is_ended) = gather(&[both("x", "1", ""), both("y", "2", r#","finishReason":"STOP""#)]);
    assert!(is_ended);
    let texts: Vec<(u32, &str)> =
        response.choices.iter().map(|choice| (choice.index, choice.blocks[0].as_text().unwrap())).collect();
    assert_eq!(texts, [(1, "xy"), (0, "12")]);
}

#[test]
fn sources_stand_on_the_text_they_are_of() {
    let grounding = r#","groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://example.com/a","title":"A"}}],"groundingSupports":[{"segment":{"startIndex":0,"endIndex":3,"text":"abc"},"groundingChunkIndices":[0]}]},"finishReason":"STOP""#;
    let (response, _) = gather(&[chunk(r#"{"text":"abc"}"#, ""), chunk(r#"{"text":"d"}"#, grounding)]);
    let [Block { kind: BlockKind::Text { text, citations }, .. }] = response.choices[0].blocks.as_slice()
    else {
        panic!()
    };
    assert_eq!((text.as_ref(), citations.len(), citations[0].span), ("abcd", 1, Some((0, 3))));
    let (response, _) = gather(&[chunk(r#"{"text":"äbc"}"#, ""), chunk(r#"{"text":"d"}"#, grounding)]);
    let [Block { kind: BlockKind::Text { citations, .. }, .. }] = response.choices[0].blocks.as_slice()
    else {
        panic!()
    };
    assert_eq!(citations[0].span, None, "bytes are no characters here");
}

#[test]
fn faults_and_nonsense_are_told_apart() {
    for (name, data, status) in [
        (None, r#"{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}"#, 503),
        (Some(&b"error"[..]), r#"{"code":429,"message":"slow"}"#, 429),
        (None, "<html>", 502),
        (None, "[1]", 502),
        (None, "{\"candidates\":[", 502),
        (
            None,
            r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","partialArgs":[{"jsonPath":"x","stringValue":"y"}],"willContinue":true}}]}}]}"#,
            502,
        ),
    ] {
        let fault = Decoder::new().on_frame(name, data.as_bytes(), &mut |_| {}).unwrap_err();
        assert_eq!(fault.status, status, "{data}");
    }
    for skipped in ["", "  ", "[DONE]", "{}", r#"{"somethingNew":{"a":1}}"#] {
        let mut events = 0;
        Decoder::new().on_frame(None, skipped.as_bytes(), &mut |_| events += 1).unwrap();
        assert_eq!(events, 0, "{skipped}");
    }
}

fn answer() -> Vec<Event<'static>> {
    let start = |block, start| Event::BlockStart { choice: 0, block, start };
    let delta = |block, delta| Event::Delta { choice: 0, block, delta };
    let stop = |block| Event::BlockStop { choice: 0, block };
    let call = |id: &'static str, signature| BlockStart::ToolUse {
        id: id.into(),
        name: "f".into(),
        is_custom: false,
        signature,
    };
    vec![
        Event::Start { id: "msg_1".into(), model: "claude".into(), created: None },
        start(0, BlockStart::Thinking { is_summary: false, item_id: None }),
        delta(0, Delta::Text("Hm".into())),
        delta(0, Delta::Text(".".into())),
        delta(0, Delta::Signature(Signature::new(Vendor::Anthropic, "EqQ="))),
        stop(0),
        start(1, BlockStart::Text),
        delta(1, Delta::Text("Hel".into())),
        delta(1, Delta::Text("lo".into())),
        stop(1),
        start(2, call("a", Some(Signature::new(Vendor::Gemini, "AY89")))),
        start(3, call("b", None)),
        delta(3, Delta::Arguments("{\"x\":".into())),
        delta(2, Delta::Arguments("{}".into())),
        delta(3, Delta::Arguments("1}".into())),
        stop(3),
        stop(2),
        Event::Stop { choice: 0, stop: Stop::native(StopReason::ToolUse, "tool_use") },
        Event::Usage(Usage { input: 10, output: 7, reasoning: 2, ..Usage::default() }),
        Event::End,
    ]
}

fn written(events: &[Event<'_>], owed: Owed) -> String {
    let (mut encoder, mut out) = (Encoder::new(owed), Vec::new());
    events.iter().for_each(|event| encoder.write(event, &mut out));
    String::from_utf8(out).unwrap()
}

#[test]
fn a_stream_is_written_as_events() {
    let text = written(&answer(), owed());
    assert!(
        text.split_inclusive("\r\n\r\n")
            .all(|event| event.starts_with("data: {") && event.ends_with("}\r\n\r\n"))
    );
    insta::assert_snapshot!(text.replace("\r\n\r\n", "\n"), @r#"
data: {"candidates":[{"content":{"parts":[{"text":"Hm","thought":true}],"role":"model"},"index":0}],"modelVersion":"claude","createTime":"2026-02-17T04:29:17Z","responseId":"msg_1"}
data: {"candidates":[{"content":{"parts":[{"text":".","thought":true}],"role":"model"},"index":0}],"modelVersion":"claude","responseId":"msg_1"}
data: {"candidates":[{"content":{"parts":[{"text":"","thought":true,"thoughtSignature":"dGcxLmEuUlhGUlBR"}],"role":"model"},"index":0}],"modelVersion":"claude","responseId":"msg_1"}
data: {"candidates":[{"content":{"parts":[{"text":"Hel"}],"role":"model"},"index":0}],"modelVersion":"claude","responseId":"msg_1"}
data: {"candidates":[{"content":{"parts":[{"text":"lo"}],"role":"model"},"index":0}],"modelVersion":"claude","responseId":"msg_1"}
data: {"candidates":[{"content":{"parts":[{"functionCall":{"id":"a","name":"f","args":{}},"thoughtSignature":"AY89"}],"role":"model"},"index":0}],"modelVersion":"claude","responseId":"msg_1"}
data: {"candidates":[{"content":{"parts":[{"functionCall":{"id":"b","name":"f","args":{"x":1}}}],"role":"model"},"index":0}],"modelVersion":"claude","responseId":"msg_1"}
data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":2,"totalTokenCount":17},"modelVersion":"claude","responseId":"msg_1"}
"#);
}

#[test]
fn a_stream_is_written_as_one_array() {
    let text = written(&answer(), Owed { is_array: true, ..owed() });
    let root = parse(&text, Duplicates::Refuse).unwrap();
    let mut elements = Vec::new();
    let mut scanner = ArrayScanner::new();
    scanner
        .feed(text.as_bytes(), |bytes, _| elements.push(String::from_utf8(bytes.to_vec()).unwrap()))
        .unwrap();
    assert!(scanner.is_closed());
    let whole: Vec<&str> = root.items().iter().map(|node| node.raw()).collect();
    assert_eq!(elements, whole);
    assert_eq!(elements, frames(written(&answer(), owed()).as_bytes()));
    assert!(text.starts_with("[{") && text.contains("},\r\n{") && text.ends_with("}]"));
}

#[test]
fn a_written_stream_says_what_was_said() {
    let mut collector = Collector::new(Protocol::Generate);
    answer().iter().for_each(|event| collector.take(event));
    let (mut expected, _) = collector.finish();
    expected.created = Some(owed().created);
    expected.choices[0].stop.native = Some("STOP".into());
    assert_eq!(gather(&frames(written(&answer(), owed()).as_bytes())), (expected, true));
}

#[test]
fn a_streams_memory_does_not_grow_with_it() {
    let mut encoder = Encoder::new(owed());
    let mut out = Vec::new();
    encoder.write(&Event::BlockStart { choice: 0, block: 0, start: BlockStart::Text }, &mut out);
    for _ in 0..1000 {
        out.clear();
        let delta = Delta::Text("x".repeat(1000).into());
        encoder.write(&Event::Delta { choice: 0, block: 0, delta }, &mut out);
        assert!(out.len() < 1300 && out.capacity() < 4096);
    }
}

#[test]
fn arguments_past_the_bound_are_told_with_what_came() {
    let mut encoder = Encoder::new(owed());
    let mut out = Vec::new();
    let start = BlockStart::ToolUse { id: "a".into(), name: "f".into(), is_custom: false, signature: None };
    encoder.write(&Event::BlockStart { choice: 0, block: 0, start }, &mut out);
    for _ in 0..20 {
        let delta = Delta::Arguments("x".repeat(100_000).into());
        encoder.write(&Event::Delta { choice: 0, block: 0, delta }, &mut out);
    }
    encoder.write(&Event::BlockStop { choice: 0, block: 0 }, &mut out);
    let all = frames(&out);
    assert_eq!(all.len(), 1);
    assert!(all[0].contains("INVALID_JSON") && all[0].len() < 1_200_000);
}

#[test]
fn arguments_printed_over_several_lines_stay_in_one_event() {
    let call = BlockStart::ToolUse { id: "a".into(), name: "f".into(), is_custom: false, signature: None };
    let events = [
        Event::Start { id: "m".into(), model: "m".into(), created: None },
        Event::BlockStart { choice: 0, block: 0, start: call },
        Event::Delta { choice: 0, block: 0, delta: Delta::Arguments("{\r\n  \"a\": \"x\\n\"\n}".into()) },
        Event::BlockStop { choice: 0, block: 0 },
        Event::Stop { choice: 0, stop: Stop::new(StopReason::ToolUse) },
        Event::End,
    ];
    let text = written(&events, owed());
    assert!(text.lines().filter(|line| !line.is_empty()).all(|line| line.starts_with("data: ")), "{text}");
    assert!(text.contains(r#""args":{  "a": "x\n"}"#), "{text}");
}
