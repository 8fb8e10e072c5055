//! One client connection: bytes in, bytes out, waiting while watching whether the client is there.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::request::{BodyFraming, Head, Malformed};
use super::shared::Shared;
use super::stats::Stats;

/// A request head.
const HEAD_BYTES_MAX: usize = 256 * 1024;
/// A request body.
const BODY_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Room made for each read.
const READ_BYTES: usize = 8 * 1024;
/// Room made for each read of a long body.
const READ_BYTES_LONG: usize = 256 * 1024;
/// Bytes of a next request taken in while an answer is under way.
const EARLY_BYTES_MAX: usize = 64 * 1024;
/// A chunk-size line or a trailer line.
const LINE_BYTES_MAX: usize = 4 * 1024;
/// How long a closed connection is read on, so that the close does not destroy what is on its way.
const LINGER: Duration = Duration::from_millis(250);

/// Why an exchange ended early.
#[derive(Debug)]
pub enum Broken {
    /// The client left, or its connection failed.
    Left,
    /// What it sent cannot be read on.
    Malformed(Malformed),
}

/// A connection with what was read ahead.
pub struct Wire {
    stream: TcpStream,
    inbox: BytesMut,
    shared: Arc<Shared>,
}

impl Wire {
    pub fn new(stream: TcpStream, shared: Arc<Shared>) -> Self {
        Self { stream, inbox: BytesMut::new(), shared }
    }

