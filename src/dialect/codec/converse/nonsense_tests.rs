//! Nothing that anybody sends makes this panic.

use super::response_tests::owed;
use super::{Decoder, decode_request, decode_response, encode_request, encode_response};
use crate::chat::{Event, Losses, Target};
use crate::dialect::codec::mutants::mutants;
use crate::dialect::codec::{Called, DecodeStream};
use crate::framing::json::{Duplicates, parse};

fn request(json: &str) -> bool {
    let Ok(root) = parse(json, Duplicates::Refuse) else { return false };
    let called = Called { model: Some("anthropic.claude"), is_stream: None };
    let Ok(request) = decode_request(&root, called) else { return false };
    let mut out = Vec::new();
    let is_written = encode_request(&request, &Target::new("x"), &mut Losses::default(), &mut out).is_ok();
    if is_written {
        let text = std::str::from_utf8(&out).unwrap();
        parse(text, Duplicates::LastCounts).unwrap();
    }
    true
}

fn response(json: &str) -> bool {
    let Ok(root) = parse(json, Duplicates::LastCounts) else { return false };
    let Ok(response) = decode_response(&root) else { return false };
    let mut out = Vec::new();
    encode_response(&response, &owed(), &mut out);
    parse(std::str::from_utf8(&out).unwrap(), Duplicates::LastCounts).unwrap();
    true
}

const REQUEST: &str = r#"{"messages":[
{"role":"user","content":[{"text":"Hi"},{"image":{"format":"png","source":{"bytes":"iVBORw0KGgo="}}},
 {"document":{"name":"D","format":"txt","source":{"bytes":"aGk="}}},{"cachePoint":{"type":"default","ttl":"1h"}}]},
{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"s"}}},
 {"citationsContent":{"content":[{"text":"x"}],"citations":[{"location":{"web":{"url":"u"}},"sourceContent":[{"text":"q"}]}]}},
 {"reasoningContent":{"redactedContent":"RXRr"}},{"toolUse":{"toolUseId":"t","name":"f","input":{"n":1}}}]},
{"role":"user","content":[{"toolResult":{"toolUseId":"t","content":[{"text":"ok"},{"json":{"a":1}}],"status":"error"}}]}],
"system":[{"text":"s"}],"inferenceConfig":{"maxTokens":9,"temperature":1,"stopSequences":["E"]},
"toolConfig":{"tools":[{"toolSpec":{"name":"f","description":"d","inputSchema":{"json":{"type":"object"}},"strict":true}}],"toolChoice":{"tool":{"name":"f"}}},
"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":2000},"top_k":1,"reasoningConfig":{"type":"enabled","maxReasoningEffort":"low"},"tool_choice":{"type":"auto","disable_parallel_tool_use":true}},
"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{}","name":"N"}}}},
"serviceTier":{"type":"flex"},"requestMetadata":{"a":"b"}}"#;

const RESPONSE: &str = r#"{"output":{"message":{"role":"assistant","content":[{"text":"a"},{"reasoningContent":{"reasoningText":{"text":"t","signature":"s"}}},
{"reasoningContent":{"redactedContent":"RXRr"}},{"toolUse":{"toolUseId":"t","name":"f","input":{}}},{"image":{"format":"png","source":{"bytes":"aa"}}}]}},
"stopReason":"tool_use","usage":{"inputTokens":1,"outputTokens":2,"cacheWriteInputTokens":3,"cacheDetails":[{"ttl":"1h","inputTokens":9}]},
"serviceTier":{"type":"flex"},"additionalModelResponseFields":{"stop_sequence":"x"},"metrics":{"latencyMs":1}}"#;

#[test]
fn any_value_in_any_place_is_read_or_refused() {
    assert!(request(REQUEST) && response(RESPONSE));
    let mut read = 0;
    for json in mutants(REQUEST) {
        read += u32::from(request(&json));
    }
    for json in mutants(RESPONSE) {
        read += u32::from(response(&json));
    }
    assert!(read > 100, "{read}");
}

#[test]
fn documents_cut_anywhere_are_refused() {
    for document in [REQUEST, RESPONSE] {
        for end in (0..document.len()).filter(|end| document.is_char_boundary(*end)) {
            assert!(!request(&document[..end]) && !response(&document[..end]));
        }
    }
}

#[test]
fn any_event_at_any_time_keeps_the_order_of_events() {
    let names = [
        "messageStart",
        "contentBlockStart",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "metadata",
        "x",
    ];
    let bodies = [
        r#"{"contentBlockIndex":0,"delta":{"text":"a"}}"#,
        r#"{"contentBlockIndex":1,"delta":{"reasoningContent":{"text":"a","signature":"s","redactedContent":"RXRr"}}}"#,
        r#"{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"a","name":"f"}},"delta":{"toolUse":{"input":"{"}}}"#,
        r#"{"contentBlockIndex":2,"start":{"toolUse":{"type":"server_tool_use"}},"delta":{"toolUse":{"input":"{"}}}"#,
        r#"{"contentBlockIndex":2,"start":{"toolResult":{}},"delta":{"toolResult":[{"text":"x"},1]}}"#,
        r#"{"contentBlockIndex":3,"start":{"image":{"format":"png"}},"delta":{"image":{"source":{"bytes":"aa"}}}}"#,
        r#"{"contentBlockIndex":"x","start":[],"delta":7,"usage":{"inputTokens":1},"stopReason":1}"#,
        r#"{"contentBlockIndex":0,"delta":{"citation":{}},"start":{"toolUse":{"name":"x__tgfreeform"}}}"#,
        r#"{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{\"input\":"}},"usage":[],"stopReason":"tool_use"}"#,
        "[]",
    ];
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for _ in 0..3000 {
        let mut decoder = Decoder::new();
        let mut order = Order::default();
        for _ in 0..random(40) {
            let (name, body) = (names[random(names.len())], bodies[random(bodies.len())]);
            if decoder
                .on_frame(Some(name.as_bytes()), body.as_bytes(), &mut |event| order.note(&event))
                .is_err()
            {
                break;
            }
        }
        decoder.on_end(&mut |event| order.note(&event));
    }
}

/// The invariants that `chat::event` promises.
#[derive(Default)]
struct Order {
    has_started: bool,
    is_stopped: bool,
    is_ended: bool,
    open: Vec<(u32, bool)>,
    used: Vec<u32>,
}

impl Order {
    fn note(&mut self, event: &Event<'_>) {
        use crate::chat::BlockStart;
        assert!(!self.is_ended, "{event:?} behind the end");
        assert_eq!(matches!(event, Event::Start { .. }), !self.has_started, "{event:?}");
        match event {
            Event::Start { .. } => self.has_started = true,
            Event::BlockStart { block, start, .. } => {
                assert!(!self.is_stopped && !self.used.contains(block));
                assert!(self.open.iter().all(|(_, is_call)| *is_call), "{event:?} inside of another");
                self.used.push(*block);
                self.open.push((*block, matches!(start, BlockStart::ToolUse { .. })));
            }
            Event::Delta { block, .. } => {
                assert!(self.open.iter().any(|(open, _)| open == block), "{event:?}")
            }
            Event::BlockStop { block, .. } => {
                assert!(self.open.iter().any(|(open, _)| open == block), "{event:?}");
                self.open.retain(|(open, _)| open != block);
            }
            Event::Stop { .. } => {
                assert!(self.open.is_empty() && !self.is_stopped);
                self.is_stopped = true;
            }
            Event::End => {
                assert!(self.is_stopped);
                self.is_ended = true;
            }
            Event::Usage(_) | Event::Logprobs { .. } => {}
        }
    }
}
