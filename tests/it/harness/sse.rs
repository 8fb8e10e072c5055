//! Server-sent events as the standard reads them, written apart from the gateway's own reader.

use std::time::Instant;

/// One dispatched event.
#[derive(Clone, Debug)]
pub struct Event {
    /// The `event:` field; empty where there was none.
    pub name: String,
    /// The `data:` lines, joined by line feeds.
    pub data: String,
    /// When its last byte was read.
    pub at: Instant,
}

impl PartialEq for Event {
    /// The same to an application: when it came does not count.
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.data) == (&other.name, &other.data)
    }
}

impl Event {
    /// The data as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.data).unwrap_or_else(|e| panic!("{e}: {:?}", self.data))
    }
}

/// Reads a stream in pieces.
#[derive(Default)]
pub struct Parser {
    bytes: Vec<u8>,
    is_begun: bool,
    name: String,
    data: Option<String>,
}

impl Parser {
    pub fn feed(&mut self, piece: &[u8], at: Instant) -> Vec<Event> {
        self.bytes.extend_from_slice(piece);
        let mut events = Vec::new();
        while let Some(line) = self.line() {
            events.extend(self.take(&line, at));
        }
        events
    }

    /// The body has ended: a last event without its blank line counts here, as it does with SDKs.
    pub fn end(&mut self, at: Instant) -> Option<Event> {
        let rest = String::from_utf8(std::mem::take(&mut self.bytes)).expect("events are UTF-8");
        // At most one line is left, perhaps with a carriage return that waited for its line feed.
        let dispatched = self.take(rest.trim_end_matches('\r'), at);
        dispatched.or_else(|| self.dispatch(at))
    }

    fn line(&mut self) -> Option<String> {
        if !self.is_begun && self.bytes.len() >= 3 {
            self.is_begun = true;
            if self.bytes.starts_with(b"\xef\xbb\xbf") {
                self.bytes.drain(..3);
            }
        }
        let end = self.bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'))?;
        let length = match (self.bytes[end], self.bytes.get(end + 1)) {
            (b'\r', Some(b'\n')) => 2,
            // The line feed of a pair may still come.
            (b'\r', None) => return None,
            _ => 1,
        };
        let line = String::from_utf8(self.bytes[..end].to_vec()).expect("events are UTF-8");
        self.bytes.drain(..end + length);
        Some(line)
    }

    fn take(&mut self, line: &str, at: Instant) -> Option<Event> {
        if line.is_empty() {
            return self.dispatch(at);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.to_owned(),
            "data" => {
                self.data = Some(match self.data.take() {
                    Some(held) => held + "\n" + value,
                    None => value.to_owned(),
                });
            }
            _ => {}
        }
        None
    }

    fn dispatch(&mut self, at: Instant) -> Option<Event> {
        let name = std::mem::take(&mut self.name);
        self.data.take().map(|data| Event { name, data, at })
    }
}

/// The events of a whole body.
pub fn events_of(body: &[u8]) -> Vec<Event> {
    let mut parser = Parser::default();
    let now = Instant::now();
    let mut events = parser.feed(body, now);
    events.extend(parser.end(now));
    events
}
