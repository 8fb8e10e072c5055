//! Whole answers, both ways.

use super::{decode_response, encode_response};
use crate::chat::*;
use crate::dialect::codec::{Garbled, Owed};
use crate::framing::json::{Duplicates, parse};
use crate::types::{Protocol, Usage};

pub(super) fn owed() -> Owed {
    Owed {
        model: "m".into(),
        token: "0123456789abcdef".into(),
        created: 1_760_000_000,
        wants_usage: true,
        is_array: false,
        echo: String::new(),
    }
}

fn decode(json: &str) -> Result<Response<'static>, Garbled> {
    let text: &'static str = Box::leak(json.to_owned().into_boxed_str());
    decode_response(Box::leak(Box::new(parse(text, Duplicates::LastCounts).unwrap())))
}

fn encode(response: &Response<'_>) -> String {
    let mut out = Vec::new();
    encode_response(response, &owed(), &mut out);
    String::from_utf8(out).unwrap()
}

const FULL: &str = r#"{"metrics":{"latencyMs":11840},"output":{"message":{"content":[{"reasoningContent":{"reasoningText":{"signature":"EqQI","text":"hm"}}},{"reasoningContent":{"redactedContent":"RXRrRUNrZ0k="}},{"text":"Hi"},{"toolUse":{"input":{"n":1.0},"name":"f","toolUseId":"tooluse_1","type":"tool_use"}}],"role":"assistant"}},"stopReason":"tool_use","trace":{"guardrail":{"x":1}},"additionalModelResponseFields":{"stop_sequence":null},"serviceTier":{"type":"default"},"usage":{"cacheReadInputTokenCount":7,"cacheReadInputTokens":7,"cacheWriteInputTokens":10,"cacheDetails":[{"ttl":"1h","inputTokens":4}],"inputTokens":358,"outputTokens":574,"serverToolUsage":{},"totalTokens":949}}"#;

