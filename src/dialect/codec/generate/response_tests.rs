//! Whole answers both ways.

use super::request_tests::decode as decode_request_body;
use super::*;
use crate::chat::*;
use crate::dialect::codec::{Garbled, Owed};
use crate::framing::json::{Duplicates, parse};
use crate::types::{Protocol, Usage};

pub(super) fn owed() -> Owed {
    Owed {
        model: "asked-for".into(),
        token: "abcdefghijklmnop".into(),
        created: 1_771_302_557,
        wants_usage: true,
        is_array: false,
        echo: String::new(),
    }
}

fn decode(json: &str) -> Result<Response<'_>, Garbled> {
    decode_response(&parse(json, Duplicates::LastCounts).unwrap())
}

fn encode(response: &Response<'_>) -> String {
    let mut out = Vec::new();
    encode_response(response, &owed(), &mut out);
    String::from_utf8(out).unwrap()
}

const FULL: &str = r#"{"candidates":[
 {"content":{"role":"model","parts":[{"text":"Hm.","thought":true},{"text":"Häus is red.","thoughtSignature":"CiQB9/8="},
   {"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}},
   {"functionCall":{"name":"f","args":{"x":1.50}},"thoughtSignature":"AY89"},{"functionCall":{"name":"f","args":{}}},
   {"functionCall":{"id":"own","name":"patch__tgfreeform","args":{"input":"*** Begin\n"}}},{"text":""}]},
  "finishReason":"STOP","index":0,"finishMessage":"Model generated function call(s).","avgLogprobs":-0.50,
  "groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://example.com/a","title":"A"}}],
   "groundingSupports":[{"segment":{"partIndex":1,"startIndex":0,"endIndex":5,"text":"Häus"},"groundingChunkIndices":[0]}]},
  "logprobsResult":{"chosenCandidates":[{"token":"H","logProbability":-0.10}]}},
 {"content":{"parts":[{"text":"cut"}]},"finishReason":"MAX_TOKENS","index":1}],
 "usageMetadata":{"promptTokenCount":100,"toolUsePromptTokenCount":50,"cachedContentTokenCount":80,"candidatesTokenCount":10,
  "thoughtsTokenCount":30,"totalTokenCount":190,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":25}],
  "candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":9}],"serviceTier":"standard","trafficType":"ON_DEMAND"},
 "modelVersion":"gemini-3-flash","responseId":"r_1-x","createTime":"2026-02-17T04:29:17.5Z","modelStatus":{"modelStage":"STABLE"}}"#;

#[test]
fn a_full_answer_is_read() {
    let response = decode(FULL).unwrap();
    assert_eq!((response.id.as_ref(), response.created), ("r_1-x", Some(1_771_302_557)));
    assert_eq!(response.service_tier.as_deref(), Some("standard"));
    let usage = Usage {
        input: 150,
        cache_read: 80,
        audio_input: 25,
        output: 40,
        reasoning: 30,
        image_output: 9,
        ..Usage::default()
    };
    assert_eq!(response.usage, Some(usage));
    let [first, second] = response.choices.as_slice() else { panic!() };
    assert_eq!((first.stop.reason, first.stop.native.as_deref()), (StopReason::ToolUse, Some("STOP")));
    assert_eq!((second.index, second.stop.reason), (1, StopReason::Length));
    let kinds: Vec<String> = first.blocks.iter().map(|block| format!("{:?}", block.kind)).collect();
    insta::assert_snapshot!(kinds.join("\n"), @r#"
Thinking(Thinking { text: "Hm.", signature: None, is_summary: false, item_id: None })
Thinking(Thinking { text: "", signature: Some(Signature { vendor: Gemini, data: "CiQB9/8=" }), is_summary: false, item_id: None })
Text { text: "Häus is red.", citations: [Citation { url: Some("https://example.com/a"), title: Some("A"), quote: Some("Häus"), span: Some((0, 4)), of: Generate, json: Raw("{\"segment\":{\"partIndex\":1,\"startIndex\":0,\"endIndex\":5,\"text\":\"Häus\"},\"groundingChunkIndices\":[0]}") }] }
Image(Media { source: Base64("iVBORw0KGgo="), mime: Some("image/png"), name: None, detail: None })
ToolUse(ToolUse { id: "call_r_1-x_0_0", name: "f", arguments: "{\"x\":1.50}", is_custom: false, signature: Some(Signature { vendor: Gemini, data: "AY89" }) })
ToolUse(ToolUse { id: "call_r_1-x_0_1", name: "f", arguments: "{}", is_custom: false, signature: None })
ToolUse(ToolUse { id: "own", name: "patch", arguments: "*** Begin\n", is_custom: true, signature: None })
"#);
    assert!(first.logprobs.as_ref().unwrap().as_str().contains(r#""token":"H","logprob":-0.10"#));
}

#[test]
fn an_answer_of_its_own_is_written_back_with_all_it_had() {
    let response = decode(FULL).unwrap();
    let written = encode(&response);
    insta::assert_snapshot!(written.replace("},{", "},\n{"), @r#"
{"candidates":[{"content":{"parts":[{"text":"Hm.","thought":true},
{"text":"Häus is red.","thoughtSignature":"CiQB9/8="},
{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}},
{"functionCall":{"id":"call_r_1-x_0_0","name":"f","args":{"x":1.50}},"thoughtSignature":"AY89"},
{"functionCall":{"id":"call_r_1-x_0_1","name":"f","args":{}}},
{"functionCall":{"id":"own","name":"patch","args":{"input":"*** Begin\n"}}}],"role":"model"},"finishReason":"STOP","index":0,"finishMessage":"Model generated function call(s).","avgLogprobs":-0.50,"groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://example.com/a","title":"A"}}],   "groundingSupports":[{"segment":{"partIndex":1,"startIndex":0,"endIndex":5,"text":"Häus"},"groundingChunkIndices":[0]}]},"logprobsResult":{"chosenCandidates":[{"token":"H","logProbability":-0.10}]}},
{"content":{"parts":[{"text":"cut"}],"role":"model"},"finishReason":"MAX_TOKENS","index":1}],"usageMetadata":{"promptTokenCount":150,"cachedContentTokenCount":80,"candidatesTokenCount":10,"thoughtsTokenCount":30,"totalTokenCount":190,"promptTokensDetails":[{"modality":"TEXT","tokenCount":125},
{"modality":"AUDIO","tokenCount":25}],"candidatesTokensDetails":[{"modality":"TEXT","tokenCount":1},
{"modality":"IMAGE","tokenCount":9}],"serviceTier":"standard","trafficType":"ON_DEMAND"},"modelVersion":"gemini-3-flash","createTime":"2026-02-17T04:29:17Z","responseId":"r_1-x","modelStatus":{"modelStage":"STABLE"}}
"#);
}

