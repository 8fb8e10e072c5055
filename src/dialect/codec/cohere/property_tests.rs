//! What goes through a protocol and back is what it was, up to declared losses.

use super::*;
use crate::chat::{BlockKind, Collector, Losses, Request, Response, Target, Vendor, arbitrary};
use crate::dialect::codec::{Called, DecodeStream, EncodeStream};
use crate::framing::json::{Duplicates, parse};
use crate::framing::sse::SseScanner;
use crate::types::Protocol;
use proptest::prelude::*;

/// A request without what Cohere has no word for: results do not name their tool, and vendors differ.
fn told(mut request: Request<'static>) -> Request<'static> {
    for block in request.turns.iter_mut().flat_map(|turn| &mut turn.blocks) {
        if let BlockKind::ToolResult(result) = &mut block.kind {
            result.name = None;
        }
    }
    request.from = Protocol::Cohere;
    request.wants_usage = true;
    request
}

fn same_choices(read: &Response<'_>, made: &Response<'_>) -> Result<(), TestCaseError> {
    prop_assert_eq!(&read.choices[0].blocks, &made.choices[0].blocks);
    prop_assert_eq!(read.choices[0].stop.reason, made.choices[0].stop.reason);
    let (read, made) = (read.usage.unwrap(), made.usage.unwrap());
    prop_assert_eq!((read.input, read.cache_read, read.output), (made.input, made.cache_read, made.output));
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
        prop_assert_eq!(decode_request(&node, Called::default()).unwrap(), told(request));
    }

    #[test]
    fn an_answer_comes_back_as_it_went(response in arbitrary::response(Protocol::Messages, Vendor::Anthropic)) {
        let mut out = Vec::new();
        encode_response(&response, &super::response_tests::owed(), &mut out);
        let text = String::from_utf8(out).unwrap();
        let node = parse(&text, Duplicates::Refuse).unwrap();
        same_choices(&decode_response(&node).unwrap(), &response)?;
    }

    #[test]
    fn a_stream_comes_back_as_it_went((response, events) in arbitrary::stream(Protocol::Messages, Vendor::Anthropic)) {
        let (mut encoder, mut out) = (Encoder::new(super::response_tests::owed()), Vec::new());
        events.iter().for_each(|event| encoder.write(event, &mut out));
        let (mut decoder, mut collector) = (Decoder::new(), Collector::new(Protocol::Cohere));
        let mut scanner = SseScanner::new(1 << 20);
        scanner.feed(&out, |frame, _| {
            decoder.on_frame(frame.name, frame.data, &mut |event| collector.take(&event)).unwrap();
        }).unwrap();
        let (read, is_ended) = collector.finish();
        prop_assert!(is_ended);
        same_choices(&read, &response)?;
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(data in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = Decoder::new().on_frame(Some(b"content-delta"), &data, &mut |_| {});
    }
}
