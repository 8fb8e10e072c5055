//! What is written reads back the same, for any conversation.

use super::*;
use crate::chat::{
    Block, BlockKind, Collector, Losses, Request, Response, Stop, Target, ThinkingEcho, Turn, Vendor,
    arbitrary,
};
use crate::dialect::codec::{Called, DecodeStream, EncodeStream, Owed};
use crate::framing::json::{Duplicates, parse_bytes};
use crate::framing::sse::SseScanner;
use crate::types::Protocol;
use proptest::prelude::*;

fn owed(wants_usage: bool) -> Owed {
    Owed {
        model: "asked".into(),
        token: "0123456789abcdef0123".into(),
        created: 1_760_000_000,
        wants_usage,
        is_array: false,
        echo: String::new(),
    }
}

fn written(request: &Request<'_>, target: &Target) -> (Vec<u8>, Losses) {
    let (mut losses, mut out) = (Losses::default(), Vec::new());
    encode_request(request, target, &mut losses, &mut out).unwrap();
    (out, losses)
}

/// In the order chat has: thinking, text, calls. Lists of text are one text where `is_joined`.
fn in_order(turn: &Turn<'static>, is_joined: bool) -> Vec<Block<'static>> {
    let rank = |block: &Block<'_>| match block.kind {
        BlockKind::Thinking(_) => 0,
        BlockKind::ToolUse(_) => 2,
        _ => 1,
    };
    let mut blocks = turn.blocks.clone();
    blocks.sort_by_key(rank);
    if is_joined && blocks.iter().all(|block| !matches!(block.kind, BlockKind::Image(_))) {
        let mut joined: Vec<Block<'static>> = Vec::new();
        for block in blocks {
            let before = joined.last_mut().map(|block| &mut block.kind);
            match (before, &block.kind) {
                (Some(BlockKind::Text { text, .. }), BlockKind::Text { text: more, .. }) => {
                    *text = format!("{text}\n\n{more}").into();
                }
                _ => joined.push(block),
            }
        }
        return joined;
    }
    blocks
}

fn assert_same(read: &Request<'_>, wrote: &Request<'static>, is_joined: bool) -> Result<(), TestCaseError> {
    prop_assert_eq!(read.turns.len(), wrote.turns.len());
    for (read, wrote) in read.turns.iter().zip(&wrote.turns) {
        prop_assert_eq!(read.role, wrote.role);
        prop_assert_eq!(&read.blocks, &in_order(wrote, is_joined));
    }
    prop_assert_eq!(&read.system, &wrote.system);
    prop_assert_eq!(&read.tools, &wrote.tools);
    prop_assert_eq!(&read.settings, &wrote.settings);
    prop_assert_eq!(&read.stop, &wrote.stop);
    prop_assert_eq!((read.max_output, read.is_stream), (wrote.max_output, wrote.is_stream));
    prop_assert!(read.extra.is_empty());
    Ok(())
}

/// All frames of a stream through the decoder.
fn read_stream(bytes: &[u8], cut: usize) -> (Response<'static>, bool) {
    let (mut scanner, mut decoder) = (SseScanner::new(1 << 20), Decoder::new());
    let mut collector = Collector::new(Protocol::Chat);
    let mut check = Order::default();
    for chunk in bytes.chunks(cut) {
        let mut frame = |event: crate::framing::sse::SseEvent<'_>, _: usize| {
            decoder
                .on_frame(event.name, event.data, &mut |event| {
                    check.take(&event);
                    collector.take(&event);
                })
                .unwrap();
        };
        scanner.feed(chunk, &mut frame).unwrap();
    }
    decoder.on_end(&mut |event| collector.take(&event));
    collector.finish()
}

/// The promises of [`crate::chat::Event`].
#[derive(Default)]
struct Order {
    is_started: bool,
    open: Vec<(u32, u32, bool)>,
    used: Vec<u32>,
    stopped: Vec<u32>,
}

impl Order {
    fn take(&mut self, event: &crate::chat::Event<'_>) {
        use crate::chat::{BlockStart, Event};
        match event {
            Event::Start { .. } => assert!(!std::mem::replace(&mut self.is_started, true)),
            Event::BlockStart { choice, block, start } => {
                assert!(self.is_started && !self.used.contains(block) && !self.stopped.contains(choice));
                let is_call = matches!(start, BlockStart::ToolUse { .. });
                assert!(!self.open.iter().any(|(of, _, is_call)| of == choice && !is_call), "still open");
                self.used.push(*block);
                self.open.push((*choice, *block, is_call));
            }
            Event::Delta { choice, block, .. } => {
                assert!(self.open.iter().any(|(of, open, _)| (of, open) == (choice, block)));
            }
            Event::BlockStop { choice, block } => {
                let at = self.open.iter().position(|(of, open, _)| (of, open) == (choice, block)).unwrap();
                self.open.remove(at);
            }
            Event::Stop { choice, .. } => {
                assert!(!self.open.iter().any(|(of, ..)| of == choice) && !self.stopped.contains(choice));
                self.stopped.push(*choice);
            }
            Event::Logprobs { .. } | Event::Usage(_) => {}
            Event::End => assert!(self.open.is_empty()),
        }
    }
}

