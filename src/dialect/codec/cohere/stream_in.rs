//! Cohere's stream.
//!
//! The event's `type` member decides, the SSE name only where it is missing. A content part is closed
//! late: its citations may come behind its end. Only `message-end` is a proper end.

use crate::chat::{BlockStart, Delta, Event, Signature, Text, Vendor};
use crate::dialect::codec::{DecodeStream, Sink};
use crate::dialect::generic::fault;
use crate::dialect::tap::StreamFault;
use crate::framing::json::{Duplicates, Node, parse_bytes};

use super::stream_call::OpenCall;
use super::{citation, stop, thinking, usage};

/// More are open at once in no sane stream.
const CALLS_MAX: usize = 128;

/// Reads one stream of `/v2/chat`.
#[derive(Default)]
pub struct Decoder {
    is_started: bool,
    is_ended: bool,
    has_calls: bool,
    /// The number of the next block.
    next: u32,
    open: Option<Open>,
    calls: Vec<OpenCall>,
    /// Characters of text before the open part, and in it.
    before: u64,
    within: u64,
    unknown: u64,
}

struct Open {
    block: u32,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    Plan,
}

fn nonsense(message: &str) -> StreamFault {
    StreamFault::nonsense(message)
}

impl Decoder {
    pub fn new() -> Self {
        Self::default()
    }

    fn event(&mut self, kind: &str, node: &Node<'_>, sink: Sink<'_>) -> Result<(), StreamFault> {
        let message = node.get("delta").and_then(|delta| delta.get("message"));
        let part = |key: &str| message.and_then(|message| message.get(key));
        match kind {
            "message-start" => self.start(node.text_of("id").unwrap_or_default(), sink),
            "content-start" | "content-delta" => {
                self.start(Text::default(), sink);
                if let Some(content) = part("content") {
                    self.content(content, kind == "content-start", sink);
                }
            }
            "tool-plan-delta" => {
                if let Some(text) = message.and_then(|message| message.text_of("tool_plan")) {
                    self.start(Text::default(), sink);
                    self.say(Kind::Plan, text, sink);
                }
            }
            "tool-call-start" | "tool-call-delta" => {
                self.start(Text::default(), sink);
                if let Some(call) = part("tool_calls") {
                    return self.call(index(node), call, kind == "tool-call-start", sink);
                }
            }
            "tool-call-end" => {
                let index = index(node);
                if let Some(at) = self.calls.iter().position(|call| call.index == index) {
                    self.calls.remove(at).close(sink);
                }
            }
            "citation-start" => {
                if let Some(cited) = part("citations") {
                    self.start(Text::default(), sink);
                    self.cite(cited, sink);
                }
            }
            "message-end" => return self.end(node, sink),
            "content-end" | "citation-end" | "debug" => {}
            _ => self.unknown += 1,
        }
        Ok(())
    }

    fn start(&mut self, id: Text<'_>, sink: Sink<'_>) {
        if !self.is_started {
            self.is_started = true;
            sink(Event::Start { id, model: Text::default(), created: None });
        }
    }

    /// `is_new`: a part begins, even where the one before is of its kind.
    fn content(&mut self, content: &Node<'_>, is_new: bool, sink: Sink<'_>) {
        if is_new {
            self.close(sink);
        }
        if let Some(text) = content.text_of("thinking") {
            self.say(Kind::Thinking, text, sink);
        }
        if let Some(text) = content.text_of("text") {
            self.say(Kind::Text, text, sink);
        }
        let slot = |key: &str| Some(Signature::from_slot(content.text_of(key)?, Vendor::Unsigned));
        if let Some(signature) = slot("signature") {
            let block = self.part(Kind::Thinking, sink);
            sink(Event::Delta { choice: 0, block, delta: Delta::Signature(signature) });
        }
        if let Some(hidden) = slot("redacted") {
            self.close(sink);
            let block = self.number();
            let kind = crate::chat::BlockKind::Redacted(hidden);
            sink(Event::BlockStart { choice: 0, block, start: BlockStart::Whole(Box::new(kind)) });
            sink(Event::BlockStop { choice: 0, block });
        }
    }

    /// Adds to the open part, or opens one.
    fn say(&mut self, kind: Kind, text: Text<'_>, sink: Sink<'_>) {
        if text.is_empty() {
            return;
        }
        let block = self.part(kind, sink);
        if kind == Kind::Text {
            self.within += text.chars().count() as u64;
        }
        sink(Event::Delta { choice: 0, block, delta: Delta::Text(text) });
    }

