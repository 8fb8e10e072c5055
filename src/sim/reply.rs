//! What the router hands to the players.

use crate::types::Dialect;

use super::capacity::Inside;
use super::directives::Directives;
use super::engine::Engine;
use super::event::EventSource;
use std::sync::Arc;

/// A decided answer, and how it is to be played.
pub struct Answer {
    pub reply: Reply,
    pub dialect: Dialect,
    pub directives: Directives,
    /// Where the answer needs a place among those that run.
    pub engine: Option<Arc<Engine>>,
    /// The part it has of what its model can do at once.
    pub inside: Option<Inside>,
}

pub enum Reply {
    Whole(Whole),
    Stream(Streamed),
    /// The upgrade was asked for properly; frames follow.
    WebSocket,
}

/// An answer with a body known at once.
#[derive(Debug)]
pub struct Whole {
    pub status: u16,
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Words in it, which the delay between tokens counts.
    pub words: usize,
}

/// An answer that comes in events.
pub struct Streamed {
    pub source: Box<dyn EventSource>,
    pub style: Style,
}

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `data: …` and a blank line.
    Sse,
    /// The same with CRLF, as Gemini does.
    SseCrlf,
    /// One growing JSON array: Gemini without `alt=sse`.
    JsonArray,
    /// One JSON object a line: Ollama.
    Lines,
    /// Binary messages with checksums: Bedrock. An event's name is its `:event-type`.
    EventStream,
    /// Likewise; each message holds another vendor's event in base64.
    Invoke,
}

/// What becomes of the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    Keep,
    Close,
    Reset,
}

impl Whole {
    pub fn json(body: String) -> Self {
        Self::json_with(200, body)
    }

    pub fn text(body: String) -> Self {
        let content_type = "text/plain; version=0.0.4; charset=utf-8";
        Self { content_type, ..Self::json(body) }
    }

    pub fn json_with(status: u16, body: String) -> Self {
        Self {
            status,
            content_type: "application/json",
            headers: Vec::new(),
            body: body.into_bytes(),
            words: 0,
        }
    }
}
