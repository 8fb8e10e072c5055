//! Broken, cut and mistyped input: an error or an answer, never a panic.

use super::*;
use crate::chat::{Losses, Request, Target, ThinkingStyle, Vendor, arbitrary};
use crate::dialect::codec::mutants::mutants;
use crate::dialect::codec::{Called, DecodeStream};
use crate::framing::json::{Duplicates, parse, parse_bytes};
use crate::types::Protocol;
use proptest::prelude::*;

fn try_request(json: &str) {
    let Ok(root) = parse(json, Duplicates::LastCounts) else { return };
    let _ = decode_count(&root, Called::default());
    let Ok(request) = decode_request(&root, Called::default()) else { return };
    for host in [Host::Anthropic, Host::Vertex, Host::BedrockInvoke] {
        let _ = betas::adapt_body(host, &["compact-2026-01-12"], &[], &root);
        for from in [Protocol::Messages, Protocol::Chat] {
            let request = Request { from, ..request.clone() };
            let target = Target { thinking: ThinkingStyle::Budget, takes_schema: false, ..Target::new("m") };
            let mut out = Vec::new();
            if encode_request_for(host, &[], &request, &target, &mut Losses::default(), &mut out).is_ok() {
                let text = String::from_utf8(out).unwrap();
                parse(&text, Duplicates::Refuse).unwrap_or_else(|e| panic!("{e}\nfrom {json}\nto {text}"));
            } else {
                assert!(out.is_empty());
            }
        }
    }
}

#[test]
fn a_request_with_any_value_replaced_is_read_or_refused() {
    let all = mutants(request_tests::FULL);
    assert!(all.len() > 1000);
    all.iter().for_each(|json| try_request(json));
}

#[test]
fn an_answer_with_any_value_replaced_is_read_or_garbled() {
    for json in mutants(response_tests::FULL) {
        if let Ok(response) = response_tests::decode(&json) {
            let written = response_tests::encode(&response);
            parse(&written, Duplicates::Refuse).unwrap_or_else(|e| panic!("{e}\nfrom {json}\nto {written}"));
        }
    }
}

#[test]
fn a_document_cut_anywhere_is_no_panic() {
    for full in [request_tests::FULL, response_tests::FULL] {
        for end in (0..full.len()).filter(|end| full.is_char_boundary(*end)) {
            assert!(parse(&full[..end], Duplicates::Refuse).is_err() || full[end..].trim().is_empty());
            let _ = Decoder::new().on_frame(None, &full.as_bytes()[..end], &mut |_| {});
        }
    }
}

#[test]
fn events_with_any_value_replaced_are_heard_or_faults() {
    let frames = [
        r#"{"type":"message_start","message":{"id":"m","model":"c","usage":{"input_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"f","input":{"a":1}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{"}}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"a","citations":[{"title":"t"}]}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{"url":"u"}}}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"redacted_thinking","data":"x"}}"#,
        r#"{"type":"content_block_stop","index":2}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":"s"},"usage":{"output_tokens":1}}"#,
    ];
    for (at, frame) in frames.iter().enumerate() {
        for mutated in mutants(frame) {
            let mut decoder = Decoder::new();
            let mut depth = 0i32;
            for (other, whole) in frames.iter().enumerate() {
                let data = if other == at { &mutated } else { *whole };
                let heard = decoder.on_frame(None, data.as_bytes(), &mut |event| match event {
                    crate::chat::Event::BlockStart { .. } => depth += 1,
                    crate::chat::Event::BlockStop { .. } => depth -= 1,
                    _ => {}
                });
                assert!(depth >= 0, "{mutated}");
                if heard.is_err() {
                    break;
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn any_conversation_goes_up_and_means_the_same(
        request in arbitrary::request(Protocol::Messages, Vendor::Anthropic)
    ) {
        let mut request = request;
        request.wants_usage = true;
        request.max_output = request.max_output.or(Some(8192));
        let mut out = Vec::new();
        encode_request(&request, &Target::new("some-model"), &mut Losses::default(), &mut out).unwrap();
        let root = parse_bytes(&out, Duplicates::Refuse).unwrap();
        let mut back = decode_request(&root, Called::default()).unwrap();
        // This protocol's results do not name their tool.
        for block in request.turns.iter_mut().flat_map(|turn| &mut turn.blocks) {
            if let crate::chat::BlockKind::ToolResult(result) = &mut block.kind {
                result.name = None;
            }
        }
        back.tools.clone_from(&request.tools);
        prop_assert_eq!(back, request);
    }

    #[test]
    fn any_answer_reads_the_same_behind_this_protocol(
        response in arbitrary::response(Protocol::Messages, Vendor::Anthropic)
    ) {
        let written = response_tests::encode(&response);
        let back = response_tests::decode(&written).unwrap();
        prop_assert_eq!(&back.choices[0].blocks, &response.choices[0].blocks);
        prop_assert_eq!(back.usage, response.usage);
        prop_assert_eq!(back.choices[0].stop.reason, response.choices[0].stop.reason);
    }

    #[test]
    fn any_text_is_no_panic(json in "\\PC{0,64}") {
        try_request(&json);
    }
}
