//! Request heads are read strictly: what two parsers could read differently is refused.
//!
//! Not here: reading from a connection, and what the fields mean (`client_head`). Invariant: a head
//! that passes is whole, and every reader of HTTP/1 finds the same fields and the same length of the
//! body in it. Other readers are lenient where RFC 9112 lets them be (bare LF, line folding, a length
//! beside `transfer-encoding`). Behind a gateway that decides on what it read, leniency is a way to
//! smuggle; so one pass over the raw bytes both checks the head and takes it apart.

use std::fmt;
use std::ops::Range;

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadFault {
    BareLineFeed,
    BareCarriageReturn,
    ControlByte,
    Folding,
    SpaceInName,
    EmptyName,
    LengthAndEncoding,
    SeveralLengths,
    SeveralEncodings,
    BadLength,
    BadEncoding,
    SeveralHosts,
    NoHost,
    RequestLine,
    TooManyFields,
    NoEnd,
}

impl fmt::Display for HeadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HeadFault::BareLineFeed => "a line ends without CR LF",
            HeadFault::BareCarriageReturn => "a carriage return stands alone",
            HeadFault::ControlByte => "a control byte in the head",
            HeadFault::Folding => "a folded header line",
            HeadFault::SpaceInName => "an illegal byte in a header name",
            HeadFault::EmptyName => "a header line without a name",
            HeadFault::LengthAndEncoding => "both content-length and transfer-encoding",
            HeadFault::SeveralLengths => "several content-length headers",
            HeadFault::SeveralEncodings => "several transfer-encoding headers",
            HeadFault::BadLength => "a content-length that is no number",
            HeadFault::BadEncoding => "a transfer-encoding other than chunked",
            HeadFault::SeveralHosts => "several host headers",
            HeadFault::NoHost => "no host header",
            HeadFault::RequestLine => "a malformed request line",
            HeadFault::TooManyFields => "too many header lines",
            HeadFault::NoEnd => "no blank line at its end",
        })
    }
}

/// Fields of one head; far more than any client sends.
pub const FIELDS_MAX: usize = 256;

/// A head taken apart: places in the bytes it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walked {
    /// Bytes of the method, from the start.
    pub method: usize,
    /// Where the target ends; it begins behind the method and a space.
    pub target_end: usize,
    pub is_http11: bool,
    /// Bytes of the whole head, its blank line included.
    pub end: usize,
}

/// Checks the raw bytes of an HTTP/1.x head, request line to blank line. What follows is not read.
///
/// # Errors
/// The first [`HeadFault`] found.
pub fn check(raw: &[u8]) -> Result<(), HeadFault> {
    walk(raw, |_, _| {}).map(|_| ())
}

/// Checks a head and hands each field to `field`: where its name stands, and its value without the
/// white space around it.
///
/// # Errors
/// The first [`HeadFault`] found; [`HeadFault::NoEnd`] where more bytes could make it a head.
pub fn walk(raw: &[u8], mut field: impl FnMut(Range<usize>, Range<usize>)) -> Result<Walked, HeadFault> {
    // What is no request at all, TLS on a plain port for one, is seen at its first byte.
    if raw.first().is_some_and(|byte| !is_token(*byte) && !matches!(byte, b'\r' | b'\n')) {
        return Err(HeadFault::RequestLine);
    }
    let mut lines = Lines { raw, at: 0 };
    let line = lines.next()?;
    let (method, target_end, is_http11) = request_line(raw.get(line).unwrap_or_default())?;
    let mut seen = Framing::default();
    for _ in 0..=FIELDS_MAX {
        let line = lines.next()?;
        if line.is_empty() {
            if is_http11 && !seen.has_host {
                return Err(HeadFault::NoHost);
            }
            // HTTP/1.0 knows no chunks: one reader would take the body for the next request.
            if !is_http11 && seen.has_encoding {
                return Err(HeadFault::BadEncoding);
            }
            return Ok(Walked { method, target_end, is_http11, end: lines.at });
        }
        let start = line.start;
        let text = raw.get(line).unwrap_or_default();
        let (name, value) = split_field(text)?;
        let name_text = text.get(..name).unwrap_or_default();
        let value_text = text.get(value.clone()).unwrap_or_default();
        seen.note(name_text, value_text)?;
        field(start..start + name, start + value.start..start + value.end);
    }
    Err(HeadFault::TooManyFields)
}

/// The fields that say where the body ends and whose request it is: each at most once.
#[derive(Default)]
struct Framing {
    has_length: bool,
    has_encoding: bool,
    has_host: bool,
}

impl Framing {
    fn note(&mut self, name: &[u8], value: &[u8]) -> Result<(), HeadFault> {
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                if std::mem::replace(&mut self.has_host, true) {
                    return Err(HeadFault::SeveralHosts);
                }
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                check_length(value)?;
                if std::mem::replace(&mut self.has_length, true) {
                    return Err(HeadFault::SeveralLengths);
                }
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(HeadFault::BadEncoding);
                }
                if std::mem::replace(&mut self.has_encoding, true) {
                    return Err(HeadFault::SeveralEncodings);
                }
            }
            _ => return Ok(()),
        }
        if self.has_length && self.has_encoding { Err(HeadFault::LengthAndEncoding) } else { Ok(()) }
    }
}

