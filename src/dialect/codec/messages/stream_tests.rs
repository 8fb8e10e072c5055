//! Streams: what Claude says piece by piece, and what a Messages client reads.

use super::response_tests::owed;
use super::*;
use crate::chat::{
    BlockKind, BlockStart, Citation, Collector, Delta, Event, Raw, Response, Signature, Stop, StopReason,
    Text, Vendor, arbitrary,
};
use crate::dialect::codec::{DecodeStream, EncodeStream};
use crate::dialect::keepalive;
use crate::dialect::tap::StreamFault;
use crate::framing::sse::SseScanner;
use crate::types::{Protocol, Usage};
use base64::Engine as _;
use proptest::prelude::*;

/// Feeds frames; the events in words and gathered, or the fault.
fn hear(frames: &[&str]) -> Result<(Vec<String>, Response<'static>, bool), StreamFault> {
    let (mut decoder, mut events) = (Decoder::new(), Vec::new());
    let mut collector = Collector::new(Protocol::Messages);
    let mut sink = |event: Event<'_>| {
        events.push(format!("{event:?}"));
        collector.take(&event);
    };
    for frame in frames {
        decoder.on_frame(None, frame.as_bytes(), &mut sink)?;
    }
    decoder.on_end(&mut sink);
    let (response, is_ended) = collector.finish();
    Ok((events, response, is_ended))
}

fn write(events: &[Event<'_>]) -> String {
    let (mut encoder, mut out) = (Encoder::new(owed()), Vec::new());
    events.iter().for_each(|event| encoder.write(event, &mut out));
    String::from_utf8(out).unwrap()
}

/// The `data` of each frame.
fn data(stream: &str) -> Vec<String> {
    let mut scanner = SseScanner::new(1 << 22);
    let mut all = Vec::new();
    scanner
        .feed(stream.as_bytes(), |event, _| {
            let data = String::from_utf8(event.data.to_vec()).unwrap();
            let name = std::str::from_utf8(event.name.unwrap()).unwrap();
            assert!(data.starts_with(&format!("{{\"type\":\"{name}\"")), "{data}");
            all.push(data);
        })
        .unwrap();
    all
}

fn start() -> Event<'static> {
    Event::Start { id: "x".into(), model: "gemini-4".into(), created: None }
}

