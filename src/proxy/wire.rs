//! A client's HTTP/1 connection during one request: its body in, its answer out.
//!
//! Head and first bytes of an answer leave in one write, each chunk in one write, nothing lies between
//! the socket and the one buffer that requests are read into. Not here: reading a head (`front`), and
//! what is said. Invariant: the connection is given back only after a request read to its end and an
//! answer that ended as its head said; what the client sent beyond that request stays in front of the
//! next one.

use super::connection::EdgeStream;
use super::exchange::downstream::Gone;
use crate::framing::http1_answer::{self, AnswerFraming, AnswerHead};
use crate::framing::{BodyDecoder, BodyFraming, ClientHead, FieldLines, Piece};
use crate::telemetry::WallClock;
use crate::upstream::scratch::poll_read_into;
use bytes::{Buf, Bytes, BytesMut};
use http::{Method, Version};
use std::future::poll_fn;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Up to this size data is copied behind what precedes it, to leave in one write.
const COPIED_BYTES: usize = 16 * 1024;
/// What a read of a body gets room for, at least.
const READ_BYTES: usize = 16 * 1024;
/// What is set aside for a body before any of it has come, whatever its length is said to be.
const TRUSTED_BYTES: usize = 256 * 1024;
/// What a client may send early of its next request while it waits for an answer.
const EARLY_BYTES_MAX: usize = 4 * 1024;
/// A body up to this size that nobody wants is read, to keep the connection.
const SKIPPED_BYTES_MAX: u64 = 1024 * 1024;
/// What is read of a longer one, so that the client gets to read the answer.
const UNWANTED_BYTES_MAX: usize = 8 * 1024 * 1024;
const UNWANTED_WAIT: Duration = Duration::from_secs(5);

/// Why a body did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    TooLarge,
    Malformed,
    /// The connection ended within it.
    Gone,
}

pub struct Wire {
    stream: Box<EdgeStream>,
    /// Read and not yet used.
    rest: BytesMut,
    /// What of the request has not been read.
    unread: BodyFraming,
    keeps_alive: bool,
    /// The client waits for a word before it sends its body.
    awaits_continue: bool,
    is_http11: bool,
    /// The answer to HEAD has no body.
    is_head: bool,
    is_complete: bool,
}

impl Wire {
    /// The connection of a request whose head was just taken from `rest`.
    pub fn new(stream: Box<EdgeStream>, rest: BytesMut, head: &ClientHead) -> Self {
        let unread = if head.framing == BodyFraming::Length(0) { BodyFraming::Empty } else { head.framing };
        Self {
            stream,
            rest,
            unread,
            keeps_alive: head.keeps_alive(),
            awaits_continue: head.expects_continue() && unread != BodyFraming::Empty,
            is_http11: head.version == Version::HTTP_11,
            is_head: head.method == Method::HEAD,
            is_complete: false,
        }
    }

    /// The connection of a request whose head could not be read: one answer, and it is over.
    pub fn broken(stream: Box<EdgeStream>, rest: BytesMut) -> Self {
        Self {
            stream,
            rest,
            unread: BodyFraming::UntilClose,
            keeps_alive: false,
            awaits_continue: false,
            is_http11: true,
            is_head: false,
            is_complete: false,
        }
    }

    pub fn stream(&self) -> &EdgeStream {
        &self.stream
    }

    pub fn end_keepalive(&mut self) {
        self.keeps_alive = false;
    }

    /// Reads the whole body, at most `bytes_max`.
    ///
    /// # Errors
    /// [`BodyFault`]; what is left of the body stays unread.
    pub async fn body(&mut self, bytes_max: usize) -> Result<Bytes, BodyFault> {
        let length = match self.unread {
            BodyFraming::Empty => return Ok(Bytes::new()),
            BodyFraming::Length(length) => usize::try_from(length).unwrap_or(usize::MAX),
            BodyFraming::Chunked => return Box::pin(self.chunked_body(bytes_max)).await,
            BodyFraming::UntilClose => return Err(BodyFault::Malformed),
        };
        if length > bytes_max {
            return Err(BodyFault::TooLarge);
        }
        if self.rest.len() < length {
            self.invite().await?;
            self.read_to(length).await?;
        }
        self.unread = BodyFraming::Empty;
        self.awaits_continue = false;
        Ok(self.rest.split_to(length).freeze())
    }

