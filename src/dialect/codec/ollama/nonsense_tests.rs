//! Nothing a client or an upstream sends makes these readers panic.

use super::*;
use crate::chat::{Losses, Target};
use crate::dialect::codec::mutants::mutants;
use crate::dialect::codec::{Called, DecodeStream};
use crate::framing::json::{Duplicates, parse, parse_bytes};

const REQUEST: &str = r#"{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"u","images":["iVBO"]},{"role":"assistant","content":"a","thinking":"t","tool_calls":[{"id":"c","function":{"index":0,"name":"f__tgfreeform","arguments":{"input":"x"}}}]},{"role":"tool","content":"r","tool_name":"f","tool_call_id":"c"}],"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}],"format":{},"options":{"temperature":1,"num_predict":1,"stop":["a"],"num_ctx":1},"think":true,"logprobs":true,"top_logprobs":1,"stream":false,"keep_alive":0}"#;

const RESPONSE: &str = r#"{"model":"m","created_at":"2026-08-07T06:08:11Z","message":{"role":"assistant","content":"a","thinking":"t","images":["iVBO"],"tool_calls":[{"id":"c","function":{"index":0,"name":"f","arguments":{"a":1}}}]},"done":true,"done_reason":"stop","prompt_eval_count":1,"eval_count":2,"logprobs":[{"token":"a"}]}"#;

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
        let mut open = Vec::new();
        let _ = Decoder::new().on_frame(None, odd.as_bytes(), &mut |event| {
            super::stream_tests::check_order(&event, &mut open);
        });
    }
}

#[test]
fn bytes_that_are_no_json_are_a_fault_not_a_panic() {
    for data in ["<html>", "{", "{\"model\":", "nul", "\u{0}"] {
        assert_eq!(
            Decoder::new().on_frame(None, data.as_bytes(), &mut |_| {}).unwrap_err().status,
            502,
            "{data}"
        );
    }
}