#[test]
fn an_answer_of_another_vendor_is_one_of_geminis_to_its_clients() {
    let mut response = Response::new(Protocol::Messages);
    let signed = Signature::new(Vendor::Anthropic, "EqQ+/=");
    response.choices = vec![Choice {
        index: 0,
        blocks: vec![
            Block::new(BlockKind::Thinking(Thinking {
                text: "think".into(),
                signature: Some(signed.clone()),
                is_summary: false,
                item_id: None,
            })),
            Block::new(BlockKind::Redacted(Signature::new(Vendor::Anthropic, "blob"))),
            Block::new(BlockKind::Text {
                text: "Häus".into(),
                citations: vec![Citation {
                    url: Some("https://example.com/a".into()),
                    title: None,
                    quote: None,
                    span: Some((1, 3)),
                    of: Protocol::Messages,
                    json: Raw("{}".into()),
                }],
            }),
            Block::new(BlockKind::ToolUse(ToolUse {
                id: "toolu_1".into(),
                name: "f".into(),
                arguments: "{\"a\":1.0}".into(),
                is_custom: false,
                signature: None,
            })),
        ],
        stop: Stop::native(StopReason::ToolUse, "tool_use"),
        logprobs: None,
        extra: Extra::none(),
    }];
    response.usage = Some(Usage { input: 10, cache_read: 4, output: 7, reasoning: 2, ..Usage::default() });
    let written = encode(&response);
    insta::assert_snapshot!(written.replace("},{", "},\n{"), @r#"
{"candidates":[{"content":{"parts":[{"text":"think","thought":true,"thoughtSignature":"dGcxLmEuUlhGUkt5ODk="},
{"text":"","thought":true,"thoughtSignature":"cmVkYWN0ZWQ6dGcxLmEuWW14dlln"},
{"text":"Häus"},
{"functionCall":{"id":"toolu_1","name":"f","args":{"a":1.0}}}],"role":"model"},"finishReason":"STOP","index":0,"groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://example.com/a"}}],"groundingSupports":[{"segment":{"startIndex":1,"endIndex":4},"groundingChunkIndices":[0]}]}}],"usageMetadata":{"promptTokenCount":10,"cachedContentTokenCount":4,"candidatesTokenCount":5,"thoughtsTokenCount":2,"totalTokenCount":17},"modelVersion":"asked-for","createTime":"2026-02-17T04:29:17Z","responseId":"abcdefghijklmnop"}
"#);
    // The client sends it back as it came, and everything is there again.
    let root = parse(&written, Duplicates::Refuse).unwrap();
    let content = root.get("candidates").unwrap().items()[0].get("content").unwrap().raw();
    let body = format!(r#"{{"contents":[{{"parts":[{{"text":"Hi"}}]}},{content}]}}"#);
    let back = decode_request_body(&body).unwrap();
    let mut expected = response.choices[0].blocks.clone();
    if let BlockKind::Text { citations, .. } = &mut expected[2].kind {
        citations.clear();
    }
    assert_eq!(back.turns[1].blocks, expected);
}

