//! Claude's stream.
//!
//! The event's `type` member decides, the SSE name only where it is missing. Blocks come one after the
//! other from Anthropic; servers that copy it interleave them, leave out starts or stops, or send a
//! call's input in its start: all of that is understood. Only `message_stop` is a proper end.

use super::open_block::{OpenBlock, TooLong};
use super::stop;
use super::usage::Told;
use crate::chat::{Event, Stop, Text};
use crate::dialect::codec::{DecodeStream, Sink};
use crate::dialect::generic::fault;
use crate::dialect::tap::StreamFault;
use crate::framing::json::{Duplicates, Node, parse_bytes};
use crate::types::Usage;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// More are open at once in no sane stream.
const OPEN_MAX: usize = 128;

/// Reads one stream of `/v1/messages`, of Vertex, or of Bedrock's `invoke-with-response-stream`.
#[derive(Default)]
pub struct Decoder {
    is_started: bool,
    has_calls: bool,
    is_stopped: bool,
    is_ended: bool,
    /// Blocks opened so far.
    count: u32,
    open: Vec<OpenBlock>,
    told: Told,
    last_usage: Option<Usage>,
    unknown: u64,
}

impl Decoder {
    pub fn new() -> Self {
        Self::default()
    }

    fn event(&mut self, name: Option<&[u8]>, node: &Node<'_>, sink: Sink<'_>) -> Result<(), StreamFault> {
        let kind = node.text_of("type");
        let kind = kind.as_deref().or_else(|| std::str::from_utf8(name?).ok()).unwrap_or_default();
        match kind {
            "message_start" => self.message_start(node, sink),
            "content_block_start" => return self.block_start(node, sink),
            "content_block_delta" => return self.block_delta(node, sink),
            "content_block_stop" => {
                let index = index(node);
                if let Some(at) = self.open.iter().position(|block| block.index == index) {
                    self.open.remove(at).close(sink);
                }
            }
            "message_delta" => self.message_delta(node, sink),
            "message_stop" => self.message_stop(sink),
            "error" => return Err(fault_of(node)),
            _ if node.get("error").is_some() => return Err(fault_of(node)),
            "ping" => {}
            _ => self.unknown += 1,
        }
        Ok(())
    }

    fn message_start(&mut self, node: &Node<'_>, sink: Sink<'_>) {
        if let Some(message) = node.get("message") {
            let text = |key| message.text_of(key).unwrap_or_default();
            self.start(text("id"), text("model"), sink);
            self.usage(message.get("usage"), sink);
        }
    }

    fn start(&mut self, id: Text<'_>, model: Text<'_>, sink: Sink<'_>) {
        if !self.is_started {
            self.is_started = true;
            sink(Event::Start { id, model, created: None });
        }
    }

    fn usage(&mut self, node: Option<&Node<'_>>, sink: Sink<'_>) {
        let Some(node) = node else { return };
        self.told.read(node);
        let usage = self.told.usage();
        if usage != self.last_usage
            && let Some(usage) = usage
        {
            self.last_usage = Some(usage);
            sink(Event::Usage(usage));
        }
    }

    fn block_start(&mut self, node: &Node<'_>, sink: Sink<'_>) -> Result<(), StreamFault> {
        let Some(block) = node.get("content_block") else { return Ok(()) };
        if self.is_stopped {
            return Ok(());
        }
        self.start(Text::Borrowed(""), Text::Borrowed(""), sink);
        let index = index(node);
        self.close(|open| open.index == index, sink);
        // Of several that are exclusive an earlier one has ended, whether the server says so or not.
        if !block.get("type").is_some_and(|kind| kind.is("tool_use")) {
            self.close(OpenBlock::is_exclusive, sink);
        }
        self.admit()?;
        let open = OpenBlock::open(index, self.count, block, sink);
        self.push(open);
        Ok(())
    }

    fn block_delta(&mut self, node: &Node<'_>, sink: Sink<'_>) -> Result<(), StreamFault> {
        let Some(delta) = node.get("delta") else { return Ok(()) };
        if self.is_stopped {
            return Ok(());
        }
        let index = index(node);
        if !self.open.iter().any(|block| block.index == index) {
            self.start(Text::Borrowed(""), Text::Borrowed(""), sink);
            self.close(OpenBlock::is_exclusive, sink);
            self.admit()?;
            let kind = delta.text_of("type").unwrap_or_default();
            match OpenBlock::implied(index, self.count, &kind, sink) {
                Some(open) => self.push(open),
                None => return Ok(()),
            }
        }
        match self.open.iter_mut().find(|block| block.index == index) {
            Some(open) => {
                open.delta(delta, sink).map_err(|TooLong| broken("a block of the stream is too long"))
            }
            None => Ok(()),
        }
    }