    /// Reads until `length` bytes are there. Room grows with what has come, not with what was announced.
    async fn read_to(&mut self, length: usize) -> Result<(), BodyFault> {
        while self.rest.len() < length {
            let missing = length - self.rest.len();
            if self.rest.capacity() - self.rest.len() < missing.min(READ_BYTES) {
                self.rest.reserve(missing.min(TRUSTED_BYTES.max(self.rest.len())));
            }
            let read = self.stream.read_buf(&mut self.rest).await;
            self.came(read)?;
        }
        Ok(())
    }

    async fn chunked_body(&mut self, bytes_max: usize) -> Result<Bytes, BodyFault> {
        self.invite().await?;
        let mut decoder = BodyDecoder::new(BodyFraming::Chunked);
        let mut first = Bytes::new();
        let mut all = BytesMut::new();
        loop {
            match decoder.decode(&mut self.rest) {
                Ok(Piece::Data(data)) if first.len() + all.len() + data.len() > bytes_max => {
                    // Where it ends is not known any more: the connection ends instead.
                    self.unread = BodyFraming::UntilClose;
                    return Err(BodyFault::TooLarge);
                }
                Ok(Piece::Data(data)) if first.is_empty() && all.is_empty() => first = data,
                Ok(Piece::Data(data)) => {
                    if all.is_empty() {
                        all.extend_from_slice(&std::mem::take(&mut first));
                    }
                    all.extend_from_slice(&data);
                }
                Ok(Piece::NeedMore) => {
                    let Self { stream, rest, .. } = self;
                    let read = poll_fn(|cx| poll_read_into(stream, cx, rest)).await;
                    self.came(read)?;
                }
                Ok(Piece::End) => break,
                Err(_) => {
                    self.unread = BodyFraming::UntilClose;
                    return Err(BodyFault::Malformed);
                }
            }
        }
        self.unread = BodyFraming::Empty;
        Ok(if all.is_empty() { first } else { all.freeze() })
    }

    /// Tells a client that waits for it to send its body. One that has begun to send it does not wait.
    async fn invite(&mut self) -> Result<(), BodyFault> {
        if !std::mem::take(&mut self.awaits_continue) || !self.rest.is_empty() {
            return Ok(());
        }
        self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.map_err(|_| BodyFault::Gone)?;
        self.stream.flush().await.map_err(|_| BodyFault::Gone)
    }

    fn came(&mut self, read: std::io::Result<usize>) -> Result<(), BodyFault> {
        match read {
            Ok(1..) => Ok(()),
            Ok(0) | Err(_) => {
                self.keeps_alive = false;
                Err(BodyFault::Gone)
            }
        }
    }

    /// Sends the head and `body`: all of it where its length is stated, else its first piece, if any.
    pub async fn begin(
        &mut self,
        status: u16,
        fields: &FieldLines,
        body: &[u8],
        is_whole: bool,
        timeout: Duration,
    ) -> Result<(), Gone> {
        self.keeps_alive &= self.can_skip_rest();
        let framing = self.framing(status, is_whole, body.len());
        let body = if self.has_body(status) { body } else { b"" };
        let is_chunk = framing == AnswerFraming::Chunked && !body.is_empty();
        let is_copied = body.len() <= COPIED_BYTES;
        let room = if is_copied { body.len() + 24 } else { 24 };
        let keeps_alive = self.keeps_alive;
        let mut bytes = WallClock.http_date(|date| {
            AnswerHead { status, framing, keeps_alive, date: date.as_bytes() }.write(fields, room)
        });
        if is_chunk {
            http1_answer::chunk_start(body.len(), &mut bytes);
        }
        let tail: &[u8] = if is_chunk { b"\r\n" } else { b"" };
        if is_copied {
            bytes.extend_from_slice(body);
            bytes.extend_from_slice(tail);
            self.write(&[&bytes], timeout).await?;
        } else {
            self.write(&[&bytes, body, tail], timeout).await?;
        }
        self.is_complete = is_whole;
        Ok(())
    }

    /// Whether what is unread of the body is so little that it is read for the sake of the connection.
    /// A client that waits to be asked for its body may never send it.
    fn can_skip_rest(&self) -> bool {
        match self.unread {
            BodyFraming::Empty => true,
            BodyFraming::Length(length) => !self.awaits_continue && length <= SKIPPED_BYTES_MAX,
            BodyFraming::Chunked | BodyFraming::UntilClose => false,
        }
    }

    fn has_body(&self, status: u16) -> bool {
        !self.is_head && status != 204 && status != 304
    }

