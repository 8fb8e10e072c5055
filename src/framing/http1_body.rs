//! The body of an HTTP/1.x response, taken out of its framing.
//!
//! Not a reader: it is given the buffer that the connection reads into and takes from its front. Body
//! bytes leave as slices of that buffer, never copied. What is left in the buffer after
//! [`Piece::End`] is no part of this response: the caller must not reuse such a connection.
//!
//! Invariant: no byte is guessed at. A size is hexadecimal digits, every line ends in CRLF, and what
//! follows a chunk is CRLF; anything else is an error, and the decoder stays in it.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;
use thiserror::Error;

use super::http1_head::BodyFraming;
use crate::types::bounds::{CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX};

/// Takes one body out of its framing.
#[derive(Debug)]
pub struct BodyDecoder {
    state: State,
}

/// What one call of [`BodyDecoder::decode`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Some of the body, never empty.
    Data(Bytes),
    /// The buffer holds too little to go on.
    NeedMore,
    /// The body has ended, trailers included.
    End,
}

/// Why a body cannot be read further. The connection is of no further use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BodyError {
    #[error("invalid chunk size line")]
    BadChunkLine,
    #[error("chunk size line is longer than the limit")]
    ChunkLineTooLong,
    #[error("chunk data is not followed by a line end")]
    BadChunkEnd,
    #[error("invalid trailer line")]
    BadTrailer,
    #[error("trailers are longer than the limit")]
    TrailersTooLong,
    #[error("body ended before its end")]
    Truncated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Bytes left, never 0.
    Length(u64),
    UntilClose,
    ChunkLine,
    /// Bytes left of this chunk, never 0.
    ChunkData(u64),
    ChunkEnd,
    /// Bytes of trailers read.
    Trailers(usize),
    Done,
    Failed(BodyError),
}

impl BodyDecoder {
    pub fn new(framing: BodyFraming) -> Self {
        let state = match framing {
            BodyFraming::Empty | BodyFraming::Length(0) => State::Done,
            BodyFraming::Length(len) => State::Length(len),
            BodyFraming::Chunked => State::ChunkLine,
            BodyFraming::UntilClose => State::UntilClose,
        };
        Self { state }
    }

    /// Takes the next piece of body from the front of `buf`. One call gives at most one chunk's data:
    /// call until it says [`Piece::NeedMore`] or [`Piece::End`].
    pub fn decode(&mut self, buf: &mut BytesMut) -> Result<Piece, BodyError> {
        self.step(buf).inspect_err(|&error| self.state = State::Failed(error))
    }

    /// The connection has ended. Ok if that ends the body too, or the body had ended before.
    pub fn on_eof(&mut self) -> Result<(), BodyError> {
        match self.state {
            State::Done | State::UntilClose => {
                self.state = State::Done;
                Ok(())
            }
            State::Failed(error) => Err(error),
            _ => {
                self.state = State::Failed(BodyError::Truncated);
                Err(BodyError::Truncated)
            }
        }
    }

    /// Whether the body has ended. With a length, that is true as soon as its last byte is taken.
    pub fn is_finished(&self) -> bool {
        self.state == State::Done
    }