    fn part(&mut self, kind: Kind, sink: Sink<'_>) -> u32 {
        match &self.open {
            Some(open) if open.kind == kind => return open.block,
            _ => self.close(sink),
        }
        let block = self.number();
        let start = match kind {
            Kind::Text => BlockStart::Text,
            Kind::Thinking | Kind::Plan => BlockStart::Thinking { is_summary: false, item_id: None },
        };
        sink(Event::BlockStart { choice: 0, block, start });
        self.open = Some(Open { block, kind });
        block
    }

    fn number(&mut self) -> u32 {
        let block = self.next;
        self.next += 1;
        block
    }

    fn close(&mut self, sink: Sink<'_>) {
        let Some(Open { block, kind }) = self.open.take() else { return };
        if kind == Kind::Plan {
            let mark = Signature::new(Vendor::Unsigned, thinking::PLAN);
            sink(Event::Delta { choice: 0, block, delta: Delta::Signature(mark) });
        }
        self.before += std::mem::take(&mut self.within);
        sink(Event::BlockStop { choice: 0, block });
    }

    fn call(&mut self, index: u64, node: &Node<'_>, is_new: bool, sink: Sink<'_>) -> Result<(), StreamFault> {
        // Some servers give a list of one.
        let node = node.items().first().unwrap_or(node);
        let known = self.calls.iter().position(|call| call.index == index);
        if let Some(at) = known.filter(|_| is_new) {
            self.calls.remove(at).close(sink);
        }
        if is_new || known.is_none() {
            self.close(sink);
            if self.calls.len() >= CALLS_MAX {
                return Err(nonsense("the upstream has more tool calls open than can be followed"));
            }
            self.has_calls = true;
            let block = self.number();
            self.calls.push(OpenCall::open(index, block, node, sink));
        }
        let Some(call) = self.calls.iter_mut().find(|call| call.index == index) else { return Ok(()) };
        call.add(node, sink).map_err(|_| nonsense("a tool's input is longer than the limit"))
    }

    fn cite(&mut self, node: &Node<'_>, sink: Sink<'_>) {
        for node in if node.is_array() { node.items() } else { std::slice::from_ref(node) } {
            let block = self.part(Kind::Text, sink);
            if let Some(cited) = citation::read(node, self.before) {
                sink(Event::Delta { choice: 0, block, delta: Delta::Citation(cited) });
            }
        }
    }

    fn end(&mut self, node: &Node<'_>, sink: Sink<'_>) -> Result<(), StreamFault> {
        let delta = node.get("delta").unwrap_or(node);
        let word = delta.text_of("finish_reason");
        let told = delta.text_of("error").filter(|error| !error.is_empty());
        if told.is_some() || word.as_deref().is_some_and(stop::is_failure) {
            let status = if word.as_deref() == Some("TIMEOUT") { 504 } else { 500 };
            let code = cut(&word.unwrap_or(Text::Borrowed("ERROR")), 128);
            let message = cut(&told.unwrap_or(Text::Borrowed("the model broke off")), 2048);
            return Err(StreamFault { status, code, message });
        }
        self.start(node.text_of("id").unwrap_or_default(), sink);
        self.close(sink);
        for call in std::mem::take(&mut self.calls) {
            call.close(sink);
        }
        sink(Event::Stop { choice: 0, stop: stop::read(word, self.has_calls) });
        if let Some(used) = usage::read(delta.get("usage")) {
            sink(Event::Usage(used));
        }
        self.is_ended = true;
        sink(Event::End);
        Ok(())
    }
}

fn index(node: &Node<'_>) -> u64 {
    node.get("index").and_then(Node::as_u64).unwrap_or(0)
}

fn cut(words: &str, most: usize) -> String {
    words.get(..words.floor_char_boundary(most)).unwrap_or_default().to_owned()
}

impl DecodeStream for Decoder {
    fn on_frame(&mut self, name: Option<&[u8]>, data: &[u8], sink: Sink<'_>) -> Result<(), StreamFault> {
        let data = data.trim_ascii();
        // Cohere's servers say [DONE] behind the end, at times.
        if data.is_empty() || self.is_ended || data == b"[DONE]" {
            return Ok(());
        }
        let root = parse_bytes(data, Duplicates::LastCounts)
            .map_err(|_| nonsense("the upstream sent an event that is not JSON"))?;
        let named = name.and_then(|name| std::str::from_utf8(name).ok()).map(Text::Borrowed);
        let kind = root.text_of("type").or(named).unwrap_or_default();
        if kind.is_empty() || kind == "error" {
            return match fault::read_document(data) {
                Some(fault) => Err(fault),
                None if kind == "error" => Err(StreamFault::unstructured(data)),
                None => Ok(()),
            };
        }
        self.event(&kind, &root, sink)
    }

    fn on_end(&mut self, _: Sink<'_>) {}

    fn unknown(&self) -> u64 {
        self.unknown
    }
}
