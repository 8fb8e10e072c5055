//! A connection to what is measured.

use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::response::{self, Answer, Broken};

/// Room for a read.
const READ_BYTES: usize = 16 * 1024;
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A call that did not get its whole answer.
#[derive(Debug, Error)]
pub enum CallError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Broken(#[from] Broken),
    #[error("closed before the answer's end")]
    CutOff,
    #[error("the answer's head is too long")]
    LongHead,
}

/// A TCP connection and what was read from it ahead.
pub struct Connection {
    stream: TcpStream,
    ahead: BytesMut,
}

impl Connection {
    pub async fn open(addr: SocketAddr) -> Result<Self, CallError> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, ahead: BytesMut::with_capacity(READ_BYTES) })
    }

    pub async fn send(&mut self, request: &[u8]) -> Result<(), CallError> {
        Ok(self.stream.write_all(request).await?)
    }

    /// The head of the next answer.
    pub async fn head(&mut self) -> Result<Answer, CallError> {
        loop {
            self.more().await?;
            if let Some(answer) = response::parse(&self.ahead)? {
                self.ahead.advance(answer.head_bytes);
                return Ok(answer);
            }
            if self.ahead.len() > HEAD_BYTES_MAX {
                return Err(CallError::LongHead);
            }
        }
    }

    /// Gives `sink` the content that is there, reading on when there is none. False: the body has ended.
    pub async fn content(
        &mut self,
        answer: &mut Answer,
        sink: &mut impl FnMut(&[u8]),
    ) -> Result<bool, CallError> {
        if answer.body.is_done() {
            return Ok(false);
        }
        if self.ahead.is_empty() {
            match self.more().await {
                Err(CallError::CutOff) if answer.body == response::Body::ToClose => return Ok(false),
                read => read?,
            }
        }
        let left = answer.body.feed(&self.ahead, sink)?.len();
        self.ahead.advance(self.ahead.len() - left);
        Ok(true)
    }

    /// Reads and drops the rest of a body.
    pub async fn skip(&mut self, answer: &mut Answer) -> Result<(), CallError> {
        while self.content(answer, &mut |_| {}).await? {}
        Ok(())
    }

    /// Waits for anything to be read; an end is an error.
    async fn more(&mut self) -> Result<(), CallError> {
        self.ahead.reserve(READ_BYTES / 2);
        if self.stream.read_buf(&mut self.ahead).await? == 0 {
            return Err(CallError::CutOff);
        }
        Ok(())
    }
}