fn without_words(mut response: Response<'static>) -> Response<'static> {
    response.id = "".into();
    for choice in &mut response.choices {
        choice.stop = Stop::new(choice.stop.reason);
    }
    response
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_request_is_the_same_at_an_upstream_that_takes_all_back(
        wrote in arbitrary::request(Protocol::Chat, Vendor::Unsigned)
    ) {
        let mut target = Target::new("m");
        target.echo = ThinkingEcho::ReasoningDetails;
        let (out, losses) = written(&wrote, &target);
        prop_assert!(losses.is_empty());
        let root = parse_bytes(&out, Duplicates::Refuse).unwrap();
        assert_same(&decode_request(&root, Called::default()).unwrap(), &wrote, false)?;
    }

    #[test]
    fn texts_are_joined_where_lists_are_refused(
        wrote in arbitrary::request(Protocol::Chat, Vendor::Unsigned)
    ) {
        let mut target = Target::new("m");
        target.echo = ThinkingEcho::ReasoningContent;
        target.takes_text_lists = false;
        let (out, losses) = written(&wrote, &target);
        prop_assert!(losses.is_empty());
        let root = parse_bytes(&out, Duplicates::Refuse).unwrap();
        assert_same(&decode_request(&root, Called::default()).unwrap(), &wrote, true)?;
    }

    #[test]
    fn a_request_from_elsewhere_loses_only_what_is_told(
        wrote in arbitrary::request(Protocol::Messages, Vendor::Anthropic)
    ) {
        let (out, losses) = written(&wrote, &Target::new("m"));
        let thinks = wrote.turns.iter().flat_map(|t| &t.blocks)
            .any(|block| matches!(block.kind, BlockKind::Thinking(_)));
        prop_assert_eq!(losses.all().len(), usize::from(thinks));
        let root = parse_bytes(&out, Duplicates::Refuse).unwrap();
        let mut wrote = wrote;
        for turn in &mut wrote.turns {
            turn.blocks.retain(|block| !matches!(block.kind, BlockKind::Thinking(_)));
            for block in &mut turn.blocks {
                if let BlockKind::ToolResult(result) = &mut block.kind {
                    result.name = None;
                }
            }
        }
        assert_same(&decode_request(&root, Called::default()).unwrap(), &wrote, false)?;
    }

    #[test]
    fn an_answer_of_any_vendor_comes_back_from_a_client_whole(
        (vendor, answer) in prop::sample::select(
            vec![Vendor::Anthropic, Vendor::Gemini, Vendor::OpenAi, Vendor::OpenRouter, Vendor::Unsigned]
        ).prop_flat_map(|vendor| (Just(vendor), arbitrary::response(Protocol::Messages, vendor)))
    ) {
        let mut out = Vec::new();
        encode_response(&answer, &owed(false), &mut out);
        let root = parse_bytes(&out, Duplicates::Refuse).unwrap();
        let read = decode_response(&root).unwrap();
        prop_assert_eq!(&read.choices[0].blocks, &answer.choices[0].blocks, "{:?}", vendor);
        prop_assert_eq!(read.usage, answer.usage);
        // The message, sent back as it came.
        let text = std::str::from_utf8(&out).unwrap();
        let message = root.get("choices").unwrap().items()[0].get("message").unwrap().raw();
        prop_assert!(text.contains(message));
        let body = format!("{{\"model\":\"m\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}},{message}]}}");
        let root = parse_bytes(body.as_bytes(), Duplicates::Refuse).unwrap();
        let request = decode_request(&root, Called::default()).unwrap();
        prop_assert_eq!(&request.turns[1].blocks, &answer.choices[0].blocks);
    }

    #[test]
    fn a_stream_amounts_to_the_same_answer_however_it_is_cut(
        (answer, events) in arbitrary::stream(Protocol::Chat, Vendor::Anthropic),
        cut in 1usize..200,
    ) {
        let (mut encoder, mut out) = (Encoder::new(owed(true)), Vec::new());
        for event in &events {
            encoder.write(event, &mut out);
        }
        let (read, is_ended) = read_stream(&out, cut);
        prop_assert!(is_ended);
        prop_assert_eq!(without_words(read), without_words(answer));
    }

    #[test]
    fn no_frame_whatever_panics(frames in prop::collection::vec(arbitrary::text(), 0..8), name in any::<bool>()) {
        let mut decoder = Decoder::new();
        for frame in frames {
            let name = name.then_some(&b"error"[..]);
            if decoder.on_frame(name, frame.as_bytes(), &mut |_| {}).is_err() {
                return Ok(());
            }
        }
        decoder.on_end(&mut |_| {});
    }
}
