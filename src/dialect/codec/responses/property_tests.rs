//! Random conversations, answers and streams: out and in again is the same, but for what is declared.

use super::testing::{decode, encode, lifecycle, node, owed, target};
use super::{Encoder, decode_request, decode_response, encode_request, encode_response};
use crate::chat::{
    Block, BlockKind, Carry, Feature, Losses, Request, Response, Signature, Vendor, arbitrary,
};
use crate::dialect::codec::Called;
use crate::types::Protocol;
use proptest::prelude::*;

/// What a Responses request does not say: the name of a result's tool, and stop sequences.
fn without_losses(mut request: Request<'_>) -> Request<'_> {
    request.stop.clear();
    request.wants_usage = true;
    for block in request.turns.iter_mut().flat_map(|turn| &mut turn.blocks) {
        if let BlockKind::ToolResult(result) = &mut block.kind {
            result.name = None;
        }
    }
    request
}

/// Ids that the client's side makes, and whether thinking is a summary, are not what was said.
fn bare(blocks: &[Block<'_>]) -> Vec<Block<'static>> {
    let mut blocks: Vec<Block<'static>> = blocks.iter().map(Block::to_static).collect();
    for block in &mut blocks {
        if let BlockKind::Thinking(thinking) = &mut block.kind {
            thinking.item_id = None;
            thinking.is_summary = false;
        }
    }
    blocks
}

fn same(first: &Response<'_>, second: &Response<'_>) -> Result<(), TestCaseError> {
    let (was, is) = (&first.choices[0], &second.choices[0]);
    prop_assert_eq!(bare(&was.blocks), bare(&is.blocks));
    prop_assert_eq!(was.stop.reason, is.stop.reason);
    prop_assert_eq!(first.usage, second.usage);
    prop_assert_eq!(&first.model, &second.model);
    prop_assert_eq!(first.created, second.created);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_request_of_this_protocol_is_itself_again(
        request in arbitrary::request(Protocol::Responses, Vendor::OpenAi)
    ) {
        let mut losses = Losses::default();
        let mut out = Vec::new();
        let mut target = target();
        target.model = request.model.to_string();
        encode_request(&request, &target, &mut losses, &mut out).unwrap();
        let stops = losses.all().iter().filter(|loss| loss.feature == Feature::Stop).count();
        prop_assert_eq!(losses.all().len(), stops);
        prop_assert_eq!(stops == 1, !request.stop.is_empty());
        let json = String::from_utf8(out).unwrap();
        let root = node(&json);
        prop_assert_eq!(decode_request(&root, Called::default()).unwrap(), without_losses(request));
    }

    #[test]
    fn a_request_of_another_protocol_keeps_what_is_not_declared_lost(
        request in arbitrary::request(Protocol::Messages, Vendor::Anthropic)
    ) {
        let mut losses = Losses::default();
        let mut out = Vec::new();
        encode_request(&request, &target(), &mut losses, &mut out).unwrap();
        let has_thinking = |request: &Request<'_>| {
            request.turns.iter().flat_map(|turn| &turn.blocks).any(|block| {
                matches!(block.kind, BlockKind::Thinking(_))
            })
        };
        let told = |feature| losses.all().iter().any(|loss| loss.feature == feature);
        prop_assert_eq!(told(Feature::ForeignThinking), has_thinking(&request));
        let raised = request.max_output.is_some_and(|tokens| tokens < 16);
        prop_assert_eq!(told(Feature::MaxOutput), raised);
        let is_drop = |feature| feature == Feature::MaxOutput || matches!(super::carry(feature), Carry::Drop(_));
        prop_assert!(losses.all().iter().all(|loss| is_drop(loss.feature)));
        let json = String::from_utf8(out).unwrap();
        let root = node(&json);
        let read = decode_request(&root, Called::default()).unwrap();
        let mut expected = without_losses(request);
        for turn in &mut expected.turns {
            turn.blocks.retain(|block| !matches!(block.kind, BlockKind::Thinking(_)));
        }
        prop_assert_eq!(&read.turns, &expected.turns);
        prop_assert_eq!(&read.system, &expected.system);
        prop_assert_eq!(read.max_output, expected.max_output.map(|tokens| tokens.max(16)));
        prop_assert_eq!(root.get("store").and_then(|store| store.as_bool()), Some(false));
    }

    #[test]
    fn an_answer_reaches_the_client_whole(
        response in arbitrary::response(Protocol::Messages, Vendor::Anthropic)
    ) {
        let mut out = Vec::new();
        encode_response(&response, &owed(), &mut out);
        let json = String::from_utf8(out).unwrap();
        let root = node(&json);
        let read = decode_response(&root).unwrap();
        same(&response, &read)?;
    }

    #[test]
    fn a_stream_reaches_the_client_whole(
        (response, events) in arbitrary::stream(Protocol::Messages, Vendor::Anthropic)
    ) {
        let mut encoder = Encoder::new(owed());
        let frames = encode(&mut encoder, &events);
        let last = lifecycle(&frames);
        let (_, read, is_ended, fault) = decode(&frames);
        prop_assert!(is_ended && fault.is_none());
        same(&response, &read)?;
        // The last event alone says the same.
        let json = last.to_string();
        same(&response, &decode_response(&node(&json)).unwrap())?;
    }

    #[test]
    fn what_a_client_gets_comes_back_on_its_next_turn(
        response in arbitrary::response(Protocol::Messages, Vendor::Anthropic)
    ) {
        let mut out = Vec::new();
        encode_response(&response, &owed(), &mut out);
        let answer = String::from_utf8(out).unwrap();
        let items = node(&answer).get("output").unwrap().raw().to_owned();
        let json = format!(r#"{{"model":"m","input":{items}}}"#);
        let root = node(&json);
        let request = decode_request(&root, Called::default()).unwrap();
        prop_assert_eq!(request.turns.len(), 1);
        prop_assert_eq!(bare(&request.turns[0].blocks), bare(&response.choices[0].blocks));
        let signed = |block: &Block<'_>| match &block.kind {
            BlockKind::Thinking(thinking) => thinking.signature.as_ref().map(Signature::to_static),
            _ => None,
        };
        let signatures: Vec<_> = request.turns[0].blocks.iter().filter_map(signed).collect();
        prop_assert!(signatures.iter().all(|signature| signature.vendor == Vendor::Anthropic));
    }
}