fn open(block: u32, start: BlockStart<'static>) -> Event<'static> {
    Event::BlockStart { choice: 0, block, start }
}

fn tool(id: &'static str) -> BlockStart<'static> {
    BlockStart::ToolUse { id: id.into(), name: "f".into(), is_custom: false, signature: None }
}

fn add(block: u32, delta: Delta<'static>) -> Event<'static> {
    Event::Delta { choice: 0, block, delta }
}

fn words(text: &'static str) -> Delta<'static> {
    Delta::Text(text.into())
}

fn close(block: u32) -> Event<'static> {
    Event::BlockStop { choice: 0, block }
}

fn stop(reason: StopReason) -> Event<'static> {
    Event::Stop { choice: 0, stop: Stop::new(reason) }
}

const THINKING: BlockStart<'static> = BlockStart::Thinking { is_summary: false, item_id: None };

#[test]
fn a_whole_stream_is_heard() {
    let (events, response, is_ended) = hear(&[
        r#"{"type":"message_start","message":{"id":"msg_1","model":"claude","content":[],"usage":{"input_tokens":5,"cache_read_input_tokens":7,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        r#"{"type": "ping"}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"Em"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"server_tool_use","id":"srv","name":"web_search","input":{}}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"q\":1.5"}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"0}"}}"#,
        r#"{"type":"content_block_stop","index":2}"#,
        r#"{"type":"content_block_start","index":3,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":3,"delta":{"type":"citations_delta","citation":{"type":"char_location","cited_text":"q"}}}"#,
        r#"{"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":"Hi \u00e9"}}"#,
        r#"{"type":"content_block_stop","index":3}"#,
        r#"{"type":"content_block_start","index":4,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}"#,
        r#"{"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":""}}"#,
        r#"{"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1.0}"}}"#,
        r#"{"type":"content_block_stop","index":4}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":6,"output_tokens":9}}"#,
        r#"{"type":"message_stop"}"#,
    ])
    .unwrap();
    insta::assert_snapshot!(events.join("\n"), @r#"
    Start { id: "msg_1", model: "claude", created: None }
    Usage(Usage { input: 12, cache_read: 7, cache_write_5m: 0, cache_write_1h: 0, audio_input: 0, image_input: 0, output: 1, reasoning: 0, audio_output: 0, image_output: 0, searches: 0, is_estimated: false })
    BlockStart { choice: 0, block: 0, start: Thinking { is_summary: false, item_id: None } }
    Delta { choice: 0, block: 0, delta: Text("hm") }
    Delta { choice: 0, block: 0, delta: Signature(Signature { vendor: Anthropic, data: "EqQB" }) }
    BlockStop { choice: 0, block: 0 }
    BlockStart { choice: 0, block: 1, start: Whole(Redacted(Signature { vendor: Anthropic, data: "Em" })) }
    BlockStop { choice: 0, block: 1 }
    BlockStart { choice: 0, block: 2, start: Whole(Opaque { of: Messages, kind: "server_tool_use", json: Raw("{\"type\":\"server_tool_use\",\"id\":\"srv\",\"name\":\"web_search\",\"input\":{\"q\":1.50}}") }) }
    BlockStop { choice: 0, block: 2 }
    BlockStart { choice: 0, block: 3, start: Text }
    Delta { choice: 0, block: 3, delta: Citation(Citation { url: None, title: None, quote: Some("q"), span: None, of: Messages, json: Raw("{\"type\":\"char_location\",\"cited_text\":\"q\"}") }) }
    Delta { choice: 0, block: 3, delta: Text("Hi é") }
    BlockStop { choice: 0, block: 3 }
    BlockStart { choice: 0, block: 4, start: ToolUse { id: "toolu_1", name: "f", is_custom: false, signature: None } }
    Delta { choice: 0, block: 4, delta: Arguments("{\"a\":1.0}") }
    BlockStop { choice: 0, block: 4 }
    Usage(Usage { input: 13, cache_read: 7, cache_write_5m: 0, cache_write_1h: 0, audio_input: 0, image_input: 0, output: 9, reasoning: 0, audio_output: 0, image_output: 0, searches: 0, is_estimated: false })
    Stop { choice: 0, stop: Stop { reason: ToolUse, sequence: None, native: Some("tool_use") } }
    End
    "#);
    assert!(is_ended);
    assert_eq!(response.usage, Some(Usage { input: 13, cache_read: 7, output: 9, ..Usage::default() }));
}

#[test]
fn oddities_of_copies_are_understood() {
    // No starts, no stops, no message_start, interleaved calls, input in the start, OpenAI's last line.
    let (_, response, is_ended) = hear(&[
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"so"}}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}"#,
        r#"{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"b","name":"g","input":{"whole":1.0}}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
        r#"{"type":"of_tomorrow"}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"late"}}"#,
        "[DONE]",
        "",
        r#"{"type":"message_stop"}"#,
        r#"{"type":"message_stop"}"#,
    ])
    .unwrap();
    assert!(is_ended);
    let kinds: Vec<String> =
        response.choices[0].blocks.iter().map(|block| format!("{:?}", block.kind)).collect();
    insta::assert_snapshot!(kinds.join("\n"), @r#"
    Thinking(Thinking { text: "hm", signature: None, is_summary: false, item_id: None })
    Text { text: "so", citations: [] }
    ToolUse(ToolUse { id: "a", name: "f", arguments: "{}", is_custom: false, signature: None })
    ToolUse(ToolUse { id: "b", name: "g", arguments: "{\"whole\":1.0}", is_custom: false, signature: None })
    "#);
    assert_eq!(response.choices[0].stop.reason, StopReason::ToolUse);
}

#[test]
fn the_answer_by_a_forced_tool_streams_as_text() {
    let frames = [
        r#"{"type":"message_start","message":{"id":"m"}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"json_tidegate_output","input":{}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"1.0}"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"p","name":"patch__tgfreeform","input":{}}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"input\":\"*** \\"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"u00e9\"}"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    let (events, response, _) = hear(&frames).unwrap();
    assert_eq!(events.iter().filter(|event| event.contains("Text(")).count(), 2, "it streams: {events:?}");
    assert_eq!(response.choices[0].blocks[0].as_text(), Some(r#"{"a":1.0}"#));
    assert!(
        matches!(&response.choices[0].blocks[1].kind, BlockKind::ToolUse(call) if call.is_custom && call.arguments == "*** é")
    );
    assert_eq!(response.choices[0].stop.reason, StopReason::ToolUse);
    let alone: Vec<&str> = frames.iter().copied().filter(|f| !f.contains("\"index\":1")).collect();
    assert_eq!(hear(&alone).unwrap().1.choices[0].stop.reason, StopReason::End);
}

#[test]
fn errors_and_nonsense_are_faults() {
    for (frame, status) in [
        (r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, 529),
        (r#"{"error":{"type":"rate_limit_error","message":"slow"}}"#, 429),
        ("<html>", 502),
        ("{", 502),
        ("[1]", 502),
        (r#"{"bytes":"***"}"#, 502),
    ] {
        assert_eq!(hear(&[frame]).unwrap_err().status, status, "{frame}");
    }
    let mut sink = |_: Event<'_>| {};
    let named = Decoder::new().on_frame(Some(b"error"), b"upstream died", &mut sink).unwrap_err();
    assert_eq!(named.message, "upstream died");
    let aws = Decoder::new().on_frame(Some(b"throttlingException"), br#"{"message":"Too many"}"#, &mut sink);
    assert_eq!(aws.unwrap_err().message, "Too many");
    let long = format!(
        r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"input_json_delta","partial_json":"{}"}}}}"#,
        "x".repeat(1 << 20)
    );
    let block =
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"mcp_tool_use","input":{}}}"#;
    assert_eq!(hear(&[block, &long, &long]).unwrap_err().status, 502);
}

#[test]
fn an_end_of_the_bytes_is_no_end() {
    let (_, response, is_ended) = hear(&[
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"so"}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#,
    ])
    .unwrap();
    assert!(!is_ended);
    assert_eq!(response.choices[0].stop.reason, StopReason::End);
}

