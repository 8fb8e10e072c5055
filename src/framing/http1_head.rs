//! The head of an HTTP/1.x response, read strictly.
//!
//! Not a connection: it is given what has been read so far and says whether that is a head. Where two
//! readers could disagree about where a message ends, the answer is an error, never a guess: the next
//! response on the connection would belong to somebody else's request.

use std::mem::MaybeUninit;

use bytes::BytesMut;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue};
use memchr::memchr_iter;
use thiserror::Error;

use crate::types::bounds::{UPSTREAM_HEAD_BYTES_MAX, UPSTREAM_HEADERS_MAX};

/// The final head of a response.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    /// 200–999.
    pub status: u16,
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub minor_version: u8,
    /// All fields in the order they came, hop-by-hop ones too. Names are in lower case.
    pub fields: Vec<(HeaderName, HeaderValue)>,
    /// How the body ends.
    pub framing: BodyFraming,
    /// Whether the connection may serve another request once the body has ended with nothing after it.
    pub is_reusable: bool,
}

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// There is none, whatever the fields say.
    Empty,
    /// That many bytes.
    Length(u64),
    Chunked,
    /// It ends with the connection.
    UntilClose,
}

/// What the bytes read so far amount to.
#[derive(Clone, Debug)]
pub enum HeadProgress {
    /// Not a whole head yet.
    NeedMore,
    /// A 1xx response (its status, the bytes it took); another head follows. 101 is reported here too:
    /// a caller that asked for no upgrade must treat it as an error.
    Interim(u16, usize),
    /// The final head and the bytes it took.
    Head(Box<ResponseHead>, usize),
}

/// Why the bytes are no head. The connection is of no further use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeadError {
    #[error("response head is longer than the limit")]
    TooLarge,
    #[error("response head has too many fields")]
    TooManyFields,
    #[error("response head has a line feed without carriage return")]
    BareLineFeed,
    #[error("response head is malformed")]
    Malformed,
    #[error("response has an invalid content-length")]
    BadLength,
    #[error("response has differing content-length fields")]
    LengthConflict,
    #[error("response has both content-length and transfer-encoding")]
    LengthAndEncoding,
    #[error("response has an unsupported transfer-encoding")]
    BadEncoding,
}

/// Reads a head from the front of `buf`, which holds everything read since the last head or body ended.
/// `request_is_head` says that the request's method was HEAD.
pub fn parse_head(buf: &[u8], request_is_head: bool) -> Result<HeadProgress, HeadError> {
    let Some(end) = whole(buf)? else { return Ok(HeadProgress::NeedMore) };
    let head = buf.get(..end).ok_or(HeadError::Malformed)?;
    progress(parse_whole(head, request_is_head, |value| HeaderValue::from_bytes(value).ok())?, end)
}

/// Where the head ends; `None` while it does not.
fn whole(buf: &[u8]) -> Result<Option<usize>, HeadError> {
    // The parser below would skip empty lines in front and take a bare line feed for a line end.
    let start_len = buf.len().min(VERSION_START.len());
    if buf.get(..start_len) != VERSION_START.get(..start_len) {
        return Err(HeadError::Malformed);
    }
    let window = buf.get(..UPSTREAM_HEAD_BYTES_MAX).unwrap_or(buf);
    match find_end(window)? {
        None if buf.len() > UPSTREAM_HEAD_BYTES_MAX => Err(HeadError::TooLarge),
        end => Ok(end),
    }
}

fn progress(parsed: Parsed, end: usize) -> Result<HeadProgress, HeadError> {
    Ok(match parsed {
        Parsed::Interim(status) => HeadProgress::Interim(status, end),
        Parsed::Final(head) => HeadProgress::Head(head, end),
    })
}

/// As [`parse_head`], and takes the head out of the buffer, so that its values need not be copied.
pub fn take_head(buf: &mut BytesMut, request_is_head: bool) -> Result<HeadProgress, HeadError> {
    let Some(end) = whole(buf)? else { return Ok(HeadProgress::NeedMore) };
    let bytes = buf.split_to(end).freeze();
    let value = |value: &[u8]| HeaderValue::from_maybe_shared(bytes.slice_ref(value)).ok();
    progress(parse_whole(&bytes, request_is_head, value)?, end)
}

