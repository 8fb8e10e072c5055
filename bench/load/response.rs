//! Reading an HTTP/1.1 answer: its head, and its body piece by piece whatever the cuts.

use thiserror::Error;

const HEADERS_MAX: usize = 64;
/// Hex digits of a chunk's size.
const SIZE_DIGITS_MAX: u32 = 15;

/// An answer that this client does not understand.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Broken {
    #[error("bad answer head")]
    Head,
    #[error("bad chunk framing")]
    Chunk,
}

/// What the head says.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head_bytes: usize,
    pub body: Body,
    pub is_keep_alive: bool,
}

/// Where in a body the reader is.
#[derive(Debug, PartialEq, Eq)]
pub enum Body {
    Length(u64),
    Chunked(Chunked),
    ToClose,
}

/// Where in the chunked framing the reader is.
#[derive(Debug, PartialEq, Eq)]
pub enum Chunked {
    /// In the size, so far as read.
    Size {
        size: u64,
        digits: u32,
    },
    /// Behind the size, before its line's end.
    Extension(u64),
    Data(u64),
    DataEnd,
    /// In the trailers; the bytes of the line so far, CR apart.
    Trailer(u32),
    Done,
}

/// Parses a head; `None` when it is not yet whole.
pub fn parse(bytes: &[u8]) -> Result<Option<Answer>, Broken> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head_bytes) = response.parse(bytes).map_err(|_| Broken::Head)? else {
        return Ok(None);
    };
    let mut answer = Answer {
        status: response.code.unwrap_or(0),
        head_bytes,
        body: Body::ToClose,
        is_keep_alive: response.version == Some(1),
    };
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let text = std::str::from_utf8(header.value).map_err(|_| Broken::Head)?;
            answer.body = Body::Length(text.trim().parse().map_err(|_| Broken::Head)?);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            answer.body = Body::Chunked(Chunked::Size { size: 0, digits: 0 });
        } else if header.name.eq_ignore_ascii_case("connection")
            && header.value.eq_ignore_ascii_case(b"close")
        {
            answer.is_keep_alive = false;
        }
    }
    answer.is_keep_alive &= answer.body != Body::ToClose;
    Ok(Some(answer))
}

impl Body {
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunked::Done))
    }

    /// Takes what belongs to the body from `bytes`, its content to `sink`. Gives what is left over.
    pub fn feed<'a>(&mut self, bytes: &'a [u8], mut sink: impl FnMut(&'a [u8])) -> Result<&'a [u8], Broken> {
        match self {
            Self::ToClose => {
                sink(bytes);
                Ok(&[])
            }
            Self::Length(left) => {
                let (content, rest) = split(bytes, *left);
                *left -= content.len() as u64;
                sink(content);
                Ok(rest)
            }
            Self::Chunked(place) => {
                let mut rest = bytes;
                while *place != Chunked::Done && !rest.is_empty() {
                    rest = place.step(rest, &mut sink)?;
                }
                Ok(rest)
            }
        }
    }
}

impl Chunked {
    /// One step: a byte of framing, or as much content as there is.
    fn step<'a>(&mut self, bytes: &'a [u8], sink: &mut impl FnMut(&'a [u8])) -> Result<&'a [u8], Broken> {
        if let Self::Data(left) = self {
            let (content, rest) = split(bytes, *left);
            *left -= content.len() as u64;
            sink(content);
            if *left == 0 {
                *self = Self::DataEnd;
            }
            return Ok(rest);
        }
        let Some((byte, rest)) = bytes.split_first() else { return Ok(bytes) };
        *self = match (&*self, byte) {
            (Self::Size { digits: 0, .. }, b'\n' | b'\r' | b';') => return Err(Broken::Chunk),
            (Self::Size { size, .. } | Self::Extension(size), b'\n') => Self::after_size(*size),
            (Self::Size { size, .. }, b'\r' | b';' | b' ') => Self::Extension(*size),
            (Self::Size { size, digits }, byte) if *digits < SIZE_DIGITS_MAX => {
                let digit = char::from(*byte).to_digit(16).ok_or(Broken::Chunk)?;
                Self::Size { size: size * 16 + u64::from(digit), digits: digits + 1 }
            }
            (Self::Extension(size), _) => Self::Extension(*size),
            (Self::DataEnd, b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => Self::Size { size: 0, digits: 0 },
            (Self::Trailer(0), b'\n') => Self::Done,
            (Self::Trailer(_), b'\n') => Self::Trailer(0),
            (Self::Trailer(length), b'\r') => Self::Trailer(*length),
            (Self::Trailer(length), _) => Self::Trailer(length.saturating_add(1)),
            (Self::Size { .. } | Self::Data(_) | Self::DataEnd | Self::Done, _) => return Err(Broken::Chunk),
        };
        Ok(rest)
    }

    fn after_size(size: u64) -> Self {
        if size == 0 { Self::Trailer(0) } else { Self::Data(size) }
    }
}

fn split(bytes: &[u8], at: u64) -> (&[u8], &[u8]) {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    bytes.split_at_checked(at).unwrap_or((bytes, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], step: usize) -> (Vec<u8>, Vec<u8>, bool) {
        let mut body = Body::Chunked(Chunked::Size { size: 0, digits: 0 });
        let (mut content, mut left) = (Vec::new(), Vec::new());
        for piece in bytes.chunks(step) {
            left.extend_from_slice(body.feed(piece, |part| content.extend_from_slice(part)).unwrap());
        }
        (content, left, body.is_done())
    }

    #[test]
    fn a_chunked_body_is_the_same_at_every_cut() {
        let wire = b"5\r\nhello\r\n1;x=y\r\n \r\nA\r\n0123456789\r\n0\r\nt: v\r\n\r\nNEXT";
        for step in 1..wire.len() {
            let (content, left, is_done) = read(wire, step);
            assert_eq!((content.as_slice(), is_done), (b"hello 0123456789".as_slice(), true), "{step}");
            assert_eq!(left, b"NEXT", "{step}");
        }
    }

    #[test]
    fn a_cut_off_body_is_not_done_and_bad_framing_is_told() {
        assert!(!read(b"5\r\nhello\r\n", 3).2);
        let mut body = Body::Chunked(Chunked::Size { size: 0, digits: 0 });
        assert_eq!(body.feed(b"zz\r\n", |_| {}), Err(Broken::Chunk));
        let mut body = Body::Chunked(Chunked::Size { size: 0, digits: 0 });
        assert_eq!(body.feed(b"1\r\nabc", |_| {}), Err(Broken::Chunk));
    }

    #[test]
    fn a_head_tells_status_length_and_keep_alive() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd";
        let mut answer = parse(head).unwrap().unwrap();
        assert_eq!((answer.status, answer.is_keep_alive), (200, true));
        assert_eq!(answer.body.feed(&head[answer.head_bytes..], |_| {}), Ok(b"d".as_slice()));
        assert!(answer.body.is_done());
        assert!(parse(b"HTTP/1.1 200 OK\r\nConte").unwrap().is_none());
        assert!(!parse(b"HTTP/1.1 200 OK\r\n\r\n").unwrap().unwrap().is_keep_alive);
    }
}
