//! Whole answers both ways.

use super::testing::{lines, node, owed};
use super::{decode_response, encode_response};
use crate::chat::{
    Block, BlockKind, Choice, Citation, Extra, Media, Raw, Response, Signature, Source, Stop, StopReason,
    Thinking, ToolUse, Vendor,
};
use crate::types::{Protocol, Usage};
use serde_json::Value;

const FULL: &str = r#"{
  "id": "resp_1", "object": "response", "created_at": 1760000001.5, "status": "completed", "error": null,
  "incomplete_details": null, "model": "gpt-x-2026", "service_tier": "default", "billing": {"payer": "developer"},
  "output": [
    {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}], "content": [{"type": "reasoning_text", "text": "raw"}], "encrypted_content": "gAAA"},
    {"id": "rs_2", "type": "reasoning", "summary": [], "encrypted_content": "gBBB"},
    {"id": "rs_3", "type": "reasoning", "summary": []},
    {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q"}},
    {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "phase": "final_answer", "content": [
      {"type": "output_text", "text": "See é.", "annotations": [{"type": "url_citation", "url": "https://x.test", "title": "X", "start_index": 0, "end_index": 3}, {"type": "file_citation", "file_id": "f", "filename": "a.pdf", "index": 3}], "logprobs": [{"token": "See", "logprob": -0.10, "bytes": [83], "top_logprobs": []}]},
      {"type": "refusal", "refusal": "no"}]},
    {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1", "name": "get", "arguments": "{\"n\":1.0}", "namespace": "ns"},
    {"id": "ct_1", "type": "custom_tool_call", "call_id": "call_2", "name": "patch", "input": "*** \"x\""},
    {"id": "fc_2", "type": "function_call", "status": "completed", "call_id": "", "name": "open", "arguments": {"n": 1}}
  ],
  "usage": {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1}, "output_tokens": 20, "output_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 30}
}"#;

fn encoded(response: &Response<'_>) -> String {
    let mut out = Vec::new();
    encode_response(response, &owed(), &mut out);
    String::from_utf8(out).unwrap()
}

