//! Whole answers, read and written.

use super::*;
use crate::chat::{
    Block, BlockKind, Choice, Citation, Raw, Response, Signature, Stop, StopReason, Thinking, ToolUse, Vendor,
};
use crate::dialect::codec::Owed;
use crate::framing::json::{Duplicates, parse};
use crate::types::{Protocol, Usage};

fn owed() -> Owed {
    Owed {
        model: "alias".into(),
        token: "0123456789abcdef0123".into(),
        created: 1_760_000_000,
        wants_usage: true,
        is_array: false,
        echo: String::new(),
    }
}

fn read(json: &str) -> Response<'_> {
    let root = parse(json, Duplicates::LastCounts).unwrap();
    decode_response(&root).unwrap()
}

fn written(response: &Response<'_>) -> String {
    let mut out = Vec::new();
    encode_response(response, &owed(), &mut out);
    String::from_utf8(out).unwrap()
}

fn tool(id: &'static str, arguments: &'static str, signature: Option<Signature<'static>>) -> Block<'static> {
    Block::new(BlockKind::ToolUse(ToolUse {
        id: id.into(),
        name: "look".into(),
        arguments: arguments.into(),
        is_custom: false,
        signature,
    }))
}

fn answer(from: Protocol, blocks: Vec<Block<'static>>, reason: StopReason) -> Response<'static> {
    let mut response = Response::new(from);
    response.choices = vec![Choice {
        index: 0,
        blocks,
        stop: Stop::new(reason),
        logprobs: None,
        extra: crate::chat::Extra::none(),
    }];
    response
}

#[test]
fn an_answer_of_claude_is_one_of_openais() {
    let thinking = Thinking {
        text: "Hm.".into(),
        signature: Some(Signature::new(Vendor::Anthropic, "EqQ=")),
        is_summary: false,
        item_id: None,
    };
    let cited = Citation {
        url: Some("https://x".into()),
        title: Some("X".into()),
        quote: Some("q".into()),
        span: None,
        of: Protocol::Messages,
        json: Raw("{}".into()),
    };
    let blocks = vec![
        Block::new(BlockKind::Thinking(thinking)),
        Block::new(BlockKind::Redacted(Signature::new(Vendor::Anthropic, "Red"))),
        Block::text("Só "),
        Block::new(BlockKind::Text { text: "it is.".into(), citations: vec![cited] }),
        tool("toolu_1", "", None),
    ];
    let mut response = answer(Protocol::Messages, blocks, StopReason::ToolUse);
    response.id = "msg_01".into();
    response.model = "claude-opus-5".into();
    response.choices[0].stop = Stop::native(StopReason::ToolUse, "tool_use");
    response.usage = Some(Usage {
        input: 100,
        cache_read: 60,
        cache_write_5m: 10,
        cache_write_1h: 20,
        output: 30,
        reasoning: 5,
        ..Usage::default()
    });
    insta::assert_snapshot!(written(&response), @r#"
{"id":"chatcmpl-0123456789abcdef0123","object":"chat.completion","created":1760000000,"model":"claude-opus-5","choices":[{"index":0,"message":{"role":"assistant","content":"Só it is.","refusal":null,"annotations":[{"type":"url_citation","url_citation":{"start_index":3,"end_index":9,"url":"https://x","title":"X","content":"q"}}],"reasoning_content":"Hm.","reasoning_details":[{"type":"reasoning.text","text":"Hm.","signature":"tg1.a.RXFRPQ","format":"unknown","index":0},{"type":"reasoning.encrypted","data":"tg1.a.UmVk","format":"unknown","index":1}],"tool_calls":[{"id":"toolu_1","type":"function","function":{"name":"look","arguments":"{}"}}]},"logprobs":null,"finish_reason":"tool_calls","native_finish_reason":"tool_use"}],"usage":{"prompt_tokens":100,"completion_tokens":30,"total_tokens":130,"prompt_tokens_details":{"cached_tokens":60,"audio_tokens":0,"cache_write_tokens":30},"completion_tokens_details":{"reasoning_tokens":5,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}
"#);
}

#[test]
fn a_call_without_an_id_gets_one_and_a_signature_both_slots() {
    let blocks =
        vec![tool("", "{\"a\":1}", Some(Signature::new(Vendor::Gemini, "CiQ="))), tool("", "{}", None)];
    insta::assert_snapshot!(written(&answer(Protocol::Generate, blocks, StopReason::ToolUse)), @r#"
{"id":"chatcmpl-0123456789abcdef0123","object":"chat.completion","created":1760000000,"model":"alias","choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"call_0123456789abcdef_0_0-tg1-gQ2lRPQ","type":"function","function":{"name":"look","arguments":"{\"a\":1}"},"extra_content":{"google":{"thought_signature":"CiQ="}}},{"id":"call_0123456789abcdef_0_1","type":"function","function":{"name":"look","arguments":"{}"}}]},"logprobs":null,"finish_reason":"tool_calls"}]}
"#);
}

#[test]
fn a_blocked_prompt_has_a_choice_all_the_same() {
    insta::assert_snapshot!(written(&Response::new(Protocol::Generate)), @r#"
{"id":"chatcmpl-0123456789abcdef0123","object":"chat.completion","created":1760000000,"model":"alias","choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":null},"logprobs":null,"finish_reason":"content_filter"}]}
"#);
}

