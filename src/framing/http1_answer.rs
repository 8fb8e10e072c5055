//! The bytes of an HTTP/1.1 answer: its head, and its body in chunks.
//!
//! Only writing; what a head may hold was decided before. Invariant: an answer has exactly one
//! framing, and it is written here, never taken from a field.

use super::field_lines::{FieldLines, decimal};
use http::StatusCode;

/// Hexadecimal digits of a length, CR LF before and after the data: what a chunk adds to its data.
const CHUNK_OVERHEAD: usize = 16 + 4;

/// The chunk that ends a body.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerFraming {
    /// Bytes of the body.
    Length(usize),
    Chunked,
    /// With the connection: for HTTP/1.0, which knows no chunks.
    UntilClose,
    /// There is none.
    Empty,
}

/// What stands in a head besides status and fields.
#[derive(Clone, Copy, Debug)]
pub struct AnswerHead<'a> {
    pub status: u16,
    pub framing: AnswerFraming,
    /// Whether the connection takes another request afterwards.
    pub keeps_alive: bool,
    /// The value of `date`.
    pub date: &'a [u8],
}

impl AnswerHead<'_> {
    /// The head, with room for `room` bytes of body behind it.
    pub fn write(&self, fields: &FieldLines, room: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(176 + fields.as_bytes().len() + room);
        self.write_status(&mut out);
        out.extend_from_slice(fields.as_bytes());
        out.extend_from_slice(b"date: ");
        out.extend_from_slice(self.date);
        out.extend_from_slice(if self.keeps_alive {
            b"\r\nconnection: keep-alive\r\n"
        } else {
            b"\r\nconnection: close\r\n"
        });
        match self.framing {
            AnswerFraming::Length(bytes) => {
                out.extend_from_slice(b"content-length: ");
                decimal(&mut out, bytes as u64);
                out.extend_from_slice(b"\r\n\r\n");
            }
            AnswerFraming::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n"),
            AnswerFraming::UntilClose | AnswerFraming::Empty => out.extend_from_slice(b"\r\n"),
        }
        out
    }

    fn write_status(&self, out: &mut Vec<u8>) {
        if self.status == 200 {
            return out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        }
        let reason = StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason());
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(self.status.to_string().as_bytes());
        out.push(b' ');
        out.extend_from_slice(reason.unwrap_or_default().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// `data` as one chunk. Not for empty data: that would end the body.
pub fn chunk(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + CHUNK_OVERHEAD);
    chunk_start(data.len(), &mut out);
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
    out
}

/// What stands before the data of a chunk of `length` bytes; CR LF follows it.
pub fn chunk_start(length: usize, out: &mut Vec<u8>) {
    let digits = (usize::BITS - length.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        let digit = (length >> (place * 4)) as u8 & 15;
        out.push(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_has_its_status_its_fields_and_one_framing() {
        let mut fields = FieldLines::default();
        fields.push("content-type", b"text/plain");
        let head = AnswerHead {
            status: 429,
            framing: AnswerFraming::Length(12),
            keeps_alive: false,
            date: b"Thu, 01 Jan 1970 00:00:00 GMT",
        };
        assert_eq!(
            String::from_utf8(head.write(&fields, 0)).unwrap(),
            "HTTP/1.1 429 Too Many Requests\r\ncontent-type: text/plain\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
             connection: close\r\ncontent-length: 12\r\n\r\n"
        );
        let streamed = AnswerHead { status: 200, framing: AnswerFraming::Chunked, keeps_alive: true, ..head };
        let text = String::from_utf8(streamed.write(&FieldLines::default(), 0)).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.ends_with("connection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n"), "{text}");
        for framing in [AnswerFraming::UntilClose, AnswerFraming::Empty] {
            let text = AnswerHead { framing, ..head }.write(&FieldLines::default(), 0);
            assert!(text.ends_with(b"connection: close\r\n\r\n"), "{framing:?}");
        }
    }

    #[test]
    fn an_unknown_status_has_an_empty_reason() {
        let head = AnswerHead { status: 599, framing: AnswerFraming::Chunked, keeps_alive: true, date: b"" };
        assert!(head.write(&FieldLines::default(), 0).starts_with(b"HTTP/1.1 599 \r\n"));
    }

    #[test]
    fn chunks_state_their_length_in_hexadecimal() {
        for length in [1, 9, 10, 15, 16, 17, 255, 256, 4095, 4096, 65_535, 65_536, 1_000_003] {
            let made = chunk(&vec![b'x'; length]);
            let start = format!("{length:x}\r\n");
            assert!(made.starts_with(start.as_bytes()), "{length}");
            assert!(made.ends_with(b"x\r\n") && made.len() == start.len() + length + 2, "{length}");
        }
    }
}