#[test]
fn reasons_of_others_have_their_words_here() {
    for (reason, native, expected) in [
        (StopReason::End, "end_turn", r#""finishReason":"STOP","index""#),
        (StopReason::StopSequence, "stop_sequence", r#""finishReason":"STOP","index""#),
        (StopReason::Length, "max_tokens", r#""finishReason":"MAX_TOKENS","index""#),
        (
            StopReason::ContentFilter,
            "content_filter",
            r#""finishReason":"SAFETY","finishMessage":"content_filter""#,
        ),
        (StopReason::Refusal, "refusal", r#""finishReason":"PROHIBITED_CONTENT","finishMessage":"refusal""#),
        (StopReason::Pause, "pause_turn", r#""finishReason":"STOP","finishMessage":"pause_turn""#),
        (StopReason::Error, "failed", r#""finishReason":"OTHER","finishMessage":"failed""#),
    ] {
        let mut response = Response::new(Protocol::Messages);
        let stop = Stop::native(reason, native);
        response.choices =
            vec![Choice { index: 0, blocks: vec![], stop, logprobs: None, extra: Extra::none() }];
        let written = encode(&response);
        assert!(written.contains(expected), "{written}");
        assert!(written.contains(r#""parts":[{"text":""}]"#), "chat clients want a part: {written}");
        assert!(written.contains(r#""modelVersion":"asked-for""#) && written.contains("abcdefghijklmnop"));
    }
}

#[test]
fn a_blocked_prompt_is_an_empty_answer_that_was_filtered() {
    let json = r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9},"modelVersion":"m","responseId":"r"}"#;
    let response = decode(json).unwrap();
    let [choice] = response.choices.as_slice() else { panic!() };
    assert_eq!(choice.stop, Stop::native(StopReason::ContentFilter, "PROHIBITED_CONTENT"));
    assert!(choice.blocks.is_empty());
    let written = encode(&response);
    assert!(
        written.contains(r#""promptFeedback":{"blockReason""#) && !written.contains(r#""candidates":"#),
        "{written}"
    );
}

#[test]
fn calls_without_ids_get_the_same_ones_from_the_same_answer() {
    let ids = |json: &str| -> Vec<String> {
        let response = decode(json).unwrap();
        let blocks = response.choices.iter().flat_map(|choice| &choice.blocks);
        blocks
            .filter_map(|block| match &block.kind {
                BlockKind::ToolUse(call) => Some(call.id.to_string()),
                _ => None,
            })
            .collect()
    };
    assert_eq!(ids(FULL), ["call_r_1-x_0_0", "call_r_1-x_0_1", "own"]);
    let nameless = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":1}}}]}}]}"#;
    assert_eq!(ids(nameless), ids(nameless));
    assert_ne!(ids(nameless), ids(&nameless.replace(":1}", ":2}")));
}

#[test]
fn what_is_no_answer_is_garbled() {
    for json in [
        "[]",
        "\"x\"",
        "7",
        "{}",
        r#"{"choices":[]}"#,
        r#"{"error":{"code":500}}"#,
        r#"{"candidates":7}"#,
        r#"{"candidates":[7]}"#,
        r#"{"candidates":[{"content":{"parts":[7]}}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":7}]}}]}"#,
        r#"{"candidates":[{"content":{"parts":"x"}}]}"#,
    ] {
        assert!(decode(json).is_err(), "{json}");
    }
    assert_eq!(decode(r#"{"candidates":[]}"#).unwrap().choices[0].stop.reason, StopReason::Error);
}

#[test]
fn no_mutation_of_an_answer_makes_anything_panic() {
    fn collect(node: &crate::framing::json::Node<'_>, spans: &mut Vec<(usize, usize)>) {
        spans.push((node.at() as usize, node.at() as usize + node.raw().len()));
        node.items().iter().for_each(|inner| collect(inner, spans));
        node.entries().iter().for_each(|(_, inner)| collect(inner, spans));
    }
    let mut spans = Vec::new();
    collect(&parse(FULL, Duplicates::Refuse).unwrap(), &mut spans);
    for (from, to) in spans {
        for other in ["null", "7", "-1.5e3", "\"x\"", "\"\"", "[]", "{}", "true", "18446744073709551615"] {
            let mutated = format!("{}{other}{}", &FULL[..from], &FULL[to..]);
            let Ok(root) = parse(&mutated, Duplicates::LastCounts) else { continue };
            if let Ok(response) = decode_response(&root) {
                let written = encode(&response);
                parse(&written, Duplicates::LastCounts).expect(&written);
            }
            let mut decoder = Decoder::new();
            let frame = crate::dialect::codec::DecodeStream::on_frame;
            let _ = frame(&mut decoder, None, mutated.as_bytes(), &mut |_| {});
        }
    }
}
