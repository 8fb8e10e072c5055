//! Random conversations go through and come back.

use super::response_tests::owed;
use super::stream_tests::{frames, gather};
use super::{Encoder, decode_request, decode_response, encode_request, encode_response};
use crate::chat::*;
use crate::dialect::codec::{Called, EncodeStream};
use crate::framing::json::{Duplicates, parse};
use crate::types::{Protocol, Usage};
use proptest::prelude::*;

/// What of a request Converse has no word for.
fn without_names(mut request: Request<'static>) -> Request<'static> {
    for block in request.turns.iter_mut().flat_map(|turn| &mut turn.blocks) {
        match &mut block.kind {
            BlockKind::ToolResult(result) => result.name = None,
            // It is an object here, and no arguments are an empty one.
            BlockKind::ToolUse(call) if call.arguments.is_empty() => call.arguments = "{}".into(),
            _ => {}
        }
    }
    request.wants_usage = true;
    request
}

/// What of an answer Converse has no word for.
fn without_names_of(mut response: Response<'static>) -> Response<'static> {
    (response.id, response.model, response.created) = ("".into(), "".into(), None);
    // It always tells counts, and zeros where there are none.
    response.usage = Some(Usage { reasoning: 0, ..response.usage.unwrap_or_default() });
    if let Some(choice) = response.choices.first_mut() {
        choice.stop.native =
            Some(if choice.stop.reason == StopReason::ToolUse { "tool_use" } else { "end_turn" }.into());
    }
    response
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn requests_come_back_as_they_went(request in arbitrary::request(Protocol::Converse, Vendor::Anthropic)) {
        let (mut losses, mut out) = (Losses::default(), Vec::new());
        encode_request(&request, &Target::new("anthropic.claude"), &mut losses, &mut out).unwrap();
        prop_assert!(losses.is_empty());
        let written = String::from_utf8(out).unwrap();
        let root = parse(&written, Duplicates::Refuse).unwrap();
        let called = Called { model: Some("some-model"), is_stream: Some(request.is_stream) };
        prop_assert_eq!(decode_request(&root, called).unwrap(), without_names(request));
    }

    #[test]
    fn answers_come_back_as_they_went(response in arbitrary::response(Protocol::Converse, Vendor::Anthropic)) {
        let mut out = Vec::new();
        encode_response(&response, &owed(), &mut out);
        let written = String::from_utf8(out).unwrap();
        let root = parse(&written, Duplicates::Refuse).unwrap();
        let mut back = decode_response(&root).unwrap();
        prop_assert_eq!(back.extra.fields.len(), 1, "metrics");
        back.extra = Extra::none();
        prop_assert_eq!(back, without_names_of(response));
    }

    #[test]
    fn streams_come_back_as_they_went((response, events) in arbitrary::stream(Protocol::Converse, Vendor::Anthropic)) {
        let (mut encoder, mut out) = (Encoder::new(owed()), Vec::new());
        events.iter().for_each(|event| encoder.write(event, &mut out));
        let all = frames(&out);
        let borrowed: Vec<(&str, &str)> = all.iter().map(|(name, data)| (name.as_str(), data.as_str())).collect();
        let (back, is_ended) = gather(&borrowed).unwrap();
        prop_assert!(is_ended);
        prop_assert_eq!(back, without_names_of(response));
    }
}
