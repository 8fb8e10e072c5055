//! An HTTP/1.1 answer written on the client's connection: head and first bytes in one write, each
//! chunk in one write, no header map between.
//!
//! Not for answers without a body, nor for HTTP/1.0. Invariant: the connection is given back only
//! after an answer that ended as its head said, and only if it may be used again.

use super::downstream::{Fields, Gone};
use crate::framing::http1_answer::{self, AnswerFraming, AnswerHead};
use crate::telemetry::WallClock;
use pingora_core::protocols::Stream;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Up to this size data is copied behind what precedes it, to leave in one write.
const COPIED_BYTES: usize = 16 * 1024;

pub struct PlainAnswer {
    stream: Stream,
    keeps_alive: bool,
    is_complete: bool,
}

impl PlainAnswer {
    pub fn new(stream: Stream, keeps_alive: bool) -> Self {
        Self { stream, keeps_alive, is_complete: false }
    }

    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    pub fn end_keepalive(&mut self) {
        self.keeps_alive = false;
    }

    /// Sends the head and `body`: all of it where its length is stated, else its first chunk, if any.
    pub async fn begin(
        &mut self,
        status: u16,
        fields: &Fields,
        framing: AnswerFraming,
        body: &[u8],
        timeout: Duration,
    ) -> Result<(), Gone> {
        let keeps_alive = self.keeps_alive;
        let is_chunk = framing == AnswerFraming::Chunked && !body.is_empty();
        let is_copied = body.len() <= COPIED_BYTES;
        let room = if is_copied { body.len() + 24 } else { 24 };
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
        self.is_complete = matches!(framing, AnswerFraming::Length(_));
        Ok(())
    }

    /// Sends data as one chunk.
    pub async fn chunk(&mut self, data: &[u8], timeout: Duration) -> Result<(), Gone> {
        if data.is_empty() {
            return Ok(());
        }
        if data.len() <= COPIED_BYTES {
            return self.write(&[&http1_answer::chunk(data)], timeout).await;
        }
        let mut start = Vec::with_capacity(16);
        http1_answer::chunk_start(data.len(), &mut start);
        self.write(&[&start, data, b"\r\n"], timeout).await
    }

    /// Sends the end of a body in chunks.
    pub async fn end(&mut self, timeout: Duration) -> Result<(), Gone> {
        self.write(&[http1_answer::LAST_CHUNK], timeout).await?;
        self.is_complete = true;
        Ok(())
    }

    /// Waits until the client closes its side (true) or sends something (false). Cancel-safe.
    pub async fn is_over(&mut self) -> bool {
        let mut probe = [0u8; 1];
        !matches!(self.stream.read(&mut probe).await, Ok(1..))
    }

    pub async fn shut_down(&mut self) {
        self.keeps_alive = false;
        self.close().await;
    }

    /// The connection, where it takes another request; else it is closed.
    pub async fn finish(mut self) -> Option<Stream> {
        if self.keeps_alive && self.is_complete {
            return Some(self.stream);
        }
        self.close().await;
        None
    }

    async fn close(&mut self) {
        // The client may be gone already: there is nobody left to tell.
        let _ = self.stream.shutdown().await;
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