#[test]
fn bedrocks_wrapping_is_taken_off() {
    let inner = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"so"}}"#;
    let wrapped = base64::engine::general_purpose::STANDARD.encode(inner);
    let frame = format!(r#"{{"bytes":"{wrapped}","p":"abcd"}}"#);
    let last = r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":1}}"#;
    let (_, response, is_ended) = hear(&[&frame, last]).unwrap();
    assert_eq!((response.choices[0].blocks[0].as_text(), is_ended), (Some("so"), true));
}

#[test]
fn a_stream_for_a_client_has_every_frame_in_order() {
    let citation = Citation {
        url: Some("https://x".into()),
        title: None,
        quote: Some("q".into()),
        span: None,
        of: Protocol::Chat,
        json: Raw("{}".into()),
    };
    let stream = write(&[
        start(),
        Event::Usage(Usage { input: 12, cache_read: 7, ..Usage::default() }),
        open(0, THINKING),
        add(0, words("hm")),
        add(0, Delta::Signature(Signature::new(Vendor::Gemini, "G"))),
        close(0),
        open(1, THINKING),
        close(1),
        open(2, BlockStart::Text),
        add(2, words("Hi \n\"é\"")),
        add(2, Delta::Citation(citation)),
        close(2),
        open(3, tool("call.1")),
        add(3, Delta::Arguments("{\"a\":".into())),
        add(3, Delta::Arguments("1.0}".into())),
        close(3),
        stop(StopReason::ToolUse),
        Event::Usage(Usage { input: 12, cache_read: 7, output: 9, reasoning: 2, ..Usage::default() }),
        Event::End,
    ]);
    insta::assert_snapshot!(data(&stream).join("\n"), @r#"
    {"type":"message_start","message":{"id":"msg_0123456789abcdef","type":"message","role":"assistant","model":"gemini-4","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":7,"output_tokens":0}}}
    {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}
    {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}
    {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"tg1.g.Rw"}}
    {"type":"content_block_stop","index":0}
    {"type":"content_block_start","index":1,"content_block":{"type":"thinking","thinking":"","signature":""}}
    {"type":"content_block_delta","index":1,"delta":{"type":"signature_delta","signature":"tg1.u."}}
    {"type":"content_block_stop","index":1}
    {"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}
    {"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"Hi \n\"é\""}}
    {"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{"type":"web_search_result_location","cited_text":"q","url":"https://x","title":"","encrypted_index":""}}}
    {"type":"content_block_stop","index":2}
    {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"call_2e1","name":"f","input":{}}}
    {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}
    {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"1.0}"}}
    {"type":"content_block_stop","index":3}
    {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":7,"output_tokens":9,"output_tokens_details":{"thinking_tokens":2}}}
    {"type":"message_stop"}
    "#);
    assert!(stream.starts_with("event: message_start\ndata: {") && stream.ends_with("\n\n"));
}