    /// Reads the next head. `Ok(false)`: the client closed between two requests.
    pub async fn read_head(&mut self, head: &mut Head) -> Result<bool, Broken> {
        loop {
            // A stray line end between two requests is allowed (RFC 9112 §2.2).
            while self.inbox.first().is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
                self.inbox.advance(1);
            }
            if !self.inbox.is_empty()
                && let Some(length) = head.read(&self.inbox).map_err(Broken::Malformed)?
            {
                self.inbox.advance(length);
                return Ok(true);
            }
            if self.inbox.len() > HEAD_BYTES_MAX {
                return Err(Broken::Malformed(Malformed("head too long".into())));
            }
            let is_between = self.inbox.is_empty();
            match self.fill(READ_BYTES).await {
                Err(Broken::Left) if is_between => return Ok(false),
                filled => filled?,
            }
        }
    }

    /// Reads the body that `head` announced.
    pub async fn read_body(&mut self, head: &Head) -> Result<BytesMut, Broken> {
        if head.framing == BodyFraming::None {
            return Ok(BytesMut::new());
        }
        if head.expects_continue && self.inbox.is_empty() {
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        match head.framing {
            BodyFraming::None => Ok(BytesMut::new()),
            BodyFraming::Length(length) if length <= BODY_BYTES_MAX => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                self.fill_to(length).await?;
                Ok(self.inbox.split_to(length))
            }
            BodyFraming::Length(_) => Err(Broken::Malformed(Malformed("body too long".into()))),
            BodyFraming::Chunked => self.read_chunks().await,
        }
    }

    async fn read_chunks(&mut self) -> Result<BytesMut, Broken> {
        let malformed = |what: &str| Broken::Malformed(Malformed(what.into()));
        let mut body = BytesMut::new();
        loop {
            let line = self.read_line().await?;
            let digits = line.as_ref().split(|byte: &u8| *byte == b';').next().unwrap_or(&[]).trim_ascii();
            let size =
                std::str::from_utf8(digits).ok().filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
            let size = size
                .and_then(|hex| usize::from_str_radix(hex, 16).ok())
                .ok_or_else(|| malformed("chunk size"))?;
            if size == 0 {
                break;
            }
            if (body.len() as u64).saturating_add(size as u64) > BODY_BYTES_MAX {
                return Err(malformed("body too long"));
            }
            self.fill_to(size).await?;
            body.extend_from_slice(&self.inbox.split_to(size));
            if !self.read_line().await?.is_empty() {
                return Err(malformed("chunk end"));
            }
        }
        // Trailers are read and dropped.
        while !self.read_line().await?.is_empty() {}
        Ok(body)
    }

    /// A line without its CRLF.
    async fn read_line(&mut self) -> Result<BytesMut, Broken> {
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.inbox) {
                let mut line = self.inbox.split_to(at + 1);
                line.truncate(at);
                if line.last() != Some(&b'\r') {
                    return Err(Broken::Malformed(Malformed("bare line feed".into())));
                }
                line.truncate(at.saturating_sub(1));
                return Ok(line);
            }
            if self.inbox.len() > LINE_BYTES_MAX {
                return Err(Broken::Malformed(Malformed("line too long".into())));
            }
            self.fill(READ_BYTES).await?;
        }
    }

    /// Reads until `length` bytes are there.
    pub async fn fill_to(&mut self, length: usize) -> Result<(), Broken> {
        while self.inbox.len() < length {
            let room = (length - self.inbox.len()).clamp(READ_BYTES, READ_BYTES_LONG);
            self.fill(room).await?;
        }
        Ok(())
    }

    /// Takes the first `length` bytes, which must be there ([`Wire::fill_to`]).
    pub fn take(&mut self, length: usize) -> BytesMut {
        self.inbox.split_to(length.min(self.inbox.len()))
    }

    async fn fill(&mut self, room: usize) -> Result<(), Broken> {
        self.inbox.reserve(room);
        match self.stream.read_buf(&mut self.inbox).await {
            Ok(0) | Err(_) => Err(Broken::Left),
            Ok(count) => {
                Stats::add(&self.shared.stats.bytes_in, count as u64);
                Ok(())
            }
        }
    }

    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.stream.write_all(bytes).await.map_err(|_| Broken::Left)?;
        Stats::add(&self.shared.stats.bytes_out, bytes.len() as u64);
        Ok(())
    }

    /// Waits, and fails as soon as the client leaves. A half-closed connection counts as left.
    pub async fn pause(&mut self, span: Duration) -> Result<(), Broken> {
        if span.is_zero() {
            return Ok(());
        }
        let sleep = tokio::time::sleep(span);
        tokio::pin!(sleep);
        loop {
            tokio::select! {
                biased;
                () = &mut sleep => return Ok(()),
                ready = self.stream.readable(), if self.inbox.len() < EARLY_BYTES_MAX => {
                    ready.map_err(|_| Broken::Left)?;
                    self.take_early()?;
                }
            }
        }
    }

    /// Waits until the client leaves. Always fails.
    pub async fn hold(&mut self) -> Broken {
        loop {
            if self.pause(Duration::from_secs(3600)).await.is_err() {
                return Broken::Left;
            }
        }
    }

    /// Whether the client left meanwhile, without waiting.
    pub fn look(&mut self) -> Result<(), Broken> {
        if self.inbox.len() < EARLY_BYTES_MAX { self.take_early() } else { Ok(()) }
    }

    fn take_early(&mut self) -> Result<(), Broken> {
        self.inbox.reserve(1024);
        match self.stream.try_read_buf(&mut self.inbox) {
            Ok(0) => Err(Broken::Left),
            Ok(count) => {
                Stats::add(&self.shared.stats.bytes_in, count as u64);
                Ok(())
            }
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => Ok(()),
            Err(_) => Err(Broken::Left),
        }
    }

    /// Closes with a FIN, after all that was sent.
    pub async fn close(mut self) {
        let _ended = self.stream.shutdown().await;
        let drain = async {
            let mut waste = BytesMut::with_capacity(READ_BYTES);
            while matches!(self.stream.read_buf(&mut waste).await, Ok(count) if count > 0) {
                waste.clear();
            }
        };
        let _drained = tokio::time::timeout(LINGER, drain).await;
    }

    /// Closes with a RST.
    pub fn reset(self) {
        let _set = self.stream.set_zero_linger();
    }
}
