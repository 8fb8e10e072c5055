//! What goes through a protocol and back is what it was, up to declared losses.

use super::*;
use crate::chat::{Block, BlockKind, Collector, Losses, Request, Response, Role, Target, Vendor, arbitrary};
use crate::dialect::codec::{Called, DecodeStream, EncodeStream};
use crate::framing::json::{Duplicates, parse};
use crate::types::Protocol;
use proptest::prelude::*;

/// What a turn says, without the places of pictures between texts, which Ollama cannot keep.
fn said(blocks: &[Block<'_>], between: &str) -> (String, Vec<BlockKind<'static>>) {
    let texts: Vec<&str> = blocks.iter().filter_map(Block::as_text).collect();
    let rest = blocks.iter().filter(|block| block.as_text().is_none());
    (texts.join(between), rest.map(|block| block.kind.to_static()).collect())
}

fn told(request: &Request<'_>) -> Vec<(Role, String, Vec<BlockKind<'static>>)> {
    let between = |role| if role == Role::Assistant { "" } else { "\n\n" };
    let turn = |role: Role, blocks: &[Block<'_>]| {
        let (text, mut rest) = said(blocks, between(role));
        rest.sort_by_key(|kind| matches!(kind, BlockKind::Image(_)));
        (role, text, rest)
    };
    request.turns.iter().map(|t| turn(t.role, &t.blocks)).collect()
}

fn same_choices(read: &Response<'_>, made: &Response<'_>) -> Result<(), TestCaseError> {
    prop_assert_eq!(said(&read.choices[0].blocks, ""), said(&made.choices[0].blocks, ""));
    prop_assert_eq!(read.choices[0].stop.reason, made.choices[0].stop.reason);
    let (read, made) = (read.usage.unwrap(), made.usage.unwrap());
    prop_assert_eq!((read.input, read.output), (made.input, made.output));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_request_comes_back_as_it_went(request in arbitrary::request(Protocol::Chat, Vendor::Unsigned)) {
        let (mut losses, mut out) = (Losses::default(), Vec::new());
        encode_request(&request, &Target::new("some-model"), &mut losses, &mut out).unwrap();
        prop_assert!(losses.is_empty(), "{:?}", losses);
        let text = String::from_utf8(out).unwrap();
        let node = parse(&text, Duplicates::Refuse).unwrap();
        let read = decode_request(&node, Called::default()).unwrap();
        prop_assert_eq!(told(&read), told(&request));
        prop_assert_eq!(&read.tools, &request.tools);
        prop_assert_eq!(&read.settings, &request.settings);
        prop_assert_eq!((read.max_output, &read.stop, read.is_stream), (request.max_output, &request.stop, request.is_stream));
        prop_assert_eq!(&read.system, &request.system);
    }

    #[test]
    fn an_answer_comes_back_as_it_went(response in arbitrary::response(Protocol::Chat, Vendor::Unsigned)) {
        let mut out = Vec::new();
        encode_response(&response, &super::response_tests::owed(), &mut out);
        let text = String::from_utf8(out).unwrap();
        let node = parse(&text, Duplicates::Refuse).unwrap();
        same_choices(&decode_response(&node).unwrap(), &response)?;
    }

    #[test]
    fn a_stream_comes_back_as_it_went((response, events) in arbitrary::stream(Protocol::Chat, Vendor::Unsigned)) {
        let (mut encoder, mut out) = (Encoder::new(super::response_tests::owed()), Vec::new());
        events.iter().for_each(|event| encoder.write(event, &mut out));
        let (mut decoder, mut collector) = (Decoder::new(), Collector::new(Protocol::Ollama));
        for line in out.split(|byte| *byte == b'\n') {
            decoder.on_frame(None, line, &mut |event| collector.take(&event)).unwrap();
        }
        let (read, is_ended) = collector.finish();
        prop_assert!(is_ended);
        same_choices(&read, &response)?;
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(data in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = Decoder::new().on_frame(None, &data, &mut |_| {});
    }
}
