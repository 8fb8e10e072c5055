//! Answers whole: what Claude says, and what a Messages client reads.

use super::*;
use crate::chat::{
    Block, BlockKind, Choice, Citation, Extra, Media, Raw, Response, Signature, Source, Stop, StopReason,
    Thinking, ToolUse, Vendor,
};
use crate::dialect::codec::{Garbled, Owed};
use crate::framing::json::{Duplicates, parse};
use crate::types::{Protocol, Usage};

pub(super) const FULL: &str = r#"{"id":"msg_01","type":"message","role":"assistant","model":"claude-opus-5","content":[{"type":"thinking","thinking":"hm","signature":"EqQB+/=="},{"type":"redacted_thinking","data":"Em"},{"type":"text","text":"Hi","citations":[{"type":"char_location","cited_text":"q","document_title":"d"}]},{"type":"server_tool_use","id":"srv_1","name":"web_search","input":{"q":1.50}},{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1.0},"caller":{"type":"direct"}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":10,"cache_creation_input_tokens":50,"cache_read_input_tokens":100,"cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":30},"output_tokens":7,"service_tier":"standard","server_tool_use":{"web_search_requests":1}},"container":{"id":"c"},"stop_details":{"type":"x"}}"#;

pub(super) fn owed() -> Owed {
    Owed {
        model: "as-asked".into(),
        token: "0123456789abcdef".into(),
        created: 7,
        wants_usage: true,
        is_array: false,
        echo: String::new(),
    }
}

pub(super) fn decode(json: &str) -> Result<Response<'_>, Garbled> {
    decode_response(&parse(json, Duplicates::LastCounts).unwrap())
}

