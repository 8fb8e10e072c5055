//! Random streams through any two protocols, cut anywhere.

use super::{Owed, decoder, encoder};
use crate::chat::arbitrary;
use crate::chat::{BlockKind, BlockStart, Collector, Event, Response, Vendor};
use crate::framing::eventstream::EventStreamScanner;
use crate::framing::lines::LineScanner;
use crate::framing::sse::SseScanner;
use crate::types::{Protocol, Usage};
use proptest::prelude::*;

fn owed() -> Owed {
    Owed {
        model: "asked".into(),
        token: "0123456789abcdef0123".into(),
        created: 1_760_000_000,
        wants_usage: true,
        is_array: false,
        echo: String::new(),
    }
}

/// One frame: its name and data.
type Frame = (Option<Vec<u8>>, Vec<u8>);

/// The frames of a stream that came in pieces.
fn frames(protocol: Protocol, bytes: &[u8], cuts: &[usize]) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut pieces = Vec::new();
    let (mut rest, mut cuts) = (bytes, cuts.iter().cycle());
    while !rest.is_empty() {
        let (piece, tail) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
        pieces.push(piece);
        rest = tail;
    }
    match protocol {
        Protocol::Converse => {
            let mut scanner = EventStreamScanner::new();
            for piece in pieces {
                let mut put = |m: crate::framing::eventstream::Message<'_>, _: usize| {
                    frames.push((Some(m.name.to_vec()), m.payload.to_vec()));
                };
                scanner.feed(piece, &mut put).unwrap();
            }
            assert!(scanner.is_at_boundary());
        }
        Protocol::Ollama => {
            let mut scanner = LineScanner::new(1 << 20);
            for piece in pieces {
                scanner.feed(piece, |line, _| frames.push((None, line.to_vec()))).unwrap();
            }
            assert!(scanner.is_at_boundary());
        }
        _ => {
            let mut scanner = SseScanner::new(1 << 20);
            for piece in pieces {
                let put = |event: crate::framing::sse::SseEvent<'_>, _: usize| {
                    frames.push((event.name.map(<[u8]>::to_vec), event.data.to_vec()));
                };
                scanner.feed(piece, put).unwrap();
            }
            assert!(scanner.is_at_boundary());
        }
    }
    frames
}

