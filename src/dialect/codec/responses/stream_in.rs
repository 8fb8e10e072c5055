//! From an upstream's stream of Responses events to canonical ones.
//!
//! Text is told as it comes; what only a `done` event says is told then, once. Hosted items come as
//! whole blocks when they are done. Ended means `response.completed` or `response.incomplete`.

use super::open::{Call, Item, Items, List, Place, Talk, Talking, WRAPPED_BYTES_MAX};
use super::response_in::{self, created, logprobs_of};
use super::stop::{self, Held};
use super::{citations, reasoning, usage};
use crate::chat::{Block, BlockKind, BlockStart, Delta, Event, Text, freeform};
use crate::dialect::codec::{DecodeStream, Sink};
use crate::dialect::generic::fault;
use crate::dialect::tap::StreamFault;
use crate::framing::json::{Duplicates, Node, parse_bytes};

/// Reads one stream. It holds the open block and a few words for each open item, no text.
#[derive(Debug, Default)]
pub struct Decoder {
    is_started: bool,
    is_ended: bool,
    /// An item was told, by whatever event.
    has_items: bool,
    next_block: u32,
    held: Held,
    items: Items,
    talk: Option<Talk>,
    unknown: u64,
}

fn garbled(why: &str) -> StreamFault {
    StreamFault::nonsense(why)
}

impl Decoder {
    pub fn new() -> Self {
        Self::default()
    }
}

impl DecodeStream for Decoder {
    fn on_frame(&mut self, name: Option<&[u8]>, data: &[u8], sink: Sink<'_>) -> Result<(), StreamFault> {
        let data = data.trim_ascii();
        // OpenRouter ends as chat streams do; that is no end by itself.
        if self.is_ended || data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        let event = match parse_bytes(data, Duplicates::LastCounts) {
            Ok(event) if event.is_object() => event,
            _ if name == Some(b"error") => return Err(StreamFault::unstructured(data)),
            _ => return Err(garbled("the provider's stream holds an event that is no JSON object")),
        };
        let kind = event.text_of("type").or_else(|| Some(std::str::from_utf8(name?).ok()?.into()));
        match kind.as_deref().unwrap_or_default() {
            "error" => Err(read_fault(data)),
            "response.failed" | "response.cancelled" => {
                let response = event.get("response").map(|node| node.raw().as_bytes());
                let fault = response.and_then(fault::read_document).or_else(|| fault::read_document(data));
                Err(fault.unwrap_or_else(|| StreamFault::named(b"server_error")))
            }
            "" if event.get("error").is_some() => Err(read_fault(data)),
            kind => {
                self.event(kind, &event, sink);
                Ok(())
            }
        }
    }

    fn on_end(&mut self, _sink: Sink<'_>) {}

    fn unknown(&self) -> u64 {
        self.unknown
    }
}

fn read_fault(data: &[u8]) -> StreamFault {
    fault::read_document(data).unwrap_or_else(|| StreamFault::named(b"server_error"))
}

impl Decoder {
    fn event(&mut self, kind: &str, event: &Node<'_>, sink: Sink<'_>) {
        match kind {
            "response.created" | "response.in_progress" | "response.queued" => {
                self.start(event.get("response"), sink);
            }
            "response.completed" | "response.incomplete" => self.end(event, sink),
            "response.output_item.added" => self.item_added(event, sink),
            "response.output_item.done" => self.item_done(event, sink),
            "response.content_part.done" => self.part_done(event, sink),
            "response.output_text.delta" => {
                self.say(event, Talking::Text, "delta", sink);
                self.logprobs(event, sink);
            }
            "response.output_text.done" => self.say_whole(event, Talking::Text, "text", sink),
            "response.output_text.annotation.added" => self.cite(event, sink),
            "response.refusal.delta" => self.say(event, Talking::Refusal, "delta", sink),
            "response.refusal.done" => self.say_whole(event, Talking::Refusal, "refusal", sink),
            "response.reasoning_text.delta" => {
                self.say(event, Talking::Thinking(List::Content), "delta", sink);
            }
            "response.reasoning_text.done" => {
                self.say_whole(event, Talking::Thinking(List::Content), "text", sink);
            }
            "response.reasoning_summary_text.delta" => {
                self.say(event, Talking::Thinking(List::Summary), "delta", sink);
            }
            "response.reasoning_summary_text.done" => {
                self.say_whole(event, Talking::Thinking(List::Summary), "text", sink);
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.arguments(event, "delta", true, sink);
            }
            "response.function_call_arguments.done" => self.arguments(event, "arguments", false, sink),
            "response.custom_tool_call_input.done" => self.arguments(event, "input", false, sink),
            kind => self.unknown += u64::from(!is_told_elsewhere(kind)),
        }
    }