    fn step(&mut self, buf: &mut BytesMut) -> Result<Piece, BodyError> {
        loop {
            match self.state {
                State::Done => return Ok(Piece::End),
                State::Failed(error) => return Err(error),
                State::UntilClose if buf.is_empty() => return Ok(Piece::NeedMore),
                State::UntilClose => return Ok(Piece::Data(buf.split().freeze())),
                State::Length(_) | State::ChunkData(_) if buf.is_empty() => return Ok(Piece::NeedMore),
                State::Length(left) => {
                    let (data, left) = take(buf, left);
                    self.state = if left == 0 { State::Done } else { State::Length(left) };
                    return Ok(Piece::Data(data));
                }
                State::ChunkData(left) => {
                    let (data, left) = take(buf, left);
                    self.state = if left == 0 { State::ChunkEnd } else { State::ChunkData(left) };
                    return Ok(Piece::Data(data));
                }
                State::ChunkEnd => {
                    match buf.get(..2).unwrap_or(buf) {
                        b"\r\n" => buf.advance(2),
                        b"" | b"\r" => return Ok(Piece::NeedMore),
                        _ => return Err(BodyError::BadChunkEnd),
                    }
                    self.state = State::ChunkLine;
                }
                State::ChunkLine => {
                    let Some(len) = line_len(buf, CHUNK_LINE_BYTES_MAX, BodyError::ChunkLineTooLong)? else {
                        return Ok(Piece::NeedMore);
                    };
                    let size = buf.get(..len).and_then(chunk_size).ok_or(BodyError::BadChunkLine)?;
                    buf.advance(len);
                    self.state = if size == 0 { State::Trailers(0) } else { State::ChunkData(size) };
                }
                State::Trailers(read) => {
                    let room = TRAILER_BYTES_MAX.saturating_sub(read);
                    let Some(len) = line_len(buf, room, BodyError::TrailersTooLong)? else {
                        return Ok(Piece::NeedMore);
                    };
                    let is_last = buf.get(..len).and_then(check_trailer).ok_or(BodyError::BadTrailer)?;
                    buf.advance(len);
                    self.state = if is_last { State::Done } else { State::Trailers(read + len) };
                }
            }
        }
    }
}

/// Takes up to `left` bytes of a buffer that is not empty; returns them and how many are still to come.
fn take(buf: &mut BytesMut, left: u64) -> (Bytes, u64) {
    let len = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
    // A usize never exceeds u64 on any target there is; `left` is never below `len`.
    (buf.split_to(len).freeze(), left.saturating_sub(len as u64))
}

/// Length of the first line, its LF included; `None` while it has no end and may still get one.
fn line_len(buf: &[u8], bytes_max: usize, too_long: BodyError) -> Result<Option<usize>, BodyError> {
    let window = buf.get(..bytes_max).unwrap_or(buf);
    match memchr(b'\n', window) {
        Some(at) => Ok(Some(at + 1)),
        None if buf.len() >= bytes_max => Err(too_long),
        None => Ok(None),
    }
}

/// The line without its CRLF; `None` where it has none or holds a control character.
fn line_text(line: &[u8]) -> Option<&[u8]> {
    let text = line.strip_suffix(b"\r\n")?;
    let is_plain = |&byte: &u8| byte == b'\t' || !byte.is_ascii_control();
    text.iter().all(is_plain).then_some(text)
}

/// `HEXDIG+ [";" extension] CRLF`; extensions are dropped. No white space before the semicolon.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let text = line_text(line)?;
    let digits = text.split(|&byte| byte == b';').next().filter(|digits| !digits.is_empty())?;
    digits.iter().try_fold(0_u64, |size, &byte| {
        let digit = char::from(byte).to_digit(16)?;
        size.checked_mul(16)?.checked_add(u64::from(digit))
    })
}

