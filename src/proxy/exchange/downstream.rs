//! The client's side of one exchange: Pingora's session, reduced to what an answer needs, with the
//! order of its steps held by a state.

use crate::dialect::errors::ArrayState;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Version, header};
use pingora_core::ErrorType;
use pingora_http::ResponseHeader;
use pingora_proxy::Session;
use std::future::pending;

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

pub struct Downstream<'s> {
    session: &'s mut Session,
    stage: Stage,
    is_gone: bool,
    is_watchable: bool,
    pub bytes_out: u64,
    /// The last byte sent of a stream that is no white space; 0 before any.
    last_mark: u8,
}

impl<'s> Downstream<'s> {
    pub fn new(session: &'s mut Session) -> Self {
        Self {
            session,
            stage: Stage::Untouched,
            is_gone: false,
            is_watchable: true,
            bytes_out: 0,
            last_mark: 0,
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
        match self.session.as_downstream_mut().read_body_or_idle(true).await {
            // A client that sends its next request early has not left; one byte of that request
            // is lost now, so the connection ends after this answer.
            Err(error) if *error.etype() == ErrorType::ConnectError => {
                self.is_watchable = false;
                self.session.as_downstream_mut().set_keepalive(None);
                pending().await
            }
            _ => self.is_gone = true,
        }
    }

    /// Sends the head of a streamed answer.
    pub async fn open(&mut self, status: u16, fields: &Fields) -> Result<(), Gone> {
        if self.stage != Stage::Untouched || self.is_gone {
            return Err(Gone);
        }
        let mut header = response_header(status, fields, 1)?;
        // HTTP/1.0 knows no chunks: its answer ends with the connection.
        if self.session.req_header().version == Version::HTTP_11 {
            let chunked = HeaderValue::from_static("chunked");
            header.insert_header(header::TRANSFER_ENCODING, chunked).map_err(|_| Gone)?;
        }
        self.stage = Stage::Open;
        let written = self.session.as_downstream_mut().write_response_header(Box::new(header)).await;
        self.note(written)
    }

    /// Sends a piece of a streamed answer; it is on its way when this returns.
    pub async fn send(&mut self, piece: Bytes) -> Result<(), Gone> {
        if self.stage != Stage::Open || self.is_gone {
            return Err(Gone);
        }
        self.bytes_out += piece.len() as u64;
        if let Some(mark) = piece.iter().rev().find(|byte| !byte.is_ascii_whitespace()) {
            self.last_mark = *mark;
        }
        let written = self.session.as_downstream_mut().write_response_body(piece, false).await;
        self.note(written)
    }

    /// Ends a streamed answer cleanly.
    pub async fn close(&mut self) -> Result<(), Gone> {
        if self.stage != Stage::Open || self.is_gone {
            return Err(Gone);
        }
        self.stage = Stage::Closed;
        let downstream = self.session.as_downstream_mut();
        let ended = downstream.write_response_body(Bytes::new(), true).await;
        self.note(ended)?;
        let finished = self.session.as_downstream_mut().finish_body().await;
        self.note(finished)
    }

    /// Ends a streamed answer so that the client sees it is broken: HTTP/1.1 without the last
    /// chunk, HTTP/2 with a reset.
    pub async fn break_off(&mut self) {
        self.stage = Stage::Closed;
        let downstream = self.session.as_downstream_mut();
        downstream.set_keepalive(None);
        downstream.shutdown().await;
    }

    /// Sends a whole answer.
    pub async fn answer(&mut self, status: u16, fields: &Fields, body: Bytes) -> Result<(), Gone> {
        if self.stage != Stage::Untouched || self.is_gone {
            return Err(Gone);
        }
        self.stage = Stage::Closed;
        let mut header = response_header(status, fields, 1)?;
        if status != 204 && status != 304 {
            header.insert_header(header::CONTENT_LENGTH, HeaderValue::from(body.len())).map_err(|_| Gone)?;
        }
        self.bytes_out += body.len() as u64;
        let downstream = self.session.as_downstream_mut();
        let written = downstream.write_response_header(Box::new(header)).await;
        self.note(written)?;
        let downstream = self.session.as_downstream_mut();
        let written = downstream.write_response_body(body, true).await;
        self.note(written)?;
        let finished = self.session.as_downstream_mut().finish_body().await;
        self.note(finished)
    }

    fn note<T>(&mut self, written: pingora_core::Result<T>) -> Result<(), Gone> {
        match written {
            Ok(_) => Ok(()),
            Err(error) => {
                log::debug!("client gone while answering: {error}");
                self.is_gone = true;
                self.session.as_downstream_mut().set_keepalive(None);
                Err(Gone)
            }
        }
    }
}

/// Pingora's header of an answer. Fields that cannot be sent were refused where they were made.
fn response_header(status: u16, fields: &Fields, more: usize) -> Result<ResponseHeader, Gone> {
    let size = Some(fields.len() + more + 2);
    let mut header = ResponseHeader::build_no_case(status, size).map_err(|_| Gone)?;
    for (name, value) in fields {
        header.append_header(name, value).map_err(|_| Gone)?;
    }
    Ok(header)
}
