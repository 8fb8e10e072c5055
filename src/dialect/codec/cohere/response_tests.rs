//! Whole answers, both ways.

use super::*;
use crate::chat::{
    Block, BlockKind, Choice, Citation, Extra, Raw, Response, Signature, Stop, StopReason, Thinking, ToolUse,
    Vendor,
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

fn thought(text: &str, vendor: Vendor, proof: &str) -> Block<'static> {
    Block::new(BlockKind::Thinking(Thinking {
        text: text.to_owned().into(),
        signature: Some(Signature::new(vendor, proof.to_owned())),
        is_summary: false,
        item_id: None,
    }))
}

fn written(response: &Response<'_>) -> String {
    let mut out = Vec::new();
    encode_response(response, &owed(), &mut out);
    String::from_utf8(out).unwrap()
}

fn foreign() -> Response<'static> {
    let cited = Citation {
        url: Some("https://a".into()),
        title: Some("A".into()),
        quote: Some("q".into()),
        span: Some((2, 4)),
        of: Protocol::Messages,
        json: Raw("{}".into()),
    };
    let call = |name: &str, signature| {
        Block::new(BlockKind::ToolUse(ToolUse {
            id: String::new().into(),
            name: name.to_owned().into(),
            arguments: "".into(),
            is_custom: false,
            signature,
        }))
    };
    let mut response = Response::new(Protocol::Messages);
    response.choices = vec![Choice {
        index: 0,
        blocks: vec![
            thought("hm", Vendor::Anthropic, "sig"),
            Block::new(BlockKind::Redacted(Signature::new(Vendor::Anthropic, "hid"))),
            Block::new(BlockKind::Text { text: "aéb c".into(), citations: vec![cited] }),
            call("one", Some(Signature::new(Vendor::Gemini, "g"))),
            call("two", None),
        ],
        stop: Stop::new(StopReason::ToolUse),
        logprobs: None,
        extra: Extra::none(),
    }];
    response.usage = Some(Usage { input: 10, cache_read: 4, output: 3, ..Usage::default() });
    response
}

#[test]
fn an_answer_of_another_vendor_has_everything_a_cohere_client_needs() {
    insta::assert_snapshot!(written(&foreign()), @r#"{"id":"0123456789abcdefXYZ","finish_reason":"TOOL_CALL","message":{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"tg1.a.c2ln"},{"type":"thinking","thinking":"","redacted":"tg1.a.aGlk"},{"type":"text","text":"aéb c"}],"tool_calls":[{"id":"call_0123456789abcdef_0-tg1-gZw","type":"function","function":{"name":"one","arguments":"{}"}},{"id":"call_0123456789abcdef_1","type":"function","function":{"name":"two","arguments":"{}"}}],"citations":[{"start":2,"end":4,"text":"b ","sources":[{"type":"document","id":"https://a","document":{"title":"A","url":"https://a","snippet":"q"}}],"content_index":2,"type":"TEXT_CONTENT"}]},"usage":{"billed_units":{"input_tokens":10,"output_tokens":3},"tokens":{"input_tokens":10,"output_tokens":3},"cached_tokens":4}}"#);
}

#[test]
fn proofs_of_other_vendors_come_back_from_the_client() {
    let text = written(&foreign());
    let node = parse(&text, Duplicates::Refuse).unwrap();
    let blocks = &decode_response(&node).unwrap().choices[0].blocks;
    assert_eq!(blocks[0], thought("hm", Vendor::Anthropic, "sig"));
    assert_eq!(blocks[1].kind, BlockKind::Redacted(Signature::new(Vendor::Anthropic, "hid")));
    let BlockKind::ToolUse(call) = &blocks[3].kind else { panic!("{blocks:?}") };
    assert_eq!(
        (call.id.as_ref(), &call.signature),
        ("call_0123456789abcdef_0", &Some(Signature::new(Vendor::Gemini, "g")))
    );
}

#[test]
fn a_blocked_prompt_is_an_answer_without_content() {
    insta::assert_snapshot!(written(&Response::new(Protocol::Generate)), @r#"{"id":"0123456789abcdefXYZ","finish_reason":"ERROR","message":{"role":"assistant"}}"#);
}

#[test]
fn a_plan_is_thinking_and_goes_back_into_its_field() {
    let json = r#"{"id":"x","message":{"role":"assistant","tool_plan":"I will look","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"TOOL_CALL"}"#;
    let node = parse(json, Duplicates::Refuse).unwrap();
    let response = decode_response(&node).unwrap();
    assert_eq!(response.choices[0].blocks[0], thought("I will look", Vendor::Unsigned, "tool_plan"));
    assert!(written(&response).contains(r#""tool_plan":"I will look","tool_calls""#));
    assert_eq!(response.usage, None);
}

#[test]
fn citations_are_counted_within_their_part() {
    let json = r#"{"message":{"content":[{"type":"thinking","thinking":"t"},{"type":"text","text":"one"},{"type":"text","text":"two"}],
        "citations":[{"start":0,"end":2,"text":"tw","content_index":2,"sources":[{"type":"document","id":"d","document":{"title":"T","text":"W"}}]},
            {"start":1,"end":1,"content_index":0,"type":"PLAN"}]},"finish_reason":"COMPLETE"}"#;
    let node = parse(json, Duplicates::Refuse).unwrap();
    let response = decode_response(&node).unwrap();
    let BlockKind::Text { citations, .. } = &response.choices[0].blocks[2].kind else { panic!() };
    assert_eq!(
        (citations[0].span, citations[0].title.as_deref(), citations[0].quote.as_deref()),
        (Some((3, 5)), Some("T"), Some("W"))
    );
    let BlockKind::Text { citations, .. } = &response.choices[0].blocks[1].kind else { panic!() };
    assert_eq!(citations[0].span, None);
}

#[test]
fn what_is_no_answer_is_told_apart() {
    for (json, words) in [
        (r#"{"id":"1","message":"model 'command-r' was removed"}"#, "was removed"),
        (r#"{"response_id":"1","text":"v1","generation_id":"g"}"#, "no Cohere answer"),
        (r#"{"choices":[]}"#, "no Cohere answer"),
        ("[]", "no Cohere answer"),
        (r#"{"message":{"content":3}}"#, "`content` must be"),
        (r#"{"message":{"tool_calls":[{}]}}"#, "object `function`"),
    ] {
        let node = parse(json, Duplicates::Refuse).unwrap();
        let garbled = decode_response(&node).unwrap_err();
        assert!(garbled.0.contains(words), "{json}: {garbled}");
    }
}

#[test]
fn a_free_form_call_has_the_name_its_client_knows() {
    let mut response = foreign();
    let call = ToolUse {
        id: "a".into(),
        name: "patch".into(),
        arguments: "p\"".into(),
        is_custom: true,
        signature: None,
    };
    response.choices[0].blocks = vec![Block::new(BlockKind::ToolUse(call))];
    let text = written(&response);
    assert!(text.contains(r#""name":"patch","arguments":"{\"input\":\"p\\\"\"}""#), "{text}");
}
