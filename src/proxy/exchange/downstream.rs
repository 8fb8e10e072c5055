//! The client's side of one exchange, reduced to what an answer needs, with the order of its steps
//! held by a state.
//!
//! HTTP/1 is read and written by [`Wire`], HTTP/2 by Pingora's session. A call that is made for several
//! clients writes to what they read (`runtime::flights`).

use super::vigil::Vigil;
use crate::dialect::errors::ArrayState;
use crate::dialect::invoke::Wrapper;
use crate::framing::FieldLines;
use crate::proxy::connection::EdgeStream;
use crate::proxy::wire::{BodyFault, Wire};
use crate::runtime::flights::{self, Flying, Landing};
use crate::runtime::replays::Replaying;
use crate::types::{Origin, Reason, Ticks};
use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, header};
use pingora_core::ErrorType;
use pingora_core::protocols::http::ServerSession;
use pingora_http::ResponseHeader;
use std::future::pending;
use std::time::Duration;

/// The client is not there any more, or takes nothing within the write timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// Fields of a request or of a provider's answer, in order.
pub type Fields = Vec<(HeaderName, HeaderValue)>;

/// A connection between two requests.
pub struct Waiting {
    pub stream: Box<EdgeStream>,
    /// What it has sent of the next one.
    pub begun: BytesMut,
    pub vigil: Vigil,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing has been sent: any answer is still possible.
    Untouched,
    /// The head is out.
    Open,
    /// The answer is complete, or was broken off.
    Closed,
}

/// Who holds the connection.
enum Side {
    Http1(Wire),
    Http2(Box<ServerSession>),
    /// All who asked for the same.
    Shared(Box<Shared>),
}

struct Shared {
    flying: Flying,
    is_complete: bool,
}

pub struct Downstream {
    side: Side,
    stage: Stage,
    is_gone: bool,
    is_watchable: bool,
    write_timeout: Duration,
    /// The connection's, while no conversation has it.
    pub vigil: Option<Vigil>,
    pub bytes_out: u64,
    /// The last byte sent of a stream that is no white space; 0 before any.
    last_mark: u8,
    /// Set where the client reads Anthropic's events in Amazon's framing.
    wrapper: Option<Box<Wrapper>>,
    /// Set where the client may read the stream again.
    pub replaying: Option<Box<Replaying>>,
}

impl Downstream {
    /// The client of an HTTP/1 connection.
    pub fn http1(wire: Wire, vigil: Vigil, write_timeout: Duration) -> Self {
        Self { vigil: Some(vigil), ..Self::new(Side::Http1(wire), write_timeout) }
    }

    /// The client of a stream of an HTTP/2 connection.
    pub fn http2(mut session: ServerSession, write_timeout: Duration) -> Self {
        session.set_write_timeout(Some(write_timeout));
        Self::new(Side::Http2(Box::new(session)), write_timeout)
    }

    /// Whoever reads a shared call; they have their own write timeouts.
    pub fn shared(flying: Flying) -> Self {
        Self::new(Side::Shared(Box::new(Shared { flying, is_complete: false })), Duration::ZERO)
    }

    fn new(side: Side, write_timeout: Duration) -> Self {
        Self {
            side,
            stage: Stage::Untouched,
            is_gone: false,
            is_watchable: true,
            write_timeout,
            vigil: None,
            bytes_out: 0,
            last_mark: 0,
            wrapper: None,
            replaying: None,
        }
    }

    /// The client's connection; None where it is not one HTTP/1 client's.
    pub fn stream(&self) -> Option<&EdgeStream> {
        match &self.side {
            Side::Http1(wire) => Some(wire.stream()),
            Side::Http2(_) | Side::Shared(_) => None,
        }
    }

    /// Reads the whole body, at most `bytes_max`.
    ///
    /// # Errors
    /// [`BodyFault`].
    pub async fn body(&mut self, bytes_max: usize) -> Result<Bytes, BodyFault> {
        match &mut self.side {
            Side::Http1(wire) => wire.body(bytes_max).await,
            Side::Http2(session) => Box::pin(body_of_session(session, bytes_max)).await,
            // It was read before the call was shared.
            Side::Shared(_) => Err(BodyFault::Gone),
        }
    }

    /// Ends the connection with this answer.
    pub fn end_keepalive(&mut self) {
        match &mut self.side {
            Side::Http1(wire) => wire.end_keepalive(),
            Side::Http2(session) => session.set_keepalive(None),
            Side::Shared(_) => {}
        }
    }

    /// What is streamed from here on are Anthropic's events, and the client reads them as Bedrock's
    /// `invoke` wraps them.
    pub fn wrap_events(&mut self) {
        self.wrapper = Some(Box::default());
    }

    /// Whether these bytes are no sign of life to the client: a comment, where its framing has none.
    pub fn is_nothing(&self, keepalive: &[u8]) -> bool {
        keepalive.is_empty() || (self.wrapper.is_some() && keepalive.starts_with(b":"))
    }