    fn push(&mut self, open: OpenBlock) {
        self.count += 1;
        self.has_calls |= open.is_call();
        self.open.push(open);
    }

    fn admit(&self) -> Result<(), StreamFault> {
        if self.open.len() < OPEN_MAX { Ok(()) } else { Err(broken("too many blocks are open at once")) }
    }

    fn close(&mut self, which: impl Fn(&OpenBlock) -> bool, sink: Sink<'_>) {
        let (done, open) = std::mem::take(&mut self.open).into_iter().partition(which);
        self.open = open;
        let done: Vec<OpenBlock> = done;
        done.into_iter().for_each(|block| block.close(sink));
    }

    fn message_delta(&mut self, node: &Node<'_>, sink: Sink<'_>) {
        self.start(Text::Borrowed(""), Text::Borrowed(""), sink);
        self.usage(node.get("usage"), sink);
        let Some(delta) = node.get("delta") else { return };
        if let Some(word) = delta.text_of("stop_reason") {
            self.close(|_| true, sink);
            self.stop(stop::read(Some(word), delta.text_of("stop_sequence"), self.has_calls), sink);
        }
    }

    fn stop(&mut self, stop: Stop<'_>, sink: Sink<'_>) {
        if !self.is_stopped {
            self.is_stopped = true;
            sink(Event::Stop { choice: 0, stop });
        }
    }

    fn message_stop(&mut self, sink: Sink<'_>) {
        if self.is_ended {
            return;
        }
        self.start(Text::Borrowed(""), Text::Borrowed(""), sink);
        self.close(|_| true, sink);
        self.stop(stop::read(None, None, self.has_calls), sink);
        self.is_ended = true;
        sink(Event::End);
    }
}

impl DecodeStream for Decoder {
    fn on_frame(&mut self, name: Option<&[u8]>, data: &[u8], sink: Sink<'_>) -> Result<(), StreamFault> {
        let trimmed = data.trim_ascii();
        // Some servers copy OpenAI's last line as well. Nothing counts behind the end.
        if self.is_ended || trimmed.is_empty() || trimmed == b"[DONE]" {
            return Ok(());
        }
        let exception = name.filter(|name| name.ends_with(b"xception"));
        let node = match parse_bytes(data, Duplicates::LastCounts) {
            Ok(node) if node.is_object() && exception.is_none() => node,
            _ if name == Some(b"error") || exception.is_some() => {
                return Err(fault::read_document(data).unwrap_or_else(|| StreamFault::unstructured(data)));
            }
            _ => return Err(broken("an event of the stream is no JSON object")),
        };
        // Bedrock wraps each event: `{"bytes":"<base64>","p":"<padding>"}`.
        match node.get("bytes").filter(|_| node.get("type").is_none()).and_then(Node::text) {
            None => self.event(name, &node, sink),
            Some(wrapped) => match STANDARD.decode(wrapped.as_bytes()) {
                Ok(inner) => match parse_bytes(&inner, Duplicates::LastCounts) {
                    Ok(inner) if inner.is_object() => self.event(None, &inner, sink),
                    _ => Err(broken("an event of the stream is no JSON object")),
                },
                Err(_) => Err(broken("an event of the stream is no base64")),
            },
        }
    }

    fn on_end(&mut self, _sink: Sink<'_>) {
        // `message_stop` was the end, or there was none.
    }

    fn unknown(&self) -> u64 {
        self.unknown
    }
}

fn index(node: &Node<'_>) -> u64 {
    node.get("index").and_then(Node::as_u64).unwrap_or(0)
}

fn fault_of(node: &Node<'_>) -> StreamFault {
    let bytes = node.raw().as_bytes();
    fault::read_document(bytes).unwrap_or_else(|| StreamFault::unstructured(bytes))
}

/// The upstream talks nonsense.
fn broken(why: &str) -> StreamFault {
    StreamFault::nonsense(why)
}
