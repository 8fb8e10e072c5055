//! The client's side of one exchange, reduced to what an answer needs, with the order of its steps
//! held by a state.
//!
//! A request is read by Pingora's session. Its answer is written by [`PlainAnswer`] wherever that is
//! plain HTTP/1.1 with a body; HTTP/2, HTTP/1.0 and answers without a body stay with the session.

use super::plain_answer::PlainAnswer;
use crate::dialect::errors::ArrayState;
use crate::framing::http1_answer::AnswerFraming;
use crate::proxy::connection::edge_stream;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Version, header};
use pingora_core::ErrorType;
use pingora_core::protocols::Stream;
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::http::v1::server::HttpSession;
use pingora_http::ResponseHeader;
use std::future::pending;
use std::time::Duration;

/// The client is not there any more, or takes nothing within the write timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// Fields of an answer, in order.
pub type Fields = Vec<(HeaderName, HeaderValue)>;

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
    Session(Box<ServerSession>),
    Plain(PlainAnswer),
    /// Given back, or lost on the way.
    None,
}

pub struct Downstream {
    side: Side,
    stage: Stage,
    is_gone: bool,
    is_watchable: bool,
    write_timeout: Duration,
    /// Bytes that were read before the session was made.
    fed: u64,
    pub bytes_out: u64,
    /// The last byte sent of a stream that is no white space; 0 before any.
    last_mark: u8,
}

impl Downstream {
    /// The client of a session; `fed` bytes of its request were read before and handed to it.
    pub fn new(session: ServerSession, fed: u64) -> Self {
        Self {
            side: Side::Session(Box::new(session)),
            stage: Stage::Untouched,
            is_gone: false,
            is_watchable: true,
            write_timeout: Duration::from_secs(60),
            fed,
            bytes_out: 0,
            last_mark: 0,
        }
    }

    /// The session, as long as the answer has not begun.
    pub fn session(&mut self) -> Option<&mut ServerSession> {
        match &mut self.side {
            Side::Session(session) => Some(session),
            _ => None,
        }
    }

    /// The client's connection; None for HTTP/2.
    pub fn stream(&self) -> Option<&Stream> {
        match &self.side {
            Side::Session(session) => session.stream(),
            Side::Plain(answer) => Some(answer.stream()),
            Side::None => None,
        }
    }

    pub fn set_write_timeout(&mut self, span: Duration) {
        self.write_timeout = span;
        if let Some(session) = self.session() {
            session.set_write_timeout(Some(span));
        }
    }

    /// Ends the connection with this answer.
    pub fn end_keepalive(&mut self) {
        match &mut self.side {
            Side::Session(session) => session.set_keepalive(None),
            Side::Plain(answer) => answer.end_keepalive(),
            Side::None => {}
        }
    }