pub(super) fn encode(response: &Response<'_>) -> String {
    let mut out = Vec::new();
    encode_response(response, &owed(), &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn an_answer_comes_back_as_it_was() {
    let response = decode(FULL).unwrap();
    let usage = response.usage.unwrap();
    assert_eq!((usage.input, usage.cache_write_1h, usage.output), (160, 30, 7));
    assert_eq!(response.choices[0].stop.reason, StopReason::ToolUse);
    assert_eq!(encode(&response), FULL);
}

fn blocks_of_another_vendor() -> Vec<Block<'static>> {
    let block = Block::new;
    let thinking = |signature| {
        block(BlockKind::Thinking(Thinking {
            text: "hm".into(),
            signature,
            is_summary: false,
            item_id: None,
        }))
    };
    let call = |id: &'static str, arguments: &'static str, signature| {
        block(BlockKind::ToolUse(ToolUse {
            id: id.into(),
            name: "f".into(),
            arguments: arguments.into(),
            is_custom: false,
            signature,
        }))
    };
    let citation = Citation {
        url: Some("https://x".into()),
        title: Some("t".into()),
        quote: None,
        span: Some((0, 2)),
        of: Protocol::Chat,
        json: Raw("{}".into()),
    };
    let picture = Media { source: Source::Base64("AA==".into()), mime: None, name: None, detail: None };
    vec![
        thinking(Some(Signature::new(Vendor::Gemini, "G+/="))),
        thinking(None),
        block(BlockKind::Redacted(Signature::new(Vendor::OpenAi, "O"))),
        block(BlockKind::Text { text: "so".into(), citations: vec![citation] }),
        block(BlockKind::Refusal("no".into())),
        block(BlockKind::Image(picture)),
        block(BlockKind::Opaque { of: Protocol::Responses, kind: "x".into(), json: Raw("{}".into()) }),
        call("", "", None),
        call("functions.f:0", "{\"a\":1.0}", Some(Signature::new(Vendor::Gemini, "S"))),
    ]
}

#[test]
fn an_answer_of_another_vendor_has_what_sdks_need() {
    let blocks = blocks_of_another_vendor();
    let mut response = Response::new(Protocol::Chat);
    response.id = "chatcmpl-1".into();
    let stop = Stop::new(StopReason::ToolUse);
    response.choices.push(Choice { index: 0, blocks, stop, logprobs: None, extra: Extra::none() });
    let json = encode(&response);
    let root = parse(&json, Duplicates::Refuse).unwrap();
    let lines: Vec<&str> = root.get("content").unwrap().items().iter().map(|node| node.raw()).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    {"type":"thinking","thinking":"hm","signature":"tg1.g.RysvPQ"}
    {"type":"thinking","thinking":"hm","signature":"tg1.u."}
    {"type":"redacted_thinking","data":"tg1.o.Tw"}
    {"type":"text","text":"so","citations":[{"type":"web_search_result_location","cited_text":"","url":"https://x","title":"t","encrypted_index":""}]}
    {"type":"text","text":"no"}
    {"type":"text","text":"![media](data:image/png;base64,AA==)"}
    {"type":"tool_use","id":"toolu_0123456789abcdef_7","name":"f","input":{}}
    {"type":"tool_use","id":"functions_2ef_3a0-tg1-gUw","name":"f","input":{"a":1.0}}
    "#);
    assert_eq!(
        json.split_once("\"content\"").unwrap().0,
        r#"{"id":"msg_0123456789abcdef","type":"message","role":"assistant","model":"as-asked","#
    );
    assert!(json.contains(r#"],"stop_reason":"tool_use","stop_sequence":null,"usage":{"#));
    // What the client sends back is what was there.
    let back = decode(&json).unwrap();
    let kind = |at: usize| &back.choices[0].blocks[at].kind;
    assert!(
        matches!(kind(0), BlockKind::Thinking(t) if t.signature == Some(Signature::new(Vendor::Gemini, "G+/=")))
    );
    assert!(
        matches!(kind(1), BlockKind::Thinking(t) if t.signature == Some(Signature::new(Vendor::Unsigned, "")))
    );
    assert!(matches!(kind(2), BlockKind::Redacted(s) if *s == Signature::new(Vendor::OpenAi, "O")));
    assert!(
        matches!(kind(7), BlockKind::ToolUse(c) if c.signature == Some(Signature::new(Vendor::Gemini, "S")) && c.id == "functions_2ef_3a0")
    );
}

#[test]
fn the_answer_by_a_forced_tool_is_text_and_an_end() {
    let json = r#"{"type":"message","content":[{"type":"tool_use","id":"t","name":"json_tidegate_output","input":{"a":1.0}}],"stop_reason":"tool_use","usage":{}}"#;
    let response = decode(json).unwrap();
    assert_eq!(response.choices[0].blocks, [Block::text(r#"{"a":1.0}"#)]);
    assert_eq!((response.choices[0].stop.reason, response.usage), (StopReason::End, None));
    let both = json.replace(
        "[{",
        r#"[{"type":"tool_use","id":"u","name":"apply_patch__tgfreeform","input":{"input":"*** x"}},{"#,
    );
    let response = decode(&both).unwrap();
    assert_eq!(response.choices[0].stop.reason, StopReason::ToolUse);
    assert!(
        matches!(&response.choices[0].blocks[0].kind, BlockKind::ToolUse(call) if call.is_custom && call.name == "apply_patch" && call.arguments == "*** x")
    );
}

#[test]
fn a_blocked_prompt_is_a_refusal_and_unknown_counts_are_zero() {
    let json = encode(&Response::new(Protocol::Generate));
    assert_eq!(
        json,
        r#"{"id":"msg_0123456789abcdef","type":"message","role":"assistant","model":"as-asked","content":[],"stop_reason":"refusal","stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}"#
    );
    let mut counted = Response::new(Protocol::Chat);
    counted.usage = Some(Usage { input: 10, cache_read: 4, output: 2, ..Usage::default() });
    assert!(encode(&counted).contains(
        r#""input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":2"#
    ));
}

#[test]
fn copies_of_the_protocol_are_understood_and_other_things_are_garbled() {
    let lenient = decode(r#"{"content":"hi","stop_reason":null}"#).unwrap();
    assert_eq!(lenient.choices[0].blocks, [Block::text("hi")]);
    for json in [
        "[]",
        "\"<html>\"",
        "{}",
        r#"{"type":"error","error":{}}"#,
        r#"{"type":"message","content":7}"#,
        r#"{"type":"message","content":[{"type":"text"}]}"#,
        r#"{"choices":[]}"#,
    ] {
        assert!(decode(json).is_err(), "{json}");
    }
}
