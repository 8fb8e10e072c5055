//! How a streamed answer is cut into frames, whatever its framing.

use crate::dialect::tap::ArrayScanner;
use crate::framing::eventstream::EventStreamScanner;
use crate::framing::lines::LineScanner;
use crate::framing::sse::SseScanner;
use crate::types::{Endpoint, bounds};

/// The framings of streams.
pub enum Splitter {
    Sse(SseScanner),
    /// Gemini without `alt=sse`.
    Array(ArrayScanner),
    /// Bedrock.
    Messages(EventStreamScanner),
    /// Ollama.
    Lines(LineScanner),
}

impl Splitter {
    /// The framing in which `endpoint` streams.
    pub fn of(endpoint: Endpoint, is_array: bool) -> Self {
        match endpoint {
            _ if is_array => Splitter::Array(ArrayScanner::new()),
            Endpoint::ConverseStream => Splitter::Messages(EventStreamScanner::new()),
            Endpoint::OllamaChat => Splitter::Lines(LineScanner::new(bounds::SSE_EVENT_BYTES_MAX)),
            _ => Splitter::Sse(SseScanner::new(bounds::SSE_EVENT_BYTES_MAX)),
        }
    }

    /// Hands on every frame that `chunk` completes: its name, its data, the offset in `chunk` behind it.
    ///
    /// # Errors
    /// What is wrong with the framing; the stream cannot be read on.
    pub fn feed(
        &mut self,
        chunk: &[u8],
        mut on_frame: impl FnMut(Option<&[u8]>, &[u8], usize),
    ) -> Result<(), String> {
        match self {
            Splitter::Sse(scanner) => scanner
                .feed(chunk, |event, end| on_frame(event.name, event.data, end))
                .map_err(|e| e.to_string()),
            Splitter::Array(scanner) => {
                scanner.feed(chunk, |element, end| on_frame(None, element, end)).map_err(|e| e.to_string())
            }
            Splitter::Messages(scanner) => scanner
                .feed(chunk, |message, end| on_frame(Some(message.name), message.payload, end))
                .map_err(|e| e.to_string()),
            Splitter::Lines(scanner) => {
                scanner.feed(chunk, |line, end| on_frame(None, line, end)).map_err(|e| e.to_string())
            }
        }
    }

    /// The bytes ended: hands on a last frame that lacks only its end.
    pub fn finish(&mut self, mut on_frame: impl FnMut(Option<&[u8]>, &[u8])) {
        match self {
            Splitter::Sse(scanner) => scanner.finish(|event| on_frame(event.name, event.data)),
            Splitter::Lines(scanner) => scanner.finish(|line| on_frame(None, line)),
            Splitter::Array(_) | Splitter::Messages(_) => {}
        }
    }

    /// Whether the bytes so far end between two frames. `is_terminated`: the stream has said its last
    /// word. An array that closes before that is a broken stream: its bracket is not passed on, so
    /// that the failure can still be told inside.
    pub fn is_at_boundary(&self, is_terminated: bool) -> bool {
        match self {
            Splitter::Sse(scanner) => scanner.is_at_boundary(),
            Splitter::Array(array) => array.is_between_elements() || (array.is_closed() && is_terminated),
            Splitter::Messages(scanner) => scanner.is_at_boundary(),
            Splitter::Lines(scanner) => scanner.is_at_boundary(),
        }
    }

    /// Whether nothing is left to come once the last word was said.
    pub fn is_closed(&self) -> bool {
        match self {
            Splitter::Array(array) => array.is_closed(),
            _ => true,
        }
    }
}
