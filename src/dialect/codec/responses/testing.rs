//! What the tests of this folder share.

use super::{Decoder, Encoder};
use crate::chat::{Collector, Effort, Event, Response, Target};
use crate::dialect::codec::{DecodeStream, EncodeStream, Owed};
use crate::dialect::tap::StreamFault;
use crate::framing::json::{Duplicates, Node, parse};
use crate::framing::sse::SseScanner;
use crate::types::Protocol;
use serde_json::Value;

/// An event's name and data.
pub(super) type Frame = (Option<String>, String);

pub(super) fn owed() -> Owed {
    Owed {
        model: "their-model".into(),
        token: "tok0123456789abcdef".into(),
        created: 1_760_000_000,
        wants_usage: true,
        is_array: false,
        echo: String::new(),
    }
}

/// A model that takes everything.
pub(super) fn target() -> Target {
    let mut target = Target::new("gpt-x");
    target.takes_no_effort = true;
    target.takes_custom_tools = true;
    target
}

/// A model that is known to think.
pub(super) fn thinker() -> Target {
    let mut target = target();
    target.efforts = vec![Effort::Low, Effort::Medium, Effort::High];
    target.takes_no_effort = false;
    target
}

pub(super) fn node(json: &str) -> Node<'_> {
    parse(json, Duplicates::LastCounts).unwrap_or_else(|e| panic!("{e}: {json}"))
}

/// An object with one member a line, and the elements of its lists one a line, for people.
pub(super) fn lines(json: &str) -> String {
    let mut out = String::new();
    for (key, value) in node(json).entries() {
        if value.is_array() && value.raw().len() > 80 {
            out += &format!("{key}:\n");
            value.items().iter().for_each(|item| out += &format!("  {}\n", item.raw()));
        } else {
            out += &format!("{key}: {}\n", value.raw());
        }
    }
    out
}

/// Splits a stream that is fed in pieces.
pub(super) fn split<'p>(pieces: impl Iterator<Item = &'p [u8]>) -> Vec<Frame> {
    let mut scanner = SseScanner::new(32 * 1024 * 1024);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut frames = Vec::new();
    for piece in pieces {
        scanner.feed(piece, |event, _| frames.push((event.name.map(text), text(event.data)))).unwrap();
    }
    scanner.finish(|event| frames.push((event.name.map(text), text(event.data))));
    frames
}

/// Decodes frames: every event as text, the gathered answer, whether it ended well, or the fault.
pub(super) fn decode(frames: &[Frame]) -> (Vec<String>, Response<'static>, bool, Option<StreamFault>) {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    let mut collector = Collector::new(Protocol::Responses);
    let mut order = Order::default();
    let mut fault = None;
    let mut sink = |event: Event<'_>| {
        order.check(&event);
        collector.take(&event);
        events.push(format!("{event:?}"));
    };
    for (name, data) in frames {
        if let Err(why) = decoder.on_frame(name.as_deref().map(str::as_bytes), data.as_bytes(), &mut sink) {
            fault = Some(why);
            break;
        }
    }
    if fault.is_none() {
        decoder.on_end(&mut sink);
    }
    let (response, is_ended) = collector.finish();
    (events, response, is_ended, fault)
}