fn answer(blocks: Vec<Block<'static>>, reason: StopReason) -> Response<'static> {
    let mut response = Response::new(Protocol::Messages);
    response.id = "msg_upstream".into();
    response.choices =
        vec![Choice { index: 0, blocks, stop: Stop::new(reason), logprobs: None, extra: Extra::none() }];
    response
}

fn thinking(signature: Option<Signature<'static>>) -> Block<'static> {
    Block::new(BlockKind::Thinking(Thinking {
        text: "hm".into(),
        signature,
        is_summary: false,
        item_id: None,
    }))
}

fn call(id: &'static str, arguments: &'static str, signature: Option<Signature<'static>>) -> Block<'static> {
    let arguments = arguments.into();
    let call = ToolUse { id: id.into(), name: "f".into(), arguments, is_custom: false, signature };
    Block::new(BlockKind::ToolUse(call))
}

#[test]
fn a_full_answer_is_read() {
    let root = node(FULL);
    let response = decode_response(&root).unwrap();
    assert_eq!((response.id.as_ref(), response.model.as_ref()), ("resp_1", "gpt-x-2026"));
    assert_eq!(response.created, Some(1_760_000_001));
    let expected =
        Usage { input: 10, cache_read: 4, cache_write_5m: 1, output: 20, reasoning: 5, ..Usage::default() };
    assert_eq!(response.usage, Some(expected));
    let names: Vec<&str> = response.extra.fields.iter().map(|field| field.name.as_ref()).collect();
    assert_eq!(names, ["billing"]);
    let choice = &response.choices[0];
    assert_eq!(choice.stop, Stop::native(StopReason::ToolUse, "completed"));
    let logprobs = choice.logprobs.as_ref().unwrap().as_str();
    assert_eq!(
        logprobs,
        r#"{"content":[{"token": "See", "logprob": -0.10, "bytes": [83], "top_logprobs": []}],"refusal":null}"#
    );
    let kinds: Vec<String> = choice
        .blocks
        .iter()
        .map(|block| match &block.kind {
            BlockKind::Thinking(t) => {
                format!("thinking {:?} {} {:?}", t.text, t.is_summary, t.signature.is_some())
            }
            BlockKind::Redacted(signature) => format!("redacted {}", signature.data),
            BlockKind::Text { text, citations } => format!("text {text} {:?}", citations[0].span),
            BlockKind::Refusal(text) => format!("refusal {text}"),
            BlockKind::Opaque { kind, .. } => format!("opaque {kind}"),
            BlockKind::ToolUse(call) => format!("call {} {} {}", call.id, call.arguments, call.is_custom),
            other => format!("{other:?}"),
        })
        .collect();
    insta::assert_snapshot!(kinds.join("\n"), @r##"
    thinking "a\n\nb" true false
    thinking "raw" false true
    redacted gBBB
    opaque web_search_call
    text See é. Some((0, 3))
    refusal no
    call call_1 {"n":1.0} false
    call call_2 *** "x" true
    call fc_2 {"n": 1} false
    "##);
}

#[test]
fn a_full_answer_is_written_again() {
    let root = node(FULL);
    let first = decode_response(&root).unwrap();
    let json = encoded(&first);
    insta::assert_snapshot!(lines(&json), @r##"
    id: "resp_tok0123456789abcdef"
    object: "response"
    created_at: 1760000001
    status: "completed"
    background: false
    error: null
    incomplete_details: null
    model: "gpt-x-2026"
    output:
      {"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"a\n\nb"}],"content":[{"type":"reasoning_text","text":"raw"}],"encrypted_content":"gAAA"}
      {"id":"rs_tok0123456789abcdef_2","type":"reasoning","summary":[],"encrypted_content":"gBBB"}
      {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q"}}
      {"id":"msg_tok0123456789abcdef_4","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"See é.","annotations":[{"type": "url_citation", "url": "https://x.test", "title": "X", "start_index": 0, "end_index": 3},{"type": "file_citation", "file_id": "f", "filename": "a.pdf", "index": 3}],"logprobs":[{"token": "See", "logprob": -0.10, "bytes": [83], "top_logprobs": []}]},{"type":"refusal","refusal":"no"}],"phase":"final_answer"}
      {"id":"fc_tok0123456789abcdef_5","type":"function_call","status":"completed","arguments":"{\"n\":1.0}","call_id":"call_1","name":"get","namespace":"ns"}
      {"id":"ctc_tok0123456789abcdef_6","type":"custom_tool_call","status":"completed","input":"*** \"x\"","call_id":"call_2","name":"patch"}
      {"id":"fc_tok0123456789abcdef_7","type":"function_call","status":"completed","arguments":"{\"n\": 1}","call_id":"fc_2","name":"open"}
    usage: {"input_tokens":10,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":1},"output_tokens":20,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":30}
    service_tier: "default"
    instructions: null
    max_output_tokens: null
    metadata: {}
    parallel_tool_calls: true
    previous_response_id: null
    reasoning: {"effort":null,"summary":null}
    store: false
    temperature: 1
    text: {"format":{"type":"text"}}
    tool_choice: "auto"
    tools: []
    top_p: 1
    truncation: "disabled"
    billing: {"payer": "developer"}
    "##);
    let again = node(&json);
    let second = decode_response(&again).unwrap();
    let (was, is) = (&first.choices[0], &second.choices[0]);
    assert_eq!((was.stop.reason, &was.logprobs), (is.stop.reason, &is.logprobs));
    assert_eq!(
        (first.usage, &first.extra, &first.service_tier),
        (second.usage, &second.extra, &second.service_tier)
    );
    assert_eq!(was.blocks.len(), is.blocks.len());
    assert_eq!(was.blocks[..5], is.blocks[..5]);
}

#[test]
fn a_strangers_answer_has_all_that_sdks_want() {
    let mut response = answer(
        vec![
            thinking(Some(Signature::new(Vendor::Anthropic, "EqQB"))),
            thinking(None),
            Block::new(BlockKind::Redacted(Signature::new(Vendor::Anthropic, "R"))),
            Block::new(BlockKind::Text {
                text: "one".into(),
                citations: vec![Citation {
                    url: Some("https://x.test".into()),
                    title: None,
                    quote: Some("q".into()),
                    span: None,
                    of: Protocol::Messages,
                    json: Raw("{}".into()),
                }],
            }),
            Block::text("two"),
            Block::new(BlockKind::Image(Media {
                source: Source::Base64("iVBO".into()),
                mime: Some("image/png".into()),
                name: None,
                detail: None,
            })),
            call("toolu_1", "", Some(Signature::new(Vendor::Gemini, "sig"))),
            call("", "{\"a\":1}", None),
        ],
        StopReason::ToolUse,
    );
    response.usage =
        Some(Usage { input: 3, cache_write_5m: 1, cache_write_1h: 2, output: 4, ..Usage::default() });
    let json = encoded(&response);
    insta::assert_snapshot!(lines(&json), @r##"
    id: "resp_tok0123456789abcdef"
    object: "response"
    created_at: 1760000000
    status: "completed"
    background: false
    error: null
    incomplete_details: null
    model: "their-model"
    output:
      {"id":"rs_tok0123456789abcdef_1","type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"tg1.a.RXFRQg"}
      {"id":"rs_tok0123456789abcdef_2","type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"tg1.u."}
      {"id":"rs_tok0123456789abcdef_3","type":"reasoning","summary":[],"encrypted_content":"tg1.a.Ug"}
      {"id":"msg_tok0123456789abcdef_4","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"one","annotations":[{"type":"url_citation","url":"https://x.test","title":"","start_index":0,"end_index":0}],"logprobs":[]},{"type":"output_text","text":"two","annotations":[],"logprobs":[]}]}
      {"id":"ig_tok0123456789abcdef_5","type":"image_generation_call","status":"completed","result":"iVBO"}
      {"id":"fc_tok0123456789abcdef_6","type":"function_call","status":"completed","arguments":"{}","call_id":"toolu_1-tg1-gc2ln","name":"f"}
      {"id":"fc_tok0123456789abcdef_7","type":"function_call","status":"completed","arguments":"{\"a\":1}","call_id":"call_tok0123456789abcdef_7","name":"f"}
    usage: {"input_tokens":3,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":3},"output_tokens":4,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":7}
    instructions: null
    max_output_tokens: null
    metadata: {}
    parallel_tool_calls: true
    previous_response_id: null
    reasoning: {"effort":null,"summary":null}
    store: false
    temperature: 1
    text: {"format":{"type":"text"}}
    tool_choice: "auto"
    tools: []
    top_p: 1
    truncation: "disabled"
    "##);
    assert!(serde_json::from_str::<Value>(&json).is_ok());
}

#[test]
fn answers_end_as_they_ended() {
    let refusal = || Block::new(BlockKind::Refusal("no".into()));
    for (reason, blocks, status, details) in [
        (StopReason::End, vec![], "completed", Value::Null),
        (StopReason::StopSequence, vec![], "completed", Value::Null),
        (StopReason::Pause, vec![], "completed", Value::Null),
        (StopReason::Length, vec![call("c", "{\"a", None)], "incomplete", "max_output_tokens".into()),
        (StopReason::ContextWindow, vec![], "incomplete", "max_output_tokens".into()),
        (StopReason::ContentFilter, vec![], "incomplete", "content_filter".into()),
        (StopReason::Refusal, vec![], "incomplete", "content_filter".into()),
        (StopReason::Refusal, vec![refusal()], "completed", Value::Null),
        (StopReason::Error, vec![], "failed", Value::Null),
    ] {
        let is_cut = !blocks.is_empty() && status == "incomplete";
        let json: Value = serde_json::from_str(&encoded(&answer(blocks, reason))).unwrap();
        assert_eq!((&json["status"], &json["incomplete_details"]["reason"]), (&status.into(), &details));
        assert_eq!(json["error"].is_null(), status != "failed");
        if is_cut {
            assert_eq!(json["output"][0]["status"], "incomplete");
            assert_eq!(json["output"][0]["arguments"], "{\"a", "what was cut stays cut");
        }
    }
    let mut blocked = answer(vec![], StopReason::End);
    blocked.choices.clear();
    let json: Value = serde_json::from_str(&encoded(&blocked)).unwrap();
    assert_eq!(json["incomplete_details"]["reason"], "content_filter");
}

#[test]
fn statuses_are_read() {
    let call = r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{\"a"}"#;
    let refusal = r#"{"type":"message","content":[{"type":"refusal","refusal":"no"}]}"#;
    for (status, details, item, reason) in [
        ("completed", "null", "", StopReason::End),
        ("completed", "null", call, StopReason::ToolUse),
        ("completed", "null", refusal, StopReason::Refusal),
        ("incomplete", r#"{"reason":"max_output_tokens"}"#, call, StopReason::Length),
        ("incomplete", r#"{"reason":"content_filter"}"#, "", StopReason::ContentFilter),
        ("incomplete", r#"{"reason":"steered"}"#, "", StopReason::Pause),
        ("incomplete", "null", "", StopReason::Length),
        ("failed", "null", "", StopReason::Error),
        ("cancelled", "null", "", StopReason::Error),
        ("queued", "null", "", StopReason::Pause),
    ] {
        let json = format!(r#"{{"status":"{status}","incomplete_details":{details},"output":[{item}]}}"#);
        let root = node(&json);
        assert_eq!(decode_response(&root).unwrap().choices[0].stop.reason, reason, "{json}");
    }
}

#[test]
fn other_shapes_are_no_answer() {
    for json in [
        "[]",
        "\"<html>\"",
        "{}",
        r#"{"object":"chat.completion","choices":[]}"#,
        r#"{"object":"response.input_tokens","input_tokens":5}"#,
        r#"{"object":"response","output":{}}"#,
        r#"{"object":"response","output":["x"]}"#,
        r#"{"object":"response","output":[{"type":"message","content":7}]}"#,
        r#"{"object":"response","output":[{"type":"message","content":[{"type":"output_text","text":7}]}]}"#,
    ] {
        assert!(decode_response(&node(json)).is_err(), "{json}");
    }
    assert!(decode_response(&node(r#"{"status":"failed","error":{"code":"x"}}"#)).is_ok());
}

#[test]
fn a_function_that_stood_for_a_free_form_tool_is_that_tool_again() {
    let json = r#"{"output":[{"type":"function_call","call_id":"c","name":"patch__tgfreeform","arguments":"{\"input\":\"*** x\"}"}]}"#;
    let root = node(json);
    let response = decode_response(&root).unwrap();
    let BlockKind::ToolUse(call) = &response.choices[0].blocks[0].kind else { panic!() };
    assert_eq!((call.name.as_ref(), call.arguments.as_ref(), call.is_custom), ("patch", "*** x", true));
}