#[test]
fn calls_told_beside_each_other_come_one_after_the_other() {
    let arguments = |block, text: &'static str| add(block, Delta::Arguments(text.into()));
    let stream = write(&[
        start(),
        open(0, tool("a")),
        open(1, tool("b")),
        arguments(1, "{\"b"),
        arguments(0, "{\"a"),
        open(2, tool("c")),
        arguments(1, "\":1}"),
        close(1),
        arguments(2, "{"),
        arguments(0, "\":0}"),
        close(0),
        arguments(2, "}"),
        close(2),
        stop(StopReason::ToolUse),
        Event::End,
    ]);
    insta::assert_snapshot!(data(&stream).join("\n"), @r#"
    {"type":"message_start","message":{"id":"msg_0123456789abcdef","type":"message","role":"assistant","model":"gemini-4","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}
    {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}
    {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a"}}
    {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"\":0}"}}
    {"type":"content_block_stop","index":0}
    {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"b","name":"f","input":{}}}
    {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"b\":1}"}}
    {"type":"content_block_stop","index":1}
    {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"c","name":"f","input":{}}}
    {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{"}}
    {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"}"}}
    {"type":"content_block_stop","index":2}
    {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}
    {"type":"message_stop"}
    "#);
}

#[test]
fn what_waits_is_bounded() {
    let mut events = vec![start(), open(0, tool("a"))];
    for block in 1..200 {
        events.push(open(block, tool("b")));
    }
    let piece: &'static str = Box::leak("x".repeat(700_000).into_boxed_str());
    events.push(add(1, Delta::Arguments(piece.into())));
    events.push(add(1, Delta::Arguments(piece.into())));
    events.push(close(0));
    let (mut encoder, mut out) = (Encoder::new(owed()), Vec::new());
    events.iter().for_each(|event| encoder.write(event, &mut out));
    assert!((700_000..1_000_000).contains(&out.len()), "{}", out.len());
    assert_eq!(encoder.open_block().unwrap().index, 2);
    encoder.write(&stop(StopReason::Length), &mut out);
    encoder.write(&Event::End, &mut out);
    let stream = String::from_utf8(out).unwrap();
    assert_eq!(stream.matches("event: content_block_start").count(), 65);
    assert_eq!(stream.matches("event: content_block_stop").count(), 65);
}

#[test]
fn a_keepalive_knows_what_is_open() {
    let (mut encoder, mut out) = (Encoder::new(owed()), Vec::new());
    let mut kind_after = |event: Event<'static>| {
        encoder.write(&event, &mut out);
        encoder.open_block().map(|block| (block.index, block.kind))
    };
    assert_eq!(kind_after(start()), None);
    assert_eq!(kind_after(open(0, THINKING)), Some((0, keepalive::BlockKind::Thinking)));
    let signature = Delta::Signature(Signature::new(Vendor::Anthropic, "x"));
    assert_eq!(kind_after(add(0, signature)), Some((0, keepalive::BlockKind::Other)));
    assert_eq!(kind_after(close(0)), None);
    assert_eq!(kind_after(open(1, BlockStart::Text)), Some((1, keepalive::BlockKind::Text)));
    assert_eq!(kind_after(close(1)), None);
    assert_eq!(kind_after(open(2, tool("a"))), Some((2, keepalive::BlockKind::ToolInput)));
}