const VERSION_START: &[u8] = b"HTTP/1.";

enum Parsed {
    Interim(u16),
    Final(Box<ResponseHead>),
}

/// The offset past the first empty line. Every line feed up to there must follow a carriage return.
fn find_end(window: &[u8]) -> Result<Option<usize>, HeadError> {
    let mut line_start = 0;
    for at in memchr_iter(b'\n', window) {
        match window.get(line_start..at).and_then(<[u8]>::split_last) {
            Some((b'\r', [])) => return Ok(Some(at + 1)),
            Some((b'\r', _)) => line_start = at + 1,
            _ => return Err(HeadError::BareLineFeed),
        }
    }
    Ok(None)
}

fn parse_whole(
    head: &[u8],
    request_is_head: bool,
    make_value: impl Fn(&[u8]) -> Option<HeaderValue>,
) -> Result<Parsed, HeadError> {
    let mut slots = [const { MaybeUninit::uninit() }; UPSTREAM_HEADERS_MAX];
    let mut response = httparse::Response::new(&mut []);
    let outcome =
        httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut response, head, &mut slots);
    match outcome {
        Ok(httparse::Status::Complete(len)) if len == head.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooManyFields),
        Ok(_) | Err(_) => return Err(HeadError::Malformed),
    }
    let (Some(status), Some(minor_version)) = (response.code, response.version) else {
        return Err(HeadError::Malformed);
    };
    match status {
        100..=199 => return Ok(Parsed::Interim(status)),
        0..=99 => return Err(HeadError::Malformed),
        _ => {}
    }
    let mut facts = Facts::default();
    let mut fields = Vec::with_capacity(response.headers.len());
    for header in response.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| HeadError::Malformed)?;
        let value = make_value(header.value).ok_or(HeadError::Malformed)?;
        facts.note(&name, value.as_bytes())?;
        fields.push((name, value));
    }
    let framing = facts.framing(status, minor_version, request_is_head)?;
    let is_reusable = facts.is_reusable(status, minor_version, framing);
    Ok(Parsed::Final(Box::new(ResponseHead { status, minor_version, fields, framing, is_reusable })))
}

/// What the fields say about the message's end and the connection's.
#[derive(Default)]
struct Facts {
    length: Option<u64>,
    is_chunked: bool,
    says_close: bool,
    says_keep_alive: bool,
}

impl Facts {
    fn note(&mut self, name: &HeaderName, value: &[u8]) -> Result<(), HeadError> {
        if *name == CONTENT_LENGTH {
            let length = parse_length(value).ok_or(HeadError::BadLength)?;
            if self.length.is_some_and(|known| known != length) {
                return Err(HeadError::LengthConflict);
            }
            self.length = Some(length);
        } else if *name == TRANSFER_ENCODING {
            // Exactly one coding in exactly one field: a list may be read in two ways.
            if self.is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(HeadError::BadEncoding);
            }
            self.is_chunked = true;
        } else if *name == CONNECTION {
            for option in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
                self.says_close |= option.eq_ignore_ascii_case(b"close");
                self.says_keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        }
        Ok(())
    }

    fn framing(
        &self,
        status: u16,
        minor_version: u8,
        request_is_head: bool,
    ) -> Result<BodyFraming, HeadError> {
        if self.is_chunked && minor_version == 0 {
            return Err(HeadError::BadEncoding);
        }
        if self.is_chunked && self.length.is_some() {
            return Err(HeadError::LengthAndEncoding);
        }
        if request_is_head || matches!(status, 204 | 304) {
            return Ok(BodyFraming::Empty);
        }
        Ok(match self.length {
            _ if self.is_chunked => BodyFraming::Chunked,
            Some(length) => BodyFraming::Length(length),
            None => BodyFraming::UntilClose,
        })
    }

    fn is_reusable(&self, status: u16, minor_version: u8, framing: BodyFraming) -> bool {
        // A 204 that announces a body may well send one, and we would take it for the next head.
        let announces_body = self.is_chunked || self.length.is_some_and(|length| length > 0);
        let is_kept = !self.says_close && (minor_version > 0 || self.says_keep_alive);
        is_kept && framing != BodyFraming::UntilClose && !(status == 204 && announces_body)
    }
}