    /// Bytes as they go out.
    fn framed(&mut self, bytes: Bytes) -> Result<Bytes, Gone> {
        let bytes = match &mut self.replaying {
            Some(replaying) => replaying.keep(&bytes),
            None => bytes,
        };
        let Some(wrapper) = &mut self.wrapper else { return Ok(bytes) };
        let mut out = Vec::with_capacity(bytes.len() * 2 + 128);
        // Too long an event ends the stream: it could only be cut in two.
        wrapper.feed(&bytes, &mut out).map_err(|_| Gone)?;
        Ok(Bytes::from(out))
    }

    /// Whether what is written has a reader: the client, or who may come back for it.
    pub fn has_reader(&mut self, now: Ticks) -> bool {
        match &mut self.replaying {
            Some(replaying) => replaying.is_awaited(now),
            None => !self.is_gone,
        }
    }

    /// Ends a stream with its last bytes; for a client that is away, for who reads it again.
    ///
    /// # Errors
    /// The client does not see this end.
    pub async fn end(&mut self, last: Bytes) -> Result<(), Gone> {
        if self.is_gone {
            self.keep(&last);
        }
        if self.send(last).await.is_ok() {
            return self.close().await;
        }
        // What is kept is whole, whatever came of the client.
        if let Some(replaying) = &self.replaying {
            replaying.complete();
        }
        Err(Gone)
    }

    /// Keeps what a client that is away may read again.
    pub fn keep(&mut self, piece: &[u8]) {
        if let Some(replaying) = &mut self.replaying {
            replaying.keep(piece);
        }
    }

    pub fn is_untouched(&self) -> bool {
        self.stage == Stage::Untouched
    }

    /// Whether a streamed answer has begun and not ended.
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// How far a Gemini stream sent as one JSON array has come.
    pub fn array_state(&self) -> ArrayState {
        match self.last_mark {
            0 => ArrayState::NotOpened,
            b'[' | b',' => ArrayState::ExpectsElement,
            _ => ArrayState::AfterElement,
        }
    }

    pub fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Ends when the client leaves. Never ends once it is known to be gone: what goes on then goes
    /// on without it. Cancel-safe.
    pub async fn left(&mut self) {
        if self.is_gone || !self.is_watchable {
            return pending().await;
        }
        let is_gone = match &mut self.side {
            Side::Http1(wire) => wire.is_over().await,
            Side::Http2(session) => match session.read_body_or_idle(true).await {
                Err(error) => *error.etype() != ErrorType::ConnectError,
                Ok(_) => true,
            },
            Side::Shared(shared) => {
                Box::pin(shared.flying.deserted()).await;
                true
            }
        };
        if is_gone {
            self.is_gone = true;
            return;
        }
        // A client that sends its next requests early has not left. Whether it leaves is not looked at
        // any more: that would mean to read, and keep, ever more of them.
        self.is_watchable = false;
        pending().await
    }

    /// Sends the head of a streamed answer, and what is there of it already (nothing, if empty).
    pub async fn open(&mut self, status: u16, fields: &FieldLines, begun: Bytes) -> Result<(), Gone> {
        if self.stage != Stage::Untouched || self.is_gone {
            return Err(Gone);
        }
        let begun = self.framed(begun)?;
        self.stage = Stage::Open;
        self.note_piece(&begun);
        let written = match &mut self.side {
            Side::Http1(wire) => wire.begin(status, fields, &begun, false, self.write_timeout).await,
            Side::Http2(session) => Box::pin(open_by_session(session, status, fields, begun)).await,
            Side::Shared(shared) => {
                shared.begin(status, fields, false);
                Box::pin(shared.flying.piece(&begun)).await.map_err(Gone::from)
            }
        };
        self.note(written)
    }

    /// Sends a piece of a streamed answer; it is on its way when this returns.
    pub async fn send(&mut self, piece: Bytes) -> Result<(), Gone> {
        if self.stage != Stage::Open || self.is_gone {
            return Err(Gone);
        }
        let piece = self.framed(piece)?;
        if piece.is_empty() {
            return Ok(());
        }
        self.note_piece(&piece);
        let written = match &mut self.side {
            Side::Http1(wire) => wire.piece(&piece, self.write_timeout).await,
            Side::Http2(session) => Box::pin(session.write_response_body(piece, false)).await.map_err(note),
            Side::Shared(shared) => Box::pin(shared.flying.piece(&piece)).await.map_err(Gone::from),
        };
        self.note(written)
    }

    /// Ends a streamed answer cleanly.
    pub async fn close(&mut self) -> Result<(), Gone> {
        if let Some(replaying) = &self.replaying {
            replaying.complete();
        }
        if self.stage != Stage::Open || self.is_gone {
            return Err(Gone);
        }
        self.stage = Stage::Closed;
        let ended = match &mut self.side {
            Side::Http1(wire) => wire.end(self.write_timeout).await,
            Side::Http2(session) => {
                Box::pin(session.write_response_body(Bytes::new(), true)).await.map_err(note)
            }
            Side::Shared(shared) => {
                shared.is_complete = true;
                Ok(())
            }
        };
        self.note(ended)
    }