#[test]
fn a_full_answer_is_read_into_its_parts() {
    let response = decode(FULL).unwrap();
    let choice = &response.choices[0];
    assert_eq!(choice.blocks.len(), 4);
    assert_eq!(choice.stop, Stop::native(StopReason::ToolUse, "tool_use"));
    assert!(
        matches!(&choice.blocks[0].kind, BlockKind::Thinking(t) if t.signature == Some(Signature::new(Vendor::Anthropic, "EqQI")))
    );
    assert_eq!(choice.blocks[1].kind, BlockKind::Redacted(Signature::new(Vendor::Anthropic, "EtkECkgI")));
    assert!(matches!(&choice.blocks[3].kind, BlockKind::ToolUse(call) if call.arguments == r#"{"n":1.0}"#));
    let usage = Usage {
        input: 375,
        cache_read: 7,
        cache_write_5m: 6,
        cache_write_1h: 4,
        output: 574,
        ..Usage::default()
    };
    assert_eq!(response.usage, Some(usage));
    assert_eq!(response.service_tier.as_deref(), Some("default"));
    assert_eq!((response.id.as_ref(), response.model.as_ref(), response.created), ("", "", None));
}

#[test]
fn an_answer_written_again_keeps_its_meaning_and_unknown_fields() {
    let response = decode(FULL).unwrap();
    let written = encode(&response);
    assert_eq!(decode(&written).unwrap(), response);
    assert!(
        written.contains(r#""metrics":{"latencyMs":11840}"#)
            && written.contains(r#""trace":{"guardrail":{"x":1}}"#)
    );
    assert_eq!(written.matches("metrics").count(), 1);
}

#[test]
fn an_answer_of_another_vendor_has_what_sdks_read() {
    let mut response = Response::new(Protocol::Chat);
    (response.id, response.model) = ("chatcmpl-1".into(), "gpt".into());
    response.usage = Some(Usage { input: 10, cache_read: 4, output: 3, reasoning: 1, ..Usage::default() });
    let thinking = |text: &'static str, signature: Option<Signature<'static>>| {
        Block::new(BlockKind::Thinking(Thinking {
            text: text.into(),
            signature,
            is_summary: true,
            item_id: None,
        }))
    };
    let call = ToolUse {
        id: "call_1".into(),
        name: "f".into(),
        arguments: "".into(),
        is_custom: false,
        signature: Some(Signature::new(Vendor::Gemini, "sig")),
    };
    response.choices.push(Choice {
        index: 0,
        blocks: vec![
            thinking("plain", None),
            thinking("sealed", Some(Signature::new(Vendor::OpenAi, "enc"))),
            Block::new(BlockKind::Redacted(Signature::new(Vendor::OpenAi, "r"))),
            Block::text(""),
            Block::text("hi"),
            Block::new(BlockKind::ToolUse(call)),
        ],
        stop: Stop::native(StopReason::ToolUse, "tool_calls"),
        logprobs: None,
        extra: Extra::none(),
    });
    let written = encode(&response);
    insta::assert_snapshot!(written, @r#"{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"plain"}}},{"reasoningContent":{"reasoningText":{"text":"sealed","signature":"tg1.o.ZW5j"}}},{"reasoningContent":{"redactedContent":"dGcxLm8uY2c="}},{"text":"hi"},{"toolUse":{"toolUseId":"call_1-tg1-gc2ln","name":"f","input":{}}}]}},"stopReason":"tool_use","usage":{"inputTokens":6,"outputTokens":3,"totalTokens":13,"cacheReadInputTokens":4,"cacheWriteInputTokens":0},"metrics":{"latencyMs":0}}"#);
    // What the client sends back next turn is whole again.
    let back = decode(&written).unwrap();
    let blocks = &back.choices[0].blocks;
    assert!(
        matches!(&blocks[1].kind, BlockKind::Thinking(t) if t.signature == Some(Signature::new(Vendor::OpenAi, "enc")))
    );
    assert_eq!(blocks[2].kind, BlockKind::Redacted(Signature::new(Vendor::OpenAi, "r")));
    assert!(
        matches!(&blocks[4].kind, BlockKind::ToolUse(call) if call.id == "call_1" && call.signature == Some(Signature::new(Vendor::Gemini, "sig")))
    );
}

#[test]
fn the_output_tool_is_the_answer_and_no_call() {
    let json = r#"{"output":{"message":{"role":"assistant","content":[{"toolUse":{"toolUseId":"t","name":"json_tidegate_output","input":{"city": "Paris"}}}]}},"stopReason":"tool_use","usage":{}}"#;
    let response = decode(json).unwrap();
    let choice = &response.choices[0];
    assert_eq!(choice.blocks[0].as_text(), Some(r#"{"city": "Paris"}"#));
    assert_eq!(choice.stop.reason, StopReason::End);
    assert_eq!(response.usage, None, "no counts are no usage");
}

#[test]
fn a_free_form_call_has_its_own_name_and_bare_text() {
    let json = r#"{"output":{"message":{"role":"assistant","content":[{"toolUse":{"toolUseId":"t","name":"apply_patch__tgfreeform","input":{"input":"*** x"}}}]}},"stopReason":"tool_use"}"#;
    let response = decode(json).unwrap();
    assert!(matches!(&response.choices[0].blocks[0].kind, BlockKind::ToolUse(call)
        if call.name == "apply_patch" && call.is_custom && call.arguments == "*** x"));
}

#[test]
fn foreign_citations_are_told_in_bedrocks_words() {
    let mut response = Response::new(Protocol::Chat);
    let citation = Citation {
        url: Some("https://e.org".into()),
        title: Some("T".into()),
        quote: Some("q".into()),
        span: None,
        of: Protocol::Chat,
        json: Raw("{}".into()),
    };
    let kind = BlockKind::Text { text: "said".into(), citations: vec![citation] };
    response.choices.push(Choice {
        index: 0,
        blocks: vec![Block::new(kind)],
        stop: Stop { sequence: Some("X".into()), ..Stop::new(StopReason::StopSequence) },
        logprobs: None,
        extra: Extra::none(),
    });
    let written = encode(&response);
    assert!(written.contains(r#"{"citationsContent":{"content":[{"text":"said"}],"citations":[{"title":"T","source":"https://e.org","sourceContent":[{"text":"q"}],"location":{"web":{"url":"https://e.org"}}}]}}"#), "{written}");
    assert!(
        written.contains(r#""usage":{"inputTokens":0,"outputTokens":0,"totalTokens":0,"#),
        "Bedrock's clients read the counts without asking: {written}"
    );
    let back = decode(&written).unwrap();
    assert_eq!(back.choices[0].stop.sequence.as_deref(), Some("X"));
}

#[test]
fn every_reason_to_stop_is_said_and_read_back() {
    for (reason, word) in [
        (StopReason::End, "end_turn"),
        (StopReason::StopSequence, "stop_sequence"),
        (StopReason::Length, "max_tokens"),
        (StopReason::ContextWindow, "model_context_window_exceeded"),
        (StopReason::ToolUse, "tool_use"),
        (StopReason::ContentFilter, "content_filtered"),
        (StopReason::Refusal, "content_filtered"),
        (StopReason::Pause, "end_turn"),
        (StopReason::Error, "malformed_model_output"),
    ] {
        let mut response = Response::new(Protocol::Chat);
        let stop = Stop::new(reason);
        response.choices.push(Choice {
            index: 0,
            blocks: vec![],
            stop,
            logprobs: None,
            extra: Extra::none(),
        });
        assert!(encode(&response).contains(&format!(r#""stopReason":"{word}""#)), "{reason:?}");
    }
    assert!(
        encode(&Response::new(Protocol::Chat)).contains("content_filtered"),
        "a blocked prompt has no choice"
    );
}

#[test]
fn what_is_no_answer_is_garbled() {
    for json in [
        "{}",
        "[]",
        "\"<html>\"",
        r#"{"message":"no"}"#,
        r#"{"choices":[]}"#,
        r#"{"output":{"message":{"content":"x"}}}"#,
        r#"{"output":{"message":{"content":[{"text":1}]}}}"#,
        r#"{"output":{"message":{"content":[7]}}}"#,
    ] {
        assert!(decode(json).is_err(), "{json}");
    }
}

#[test]
fn calls_without_an_id_get_one_each() {
    let call = |id: &'static str| {
        Block::new(BlockKind::ToolUse(ToolUse {
            id: id.into(),
            name: "f".into(),
            arguments: "{}".into(),
            is_custom: false,
            signature: None,
        }))
    };
    let mut response = Response::new(Protocol::Chat);
    response.choices.push(Choice {
        index: 0,
        blocks: vec![call(""), call("own"), call("")],
        stop: Stop::new(StopReason::ToolUse),
        logprobs: None,
        extra: Extra::none(),
    });
    let written = encode(&response);
    for id in ["tooluse_0123456789abcdef_0", "own", "tooluse_0123456789abcdef_2"] {
        assert!(written.contains(&format!(r#""toolUseId":"{id}""#)), "{id} in {written}");
    }
}