/// Decimal digits only: no sign, no list, no white space, no overflow.
fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |length, &byte| {
        let digit = char::from(byte).to_digit(10)?;
        length.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head_of(bytes: &[u8]) -> ResponseHead {
        match parse_head(bytes, false) {
            Ok(HeadProgress::Head(head, len)) => {
                assert_eq!(len, bytes.len());
                *head
            }
            other => panic!("{other:?}"),
        }
    }

    fn with_fields(fields: &str) -> ResponseHead {
        head_of(format!("HTTP/1.1 200 OK\r\n{fields}\r\n").as_bytes())
    }

    fn error_of(fields: &str) -> HeadError {
        parse_head(format!("HTTP/1.1 200 OK\r\n{fields}\r\n").as_bytes(), false).expect_err(fields)
    }

    #[test]
    fn a_head_gives_status_fields_and_framing_and_leaves_the_body() {
        let head =
            b"HTTP/1.1 429 Too Many\r\nContent-Length: 5\r\nX-A:  b c \r\nx-a: d\xff\r\nempty:\r\n\r\n";
        let bytes = [&head[..], b"hello\r\n\r\n"].concat();
        let Ok(HeadProgress::Head(parsed, len)) = parse_head(&bytes, false) else { panic!() };
        assert_eq!((parsed.status, parsed.minor_version, len), (429, 1, head.len()));
        assert_eq!((parsed.framing, parsed.is_reusable), (BodyFraming::Length(5), true));
        let fields: Vec<_> = parsed.fields.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
        let expected: [(&str, &[u8]); 4] =
            [("content-length", b"5"), ("x-a", b"b c"), ("x-a", b"d\xff"), ("empty", b"")];
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_head_that_is_taken_reads_the_same_and_leaves_what_follows() {
        let text = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-a:\r\nx-b: c\r\n\r\nhello";
        let mut buf = BytesMut::from(&text[..]);
        let Ok(HeadProgress::Head(taken, len)) = take_head(&mut buf, false) else { panic!() };
        let Ok(HeadProgress::Head(parsed, same)) = parse_head(text, false) else { panic!() };
        assert_eq!((taken.fields, len, &buf[..]), (parsed.fields, same, &b"hello"[..]));
        let mut part = BytesMut::from(&text[..20]);
        assert!(matches!(take_head(&mut part, false), Ok(HeadProgress::NeedMore)));
        assert_eq!(part.len(), 20);
    }

    #[test]
    fn every_proper_beginning_needs_more() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nserver: x\r\n\r\n";
        for len in 0..bytes.len() {
            assert!(matches!(parse_head(&bytes[..len], false), Ok(HeadProgress::NeedMore)), "{len}");
        }
        assert_eq!(head_of(bytes).framing, BodyFraming::Length(5));
    }

    #[test]
    fn a_status_line_may_lack_its_reason_but_nothing_else() {
        assert_eq!(head_of(b"HTTP/1.1 200\r\n\r\n").status, 200);
        assert_eq!(head_of(b"HTTP/1.1 200 \r\n\r\n").status, 200);
        for line in [
            "HTTP/1.1 20 OK",
            "HTTP/1.1 099 X",
            "HTTP/1.1 2000 OK",
            "HTTP/1.1  200 OK",
            "HTTP/1.2 200 OK",
            "HTTP/2 200 OK",
            "HTTP/1.1 +20 OK",
            " HTTP/1.1 200 OK",
            "http/1.1 200 OK",
            "\r\nHTTP/1.1 200 OK",
            "HTTP/1.1 200 O\0K",
            "ICY 200 OK",
            "SSH-2.0-x",
        ] {
            let outcome = parse_head(format!("{line}\r\n\r\n").as_bytes(), false);
            assert_eq!(outcome.err(), Some(HeadError::Malformed), "{line:?}");
        }
        assert_eq!(parse_head(b"SSH", false).err(), Some(HeadError::Malformed), "not HTTP is seen at once");
    }

    #[test]
    fn interim_responses_are_reported_apart() {
        let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
        assert!(matches!(parse_head(bytes, false), Ok(HeadProgress::Interim(100, 25))));
        assert_eq!(head_of(&bytes[25..]).status, 200);
        for (line, status) in [("103 Early Hints\r\nlink: <a>", 103), ("101 Switching", 101)] {
            let bytes = format!("HTTP/1.1 {line}\r\n\r\n");
            let Ok(HeadProgress::Interim(found, len)) = parse_head(bytes.as_bytes(), false) else { panic!() };
            assert_eq!((found, len), (status, bytes.len()));
        }
    }

    #[test]
    fn a_length_is_digits_only_and_one_number() {
        assert_eq!(with_fields("content-length: 0\r\n").framing, BodyFraming::Length(0));
        let max = format!("content-length: {}\r\n", u64::MAX);
        assert_eq!(with_fields(&max).framing, BodyFraming::Length(u64::MAX));
        for value in [
            "+5",
            "-5",
            "5 5",
            "5,5",
            "0x5",
            "",
            "5.0",
            "18446744073709551616",
            "99999999999999999999",
            "5\t5",
            "٥",
        ] {
            assert_eq!(error_of(&format!("content-length: {value}\r\n")), HeadError::BadLength, "{value:?}");
        }
    }

    #[test]
    fn repeated_lengths_must_agree() {
        assert_eq!(with_fields("content-length: 7\r\nContent-Length: 7\r\n").framing, BodyFraming::Length(7));
        assert_eq!(error_of("content-length: 7\r\ncontent-length: 8\r\n"), HeadError::LengthConflict);
    }

    #[test]
    fn a_length_beside_a_transfer_encoding_is_refused() {
        for fields in [
            "content-length: 5\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        ] {
            assert_eq!(error_of(fields), HeadError::LengthAndEncoding);
        }
    }

    #[test]
    fn chunked_is_the_only_transfer_encoding_and_not_of_http_1_0() {
        assert_eq!(with_fields("Transfer-Encoding: Chunked\r\n").framing, BodyFraming::Chunked);
        for value in
            ["gzip, chunked", "chunked, chunked", "identity", "xchunked", "chunked;q=1", "", "\"chunked\""]
        {
            let fields = format!("transfer-encoding: {value}\r\n");
            assert_eq!(error_of(&fields), HeadError::BadEncoding, "{value:?}");
        }
        let twice = "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n";
        assert_eq!(error_of(twice), HeadError::BadEncoding);
        let old = b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(parse_head(old, false).err(), Some(HeadError::BadEncoding));
    }

    #[test]
    fn line_tricks_and_control_characters_are_refused() {
        for fields in ["a: b\nc: d\r\n", "a: b\n", "\n"] {
            assert_eq!(error_of(fields), HeadError::BareLineFeed, "{fields:?}");
        }
        let early = parse_head(b"HTTP/1.1 200 OK\na: b", false);
        assert_eq!(early.err(), Some(HeadError::BareLineFeed), "without waiting for the end");
        for fields in [
            "a: b\r\n c\r\n",
            "a: b\r\n\tc\r\n",
            " a: b\r\n",
            "a : b\r\n",
            "a\t: b\r\n",
            "a: b\0c\r\n",
            "a: b\x01\r\n",
            "a: b\x7f\r\n",
            "a: b\rc\r\n",
            "a: b\r\r\n",
            "no colon\r\n",
            ": b\r\n",
            "a\0: b\r\n",
            "\u{e9}: b\r\n",
        ] {
            assert_eq!(error_of(fields), HeadError::Malformed, "{fields:?}");
        }
    }

    #[test]
    fn the_head_is_bounded_in_bytes_whole_or_not() {
        let start = "HTTP/1.1 200 OK\r\na: ";
        let fill = |len: usize| format!("{start}{}", "x".repeat(len - start.len()));
        let fits = format!("{}\r\n\r\n", fill(UPSTREAM_HEAD_BYTES_MAX - 4));
        assert_eq!(head_of(fits.as_bytes()).status, 200);
        let whole = format!("{}\r\n\r\n", fill(UPSTREAM_HEAD_BYTES_MAX - 3));
        assert_eq!(parse_head(whole.as_bytes(), false).err(), Some(HeadError::TooLarge));
        let open = fill(UPSTREAM_HEAD_BYTES_MAX);
        assert!(matches!(parse_head(open.as_bytes(), false), Ok(HeadProgress::NeedMore)));
        let open = fill(UPSTREAM_HEAD_BYTES_MAX + 1);
        assert_eq!(parse_head(open.as_bytes(), false).err(), Some(HeadError::TooLarge));
    }

    #[test]
    fn the_head_is_bounded_in_fields() {
        assert_eq!(with_fields(&"a: b\r\n".repeat(UPSTREAM_HEADERS_MAX)).fields.len(), UPSTREAM_HEADERS_MAX);
        assert_eq!(error_of(&"a: b\r\n".repeat(UPSTREAM_HEADERS_MAX + 1)), HeadError::TooManyFields);
    }

    #[test]
    fn answers_without_a_body_are_empty_whatever_their_fields_say() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
        let Ok(HeadProgress::Head(head, _)) = parse_head(bytes, true) else { panic!() };
        assert_eq!((head.framing, head.is_reusable), (BodyFraming::Empty, true));
        for (text, is_reusable) in [
            ("204 X\r\n", true),
            ("204 X\r\ncontent-length: 5\r\n", false),
            ("204 X\r\ntransfer-encoding: chunked\r\n", false),
            ("304 X\r\ncontent-length: 5\r\n", true),
        ] {
            let head = head_of(format!("HTTP/1.1 {text}\r\n").as_bytes());
            assert_eq!((head.framing, head.is_reusable), (BodyFraming::Empty, is_reusable), "{text}");
        }
        let bad = parse_head(b"HTTP/1.1 304 X\r\ncontent-length: x\r\n\r\n", false);
        assert_eq!(bad.err(), Some(HeadError::BadLength), "a bad length is bad there too");
    }

    #[test]
    fn a_connection_is_reusable_only_when_both_sides_would_keep_it() {
        for (version, fields, expected) in [
            ("1.1", "content-length: 0\r\n", true),
            ("1.1", "content-length: 0\r\nconnection: close\r\n", false),
            ("1.1", "content-length: 0\r\nconnection: x, Close\r\n", false),
            ("1.1", "content-length: 0\r\nconnection: x\r\nconnection: close\r\n", false),
            ("1.1", "content-length: 0\r\nconnection: closed\r\n", true),
            ("1.1", "transfer-encoding: chunked\r\n", true),
            ("1.1", "connection: keep-alive\r\n", false),
            ("1.0", "content-length: 0\r\n", false),
            ("1.0", "content-length: 0\r\nconnection: keep-alive\r\n", true),
            ("1.0", "content-length: 0\r\nconnection: keep-alive, close\r\n", false),
        ] {
            let head = head_of(format!("HTTP/{version} 200 OK\r\n{fields}\r\n").as_bytes());
            assert_eq!(head.is_reusable, expected, "{version} {fields:?}");
        }
        assert_eq!(with_fields("").framing, BodyFraming::UntilClose);
    }

    #[test]
    fn cut_or_flipped_heads_never_panic_and_never_grow() {
        let valid = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\ntransfer-encoding: chunked\r\n\
            content-length: 12\r\nconnection: keep-alive\r\nx-request-id: req_0123456789\r\n\r\n{\"a\":1}";
        let mut state = 11_u64;
        let mut refused = 0;
        for _ in 0..20_000 {
            let mut random = || {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 33) as usize
            };
            let mut bytes = valid[..random() % (valid.len() + 1)].to_vec();
            for _ in 0..random() % 4 {
                if !bytes.is_empty() {
                    let at = random() % bytes.len();
                    bytes[at] ^= 1 << (random() % 8);
                }
            }
            match parse_head(&bytes, random() % 2 == 0) {
                Ok(HeadProgress::Head(_, len) | HeadProgress::Interim(_, len)) => {
                    assert!(bytes[..len].ends_with(b"\r\n\r\n"));
                }
                Ok(HeadProgress::NeedMore) => assert!(!bytes.windows(4).any(|at| at == b"\r\n\r\n")),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 1000, "the flips reach the rules: {refused}");
    }
}