/// The frames a client gets for events.
pub(super) fn encode(encoder: &mut Encoder, events: &[Event<'_>]) -> Vec<Frame> {
    let mut out = Vec::new();
    for event in events {
        encoder.write(event, &mut out);
    }
    split([out.as_slice()].into_iter())
}

/// What [`Event`] promises of the order of events.
#[derive(Default)]
pub(super) struct Order {
    is_started: bool,
    is_stopped: bool,
    is_ended: bool,
    next: u32,
    talking: Option<u32>,
    calls: Vec<u32>,
}

impl Order {
    pub(super) fn check(&mut self, event: &Event<'_>) {
        use crate::chat::BlockStart;
        assert!(!self.is_ended, "nothing comes after the end: {event:?}");
        match event {
            Event::Start { .. } => assert!(!std::mem::replace(&mut self.is_started, true)),
            _ => assert!(self.is_started, "{event:?} before the start"),
        }
        match event {
            Event::BlockStart { block, start, .. } => {
                assert!(!self.is_stopped && *block >= self.next, "{event:?}");
                assert_eq!(self.talking, None, "{event:?} while another block talks");
                self.next = block + 1;
                match start {
                    BlockStart::ToolUse { .. } => self.calls.push(*block),
                    _ => self.talking = Some(*block),
                }
            }
            Event::Delta { block, .. } => {
                assert!(self.talking == Some(*block) || self.calls.contains(block), "{event:?}");
            }
            Event::BlockStop { block, .. } => {
                let known = self.calls.iter().position(|call| call == block);
                match known {
                    Some(at) => drop(self.calls.remove(at)),
                    None => assert_eq!(self.talking.take(), Some(*block)),
                }
            }
            Event::Stop { .. } => {
                assert!(self.talking.is_none() && self.calls.is_empty(), "open blocks at the stop");
                assert!(!std::mem::replace(&mut self.is_stopped, true));
            }
            Event::End => {
                assert!(self.is_stopped);
                self.is_ended = true;
            }
            Event::Start { .. } | Event::Usage(_) | Event::Logprobs { .. } => {}
        }
    }
}

/// Checks a stream as SDKs and Codex rely on it, and gives the response of its last event.
pub(super) fn lifecycle(frames: &[Frame]) -> Value {
    let events: Vec<Value> = frames.iter().map(|(_, data)| serde_json::from_str(data).unwrap()).collect();
    let kind = |event: &Value| event["type"].as_str().unwrap().to_owned();
    for (number, (event, (name, _))) in events.iter().zip(frames).enumerate() {
        assert_eq!(event["sequence_number"], number as u64);
        assert_eq!(name.as_deref(), event["type"].as_str());
    }
    assert_eq!(kind(&events[0]), "response.created");
    assert_eq!(kind(&events[1]), "response.in_progress");
    let last = events.last().unwrap();
    let ended = kind(last);
    assert!(["response.completed", "response.incomplete", "response.failed"].contains(&ended.as_str()));
    let response = &last["response"];
    assert_eq!(response["id"], events[0]["response"]["id"]);
    let mut done: Vec<(u64, Value)> = Vec::new();
    let mut open: Vec<(u64, String, String)> = Vec::new();
    for event in &events[2..events.len() - 1] {
        let kind = kind(event);
        let index = event["output_index"].as_u64().expect("output_index");
        if kind == "response.output_item.added" {
            let id = event["item"]["id"].as_str().unwrap().to_owned();
            assert!(open.iter().all(|(other, ..)| *other != index));
            open.push((index, id, String::new()));
            continue;
        }
        let at = open.iter().position(|(other, ..)| *other == index).expect("an open item");
        if kind == "response.output_item.done" {
            let (_, id, _) = open.remove(at);
            assert_eq!(event["item"]["id"], id);
            done.push((index, event["item"].clone()));
            continue;
        }
        let (_, id, said) = &mut open[at];
        assert_eq!(event["item_id"], *id);
        if kind.ends_with(".delta") {
            said.push_str(event["delta"].as_str().unwrap());
        } else if let Some(stem) = kind.strip_suffix(".done")
            && stem != "response.content_part"
            && stem != "response.reasoning_summary_part"
        {
            let whole = ["text", "arguments", "input", "refusal"].iter().find_map(|key| event[*key].as_str());
            assert_eq!(whole, Some(said.as_str()), "{kind} repeats its deltas");
            said.clear();
        }
    }
    assert!(open.is_empty(), "every item is done");
    done.sort_by_key(|(index, _)| *index);
    let items: Vec<Value> = done.into_iter().map(|(_, item)| item).collect();
    assert_eq!(response["output"].as_array().unwrap(), &items);
    response.clone()
}
