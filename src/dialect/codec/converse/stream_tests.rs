//! Streams, both ways.

use super::response_tests::owed;
use super::{Decoder, Encoder};
use crate::chat::*;
use crate::dialect::codec::{DecodeStream, EncodeStream};
use crate::dialect::tap::StreamFault;
use crate::framing::eventstream::EventStreamScanner;
use crate::types::{Protocol, Usage};

/// The events of frames, gathered, and whether the stream ended as it should.
pub(super) fn gather(frames: &[(&str, &str)]) -> Result<(Response<'static>, bool), StreamFault> {
    let mut collector = Collector::new(Protocol::Converse);
    let mut decoder = Decoder::new();
    for (name, data) in frames {
        decoder.on_frame(Some(name.as_bytes()), data.as_bytes(), &mut |event| collector.take(&event))?;
    }
    decoder.on_end(&mut |event| collector.take(&event));
    Ok(collector.finish())
}

/// The frames of a binary stream.
pub(super) fn frames(bytes: &[u8]) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut scanner = EventStreamScanner::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    scanner.feed(bytes, |message, _| all.push((text(message.name), text(message.payload)))).unwrap();
    assert!(scanner.is_at_boundary());
    all
}

fn written(events: &[Event<'_>]) -> Vec<(String, String)> {
    let (mut encoder, mut out) = (Encoder::new(owed()), Vec::new());
    events.iter().for_each(|event| encoder.write(event, &mut out));
    frames(&out)
}

fn block(start: BlockStart<'static>, number: u32) -> Event<'static> {
    Event::BlockStart { choice: 0, block: number, start }
}

fn delta(number: u32, delta: Delta<'static>) -> Event<'static> {
    Event::Delta { choice: 0, block: number, delta }
}

fn close(number: u32) -> Event<'static> {
    Event::BlockStop { choice: 0, block: number }
}

fn call(id: &'static str) -> BlockStart<'static> {
    BlockStart::ToolUse { id: id.into(), name: "f".into(), is_custom: false, signature: None }
}

fn start() -> Event<'static> {
    Event::Start { id: "x".into(), model: "m".into(), created: None }
}

const FULL: &[(&str, &str)] = &[
    ("messageStart", r#"{"p":"abc","role":"assistant"}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"h"}},"p":"ab"}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"m"}}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"EqQI"}}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
    (
        "contentBlockDelta",
        r#"{"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"RXRrRUNrZ0k="}}}"#,
    ),
    ("contentBlockStop", r#"{"contentBlockIndex":1}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":2,"delta":{"text":"Hi \u00e9"}}"#),
    (
        "contentBlockDelta",
        r#"{"contentBlockIndex":2,"delta":{"citation":{"title":"T","location":{"web":{"url":"https://e.org"}}}}}"#,
    ),
    ("contentBlockStop", r#"{"contentBlockIndex":2}"#),
    ("contentBlockStart", r#"{"contentBlockIndex":3,"start":{"toolUse":{"toolUseId":"t1","name":"f"}}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":3,"delta":{"toolUse":{"input":"{\"a\":"}}}"#),
    ("somethingNew", r#"{"x":1}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":3,"delta":{"toolUse":{"input":"1.0}"}}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":3}"#),
    ("messageStop", r#"{"stopReason":"tool_use"}"#),
    (
        "metadata",
        r#"{"usage":{"inputTokens":5,"outputTokens":2,"totalTokens":10,"cacheReadInputTokens":3},"metrics":{"latencyMs":1}}"#,
    ),
];

#[test]
fn a_full_stream_is_the_answer_it_tells() {
    let (response, is_ended) = gather(FULL).unwrap();
    assert!(is_ended);
    let choice = &response.choices[0];
    assert!(
        matches!(&choice.blocks[0].kind, BlockKind::Thinking(t) if t.text == "hm" && t.signature == Some(Signature::new(Vendor::Anthropic, "EqQI")))
    );
    assert_eq!(choice.blocks[1].kind, BlockKind::Redacted(Signature::new(Vendor::Anthropic, "EtkECkgI")));
    assert!(
        matches!(&choice.blocks[2].kind, BlockKind::Text { text, citations } if text == "Hi é" && citations.len() == 1)
    );
    assert!(
        matches!(&choice.blocks[3].kind, BlockKind::ToolUse(call) if call.id == "t1" && call.arguments == "{\"a\":1.0}")
    );
    assert_eq!(choice.stop.reason, StopReason::ToolUse);
    assert_eq!(response.usage, Some(Usage { input: 8, cache_read: 3, output: 2, ..Usage::default() }));
}

#[test]
fn a_stream_written_again_tells_the_same() {
    let mut encoder = Encoder::new(owed());
    let (mut decoder, mut out) = (Decoder::new(), Vec::new());
    for (name, data) in FULL {
        decoder
            .on_frame(Some(name.as_bytes()), data.as_bytes(), &mut |event| encoder.write(&event, &mut out))
            .unwrap();
    }
    decoder.on_end(&mut |event| encoder.write(&event, &mut out));
    let again = frames(&out);
    let borrowed: Vec<(&str, &str)> = again.iter().map(|(n, d)| (n.as_str(), d.as_str())).collect();
    assert_eq!(gather(&borrowed).unwrap(), gather(FULL).unwrap());
    let names: Vec<&str> = borrowed.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.last(), Some(&"metadata"));
    assert_eq!(borrowed[0], ("messageStart", r#"{"role":"assistant"}"#));
    assert!(borrowed.iter().all(|(_, data)| !data.contains("\"p\"")), "padding is not passed on");
}

#[test]
fn the_end_of_the_bytes_is_an_end_only_behind_the_stop() {
    let (_, is_ended) = gather(&FULL[..FULL.len() - 1]).unwrap();
    assert!(is_ended, "metadata is not needed");
    for length in 0..FULL.len() - 2 {
        assert!(!gather(&FULL[..length]).unwrap().1, "{length}");
    }
}

#[test]
fn an_exception_is_a_fault_with_its_status() {
    for (name, status) in [
        ("throttlingException", 429),
        ("modelStreamErrorException", 424),
        ("internalServerException", 500),
        ("validationException", 400),
        ("serviceUnavailableException", 503),
    ] {
        let mut stream = FULL[..3].to_vec();
        stream.push((name, r#"{"message":"told"}"#));
        let fault = gather(&stream).unwrap_err();
        assert_eq!((fault.status, fault.message.as_str(), fault.code.as_str()), (status, "told", name));
    }
    for nonsense in ["", "<html>", "{"] {
        assert_eq!(gather(&[("contentBlockDelta", nonsense)]).unwrap_err().status, 502);
    }
    let stray = r#"{"contentBlockIndex":4,"delta":{"toolUse":{"input":"{}"}}}"#;
    assert_eq!(gather(&[("contentBlockDelta", stray)]).unwrap_err().status, 502);
}

#[test]
fn tools_that_bedrock_runs_come_whole_and_are_no_calls() {
    let stream = &[
        ("messageStart", r#"{"role":"assistant"}"#),
        (
            "contentBlockStart",
            r#"{"contentBlockIndex":0,"start":{"toolUse":{"name":"nova_code_interpreter","toolUseId":"s","type":"server_tool_use"}}}"#,
        ),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{\"snippet\":\"1\"}"}}}"#,
        ),
        ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
        (
            "contentBlockStart",
            r#"{"contentBlockIndex":1,"start":{"toolResult":{"status":"success","toolUseId":"s","type":"nova_code_interpreter_result"}}}"#,
        ),
        ("contentBlockDelta", r#"{"contentBlockIndex":1,"delta":{"toolResult":[{"json":{"stdOut":"1"}}]}}"#),
        ("contentBlockStop", r#"{"contentBlockIndex":1}"#),
        ("messageStop", r#"{"stopReason":"end_turn"}"#),
    ];
    let (response, _) = gather(stream).unwrap();
    let jsons: Vec<&str> = response.choices[0]
        .blocks
        .iter()
        .map(|block| match &block.kind {
            BlockKind::Opaque { of: Protocol::Converse, json, .. } => json.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        jsons,
        [
            r#"{"toolUse":{"name":"nova_code_interpreter","toolUseId":"s","type":"server_tool_use","input":{"snippet":"1"}}}"#,
            r#"{"toolResult":{"status":"success","toolUseId":"s","type":"nova_code_interpreter_result","content":[{"json":{"stdOut":"1"}}]}}"#
        ]
    );
    assert_eq!(response.choices[0].stop.reason, StopReason::End);
}

#[test]
fn the_output_tool_streams_as_text_and_a_free_form_call_as_bare_text() {
    let stream = |name: &str, pieces: &[&str]| {
        let mut all = vec![(
            "contentBlockStart".to_owned(),
            format!(r#"{{"contentBlockIndex":0,"start":{{"toolUse":{{"toolUseId":"t","name":"{name}"}}}}}}"#),
        )];
        for piece in pieces {
            let piece = serde_json::to_string(piece).unwrap();
            all.push((
                "contentBlockDelta".to_owned(),
                format!(r#"{{"contentBlockIndex":0,"delta":{{"toolUse":{{"input":{piece}}}}}}}"#),
            ));
        }
        all.push(("contentBlockStop".to_owned(), r#"{"contentBlockIndex":0}"#.to_owned()));
        all.push(("messageStop".to_owned(), r#"{"stopReason":"tool_use"}"#.to_owned()));
        let borrowed: Vec<(&str, &str)> = all.iter().map(|(n, d)| (n.as_str(), d.as_str())).collect();
        gather(&borrowed).unwrap().0
    };
    let answer = stream("json_tidegate_output", &["{\"a\"", ":1}"]);
    assert_eq!(answer.choices[0].blocks[0].as_text(), Some("{\"a\":1}"));
    assert_eq!(answer.choices[0].stop.reason, StopReason::End);
    let patch = stream("apply_patch__tgfreeform", &["{\"input\":\"*** \\", "\"x\\\"\"}"]);
    assert!(matches!(&patch.choices[0].blocks[0].kind, BlockKind::ToolUse(call)
        if call.is_custom && call.name == "apply_patch" && call.arguments == "*** \"x\""));
}

#[test]
fn text_that_never_closes_is_closed_by_what_follows() {
    let stream = &[
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"a"}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":1,"delta":{"reasoningContent":{"text":"b"}}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":1,"delta":{"text":"c"}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"d"}}"#),
        ("messageStop", r#"{"stopReason":"max_tokens"}"#),
        ("messageStop", r#"{"stopReason":"end_turn"}"#),
    ];
    let (response, is_ended) = gather(stream).unwrap();
    let texts: Vec<Option<&str>> = response.choices[0].blocks.iter().map(Block::as_text).collect();
    assert_eq!(texts, [Some("a"), None, Some("c"), Some("d")]);
    assert!(is_ended && response.choices[0].stop.reason == StopReason::Length);
}

#[test]
fn frames_are_those_of_bedrock() {
    let usage = Usage { input: 2, output: 1, ..Usage::default() };
    let all = written(&[
        start(),
        block(BlockStart::Text, 0),
        delta(0, Delta::Text("é\n".into())),
        close(0),
        block(call("t"), 1),
        close(1),
        Event::Usage(usage),
        Event::Stop { choice: 0, stop: Stop::native(StopReason::ToolUse, "tool_calls") },
        Event::End,
    ]);
    let lines: Vec<String> = all.iter().map(|(name, data)| format!("{name} {data}")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    messageStart {"role":"assistant"}
    contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"é\n"}}
    contentBlockStop {"contentBlockIndex":0}
    contentBlockStart {"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"t","name":"f"}}}
    contentBlockDelta {"contentBlockIndex":1,"delta":{"toolUse":{"input":"{}"}}}
    contentBlockStop {"contentBlockIndex":1}
    messageStop {"stopReason":"tool_use"}
    metadata {"usage":{"inputTokens":2,"outputTokens":1,"totalTokens":3,"cacheReadInputTokens":0,"cacheWriteInputTokens":0},"metrics":{"latencyMs":0}}
    "#);
}

#[test]
fn interleaved_calls_are_told_one_after_another() {
    let events = [
        start(),
        block(call("a"), 0),
        block(call("b"), 1),
        delta(0, Delta::Arguments("{\"x\":\"\u{e9}".into())),
        delta(1, Delta::Arguments("{}".into())),
        block(call("c"), 2),
        delta(0, Delta::Arguments("\"}".into())),
        close(1),
        block(BlockStart::Text, 3),
        delta(3, Delta::Text("t".into())),
        close(3),
        delta(2, Delta::Arguments("[".into())),
        close(0),
        delta(2, Delta::Arguments("]".into())),
        close(2),
        Event::Stop { choice: 0, stop: Stop::new(StopReason::ToolUse) },
    ];
    let indexes: Vec<u64> = written(&events)
        .iter()
        .filter_map(|(_, data)| {
            serde_json::from_str::<serde_json::Value>(data).unwrap()["contentBlockIndex"].as_u64()
        })
        .collect();
    assert!(indexes.is_sorted(), "{indexes:?}");
    assert_eq!(indexes.iter().max(), Some(&3));
    let all = written(&events);
    let borrowed: Vec<(&str, &str)> = all.iter().map(|(n, d)| (n.as_str(), d.as_str())).collect();
    let (response, _) = gather(&borrowed).unwrap();
    let arguments: Vec<String> = response.choices[0]
        .blocks
        .iter()
        .filter_map(|block| match &block.kind {
            BlockKind::ToolUse(call) => Some(format!("{} {}", call.id, call.arguments)),
            _ => None,
        })
        .collect();
    assert_eq!(arguments, ["a {\"x\":\"é\"}", "b {}", "c []"]);
}

#[test]
fn a_block_that_waits_too_long_is_sent_between_the_frames_of_another() {
    let (mut encoder, mut out) = (Encoder::new(owed()), Vec::new());
    let mut write = |event: Event<'static>, out: &mut Vec<u8>| encoder.write(&event, out);
    write(block(call("a"), 0), &mut out);
    write(block(call("b"), 1), &mut out);
    let mark = out.len();
    let piece: &'static str = Box::leak("x".repeat(64 * 1024).into_boxed_str());
    for _ in 0..40 {
        write(delta(1, Delta::Arguments(piece.into())), &mut out);
    }
    assert!(out.len() - mark > 2 * 1024 * 1024, "it is not held for ever");
    write(close(1), &mut out);
    write(close(0), &mut out);
    let total: usize = frames(&out)
        .iter()
        .filter_map(|(_, data)| {
            serde_json::from_str::<serde_json::Value>(data).unwrap()["delta"]["toolUse"]["input"]
                .as_str()
                .map(str::len)
        })
        .sum();
    assert_eq!(total, 40 * piece.len() + "{}".len(), "and nothing is lost");
}

#[test]
fn signatures_and_free_form_text_have_their_slots() {
    let custom = BlockStart::ToolUse {
        id: "i".into(),
        name: "p".into(),
        is_custom: true,
        signature: Some(Signature::new(Vendor::Gemini, "s")),
    };
    let all = written(&[
        block(BlockStart::Thinking { is_summary: false, item_id: None }, 0),
        delta(0, Delta::Signature(Signature::new(Vendor::Gemini, "g"))),
        close(0),
        block(
            BlockStart::Whole(Box::new(BlockKind::Redacted(Signature::new(Vendor::Anthropic, "EtkECkgI")))),
            1,
        ),
        close(1),
        block(custom, 2),
        delta(2, Delta::Arguments("a\"".into())),
        delta(2, Delta::Arguments("b".into())),
        close(2),
    ]);
    let text: String = all.iter().map(|(_, data)| data.as_str()).collect();
    assert!(text.contains(r#"{"reasoningContent":{"signature":"tg1.g.Zw"}}"#), "{text}");
    assert!(text.contains(
        r#"{"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"RXRrRUNrZ0k="}}}"#
    ));
    assert!(text.contains(r#""toolUseId":"i-tg1-gcw""#));
    assert!(
        text.contains(r#"{"input":"{\"input\":\"a\\\""}"#) && text.contains(r#"{"input":"b"}"#),
        "{text}"
    );
    assert!(text.contains(r#"{"input":"\"}"}"#));
}

#[test]
fn a_stream_without_ids_and_counts_has_what_clients_read() {
    let written = written(&[
        start(),
        block(call(""), 0),
        close(0),
        block(call(""), 1),
        close(1),
        Event::Stop { choice: 0, stop: Stop::new(StopReason::ToolUse) },
        Event::End,
    ]);
    let all: String = written.iter().map(|(_, data)| data.as_str()).collect();
    for wanted in [
        r#""toolUseId":"tooluse_0123456789abcdef_0""#,
        r#""toolUseId":"tooluse_0123456789abcdef_1""#,
        r#""usage":{"inputTokens":0,"outputTokens":0,"totalTokens":0,"#,
    ] {
        assert!(all.contains(wanted), "{wanted} in {all}");
    }
}