#[test]
fn stops_and_free_form_input_survive_the_way_to_the_client() {
    for reason in StopReason::ALL {
        let stream = write(&[start(), stop(reason), Event::End]);
        let frames = data(&stream);
        let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
        let (_, response, _) = hear(&frames).unwrap();
        let expected = match reason {
            StopReason::ContentFilter => StopReason::Refusal,
            // Without a call there is none to make.
            StopReason::Error | StopReason::ToolUse => StopReason::End,
            same => same,
        };
        assert_eq!(response.choices[0].stop.reason, expected);
    }
    let custom = BlockStart::ToolUse { id: "a".into(), name: "p".into(), is_custom: true, signature: None };
    let text = "*** \"é\"\n\\";
    let pieces = [start(), open(0, custom), add(0, Delta::Arguments(text.into())), close(0), Event::End];
    let stream = data(&write(&pieces));
    let frames: Vec<&str> = stream.iter().map(String::as_str).collect();
    let (_, response, _) = hear(&frames).unwrap();
    let BlockKind::ToolUse(call) = &response.choices[0].blocks[0].kind else { panic!("a call") };
    assert_eq!(call.arguments, r#"{"input":"*** \"é\"\n\\"}"#);
}

/// What a Messages client cannot be told: that a block is a summary, who closed it, spans.
fn seen(response: Response<'static>) -> Vec<String> {
    let blocks =
        response.choices.into_iter().filter(|choice| choice.index == 0).flat_map(|choice| choice.blocks);
    blocks
        .filter_map(|block| match block.kind {
            BlockKind::Text { text, .. } => Some(format!("text {text}")),
            BlockKind::Refusal(text) => Some(format!("text {text}")),
            BlockKind::ToolUse(call) if call.is_custom => Some(format!("call {}", call.name)),
            BlockKind::ToolUse(call) => {
                Some(format!("call {} {} {:?}", call.name, call.arguments, call.signature))
            }
            BlockKind::Thinking(thinking) => {
                let signature = thinking.signature.filter(|proof| proof.vendor != Vendor::Unsigned);
                Some(format!("thinking {} {signature:?}", thinking.text))
            }
            BlockKind::Redacted(proof) => Some(format!("redacted {proof:?}")),
            _ => None,
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn any_stream_reads_the_same_behind_this_protocol(
        (response, events) in arbitrary::stream(Protocol::Messages, Vendor::Anthropic)
    ) {
        let stream = data(&write(&events));
        let frames: Vec<&str> = stream.iter().map(String::as_str).collect();
        let (_, back, is_ended) = hear(&frames).unwrap();
        prop_assert!(is_ended);
        prop_assert_eq!(seen(back.clone()), seen(response.clone()));
        prop_assert_eq!(back.usage.map(|usage| usage.total()), response.usage.map(|usage| usage.total()).filter(|total| *total > 0));
    }

    #[test]
    fn any_bytes_are_events_or_a_fault(frames in prop::collection::vec(any::<Vec<u8>>(), 0..8)) {
        let mut decoder = Decoder::new();
        for frame in &frames {
            let _ = decoder.on_frame(None, frame, &mut |_| {});
        }
    }
}

#[test]
fn text_is_borrowed_where_it_had_no_escapes() {
    let frame = br#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"so"}}"#;
    let mut is_borrowed = false;
    Decoder::new()
        .on_frame(None, frame, &mut |event| {
            is_borrowed |= matches!(event, Event::Delta { delta: Delta::Text(Text::Borrowed("so")), .. });
        })
        .unwrap();
    assert!(is_borrowed);
}

#[test]
fn nothing_counts_behind_the_end() {
    let mut decoder = Decoder::new();
    let mut told = Vec::new();
    for frame in [
        r#"{"type":"message_start","message":{"id":"a","model":"m","usage":{"input_tokens":3}}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#,
        r#"{"type":"message_stop"}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":9}}"#,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#,
    ] {
        decoder.on_frame(None, frame.as_bytes(), &mut |event| told.push(format!("{event:?}"))).unwrap();
    }
    assert_eq!(told.last().map(String::as_str), Some("End"));
}