    fn framing(&mut self, status: u16, is_whole: bool, length: usize) -> AnswerFraming {
        match is_whole {
            _ if status == 204 || status == 304 => AnswerFraming::Empty,
            true => AnswerFraming::Length(length),
            false if self.is_http11 => AnswerFraming::Chunked,
            false => {
                self.keeps_alive = false;
                AnswerFraming::UntilClose
            }
        }
    }

    /// Sends a piece of a body whose length was not stated.
    pub async fn piece(&mut self, data: &[u8], timeout: Duration) -> Result<(), Gone> {
        if data.is_empty() || self.is_head {
            return Ok(());
        }
        if !self.is_http11 {
            return self.write(&[data], timeout).await;
        }
        if data.len() <= COPIED_BYTES {
            return self.write(&[&http1_answer::chunk(data)], timeout).await;
        }
        let mut start = Vec::with_capacity(16);
        http1_answer::chunk_start(data.len(), &mut start);
        self.write(&[&start, data, b"\r\n"], timeout).await
    }

    /// Sends the end of such a body.
    pub async fn end(&mut self, timeout: Duration) -> Result<(), Gone> {
        if self.is_http11 && !self.is_head {
            self.write(&[http1_answer::LAST_CHUNK], timeout).await?;
        }
        self.is_complete = true;
        Ok(())
    }

    /// Waits until the client closes its side (true) or has sent all of a next request that is kept
    /// for it (false). Cancel-safe.
    pub async fn is_over(&mut self) -> bool {
        let mut probe = [0u8; 64];
        while self.rest.len() < EARLY_BYTES_MAX {
            match self.stream.read(&mut probe).await {
                Ok(read @ 1..) => self.rest.extend_from_slice(probe.get(..read).unwrap_or_default()),
                Ok(0) | Err(_) => return true,
            }
        }
        false
    }

    pub async fn shut_down(&mut self) {
        self.keeps_alive = false;
        self.close().await;
    }

    /// The connection and what it has sent of its next request, where it takes one; else it is closed.
    pub async fn finish(mut self) -> Option<(Box<EdgeStream>, BytesMut)> {
        if self.keeps_alive && self.is_complete {
            if self.unread == BodyFraming::Empty || Box::pin(self.skip_rest()).await {
                return Some((self.stream, self.rest));
            }
            return None;
        }
        self.close().await;
        if self.unread != BodyFraming::Empty && !self.awaits_continue {
            Box::pin(self.read_away()).await;
        }
        None
    }

    async fn close(&mut self) {
        // The client may be gone already: there is nobody left to tell.
        let _ = self.stream.shutdown().await;
    }

    /// Reads what is left of a body that nobody wants. True where the next request follows.
    async fn skip_rest(&mut self) -> bool {
        let BodyFraming::Length(length) = self.unread else { return false };
        let mut left = usize::try_from(length).unwrap_or(usize::MAX);
        let skipped = async {
            loop {
                let here = left.min(self.rest.len());
                self.rest.advance(here);
                left -= here;
                if left == 0 {
                    return true;
                }
                self.rest.reserve(READ_BYTES);
                if !matches!(self.stream.read_buf(&mut self.rest).await, Ok(1..)) {
                    return false;
                }
            }
        };
        pingora_timeout::timeout(UNWANTED_WAIT, skipped).await.unwrap_or(false)
    }

    /// Takes what the client still sends, within bounds: closing on it would make the kernel throw
    /// away the answer it has not read yet.
    async fn read_away(&mut self) {
        self.rest = BytesMut::with_capacity(READ_BYTES);
        let read = async {
            let mut left = UNWANTED_BYTES_MAX;
            while left > 0 {
                self.rest.clear();
                match self.stream.read_buf(&mut self.rest).await {
                    Ok(read @ 1..) => left = left.saturating_sub(read),
                    Ok(0) | Err(_) => return,
                }
            }
        };
        // A client that goes on sending has had its time.
        let _ = pingora_timeout::timeout(UNWANTED_WAIT, read).await;
    }

    async fn write(&mut self, parts: &[&[u8]], timeout: Duration) -> Result<(), Gone> {
        let stream = &mut self.stream;
        let written = pingora_timeout::timeout(timeout, async move {
            for part in parts.iter().filter(|part| !part.is_empty()) {
                stream.write_all(part).await?;
            }
            stream.flush().await
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                log::debug!("client gone while answering: {error}");
                Err(Gone)
            }
            Err(_) => {
                log::debug!("the client took nothing within the write timeout");
                Err(Gone)
            }
        }
    }
}
