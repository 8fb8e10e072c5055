//! Whole answers, both ways.

use super::*;
use crate::chat::{
    Block, BlockKind, Choice, Extra, Raw, Response, Signature, Stop, StopReason, Thinking, ToolUse, Vendor,
};
use crate::dialect::codec::Owed;
use crate::framing::json::{Duplicates, parse};
use crate::types::{Protocol, Usage};

pub(super) fn owed() -> Owed {
    Owed {
        model: "asked".to_owned(),
        token: "0123456789abcdefXYZ".to_owned(),
        created: 1_760_000_000,
        wants_usage: true,
        is_array: false,
        echo: String::new(),
    }
}

fn written(response: &Response<'_>) -> String {
    let mut out = Vec::new();
    encode_response(response, &owed(), &mut out);
    String::from_utf8(out).unwrap()
}

fn call(id: &'static str, arguments: &'static str, signature: Option<Signature<'static>>) -> Block<'static> {
    Block::new(BlockKind::ToolUse(ToolUse {
        id: id.into(),
        name: "f".into(),
        arguments: arguments.into(),
        is_custom: false,
        signature,
    }))
}

#[test]
fn an_answer_of_another_vendor_has_everything_an_ollama_client_needs() {
    let mut response = Response::new(Protocol::Messages);
    response.model = "claude".into();
    response.choices = vec![Choice {
        index: 0,
        blocks: vec![
            Block::new(BlockKind::Thinking(Thinking {
                text: "hm".into(),
                signature: Some(Signature::new(Vendor::Anthropic, "sig")),
                is_summary: false,
                item_id: None,
            })),
            Block::new(BlockKind::Redacted(Signature::new(Vendor::Anthropic, "hid"))),
            Block::text("a"),
            Block::text("b"),
            call("toolu_1", r#"{"x":1.0}"#, Some(Signature::new(Vendor::Gemini, "g"))),
            call("", "", None),
            call("", "{\"cut", None),
        ],
        stop: Stop::new(StopReason::ToolUse),
        logprobs: Some(Raw(r#"{"content":[{"token":"a","logprob":-1.50}]}"#.into())),
        extra: Extra::none(),
    }];
    response.usage = Some(Usage { input: 10, cache_read: 4, output: 3, ..Usage::default() });
    insta::assert_snapshot!(written(&response), @r#"{"model":"claude","created_at":"2025-10-09T08:53:20Z","message":{"role":"assistant","content":"ab","thinking":"hm","tool_calls":[{"id":"toolu_1-tg1-gZw","function":{"index":0,"name":"f","arguments":{"x":1.0}}},{"id":"call_0123456789abcdef_1","function":{"index":1,"name":"f","arguments":{}}},{"id":"call_0123456789abcdef_2","function":{"index":2,"name":"f","arguments":{"INVALID_JSON":"{\"cut"}}}]},"logprobs":[{"token":"a","logprob":-1.50}],"done":true,"done_reason":"stop","prompt_eval_count":10,"eval_count":3}"#);
}

#[test]
fn a_blocked_prompt_is_an_empty_answer_that_says_so() {
    insta::assert_snapshot!(written(&Response::new(Protocol::Generate)), @r#"{"model":"asked","created_at":"2025-10-09T08:53:20Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"content_filter"}"#);
}

#[test]
fn an_answer_is_read_with_its_durations_kept() {
    let json = r#"{"model":"q","created_at":"2026-08-07T06:08:11.017589Z","message":{"role":"assistant","content":"","thinking":"t","tool_calls":[{"function":{"name":"add","arguments":{"a":2}}}]},"done":true,"done_reason":"stop","total_duration":5,"prompt_eval_count":3,"eval_count":4,"logprobs":[{"token":"x"}]}"#;
    let node = parse(json, Duplicates::Refuse).unwrap();
    let response = decode_response(&node).unwrap();
    let choice = &response.choices[0];
    assert_eq!((choice.stop.reason, choice.stop.native.as_deref()), (StopReason::ToolUse, Some("stop")));
    assert_eq!(choice.blocks.len(), 2);
    assert_eq!(choice.logprobs, Some(Raw(r#"{"content":[{"token":"x"}]}"#.into())));
    assert_eq!(response.extra.get("total_duration").unwrap().value.as_str(), "5");
    assert_eq!(response.created, Some(1_786_082_891));
    let without = json.replace("\"prompt_eval_count\":3,\"eval_count\":4,", "");
    let node = parse(&without, Duplicates::Refuse).unwrap();
    assert_eq!(decode_response(&node).unwrap().usage, None);
}

#[test]
fn what_is_no_answer_is_told_apart() {
    for (json, words) in [
        (r#"{"error":"model 'llama9' not found"}"#, "'llama9' not found"),
        (r#"{"model":"m","response":"generate's","done":true}"#, "no Ollama answer"),
        (r#"{"choices":[]}"#, "no Ollama answer"),
        ("3", "no Ollama answer"),
        (r#"{"message":{"content":3}}"#, "`content` must be"),
        (r#"{"message":{"tool_calls":{}}}"#, "must be a list"),
    ] {
        let node = parse(json, Duplicates::Refuse).unwrap();
        let garbled = decode_response(&node).unwrap_err();
        assert!(garbled.0.contains(words), "{json}: {garbled}");
    }
}

#[test]
fn thinking_in_pieces_is_joined_as_it_streams_and_a_free_form_call_keeps_its_name() {
    let thought = |text: &'static str| {
        Block::new(BlockKind::Thinking(Thinking {
            text: text.into(),
            signature: None,
            is_summary: false,
            item_id: None,
        }))
    };
    let custom = ToolUse {
        id: "a".into(),
        name: "patch".into(),
        arguments: "p\"".into(),
        is_custom: true,
        signature: None,
    };
    let mut response = Response::new(Protocol::Responses);
    response.choices = vec![Choice {
        index: 0,
        blocks: vec![thought("one"), thought(""), thought(" two"), Block::new(BlockKind::ToolUse(custom))],
        stop: Stop::new(StopReason::ToolUse),
        logprobs: None,
        extra: Extra::none(),
    }];
    let text = written(&response);
    assert!(text.contains(r#""thinking":"one two""#), "{text}");
    assert!(text.contains(r#""name":"patch","arguments":{"input":"p\""}"#), "{text}");
}
