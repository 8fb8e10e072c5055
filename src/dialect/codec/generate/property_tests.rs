//! Random conversations through the codec and back.

use super::request_tests::gemini3;
use super::response_tests::owed;
use super::stream_tests::{frames, gather};
use super::*;
use crate::chat::*;
use crate::dialect::codec::{Called, DecodeStream, EncodeStream};
use crate::framing::json::{Duplicates, parse};
use crate::types::Protocol;
use proptest::prelude::*;

fn vendor() -> impl Strategy<Value = Vendor> {
    prop::sample::select(vec![Vendor::Gemini, Vendor::Unsigned])
}

fn back(text: &str, request: &Request<'_>) -> Request<'static> {
    let called = Called { model: Some(&request.model), is_stream: Some(request.is_stream) };
    let root = parse(text, Duplicates::Refuse).unwrap();
    let read = decode_request(&root, called).unwrap();
    to_static(&read)
}

/// The parts the properties compare, outliving the body.
fn to_static(request: &Request<'_>) -> Request<'static> {
    let block = |block: &Block<'_>| Block::new(block.kind.to_static());
    let mut made = Request::new(Protocol::Chat, request.model.to_string());
    made.system = request.system.iter().map(block).collect();
    made.turns = request
        .turns
        .iter()
        .map(|turn| Turn::new(turn.role, turn.blocks.iter().map(block).collect()))
        .collect();
    made.max_output = request.max_output;
    made.stop = request.stop.iter().map(|one| one.to_string().into()).collect();
    made.is_stream = request.is_stream;
    made
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_conversation_comes_back_as_it_went(
        request in vendor().prop_flat_map(|vendor| arbitrary::request(Protocol::Chat, vendor))
    ) {
        let (mut losses, mut out) = (Losses::default(), Vec::new());
        // A dummy would come back as a signature.
        let target = Target { needs_signatures: false, ..gemini3() };
        encode_request(&request, &target, &mut losses, &mut out).unwrap();
        prop_assert!(losses.is_empty(), "{:?}", losses);
        let read = back(std::str::from_utf8(&out).unwrap(), &request);
        prop_assert_eq!(read, to_static(&request));
    }

    #[test]
    fn a_whole_answer_comes_back_through_a_client(
        response in arbitrary::response(Protocol::Messages, Vendor::Anthropic)
    ) {
        let mut out = Vec::new();
        encode_response(&response, &owed(), &mut out);
        let root = parse(std::str::from_utf8(&out).unwrap(), Duplicates::Refuse).unwrap();
        let mut read = decode_response(&root).unwrap();
        read.from = response.from;
        read.choices[0].stop.native = response.choices[0].stop.native.clone();
        prop_assert_eq!(read, response);
    }

    #[test]
    fn a_stream_comes_back_through_a_client(
        (response, events) in arbitrary::stream(Protocol::Messages, Vendor::Anthropic)
    ) {
        let (mut encoder, mut out) = (Encoder::new(owed()), Vec::new());
        events.iter().for_each(|event| encoder.write(event, &mut out));
        let (mut read, is_ended) = gather(&frames(&out));
        read.from = response.from;
        read.choices[0].stop.native = response.choices[0].stop.native.clone();
        prop_assert_eq!((read, is_ended), (response, true));
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut decoder = Decoder::new();
        let _ = decoder.on_frame(None, &bytes, &mut |_| {});
        decoder.on_end(&mut |_| {});
    }
}