    fn start(&mut self, response: Option<&Node<'_>>, sink: Sink<'_>) {
        if std::mem::replace(&mut self.is_started, true) {
            return;
        }
        let text = |key| response.and_then(|response| response.text_of(key)).unwrap_or(Text::Borrowed(""));
        sink(Event::Start { id: text("id"), model: text("model"), created: response.and_then(created) });
    }

    fn open(&mut self, start: BlockStart<'_>, sink: Sink<'_>) -> u32 {
        self.start(None, sink);
        self.has_items = true;
        let block = self.next_block;
        self.next_block += 1;
        sink(Event::BlockStart { choice: 0, block, start });
        block
    }

    fn whole(&mut self, kind: BlockKind<'_>, sink: Sink<'_>) {
        self.hush(sink);
        let block = self.open(BlockStart::Whole(Box::new(kind)), sink);
        sink(Event::BlockStop { choice: 0, block });
    }

    /// Closes the talking block.
    fn hush(&mut self, sink: Sink<'_>) {
        if let Some(talk) = self.talk.take() {
            sink(Event::BlockStop { choice: 0, block: talk.block });
        }
    }

    /// The talking block for a part, opened where another one talks or none does. Parts of one
    /// item's thinking share a block.
    fn talk(&mut self, place: &Place, part: u64, kind: Talking, sink: Sink<'_>) -> &mut Talk {
        match self.talk.take_if(|talk| talk.goes_on(place, part, kind)) {
            Some(mut talk) => {
                if talk.part != part {
                    talk.part = part;
                    talk.needs_gap = talk.has_text;
                }
                self.talk.insert(talk)
            }
            None => {
                self.hush(sink);
                self.held.has_refusal |= kind == Talking::Refusal;
                let block = self.open(kind.start(place), sink);
                self.talk.insert(Talk::new(block, kind, place.clone(), part))
            }
        }
    }

    fn say(&mut self, event: &Node<'_>, kind: Talking, key: &str, sink: Sink<'_>) {
        let Some(words) = event.text_of(key).filter(|words| !words.is_empty()) else { return };
        let (place, part) = (Place::of(event), part_of(event, kind));
        if let Some(item) = self.items.at(&place) {
            item.tell(kind.list(), part);
        }
        self.utter(&place, part, kind, words, sink);
    }

    fn utter(&mut self, place: &Place, part: u64, kind: Talking, words: Text<'_>, sink: Sink<'_>) {
        let talk = self.talk(place, part, kind, sink);
        let (block, needs_gap) = (talk.block, std::mem::take(&mut talk.needs_gap));
        talk.has_text = true;
        if needs_gap {
            let gap = Delta::Text(Text::Borrowed(reasoning::GAP));
            sink(Event::Delta { choice: 0, block, delta: gap });
        }
        sink(Event::Delta { choice: 0, block, delta: Delta::Text(words) });
    }

    /// A `done` event: what it says is new where no delta came before.
    fn say_whole(&mut self, event: &Node<'_>, kind: Talking, key: &str, sink: Sink<'_>) {
        let (place, part) = (Place::of(event), part_of(event, kind));
        if !self.items.find(&place).is_some_and(|item| item.is_told(kind.list(), part)) {
            self.say(event, kind, key, sink);
        }
    }

    fn logprobs(&mut self, event: &Node<'_>, sink: Sink<'_>) {
        let tokens = event.get("logprobs").map(Node::items).unwrap_or_default();
        if let (Some(json), true) = (logprobs_of(tokens.iter()), self.talk.is_some()) {
            sink(Event::Logprobs { choice: 0, json });
        }
    }

    fn cite(&mut self, event: &Node<'_>, sink: Sink<'_>) {
        let Some(node) = event.get("annotation").filter(|node| node.is_object()) else { return };
        let (place, part) = (Place::of(event), part_of(event, Talking::Text));
        let talk = self.talk(&place, part, Talking::Text, sink);
        talk.citations += 1;
        let block = talk.block;
        sink(Event::Delta { choice: 0, block, delta: Delta::Citation(citations::one(node)) });
    }

    /// The talking block, if it is that of this part.
    fn talking(&self, place: &Place, part: u64) -> Option<&Talk> {
        let is_it = |talk: &&Talk| talk.place.is_same(place) && talk.part == part;
        self.talk.as_ref().filter(is_it).filter(|talk| !matches!(talk.kind, Talking::Thinking(_)))
    }