    /// Ends a streamed answer so that the client sees it is broken: HTTP/1.1 without the last
    /// chunk, HTTP/2 with a reset.
    pub async fn break_off(&mut self) {
        self.stage = Stage::Closed;
        self.end_keepalive();
        match &mut self.side {
            Side::Http1(wire) => wire.shut_down().await,
            Side::Http2(session) => Box::pin(session.shutdown()).await,
            Side::Shared(_) => {}
        }
    }

    /// Sends a whole answer.
    pub async fn answer(&mut self, status: u16, fields: &FieldLines, body: Bytes) -> Result<(), Gone> {
        if self.stage != Stage::Untouched || self.is_gone {
            return Err(Gone);
        }
        self.stage = Stage::Closed;
        self.bytes_out += body.len() as u64;
        let written = match &mut self.side {
            Side::Http1(wire) => wire.begin(status, fields, &body, true, self.write_timeout).await,
            Side::Http2(session) => Box::pin(answer_by_session(session, status, fields, body)).await,
            Side::Shared(shared) => {
                shared.begin(status, fields, true);
                shared.is_complete = true;
                shared.flying.whole(&body).map_err(Gone::from)
            }
        };
        self.note(written)
    }

    /// Ends the request. Gives an HTTP/1 connection back where it takes another one.
    pub async fn finish(self) -> Option<Waiting> {
        match self.side {
            Side::Http1(wire) => {
                let (stream, begun) = wire.finish().await?;
                Some(Waiting { stream, begun, vigil: self.vigil? })
            }
            Side::Http2(session) => {
                // The stream ends here, whatever became of the client.
                let _ = Box::pin(session.finish()).await;
                None
            }
            Side::Shared(_) => None,
        }
    }

    /// Ends a shared call: what it came to is told to all who read it.
    pub fn land(self, reason: Option<Reason>, origin: Option<Origin>) {
        if let Side::Shared(shared) = self.side {
            let Shared { flying, is_complete } = *shared;
            flying.land(Landing { is_complete, reason, origin });
        }
    }

    fn note_piece(&mut self, piece: &[u8]) {
        self.bytes_out += piece.len() as u64;
        if let Some(mark) = piece.iter().rev().find(|byte| !byte.is_ascii_whitespace()) {
            self.last_mark = *mark;
        }
    }

    fn note(&mut self, written: Result<(), Gone>) -> Result<(), Gone> {
        if written.is_err() {
            self.is_gone = true;
            self.end_keepalive();
        }
        written
    }
}

impl Shared {
    fn begin(&self, status: u16, fields: &FieldLines, is_whole: bool) {
        self.flying.begin(flights::Head { status, fields: fields.clone(), is_whole });
    }
}

impl From<flights::Deserted> for Gone {
    fn from(_: flights::Deserted) -> Self {
        Gone
    }
}

async fn body_of_session(session: &mut ServerSession, bytes_max: usize) -> Result<Bytes, BodyFault> {
    let expect = session.get_header(header::EXPECT);
    if expect.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        // The client waits for it before it sends anything.
        session.write_continue_response().await.map_err(|_| BodyFault::Gone)?;
    }
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(piece) = session.read_request_body().await.map_err(|_| BodyFault::Gone)? {
        if first.len() + all.len() + piece.len() > bytes_max {
            return Err(BodyFault::TooLarge);
        }
        if first.is_empty() && all.is_empty() {
            first = piece;
            continue;
        }
        if all.is_empty() {
            all.extend_from_slice(&std::mem::take(&mut first));
        }
        all.extend_from_slice(&piece);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

async fn open_by_session(
    session: &mut ServerSession,
    status: u16,
    fields: &FieldLines,
    begun: Bytes,
) -> Result<(), Gone> {
    let header = response_header(status, fields)?;
    session.write_response_header(Box::new(header)).await.map_err(note)?;
    session.write_response_body(begun, false).await.map_err(note)
}

/// Sends a whole answer through Pingora.
pub async fn answer_by_session(
    session: &mut ServerSession,
    status: u16,
    fields: &FieldLines,
    body: Bytes,
) -> Result<(), Gone> {
    let mut header = response_header(status, fields)?;
    if status != 204 && status != 304 {
        header.insert_header(header::CONTENT_LENGTH, HeaderValue::from(body.len())).map_err(|_| Gone)?;
    }
    session.write_response_header(Box::new(header)).await.map_err(note)?;
    session.write_response_body(body, true).await.map_err(note)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn note(error: Box<pingora_core::Error>) -> Gone {
    log::debug!("client gone while answering: {error}");
    Gone
}

/// Pingora's header of an answer. Fields that cannot be sent were left out where they were made.
fn response_header(status: u16, fields: &FieldLines) -> Result<ResponseHeader, Gone> {
    let mut header = ResponseHeader::build_no_case(status, Some(24)).map_err(|_| Gone)?;
    for (name, value) in fields.iter() {
        let name = HeaderName::from_bytes(name).map_err(|_| Gone)?;
        let value = HeaderValue::from_bytes(value).map_err(|_| Gone)?;
        header.append_header(name, value).map_err(|_| Gone)?;
    }
    Ok(header)
}