    pub fn is_untouched(&self) -> bool {
        self.stage == Stage::Untouched
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
            Side::Plain(answer) => answer.is_over().await,
            Side::Session(session) => match session.read_body_or_idle(true).await {
                Err(error) => *error.etype() != ErrorType::ConnectError,
                Ok(_) => true,
            },
            Side::None => true,
        };
        if is_gone {
            self.is_gone = true;
            return;
        }
        // A client that sends its next request early has not left; one byte of that request is lost
        // now, so the connection ends after this answer.
        self.is_watchable = false;
        self.end_keepalive();
        pending().await
    }

    /// Sends the head of a streamed answer, and what is there of it already (nothing, if empty).
    pub async fn open(&mut self, status: u16, fields: &Fields, begun: Bytes) -> Result<(), Gone> {
        if self.stage != Stage::Untouched || self.is_gone {
            return Err(Gone);
        }
        self.take_over(status).await;
        self.stage = Stage::Open;
        self.note_piece(&begun);
        let written = match &mut self.side {
            Side::Plain(answer) => {
                answer.begin(status, fields, AnswerFraming::Chunked, &begun, self.write_timeout).await
            }
            Side::Session(session) => {
                let mut header = response_header(status, fields)?;
                // HTTP/1.0 knows no chunks: its answer ends with the connection.
                if session.req_header().version == Version::HTTP_11 {
                    let chunked = HeaderValue::from_static("chunked");
                    header.insert_header(header::TRANSFER_ENCODING, chunked).map_err(|_| Gone)?;
                }
                Box::pin(open_by_session(session, header, begun)).await
            }
            Side::None => Err(Gone),
        };
        self.note(written)
    }

    /// Sends a piece of a streamed answer; it is on its way when this returns.
    pub async fn send(&mut self, piece: Bytes) -> Result<(), Gone> {
        if self.stage != Stage::Open || self.is_gone {
            return Err(Gone);
        }
        self.note_piece(&piece);
        let written = match &mut self.side {
            Side::Plain(answer) => answer.chunk(&piece, self.write_timeout).await,
            Side::Session(session) => Box::pin(session.write_response_body(piece, false)).await.map_err(note),
            Side::None => Err(Gone),
        };
        self.note(written)
    }

    /// Ends a streamed answer cleanly.
    pub async fn close(&mut self) -> Result<(), Gone> {
        if self.stage != Stage::Open || self.is_gone {
            return Err(Gone);
        }
        self.stage = Stage::Closed;
        let ended = match &mut self.side {
            Side::Plain(answer) => answer.end(self.write_timeout).await,
            Side::Session(session) => {
                Box::pin(session.write_response_body(Bytes::new(), true)).await.map_err(note)
            }
            Side::None => Err(Gone),
        };
        self.note(ended)
    }

    /// Ends a streamed answer so that the client sees it is broken: HTTP/1.1 without the last
    /// chunk, HTTP/2 with a reset.
    pub async fn break_off(&mut self) {
        self.stage = Stage::Closed;
        self.end_keepalive();
        match &mut self.side {
            Side::Plain(answer) => answer.shut_down().await,
            Side::Session(session) => Box::pin(session.shutdown()).await,
            Side::None => {}
        }
    }

    /// Sends a whole answer.
    pub async fn answer(&mut self, status: u16, fields: &Fields, body: Bytes) -> Result<(), Gone> {
        if self.stage != Stage::Untouched || self.is_gone {
            return Err(Gone);
        }
        self.take_over(status).await;
        self.stage = Stage::Closed;
        self.bytes_out += body.len() as u64;
        let written = match &mut self.side {
            Side::Plain(answer) => {
                let framing = AnswerFraming::Length(body.len());
                answer.begin(status, fields, framing, &body, self.write_timeout).await
            }
            Side::Session(session) => Box::pin(answer_by_session(session, status, fields, body)).await,
            Side::None => Err(Gone),
        };
        self.note(written)
    }

    /// Ends the request. Gives the connection back where it takes another one.
    pub async fn finish(self) -> Option<Stream> {
        match self.side {
            Side::Plain(answer) => answer.finish().await,
            Side::Session(session) => {
                let reusable = Box::pin(session.finish()).await.ok().flatten()?;
                Some(reusable.into_parts().0)
            }
            Side::None => None,
        }
    }

    /// Takes the connection out of Pingora's session where the answer is one [`PlainAnswer`] writes.
    async fn take_over(&mut self, status: u16) {
        if !self.session().is_some_and(|session| is_plain(session, status)) {
            return;
        }
        let Side::Session(session) = std::mem::replace(&mut self.side, Side::None) else { return };
        self.side = match *session {
            ServerSession::H1(http1) if !http1.will_keepalive() => {
                Side::Plain(PlainAnswer::new(http1.into_inner(), false))
            }
            ServerSession::H1(http1)
                if http1.req_header().headers.contains_key(header::TRANSFER_ENCODING) =>
            {
                Box::pin(give_back(http1)).await.map_or(Side::None, Side::Plain)
            }
            ServerSession::H1(http1) => {
                let keeps_alive = self.is_read_exactly(&http1);
                Side::Plain(PlainAnswer::new(http1.into_inner(), keeps_alive))
            }
            other => Side::Session(Box::new(other)),
        };
    }

    /// Whether no more than this request, whose length is stated, has been read of the connection.
    fn is_read_exactly(&self, http1: &HttpSession) -> bool {
        let Some(stream) = edge_stream(Some(http1.stream())) else { return false };
        let read = self.fed + stream.bytes_read();
        let headers = &http1.req_header().headers;
        let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let body: u64 = length.and_then(|value| value.trim().parse().ok()).unwrap_or(0);
        read == http1.get_headers_raw_bytes().len() as u64 + body
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

/// Whether the answer to this request is plain HTTP/1.1 with a body, and the request was read whole.
fn is_plain(session: &mut ServerSession, status: u16) -> bool {
    let ServerSession::H1(http1) = session else { return false };
    let head = http1.req_header();
    let is_plain = head.version == Version::HTTP_11 && head.method != Method::HEAD;
    is_plain && status >= 200 && status != 204 && status != 304 && http1.is_body_done()
}

/// The connection after a body in chunks. Only the session knows whether more was read; it tells
/// where it would serve such bytes as the next request.
async fn give_back(mut http1: HttpSession) -> Option<PlainAnswer> {
    http1.set_pipelining_enabled(true);
    let (stream, more) = http1.reuse().await.ok()??.into_parts();
    Some(PlainAnswer::new(stream, more.is_none()))
}

async fn open_by_session(
    session: &mut ServerSession,
    header: ResponseHeader,
    begun: Bytes,
) -> Result<(), Gone> {
    session.write_response_header(Box::new(header)).await.map_err(note)?;
    session.write_response_body(begun, false).await.map_err(note)
}

/// Sends a whole answer through Pingora.
pub async fn answer_by_session(
    session: &mut ServerSession,
    status: u16,
    fields: &Fields,
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

/// Pingora's header of an answer. Fields that cannot be sent were refused where they were made.
fn response_header(status: u16, fields: &Fields) -> Result<ResponseHeader, Gone> {
    let mut header = ResponseHeader::build_no_case(status, Some(fields.len() + 3)).map_err(|_| Gone)?;
    for (name, value) in fields {
        header.append_header(name, value).map_err(|_| Gone)?;
    }
    Ok(header)
}