    /// A text or refusal that is done: what was not told of it, and its end.
    fn part_done(&mut self, event: &Node<'_>, sink: Sink<'_>) {
        let Some(part) = event.get("part") else { return };
        self.finish_part(&Place::of(event), part_of(event, Talking::Text), part, sink);
    }

    fn finish_part(&mut self, place: &Place, number: u64, part: &Node<'_>, sink: Sink<'_>) {
        let kind = part.text_of("type");
        let (talking, key) = match kind.as_deref() {
            Some("output_text") => (Talking::Text, "text"),
            Some("refusal") => (Talking::Refusal, "refusal"),
            _ => return,
        };
        let was_told = self.items.at(place).is_some_and(|item| item.tell(List::Content, number));
        let words = part.text_of(key).filter(|words| !words.is_empty());
        if let (Some(words), false) = (words, was_told) {
            self.utter(place, number, talking, words, sink);
        }
        let Some(talk) = self.talking(place, number) else { return };
        let (block, told) = (talk.block, talk.citations);
        for citation in citations::read(part).into_iter().skip(told) {
            sink(Event::Delta { choice: 0, block, delta: Delta::Citation(citation) });
        }
        self.hush(sink);
    }

    fn item_added(&mut self, event: &Node<'_>, sink: Sink<'_>) {
        let Some(item) = event.get("item") else { return };
        self.start(None, sink);
        let place = Place::of(event);
        match is_call(item) {
            true => self.call(&place, item, sink),
            false => drop(self.items.at(&place)),
        }
    }

    /// Begins a call, once its name is known.
    fn call(&mut self, place: &Place, node: &Node<'_>, sink: Sink<'_>) {
        let Some((call, _)) = response_in::call(node) else { return };
        let is_wrapped = call.is_custom && node.get("type").is_some_and(|kind| kind.is("function_call"));
        match self.items.at(place) {
            Some(item) if item.call.is_none() => {}
            _ => return,
        }
        self.hush(sink);
        self.held.has_call = true;
        let start =
            BlockStart::ToolUse { id: call.id, name: call.name, is_custom: call.is_custom, signature: None };
        let block = self.open(start, sink);
        if let Some(item) = self.items.at(place) {
            let wrapped = is_wrapped.then(String::new);
            item.call = Some(Call { block, has_arguments: false, wrapped });
        }
    }

    /// `is_delta`: more of them; else the whole, which is new where nothing came before.
    fn arguments(&mut self, event: &Node<'_>, key: &str, is_delta: bool, sink: Sink<'_>) {
        let item = self.items.find(&Place::of(event));
        let Some(call) = item.and_then(|item| item.call.as_mut()) else { return };
        let Some(text) = response_in::arguments(event, key).filter(|text| !text.is_empty()) else { return };
        if let Some(held) = &mut call.wrapped {
            let has_room = held.len() + text.len() <= WRAPPED_BYTES_MAX;
            if has_room && (is_delta || held.is_empty()) {
                held.push_str(&text);
            }
        } else if is_delta || !call.has_arguments {
            call.has_arguments = true;
            sink(Event::Delta { choice: 0, block: call.block, delta: Delta::Arguments(text) });
        }
    }

    fn item_done(&mut self, event: &Node<'_>, sink: Sink<'_>) {
        if let Some(item) = event.get("item") {
            self.finish_item(&Place::of(event), item, sink);
        }
    }

    /// Tells what is new in a whole item, and closes it.
    fn finish_item(&mut self, place: &Place, item: &Node<'_>, sink: Sink<'_>) {
        let kind = item.text_of("type").unwrap_or_default();
        match kind.as_ref() {
            "message" if item.get("role").is_none_or(|role| role.is("assistant")) => {
                let parts = item.get("content").map(Node::items).unwrap_or_default();
                for (number, part) in parts.iter().enumerate() {
                    self.finish_part(place, number as u64, part, sink);
                }
                if self.talk.as_ref().is_some_and(|talk| talk.place.is_same(place)) {
                    self.hush(sink);
                }
                self.take(place, sink);
            }
            "reasoning" => self.finish_reasoning(place, item, sink),
            _ if is_call(item) => {
                self.call(place, item, sink);
                if let Some(call) = self.items.take(place).and_then(|item| item.call) {
                    finish_call(&call, Some(item), sink);
                }
            }
            "" => {}
            _ => {
                self.take(place, sink);
                self.whole(response_in::opaque(item, kind.clone()), sink);
            }
        }
        self.has_items = true;
    }