/// `METHOD SP target SP HTTP/1.x`, single spaces. Bytes of the method, end of the target, and whether
/// it is HTTP/1.1.
fn request_line(line: &[u8]) -> Result<(usize, usize, bool), HeadFault> {
    let mut parts = line.split(|b| *b == b' ');
    let (method, target, version) = (parts.next(), parts.next(), parts.next());
    let (Some(method), Some(target), Some(version), None) = (method, target, version, parts.next()) else {
        return Err(HeadFault::RequestLine);
    };
    let is_plain = |b: &u8| (0x21..0x7f).contains(b);
    if method.is_empty() || !method.iter().all(|b| is_token(*b)) {
        return Err(HeadFault::RequestLine);
    }
    if target.is_empty() || !target.iter().all(is_plain) {
        return Err(HeadFault::RequestLine);
    }
    let is_http11 = match version {
        b"HTTP/1.1" => true,
        b"HTTP/1.0" => false,
        _ => return Err(HeadFault::RequestLine),
    };
    Ok((method.len(), method.len() + 1 + target.len(), is_http11))
}

/// Bytes of the name, and where the value stands.
fn split_field(line: &[u8]) -> Result<(usize, Range<usize>), HeadFault> {
    let name = line.iter().position(|b| !is_token(*b)).ok_or(HeadFault::EmptyName)?;
    match line.get(name) {
        Some(b':') if name > 0 => {}
        Some(b' ' | b'\t') if name == 0 => return Err(HeadFault::Folding),
        _ if !line.contains(&b':') || name == 0 => return Err(HeadFault::EmptyName),
        _ => return Err(HeadFault::SpaceInName),
    }
    let value = line.get(name + 1..).unwrap_or_default();
    // Without a branch for each byte.
    let has_control =
        value.iter().fold(false, |found, b| found | ((*b < 0x20 && *b != b'\t') | (*b == 0x7f)));
    if has_control {
        return Err(HeadFault::ControlByte);
    }
    let before = value.len() - value.trim_ascii_start().len();
    let kept = value.trim_ascii().len();
    let start = name + 1 + before;
    Ok((name, start..start + kept))
}

fn check_length(value: &[u8]) -> Result<(), HeadFault> {
    let is_number = !value.is_empty() && value.len() <= 19 && value.iter().all(u8::is_ascii_digit);
    if is_number { Ok(()) } else { Err(HeadFault::BadLength) }
}

/// RFC 9110 §5.6.2.
const fn is_token(byte: u8) -> bool {
    const TOKEN: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0u8;
        while byte < 0x7f {
            let is_mark = matches!(
                byte,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
            #[expect(clippy::indexing_slicing, reason = "a byte is below 256; evaluated by the compiler")]
            {
                table[byte as usize] = byte.is_ascii_alphanumeric() || is_mark;
            }
            byte += 1;
        }
        table
    };
    #[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
    TOKEN[byte as usize]
}

/// Lines that must end in CR LF and hold neither byte elsewhere.
struct Lines<'a> {
    raw: &'a [u8],
    at: usize,
}

impl Lines<'_> {
    /// Where the next line stands, its end left out.
    fn next(&mut self) -> Result<Range<usize>, HeadFault> {
        let rest = self.raw.get(self.at..).unwrap_or_default();
        let length = memchr::memchr2(b'\r', b'\n', rest).ok_or(HeadFault::NoEnd)?;
        match (rest.get(length), rest.get(length + 1)) {
            (Some(b'\r'), Some(b'\n')) => {}
            (Some(b'\r'), None) => return Err(HeadFault::NoEnd),
            (Some(b'\r'), Some(_)) => return Err(HeadFault::BareCarriageReturn),
            _ => return Err(HeadFault::BareLineFeed),
        }
        let line = self.at..self.at + length;
        self.at = line.end + 2;
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(head: &str) -> Option<HeadFault> {
        check(head.as_bytes()).err()
    }

    #[test]
    fn an_ordinary_head_passes() {
        assert_eq!(
            fault("POST /v1/x?a=b HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nX: \t y\r\n\r\n"),
            None
        );
        assert_eq!(fault("GET / HTTP/1.0\r\n\r\n"), None);
    }

    #[test]
    fn each_ambiguity_is_named() {
        let cases = [
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", HeadFault::BareLineFeed),
            ("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", HeadFault::BareCarriageReturn),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", HeadFault::ControlByte),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", HeadFault::Folding),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", HeadFault::SpaceInName),
            ("GET / HTTP/1.1\r\n: a\r\n\r\n", HeadFault::EmptyName),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                HeadFault::LengthAndEncoding,
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
                HeadFault::SeveralLengths,
            ),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", HeadFault::BadLength),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", HeadFault::BadEncoding),
            ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", HeadFault::BadEncoding),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", HeadFault::SeveralHosts),
            ("GET / HTTP/1.1\r\nX: a\r\n\r\n", HeadFault::NoHost),
            ("GET / HTTP/1.1\r\nHost: a\r\n", HeadFault::NoEnd),
            ("GET / HTTP/1.1\r\nHost: a\r", HeadFault::NoEnd),
            ("GET / HT", HeadFault::NoEnd),
            ("\u{16}\u{3}\u{1}", HeadFault::RequestLine),
            ("\rGET / HTTP/1.1\r\n", HeadFault::BareCarriageReturn),
            ("\nGET / HTTP/1.1\r\n", HeadFault::BareLineFeed),
            ("\r\nGET / HTTP/1.1\r\n", HeadFault::RequestLine),
            ("GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", HeadFault::EmptyName),
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", HeadFault::RequestLine),
            ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", HeadFault::RequestLine),
            ("GET /\u{1}x HTTP/1.1\r\nHost: a\r\n\r\n", HeadFault::RequestLine),
        ];
        for (head, expected) in cases {
            assert_eq!(fault(head), Some(expected), "{head:?}");
        }
    }
    #[test]
    fn fields_are_bounded() {
        let head = |fields: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "a: b\r\n".repeat(fields));
        assert_eq!(fault(&head(FIELDS_MAX - 1)), None);
        assert_eq!(fault(&head(FIELDS_MAX)), Some(HeadFault::TooManyFields));
    }
}