fn written(protocol: Protocol, mut say: impl FnMut(&mut dyn FnMut(&Event<'_>))) -> Vec<u8> {
    let (mut encoder, mut out) = (encoder(protocol, owed()), Vec::new());
    say(&mut |event| encoder.write(event, &mut out));
    out
}

/// Hands on what a protocol's decoder makes of a stream, and checks the promises of [`Event`].
fn told(protocol: Protocol, bytes: &[u8], cuts: &[usize], sink: &mut dyn FnMut(&Event<'_>)) {
    let (mut decoder, mut order) = (decoder(protocol), Order::default());
    for (name, data) in frames(protocol, bytes, cuts) {
        let on_event = &mut |event: Event<'_>| {
            order.take(&event);
            sink(&event);
        };
        decoder.on_frame(name.as_deref(), &data, on_event).unwrap();
    }
    decoder.on_end(&mut |event| {
        order.take(&event);
        sink(&event);
    });
    assert!(order.is_ended, "{}: no end", protocol.as_str());
}

/// The promises of [`Event`].
#[derive(Default)]
struct Order {
    is_started: bool,
    is_ended: bool,
    open: Vec<(u32, u32, bool)>,
    used: Vec<u32>,
    stopped: Vec<u32>,
}

impl Order {
    fn take(&mut self, event: &Event<'_>) {
        assert!(!self.is_ended, "{event:?} behind the end");
        match event {
            Event::Start { .. } => assert!(!std::mem::replace(&mut self.is_started, true)),
            Event::BlockStart { choice, block, start } => {
                assert!(self.is_started && !self.used.contains(block) && !self.stopped.contains(choice));
                let is_call = matches!(start, BlockStart::ToolUse { .. });
                let has_talk = self.open.iter().any(|(of, _, is_call)| of == choice && !is_call);
                assert!(is_call || !has_talk, "{event:?}: another block talks");
                self.used.push(*block);
                self.open.push((*choice, *block, is_call));
            }
            Event::Delta { choice, block, .. } => {
                assert!(self.open.iter().any(|(of, open, _)| (of, open) == (choice, block)), "{event:?}");
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
            Event::End => {
                assert!(self.open.is_empty());
                self.is_ended = true;
            }
        }
    }
}

/// What every protocol can say of an answer: kinds apart, for some have one order.
#[derive(Debug, PartialEq)]
struct Said {
    thinking: String,
    /// Whose proof, and the proof.
    proofs: Vec<(Vendor, String)>,
    text: String,
    calls: Vec<(String, String, serde_json::Value)>,
    stop: crate::chat::StopReason,
    usage: (u64, u64, u64, u64),
}

fn said(response: &Response<'_>) -> Said {
    let choice = &response.choices[0];
    let usage = response.usage.unwrap_or_default();
    let mut said = Said {
        thinking: String::new(),
        proofs: Vec::new(),
        text: String::new(),
        calls: Vec::new(),
        stop: choice.stop.reason,
        usage: (usage.input, usage.cache_read, usage.output, usage.reasoning),
    };
    for block in &choice.blocks {
        match &block.kind {
            BlockKind::Thinking(thinking) => {
                said.thinking.push_str(&thinking.text);
                let proof = thinking.signature.as_ref().filter(|proof| proof.vendor != Vendor::Unsigned);
                said.proofs.extend(proof.map(|proof| (proof.vendor, proof.data.to_string())));
            }
            BlockKind::Text { text, .. } => said.text.push_str(text),
            BlockKind::ToolUse(call) => {
                let arguments = serde_json::from_str(&call.arguments_object()).unwrap();
                said.calls.push((call.id.to_string(), call.name.to_string(), arguments));
            }
            other => panic!("{other:?}"),
        }
    }
    said
}

/// The same without what a protocol has no word for.
fn through(mut said: Said, protocol: Protocol) -> Said {
    match protocol {
        Protocol::Converse | Protocol::Cohere => said.usage.3 = 0,
        Protocol::Ollama => {
            (said.usage.1, said.usage.3) = (0, 0);
            // Ollama has no slot for proofs of thinking.
            said.proofs.clear();
        }
        _ => {}
    }
    said
}

fn protocol() -> impl Strategy<Value = Protocol> {
    prop::sample::select(Protocol::ALL.to_vec())
}

fn vendor() -> impl Strategy<Value = Vendor> {
    prop::sample::select(vec![Vendor::Anthropic, Vendor::Gemini, Vendor::OpenAi, Vendor::Unsigned])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    /// An answer crosses two gateways: written as one protocol, read, written as another, read.
    #[test]
    fn a_stream_through_two_protocols_says_what_it_said_wherever_it_is_cut(
        (response, events) in vendor().prop_flat_map(|vendor| arbitrary::stream(Protocol::Messages, vendor)),
        (first, second) in (protocol(), protocol()),
        cuts in prop::collection::vec(1usize..40, 1..6),
    ) {
        let one = written(first, |say| events.iter().for_each(say));
        let two = written(second, |say| told(first, &one, &cuts, say));
        let mut collector = Collector::new(second);
        told(second, &two, &cuts, &mut |event| collector.take(event));
        let (read, _) = collector.finish();
        let expected = through(through(said(&response), first), second);
        let mut read = said(&read);
        if [first, second].contains(&Protocol::Ollama) {
            // Nor for ids, in its older versions.
            prop_assert_eq!(read.calls.len(), expected.calls.len());
        }
        if read.usage == (0, 0, 0, 0) {
            read.usage = expected.usage;
        }
        prop_assert_eq!(read, expected, "{:?} then {:?}: {}", first, second, String::from_utf8_lossy(&two));
    }

    /// Each protocol's own decoder of its own encoder, one byte at a time and in one piece.
    #[test]
    fn cuts_change_no_event(
        (_, events) in vendor().prop_flat_map(|vendor| arbitrary::stream(Protocol::Messages, vendor)),
        protocol in protocol(),
        cuts in prop::collection::vec(1usize..400, 1..6),
    ) {
        let bytes = written(protocol, |say| events.iter().for_each(say));
        let read = |cuts: &[usize]| {
            let mut all = Vec::new();
            told(protocol, &bytes, cuts, &mut |event| all.push(format!("{event:?}")));
            all
        };
        let whole = read(&[usize::MAX]);
        prop_assert_eq!(&read(&[1]), &whole);
        prop_assert_eq!(&read(&cuts), &whole);
    }
}

/// Usage of nothing is none; of something, its total is the sum.
#[test]
fn the_usage_of_a_stream_without_any_is_none() {
    for protocol in Protocol::ALL {
        let events = [
            Event::Start { id: "".into(), model: "m".into(), created: None },
            Event::Stop { choice: 0, stop: crate::chat::Stop::new(crate::chat::StopReason::End) },
            Event::End,
        ];
        let bytes = written(protocol, |say| events.iter().for_each(say));
        let mut usage = None;
        told(protocol, &bytes, &[3], &mut |event| {
            if let Event::Usage(told) = event {
                usage = Some(*told);
            }
        });
        assert!(usage.is_none_or(|usage| usage == Usage::default()), "{}: {usage:?}", protocol.as_str());
    }
}

/// Claude signs thinking that it does not show. It is another block than hidden thinking, with another
/// proof, and must come out of every client's stream as what it was.
#[test]
fn thinking_without_words_keeps_its_proof_and_stays_thinking() {
    use crate::chat::{Delta, Signature};
    for protocol in Protocol::ALL.into_iter().filter(|protocol| *protocol != Protocol::Ollama) {
        let start = BlockStart::Thinking { is_summary: false, item_id: None };
        let proof = Signature::new(Vendor::Anthropic, "c2ln");
        let hidden = BlockKind::Redacted(Signature::new(Vendor::Anthropic, "aGlkZGVu"));
        let events = [
            Event::Start { id: "a".into(), model: "m".into(), created: None },
            Event::BlockStart { choice: 0, block: 0, start },
            Event::Delta { choice: 0, block: 0, delta: Delta::Signature(proof.clone()) },
            Event::BlockStop { choice: 0, block: 0 },
            Event::BlockStart { choice: 0, block: 1, start: BlockStart::Whole(Box::new(hidden.clone())) },
            Event::BlockStop { choice: 0, block: 1 },
            Event::BlockStart { choice: 0, block: 2, start: BlockStart::Text },
            Event::Delta { choice: 0, block: 2, delta: Delta::Text("So.".into()) },
            Event::BlockStop { choice: 0, block: 2 },
            Event::Stop { choice: 0, stop: crate::chat::Stop::new(crate::chat::StopReason::End) },
            Event::End,
        ];
        let bytes = written(protocol, |say| events.iter().for_each(say));
        let mut collector = Collector::new(protocol);
        told(protocol, &bytes, &[7], &mut |event| collector.take(event));
        let blocks = collector.finish().0.choices.swap_remove(0).blocks;
        let name = protocol.as_str();
        let is_it = |block: &crate::chat::Block<'_>| matches!(&block.kind, BlockKind::Thinking(t) if t.text.is_empty() && t.signature.as_ref() == Some(&proof));
        assert!(is_it(&blocks[0]), "{name}: {blocks:?}");
        assert_eq!(blocks[1].kind, hidden, "{name}");
        assert_eq!(blocks[2].as_text(), Some("So."), "{name}");
    }
}