#[test]
fn an_answer_of_openai_comes_back_as_it_was() {
    let json = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1731368630,"model":"gpt-6","choices":[{"index":0,"message":{"role":"assistant","content":"hi","refusal":null,"audio":{"data":"UklG","id":"audio_1","expires_at":9,"transcript":"hi"}},"logprobs":{"content":[{"token":"hi","logprob":-1.50}],"refusal":null},"finish_reason":"stop","content_filter_results":{"hate":{}}}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":1,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_1"}"#;
    assert_eq!(written(&read(json)), json);
}

#[test]
fn thinking_is_never_text_whatever_its_vendor_calls_it() {
    for message in [
        r#"{"content":"t","reasoning_content":"r"}"#,
        r#"{"content":"t","reasoning":"r"}"#,
        r#"{"content":"t","reasoning":"r","reasoning_details":[{"type":"reasoning.text","text":"r","index":0}]}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"r"}],"closed":true},{"type":"text","text":"t"}]}"#,
    ] {
        let json = format!(r#"{{"choices":[{{"index":0,"message":{message},"finish_reason":"stop"}}]}}"#);
        let response = read(&json);
        let said: Vec<(bool, String)> = response.choices[0]
            .blocks
            .iter()
            .map(|block| match &block.kind {
                BlockKind::Text { text, .. } => (false, text.to_string()),
                BlockKind::Thinking(thinking) => (true, thinking.text.to_string()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(said, [(true, "r".to_owned()), (false, "t".to_owned())], "{message}");
    }
}

#[test]
fn oddities_of_vendors_are_understood() {
    let stop = |choice: &str| {
        let json = format!(r#"{{"choices":[{choice}]}}"#);
        let response = read(&json);
        let stop = response.choices[0].stop.clone();
        (stop.reason, stop.sequence.map(|s| s.to_string()), stop.native.map(|n| n.to_string()))
    };
    assert_eq!(
        stop(r#"{"message":{"content":"x"},"finish_reason":"stop","stop_reason":"END"}"#),
        (StopReason::StopSequence, Some("END".into()), Some("stop".into()))
    );
    assert_eq!(
        stop(r#"{"message":{"content":"x"},"finish_reason":"stop","stop_reason":7}"#).0,
        StopReason::End
    );
    assert_eq!(
        stop(r#"{"message":{"content":"x"},"finish_reason":"stop","native_finish_reason":"completed"}"#).2,
        Some("completed".into())
    );
    let call = r#""tool_calls":[{"id":"c","type":"function","function":{"name":"t","arguments":{"a":1.0}}}]"#;
    assert_eq!(stop(&format!(r#"{{"message":{{{call}}},"finish_reason":"stop"}}"#)).0, StopReason::ToolUse);
    assert_eq!(stop(&format!(r#"{{"message":{{{call}}},"finish_reason":"length"}}"#)).0, StopReason::Length);
    let json = format!(r#"{{"choices":[{{"message":{{{call}}}}}]}}"#);
    let response = read(&json);
    let BlockKind::ToolUse(call) = &response.choices[0].blocks[0].kind else { panic!() };
    assert_eq!(call.arguments, r#"{"a":1.0}"#, "an object is its text");
}

#[test]
fn a_free_form_call_comes_back_as_one() {
    let json = r#"{"choices":[{"message":{"tool_calls":[{"id":"c","function":{"name":"patch__tgfreeform","arguments":"{\"input\":\"*** \\\"x\\\"\"}"}}]},"finish_reason":"tool_calls"}]}"#;
    let response = read(json);
    let BlockKind::ToolUse(call) = &response.choices[0].blocks[0].kind else { panic!() };
    assert_eq!((call.name.as_ref(), call.arguments.as_ref(), call.is_custom), ("patch", "*** \"x\"", true));
}

#[test]
fn the_message_of_geminis_compatible_endpoint_signs_its_first_call() {
    let json = r#"{"choices":[{"message":{"role":"assistant","extra_content":{"google":{"thought":true,"thought_signature":"AV="}},"thought_signature":"AV=","tool_calls":[{"id":"","type":"function","function":{"name":"t","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#;
    let response = read(json);
    let BlockKind::ToolUse(call) = &response.choices[0].blocks[0].kind else { panic!() };
    assert_eq!(call.signature, Some(Signature::new(Vendor::Gemini, "AV=")));
}

#[test]
fn a_refusal_that_ends_is_a_refusal() {
    let reason = |message: &str, word: &str| {
        let json = format!(r#"{{"choices":[{{"message":{message},"finish_reason":"{word}"}}]}}"#);
        let root = crate::framing::json::parse(&json, crate::framing::json::Duplicates::LastCounts).unwrap();
        let response = decode_response(&root).unwrap();
        let mut out = Vec::new();
        encode_response(&response, &owed(), &mut out);
        (response.choices[0].stop.reason, String::from_utf8(out).unwrap())
    };
    let refusal = r#"{"role":"assistant","content":null,"refusal":"I cannot."}"#;
    let (read, written) = reason(refusal, "stop");
    assert_eq!(read, StopReason::Refusal);
    // As OpenAI says it, whose SDKs raise an error at `content_filter` before they read the refusal.
    assert!(written.contains(r#""finish_reason":"stop""#), "{written}");
    assert_eq!(reason(refusal, "length").0, StopReason::Length);
    assert_eq!(reason(refusal, "content_filter").0, StopReason::ContentFilter);
    assert_eq!(reason(r#"{"content":"hi","refusal":null}"#, "stop").0, StopReason::End);
}
