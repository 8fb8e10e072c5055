//! Nonsense of every kind: an error or something read, never a panic.

use super::testing::node;
use super::{Decoder, decode_request, decode_response, stored};
use crate::dialect::codec::mutants::mutants;
use crate::dialect::codec::{Called, DecodeStream};
use crate::framing::json::{Duplicates, parse, parse_bytes};
use proptest::prelude::*;
use serde_json::{Value, json};

/// What any value may be replaced by.
fn wrong() -> Vec<Value> {
    vec![json!(null), json!(-1.5e300), json!(""), json!("x"), json!([[]]), json!({"type": 7}), json!(true)]
}

const REQUEST: &str = r#"{"model":"m","instructions":"i","input":[
  {"role":"developer","content":"x"},
  {"role":"user","content":[{"type":"input_text","text":"t","prompt_cache_breakpoint":{"mode":"explicit","ttl":"30m"}},
    {"type":"input_image","image_url":"data:image/png;base64,i","detail":"low"},
    {"type":"input_file","filename":"a","file_data":"data:application/pdf;base64,J","file_url":"https://x","file_id":"f"},
    {"type":"input_audio","input_audio":{"data":"U","format":"mp3"}}]},
  {"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"a"}],"content":[{"type":"reasoning_text","text":"b"}],"encrypted_content":"tg1.a.QQ"},
  {"type":"message","role":"assistant","phase":"p","content":[{"type":"output_text","text":"L","annotations":[{"type":"url_citation","url":"u","title":"t","start_index":0,"end_index":4}]},{"type":"refusal","refusal":"no"}]},
  {"type":"function_call","call_id":"c-tg1-gQQ","name":"f","arguments":"{}"},
  {"type":"custom_tool_call","call_id":"d","name":"g","input":"i"},
  {"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"t"}]},
  {"type":"item_reference","id":"x"}],
 "tools":[{"type":"function","name":"f","description":"d","parameters":{},"strict":true},{"type":"function","function":{"name":"n"}},{"type":"custom","name":"g","format":{}},{"type":"web_search"}],
 "tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]},"parallel_tool_calls":true,
 "reasoning":{"effort":"low","summary":"auto"},"text":{"format":{"type":"json_schema","name":"a","schema":{},"strict":true},"verbosity":"low"},
 "include":["reasoning.encrypted_content","x"],"store":true,"stream":true,"stream_options":{"include_obfuscation":true},
 "max_output_tokens":9,"temperature":1,"metadata":{"a":"b"},"truncation":"auto","context_management":[{}],"background":true,
 "previous_response_id":"r","conversation":{"id":"c"},"user":"u","safety_identifier":"v"}"#;

const RESPONSE: &str = r#"{"id":"resp_1","object":"response","created_at":1,"status":"incomplete","incomplete_details":{"reason":"x"},"model":"m","output":[
  {"id":"rs","type":"reasoning","summary":[{"type":"summary_text","text":"a"}],"content":[{"type":"reasoning_text","text":"b"}],"encrypted_content":"e"},
  {"id":"msg","type":"message","role":"assistant","content":[{"type":"output_text","text":"L","annotations":[{"url":"u","start_index":0,"end_index":4}],"logprobs":[{"token":"L"}]},{"type":"refusal","refusal":"no"}]},
  {"type":"function_call","call_id":"c","name":"f__tgfreeform","arguments":"{}"},{"type":"web_search_call"}],
  "usage":{"input_tokens":1,"input_tokens_details":{"cached_tokens":1},"output_tokens":1,"output_tokens_details":{"reasoning_tokens":1},"total_tokens":2}}"#;

#[test]
fn requests_with_one_wrong_place_are_read_or_refused() {
    let mutants = mutants(REQUEST);
    assert!(mutants.len() > 900);
    let mut refused = 0;
    for mutant in mutants {
        let json = mutant.to_string();
        let root = node(&json);
        let _ = stored(&root);
        match decode_request(&root, Called::default()) {
            Ok(request) => drop(super::echo(&request)),
            Err(why) => {
                refused += 1;
                assert!(!why.message.is_empty() && why.at.offset().is_some(), "{json}");
            }
        }
    }
    assert!(refused > 300, "only {refused} were refused");
}

#[test]
fn answers_with_one_wrong_place_are_read_or_garbled() {
    for mutant in mutants(RESPONSE) {
        let json = mutant.to_string();
        if let Ok(response) = decode_response(&node(&json)) {
            let mut out = Vec::new();
            super::encode_response(&response, &super::testing::owed(), &mut out);
            assert!(parse_bytes(&out, Duplicates::Refuse).is_ok(), "{json}");
        }
    }
}

#[test]
fn documents_that_end_too_early_are_no_json() {
    for whole in [REQUEST, RESPONSE] {
        for cut in (0..whole.len()).filter(|cut| whole.is_char_boundary(*cut)) {
            assert!(parse(&whole[..cut], Duplicates::LastCounts).is_err());
        }
    }
}

/// Events of every kind, whole ones and broken ones.
fn event() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(vec![
        "response.created",
        "response.output_item.added",
        "response.output_item.done",
        "response.content_part.added",
        "response.content_part.done",
        "response.output_text.delta",
        "response.output_text.done",
        "response.output_text.annotation.added",
        "response.refusal.delta",
        "response.refusal.done",
        "response.reasoning_text.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.custom_tool_call_input.delta",
    ]);
    let items: Value = serde_json::from_str::<Value>(RESPONSE).unwrap()["output"].clone();
    let item = prop::sample::select(items.as_array().unwrap().clone());
    let item = prop_oneof![4 => item, 1 => prop::sample::select(wrong())];
    let index = prop_oneof![6 => (0u64..4).prop_map(Value::from), 1 => prop::sample::select(wrong())];
    (kind, item, index.clone(), index, "[a-z]{0,3}").prop_map(|(kind, item, output, part, text)| {
        json!({"type": kind, "item": item, "part": item["content"][0], "output_index": output,
            "content_index": part, "summary_index": part, "delta": text, "text": text, "refusal": text,
            "arguments": text, "annotation": {"url": text}, "response": {"id": text}, "logprobs": [{"token": text}]})
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn events_in_any_order_keep_the_promise_of_order(events in prop::collection::vec(event(), 0..40)) {
        let end = format!(r#"{{"type":"response.completed","response":{RESPONSE}}}"#);
        let mut frames: Vec<_> = events.iter().map(|event| (None, event.to_string())).collect();
        frames.push((None, end));
        // Checks the order of what is told.
        let (_, _, is_ended, fault) = super::testing::decode(&frames);
        prop_assert!(is_ended && fault.is_none());
    }

    #[test]
    fn any_bytes_are_a_fault_or_nothing(data in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut told = 0;
        let _ = Decoder::new().on_frame(None, &data, &mut |_| told += 1);
        prop_assert_eq!(told, 0);
    }
}