/// Whether this is the empty line that ends the trailers; `None` for a line that is no field.
fn check_trailer(line: &[u8]) -> Option<bool> {
    let text = line_text(line)?;
    if text.is_empty() {
        return Some(true);
    }
    let name = text.get(..memchr(b':', text)?)?;
    let is_token = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic());
    is_token.then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Outcome {
        body: Vec<u8>,
        end: Result<bool, BodyError>,
        rest: Vec<u8>,
    }

    /// Feeds the chunks one read at a time; stops at the end or an error.
    fn run<'a>(framing: BodyFraming, chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
        let mut decoder = BodyDecoder::new(framing);
        let (mut buf, mut body, mut end) = (BytesMut::new(), Vec::new(), Ok(false));
        for chunk in chunks {
            buf.extend_from_slice(chunk);
            while end == Ok(false) {
                match decoder.decode(&mut buf) {
                    Ok(Piece::Data(data)) => {
                        assert!(!data.is_empty());
                        body.extend_from_slice(&data);
                    }
                    Ok(Piece::NeedMore) => break,
                    Ok(Piece::End) => {
                        assert!(decoder.is_finished());
                        end = Ok(true);
                    }
                    Err(error) => {
                        assert_eq!(decoder.decode(&mut buf), Err(error), "it stays in error");
                        end = Err(error);
                    }
                }
            }
        }
        Outcome { body, end, rest: buf.to_vec() }
    }

    /// Whole, byte by byte and with random cuts; they must agree.
    fn run_every_way(framing: BodyFraming, bytes: &[u8]) -> Outcome {
        let whole = run(framing, [bytes]);
        let mut state = 3_u64;
        for round in 0..50 {
            let mut cuts = Vec::new();
            let mut rest = bytes;
            while !rest.is_empty() {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let len = if round == 0 { 1 } else { 1 + (state >> 33) as usize % rest.len() };
                let (cut, tail) = rest.split_at(len);
                cuts.push(cut);
                rest = tail;
            }
            let outcome = run(framing, cuts);
            assert_eq!((&outcome.body, outcome.end), (&whole.body, whole.end), "round {round}");
            assert!(outcome.end != Ok(true) || outcome.rest == whole.rest);
        }
        whole
    }

    fn chunked_error(bytes: &[u8]) -> BodyError {
        run_every_way(BodyFraming::Chunked, bytes).end.expect_err(&String::from_utf8_lossy(bytes))
    }

    #[test]
    fn chunks_are_joined_in_order_however_they_are_cut() {
        let bytes = b"5\r\nhello\r\n1;name=\"v\"\r\n \r\n0005\r\nworld\r\nC\r\nabcdefghijkl\r\n0\r\n\r\n";
        let outcome = run_every_way(BodyFraming::Chunked, bytes);
        assert_eq!(outcome.body, b"hello worldabcdefghijkl");
        assert_eq!((outcome.end, outcome.rest), (Ok(true), vec![]));
    }

    #[test]
    fn body_bytes_are_slices_of_the_buffer() {
        let mut buf = BytesMut::from(&b"5\r\nhello\r\n"[..]);
        let start = buf.as_ptr();
        let Ok(Piece::Data(data)) = BodyDecoder::new(BodyFraming::Chunked).decode(&mut buf) else { panic!() };
        assert_eq!(data.as_ptr(), start.wrapping_add(3));
    }

    #[test]
    fn bytes_after_the_end_are_left_in_the_buffer() {
        assert_eq!(run_every_way(BodyFraming::Chunked, b"1\r\na\r\n0\r\n\r\nHTTP").rest, b"HTTP");
        let outcome = run_every_way(BodyFraming::Length(3), b"abcHTTP");
        assert_eq!((outcome.body, outcome.rest), (b"abc".to_vec(), b"HTTP".to_vec()));
        assert_eq!(run_every_way(BodyFraming::Empty, b"HTTP").rest, b"HTTP");
        assert_eq!(run_every_way(BodyFraming::Length(0), b"HTTP").end, Ok(true));
    }

    #[test]
    fn a_length_is_finished_with_its_last_byte() {
        let mut decoder = BodyDecoder::new(BodyFraming::Length(3));
        let mut buf = BytesMut::from(&b"ab"[..]);
        assert_eq!(decoder.decode(&mut buf), Ok(Piece::Data(Bytes::from_static(b"ab"))));
        assert!(!decoder.is_finished());
        assert_eq!(decoder.decode(&mut buf), Ok(Piece::NeedMore));
        buf.extend_from_slice(b"c");
        assert_eq!(decoder.decode(&mut buf), Ok(Piece::Data(Bytes::from_static(b"c"))));
        assert!(decoder.is_finished());
        assert_eq!(decoder.on_eof(), Ok(()));
    }

    #[test]
    fn the_end_of_the_connection_ends_only_a_body_that_runs_until_then() {
        let mut buf = BytesMut::from(&b"abc"[..]);
        let mut decoder = BodyDecoder::new(BodyFraming::UntilClose);
        assert_eq!(decoder.decode(&mut buf), Ok(Piece::Data(Bytes::from_static(b"abc"))));
        assert!(!decoder.is_finished());
        assert_eq!(decoder.on_eof(), Ok(()));
        assert!(decoder.is_finished());

        let whole = b"3\r\nabc\r\n0\r\nx: y\r\n\r\n";
        for len in 0..whole.len() {
            let mut buf = BytesMut::from(&whole[..len]);
            let mut decoder = BodyDecoder::new(BodyFraming::Chunked);
            while let Ok(Piece::Data(_)) = decoder.decode(&mut buf) {}
            assert_eq!(decoder.on_eof(), Err(BodyError::Truncated), "{len}");
            assert_eq!(decoder.decode(&mut buf), Err(BodyError::Truncated));
        }
        assert_eq!(BodyDecoder::new(BodyFraming::Length(1)).on_eof(), Err(BodyError::Truncated));
    }

    #[test]
    fn a_chunk_size_is_hexadecimal_digits_and_nothing_else() {
        for line in [
            "",
            "+5",
            "-5",
            "0x5",
            " 5",
            "5 ",
            "5\t",
            "5 ;a",
            ";a",
            "5g",
            "5,5",
            "5\r",
            "5;a\0b",
            "5;a\rb",
            "10000000000000000",
            "ffffffffffffffff0",
        ] {
            assert_eq!(
                chunked_error(format!("{line}\r\nhello\r\n").as_bytes()),
                BodyError::BadChunkLine,
                "{line:?}"
            );
        }
        let largest = run(BodyFraming::Chunked, [&b"ffffffffffffffff\r\nab"[..]]);
        assert_eq!((largest.body, largest.end), (b"ab".to_vec(), Ok(false)));
    }

    #[test]
    fn a_bare_line_feed_ends_no_line() {
        assert_eq!(chunked_error(b"5\nhello\r\n0\r\n\r\n"), BodyError::BadChunkLine);
        assert_eq!(chunked_error(b"5\r\nhello\n0\r\n\r\n"), BodyError::BadChunkEnd);
        assert_eq!(chunked_error(b"5\r\nhello\r\n0\r\n\n"), BodyError::BadTrailer);
        assert_eq!(chunked_error(b"5\r\nhello\r\n0\r\na: b\n\r\n"), BodyError::BadTrailer);
    }

    #[test]
    fn chunk_data_longer_than_its_size_is_an_error() {
        assert_eq!(chunked_error(b"5\r\nhelloo\r\n"), BodyError::BadChunkEnd);
        assert_eq!(chunked_error(b"5\r\nhello\rx"), BodyError::BadChunkEnd);
    }

    #[test]
    fn size_lines_are_bounded() {
        let line = |len: usize| format!("1;{}\r\n", "x".repeat(len - 4));
        let fits = format!("{}a\r\n0\r\n\r\n", line(CHUNK_LINE_BYTES_MAX));
        assert_eq!(run(BodyFraming::Chunked, [fits.as_bytes()]).end, Ok(true));
        let long = line(CHUNK_LINE_BYTES_MAX + 1);
        assert_eq!(chunked_error(long.as_bytes()), BodyError::ChunkLineTooLong);
        assert_eq!(chunked_error(&[b'0'; CHUNK_LINE_BYTES_MAX]), BodyError::ChunkLineTooLong);
    }

    #[test]
    fn trailers_are_checked_bounded_and_dropped() {
        let outcome = run_every_way(BodyFraming::Chunked, b"1\r\na\r\n0\r\nx-sum: 1\r\ny:\r\n\r\nZ");
        assert_eq!((outcome.body, outcome.end, outcome.rest), (b"a".to_vec(), Ok(true), b"Z".to_vec()));
        for trailer in ["no colon", " x: y", ": y", "x : y", "x: \0", "x: y\rz"] {
            let bytes = format!("0\r\n{trailer}\r\n\r\n");
            assert_eq!(chunked_error(bytes.as_bytes()), BodyError::BadTrailer, "{trailer:?}");
        }
        let fits = format!("0\r\nx: {}\r\n\r\n", "y".repeat(TRAILER_BYTES_MAX - 7));
        assert_eq!(run(BodyFraming::Chunked, [fits.as_bytes()]).end, Ok(true));
        let long = format!("0\r\nx: {}\r\n\r\n", "y".repeat(TRAILER_BYTES_MAX - 6));
        assert_eq!(run(BodyFraming::Chunked, [long.as_bytes()]).end, Err(BodyError::TrailersTooLong));
        let many = format!("0\r\n{}", "x: y\r\n".repeat(TRAILER_BYTES_MAX));
        assert_eq!(run(BodyFraming::Chunked, [many.as_bytes()]).end, Err(BodyError::TrailersTooLong));
    }
}
