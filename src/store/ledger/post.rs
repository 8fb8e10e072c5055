//! One POST over a connection of its own: HTTP/1.1, with TLS where the address says so.
//!
//! Not the way to providers (`upstream`): no pool, no streaming. Invariant: of the answer no more is
//! held than its head and the beginning of its body.

use super::clickhouse::ClickHouseUrl;
use crate::framing::http1_body::{BodyDecoder, BodyError, Piece};
use crate::framing::http1_head::{HeadError, HeadProgress, ResponseHead, parse_head};
use bytes::BytesMut;
use pingora_core::connectors::TransportConnector;
use pingora_core::protocols::Stream;
use pingora_core::upstreams::peer::HttpPeer;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Of an error's body, for the log.
const TOLD_BYTES: usize = 300;

pub(super) struct Post<'p> {
    /// Path and query, encoded.
    pub target: &'p str,
    pub fields: &'p [(&'p str, &'p str)],
    pub body: &'p [u8],
}

#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("cannot connect: {0}")]
    Connect(String),
    #[error("{0}")]
    Head(#[from] HeadError),
    #[error("{0}")]
    Body(#[from] BodyError),
    #[error("no answer in time")]
    TooSlow,
    #[error("status {0}: {1}")]
    Refused(u16, String),
}

/// Ok for a 2xx whose body came whole.
pub(super) async fn post(to: &ClickHouseUrl, post: &Post<'_>) -> Result<(), PostError> {
    let mut stream = connect(to).await?;
    let mut head = format!("POST {} HTTP/1.1\r\nhost: {}:{}\r\n", post.target, to.host, to.port);
    for (name, value) in post.fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!(
        "content-type: application/x-ndjson\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        post.body.len()
    ));
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(post.body).await?;
    stream.flush().await?;
    let mut buffer = BytesMut::new();
    let head = read_head(&mut stream, &mut buffer).await?;
    let told = read_body(&mut stream, buffer, &head).await?;
    // Rows can fail after the status has been sent.
    let failed = head.fields.iter().any(|(name, _)| name == "x-clickhouse-exception-code");
    if (200..300).contains(&head.status) && !failed {
        Ok(())
    } else {
        Err(PostError::Refused(head.status, String::from_utf8_lossy(&told).into_owned()))
    }
}

async fn connect(to: &ClickHouseUrl) -> Result<Stream, PostError> {
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((to.host.as_str(), to.port)).await?.collect();
    let mut last = PostError::Connect("the name has no address".to_owned());
    for address in addresses {
        let peer = HttpPeer::new(address, to.is_tls, to.host.clone());
        match TransportConnector::new(None).new_stream(&peer).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = PostError::Connect(error.to_string()),
        }
    }
    Err(last)
}

async fn read_head(stream: &mut Stream, buffer: &mut BytesMut) -> Result<ResponseHead, PostError> {
    loop {
        match parse_head(buffer, false)? {
            HeadProgress::Head(head, length) => {
                let _ = buffer.split_to(length);
                return Ok(*head);
            }
            HeadProgress::Interim(_, length) => {
                let _ = buffer.split_to(length);
            }
            HeadProgress::NeedMore => {
                if stream.read_buf(buffer).await? == 0 {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
            }
        }
    }
}

/// Reads to the end, and gives the beginning.
async fn read_body(
    stream: &mut Stream,
    mut buffer: BytesMut,
    head: &ResponseHead,
) -> Result<Vec<u8>, PostError> {
    let mut decoder = BodyDecoder::new(head.framing);
    let mut told = Vec::new();
    loop {
        match decoder.decode(&mut buffer)? {
            Piece::Data(data) => told.extend(data.iter().take(TOLD_BYTES.saturating_sub(told.len()))),
            Piece::End => return Ok(told),
            Piece::NeedMore => {
                if stream.read_buf(&mut buffer).await? == 0 {
                    decoder.on_eof()?;
                    return Ok(told);
                }
            }
        }
    }
}
