//! An HTTP/1.1 answer, read no faster than it is asked for.

use super::Connection;
use super::sse::{Event, Parser};
use serde_json::Value;
use std::collections::VecDeque;
use std::time::Instant;

/// Why no more can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Nothing came for longer than the connection's patience.
    Silent,
    /// A FIN where more was due.
    Closed,
    /// A RST.
    Reset,
    /// What came is not HTTP.
    Malformed(String),
}

#[derive(Clone, Copy, Debug)]
enum Framing {
    Length(usize),
    Chunked,
    Close,
}

/// A head, and a body on its way.
pub struct Answer {
    pub status: u16,
    /// In order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// When the head was whole.
    pub head_at: Instant,
    connection: Connection,
    framing: Framing,
    body: Vec<u8>,
    is_ended: bool,
    parser: Parser,
    events: VecDeque<Event>,
}

impl Answer {
    pub(super) fn read(mut connection: Connection) -> Result<Self, (Broken, Vec<u8>)> {
        loop {
            while let Some(end) = find(&connection.inbox, b"\r\n\r\n") {
                let head: Vec<u8> = connection.inbox.drain(..end + 4).collect();
                let Some(head) = parse_head(&head) else {
                    return Err((Broken::Malformed("head".to_owned()), head));
                };
                let is_interim = (100..200).contains(&head.0) && head.0 != 101;
                if !is_interim {
                    return Ok(Self::new(connection, head.0, head.1));
                }
            }
            if let Err(broken) = connection.fill() {
                return Err((broken, connection.inbox));
            }
        }
    }

    fn new(connection: Connection, status: u16, headers: Vec<(String, String)>) -> Self {
        let field = |name: &str| headers.iter().find(|(held, _)| held == name).map(|(_, value)| value);
        let framing = match (field("transfer-encoding"), field("content-length")) {
            (Some(_), _) => Framing::Chunked,
            (None, Some(length)) => Framing::Length(length.parse().unwrap()),
            (None, None) if status == 204 || status == 304 => Framing::Length(0),
            (None, None) => Framing::Close,
        };
        Self {
            status,
            headers,
            head_at: Instant::now(),
            connection,
            framing,
            body: Vec::new(),
            is_ended: false,
            parser: Parser::default(),
            events: VecDeque::new(),
        }
    }

    /// The first field of this name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }

    /// The body's bytes so far.
    pub fn seen(&self) -> &[u8] {
        &self.body
    }

    /// The next bytes of the body; None at its end.
    pub fn chunk(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        if self.is_ended {
            return Ok(None);
        }
        let piece = match self.framing {
            Framing::Length(length) => self.piece_of(length)?,
            Framing::Chunked => self.piece_of_chunked()?,
            Framing::Close => self.piece_to_close()?,
        };
        self.is_ended |= piece.is_none();
        self.body.extend_from_slice(piece.as_deref().unwrap_or_default());
        Ok(piece)
    }

    /// Reads the body to its proper end.
    pub fn try_body(&mut self) -> Result<Vec<u8>, Broken> {
        while self.chunk()?.is_some() {}
        Ok(self.body.clone())
    }

    /// The whole body; fails where it breaks off.
    #[track_caller]
    pub fn body(&mut self) -> Vec<u8> {
        self.try_body().unwrap_or_else(|broken| {
            panic!("the body broke off: {broken:?} after {:?}", String::from_utf8_lossy(&self.body))
        })
    }

    /// The whole body as JSON.
    #[track_caller]
    pub fn json(&mut self) -> Value {
        let body = self.body();
        serde_json::from_slice(&body).unwrap_or_else(|e| panic!("{e}: {:?}", String::from_utf8_lossy(&body)))
    }

    /// The next server-sent event; None at the body's proper end.
    pub fn try_event(&mut self) -> Result<Option<Event>, Broken> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            match self.chunk()? {
                Some(piece) => self.events.extend(self.parser.feed(&piece, Instant::now())),
                None => return Ok(self.parser.end(Instant::now())),
            }
        }
    }

    /// The next server-sent event; None at the body's proper end, fails where it breaks off.
    #[track_caller]
    pub fn event(&mut self) -> Option<Event> {
        self.try_event().unwrap_or_else(|broken| {
            panic!("the stream broke off: {broken:?} after {:?}", String::from_utf8_lossy(&self.body))
        })
    }

    /// All events to the body's proper end.
    #[track_caller]
    pub fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.event()).collect()
    }

    /// The connection, for the next request. The body must have been read.
    pub fn into_connection(self) -> Connection {
        assert!(self.is_ended, "the body has not been read");
        self.connection
    }

    /// Leaves with a FIN.
    pub fn close(self) {
        self.connection.close();
    }

    /// Leaves with a RST.
    pub fn reset(self) {
        self.connection.reset();
    }

    fn piece_of(&mut self, length: usize) -> Result<Option<Vec<u8>>, Broken> {
        let left = length - self.body.len();
        if left == 0 {
            return Ok(None);
        }
        if self.connection.inbox.is_empty() {
            self.connection.fill()?;
        }
        let count = left.min(self.connection.inbox.len());
        Ok(Some(self.connection.inbox.drain(..count).collect()))
    }

    fn piece_to_close(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        if self.connection.inbox.is_empty() {
            match self.connection.fill() {
                Err(Broken::Closed) => return Ok(None),
                filled => filled?,
            }
        }
        Ok(Some(std::mem::take(&mut self.connection.inbox)))
    }

    /// One whole chunk: its size line, data and line end.
    fn piece_of_chunked(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        loop {
            let inbox = &mut self.connection.inbox;
            if let Some(line_end) = find(inbox, b"\r\n") {
                let line = String::from_utf8_lossy(&inbox[..line_end]).into_owned();
                let size = usize::from_str_radix(line.trim(), 16)
                    .map_err(|_| Broken::Malformed(format!("chunk size {line:?}")))?;
                let end = line_end + 2 + size;
                if inbox.len() >= end + 2 {
                    if &inbox[end..end + 2] != b"\r\n" {
                        return Err(Broken::Malformed("no line end after a chunk".to_owned()));
                    }
                    let piece = inbox[line_end + 2..end].to_vec();
                    inbox.drain(..end + 2);
                    return Ok((size > 0).then_some(piece));
                }
            }
            self.connection.fill()?;
        }
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

fn parse_head(head: &[u8]) -> Option<(u16, Vec<(String, String)>)> {
    let text = std::str::from_utf8(head).ok()?;
    let mut lines = text.trim_end().split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    Some((status, lines.map(field).collect::<Option<_>>()?))
}