    /// The item at `place` is open no more; a call that was begun there ends.
    fn take(&mut self, place: &Place, sink: Sink<'_>) -> Option<Item> {
        let mut item = self.items.take(place)?;
        if let Some(call) = item.call.take() {
            finish_call(&call, None, sink);
        }
        Some(item)
    }

    fn finish_reasoning(&mut self, place: &Place, node: &Node<'_>, sink: Sink<'_>) {
        let item = self.take(place, sink);
        if item.is_none_or(|item| item.is_untold()) {
            for block in reasoning::read(node, false) {
                self.reasoning_block(block, sink);
            }
            return;
        }
        let proof = reasoning::read_proof(node);
        let talk = self.talk.as_ref().filter(|talk| talk.place.is_same(place));
        match (talk, proof) {
            (Some(talk), proof) => {
                let block = talk.block;
                if let Some(proof) = proof {
                    sink(Event::Delta { choice: 0, block, delta: Delta::Signature(proof) });
                }
                self.hush(sink);
            }
            // Its text was closed by what came between.
            (None, Some(proof)) => self.whole(BlockKind::Redacted(proof), sink),
            (None, None) => {}
        }
    }

    fn reasoning_block(&mut self, block: Block<'_>, sink: Sink<'_>) {
        let BlockKind::Thinking(thinking) = block.kind else { return self.whole(block.kind, sink) };
        self.hush(sink);
        let start = BlockStart::Thinking { is_summary: thinking.is_summary, item_id: thinking.item_id };
        let block = self.open(start, sink);
        sink(Event::Delta { choice: 0, block, delta: Delta::Text(thinking.text) });
        if let Some(signature) = thinking.signature {
            sink(Event::Delta { choice: 0, block, delta: Delta::Signature(signature) });
        }
        sink(Event::BlockStop { choice: 0, block });
    }

    fn end(&mut self, event: &Node<'_>, sink: Sink<'_>) {
        let response = event.get("response").unwrap_or(event);
        self.start(Some(response), sink);
        let output = response.get("output").map(Node::items).unwrap_or_default();
        let has_none = !self.has_items;
        for (number, item) in output.iter().enumerate() {
            let place = Place::in_output(number, item);
            // Some send nothing but the end, and some never say that an item is done.
            if has_none || self.items.find(&place).is_some() {
                self.finish_item(&place, item, sink);
            }
        }
        self.hush(sink);
        for call in self.items.drain_calls() {
            finish_call(&call, None, sink);
        }
        if let Some(usage) = usage::read(response) {
            sink(Event::Usage(usage));
        }
        sink(Event::Stop { choice: 0, stop: stop::read(response, self.held) });
        sink(Event::End);
        self.is_ended = true;
    }
}

/// Events of which the items, when they are done, say the same; and signs of life.
fn is_told_elsewhere(kind: &str) -> bool {
    const STEPS: [&str; 14] = [
        "apply_patch_call",
        "content_part.added",
        "reasoning_summary_part.",
        "reasoning_summary.",
        "reasoning.",
        "web_search_call.",
        "file_search_call.",
        "code_interpreter_call",
        "image_generation_call.",
        "mcp_",
        "shell_call",
        "audio.",
        "compaction.",
        "steer.",
    ];
    let step = kind.strip_prefix("response.").unwrap_or(kind);
    kind == "keepalive" || STEPS.iter().any(|known| step.starts_with(known))
}

/// The number of the part in its list.
fn part_of(event: &Node<'_>, kind: Talking) -> u64 {
    let key = if kind.list() == List::Summary { "summary_index" } else { "content_index" };
    event.get(key).and_then(Node::as_u64).unwrap_or(0)
}

fn is_call(item: &Node<'_>) -> bool {
    item.get("type").is_some_and(|kind| kind.is("function_call") || kind.is("custom_tool_call"))
}

/// Closes a call; `item`: it whole, for arguments of which nothing came before.
fn finish_call(call: &Call, item: Option<&Node<'_>>, sink: Sink<'_>) {
    let whole = item.filter(|_| !call.has_arguments).and_then(response_in::call);
    let whole = whole.map(|(whole, _)| whole.arguments).filter(|arguments| !arguments.is_empty());
    let held = call.wrapped.as_deref().filter(|held| !held.is_empty());
    let arguments = whole.or_else(|| Some(Text::Owned(freeform::unwrap_input(held?).into_owned())));
    if let Some(arguments) = arguments {
        sink(Event::Delta { choice: 0, block: call.block, delta: Delta::Arguments(arguments) });
    }
    sink(Event::BlockStop { choice: 0, block: call.block });
}
