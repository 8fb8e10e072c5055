//! Nothing a client or an upstream sends makes these readers panic.

use super::*;
use crate::chat::{Losses, Target};
use crate::dialect::codec::mutants::mutants;
use crate::dialect::codec::{Called, DecodeStream};
use crate::framing::json::{Duplicates, parse, parse_bytes};

const REQUEST: &str = r#"{"model":"m","messages":[{"role":"system","content":[{"type":"text","text":"s"}]},{"role":"user","content":[{"type":"text","text":"u"},{"type":"image_url","image_url":{"url":"https://x","detail":"low"}}]},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"tg1.a.c2ln"}],"tool_plan":"p","tool_calls":[{"id":"c","type":"function","function":{"name":"f__tgfreeform","arguments":"{}"}}],"citations":[{"start":0,"end":1,"content_index":0,"sources":[{"type":"tool","document":{"title":"x"}}]}]},{"role":"tool","tool_call_id":"c","content":[{"type":"document","document":{"data":{"text":"x"},"id":"i"}}]}],"documents":["a",{"data":{"text":"b"}}],"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}],"strict_tools":true,"tool_choice":"NONE","response_format":{"type":"json_object","json_schema":{}},"thinking":{"type":"enabled","token_budget":1},"max_tokens":1,"stop_sequences":["a"],"temperature":1,"stream":true}"#;

const RESPONSE: &str = r#"{"id":"i","finish_reason":"TOOL_CALL","message":{"role":"assistant","content":[{"type":"text","text":"t"},{"type":"thinking","thinking":"h","redacted":"x"}],"tool_plan":"p","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}],"citations":[{"start":0,"end":1,"text":"t","content_index":0,"type":"PLAN","sources":[{"document":{"text":"x"}}]}]},"usage":{"billed_units":{"input_tokens":1,"output_tokens":2},"tokens":{"input_tokens":1,"output_tokens":2},"cached_tokens":1}}"#;

#[test]
fn requests_with_any_field_replaced_are_read_or_refused() {
    let mut read = 0;
    for odd in mutants(REQUEST) {
        let node = parse(&odd, Duplicates::Refuse).unwrap();
        if let Ok(request) = decode_request(&node, Called::default()) {
            let mut out = Vec::new();
            if encode_request(&request, &Target::new("m"), &mut Losses::default(), &mut out).is_ok() {
                parse_bytes(&out, Duplicates::Refuse).unwrap();
                read += 1;
            }
        }
    }
    assert!(read > 50, "{read}");
}

#[test]
fn answers_with_any_field_replaced_are_read_or_garbled() {
    for odd in mutants(RESPONSE) {
        let node = parse(&odd, Duplicates::Refuse).unwrap();
        if let Ok(response) = decode_response(&node) {
            let mut out = Vec::new();
            encode_response(&response, &super::response_tests::owed(), &mut out);
            parse_bytes(&out, Duplicates::Refuse).unwrap();
        }
    }
}

#[test]
fn streams_of_odd_events_keep_their_order() {
    let events = super::stream_tests::SAMPLE;
    for (at, sample) in events.iter().enumerate() {
        for odd in mutants(sample) {
            let mut decoder = Decoder::new();
            let mut open: Vec<u32> = Vec::new();
            for (number, event) in events.iter().enumerate() {
                let data = if number == at { odd.clone() } else { (*event).to_owned() };
                let read = decoder.on_frame(None, data.as_bytes(), &mut |event| {
                    super::stream_tests::check_order(&event, &mut open);
                });
                if read.is_err() {
                    break;
                }
            }
        }
    }
}

#[test]
fn bytes_that_are_no_json_are_a_fault_not_a_panic() {
    for data in ["<html>", "{", "{\"type\":", "nul", "\u{0}"] {
        assert_eq!(
            Decoder::new().on_frame(None, data.as_bytes(), &mut |_| {}).unwrap_err().status,
            502,
            "{data}"
        );
    }
}
