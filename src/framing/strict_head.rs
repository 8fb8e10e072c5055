//! Request heads are read strictly: what two parsers could read differently is refused.
//!
//! Not here: reading a head, which Pingora does. Invariant: a head that passes is whole, and every
//! reader of HTTP/1 finds the same fields and the same length of the body in it. Pingora's parser is lenient where RFC 9112 lets it be (bare LF, line folding, a length beside
//! `transfer-encoding`, illegal request targets escaped). Behind a gateway that decides on what it
//! read, leniency is a way to smuggle; the raw bytes of the head are checked here, before
//! anything is decided.

use std::fmt;

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
            HeadFault::NoEnd => "no blank line at its end",
        })
    }
}

/// Checks the raw bytes of an HTTP/1.x head, request line to blank line.
///
/// # Errors
/// The first [`HeadFault`] found.
pub fn check(raw: &[u8]) -> Result<(), HeadFault> {
    let mut lines = Lines { rest: raw };
    let request_line = lines.next().ok_or(HeadFault::RequestLine)??;
    let is_http11 = check_request_line(request_line)?;
    let (mut lengths, mut encodings, mut hosts) = (0u8, 0u8, 0u8);
    let mut is_whole = false;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            is_whole = true;
            break;
        }
        let (name, value) = split_field(line)?;
        if name.eq_ignore_ascii_case(b"content-length") {
            lengths += 1;
            check_length(value)?;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            encodings += 1;
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(HeadFault::BadEncoding);
            }
        } else if name.eq_ignore_ascii_case(b"host") {
            hosts += 1;
        }
        match (lengths, encodings, hosts) {
            (2.., _, _) => return Err(HeadFault::SeveralLengths),
            (_, 2.., _) => return Err(HeadFault::SeveralEncodings),
            (1.., 1.., _) => return Err(HeadFault::LengthAndEncoding),
            (_, _, 2..) => return Err(HeadFault::SeveralHosts),
            _ => {}
        }
    }
    match (is_whole, is_http11, hosts) {
        (false, _, _) => Err(HeadFault::NoEnd),
        (_, true, 0) => Err(HeadFault::NoHost),
        _ => Ok(()),
    }
}

/// `METHOD SP target SP HTTP/1.x`, single spaces. True for HTTP/1.1.
fn check_request_line(line: &[u8]) -> Result<bool, HeadFault> {
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
    match version {
        b"HTTP/1.1" => Ok(true),
        b"HTTP/1.0" => Ok(false),
        _ => Err(HeadFault::RequestLine),
    }
}

fn split_field(line: &[u8]) -> Result<(&[u8], &[u8]), HeadFault> {
    if line.first().is_some_and(|b| *b == b' ' || *b == b'\t') {
        return Err(HeadFault::Folding);
    }
    let colon = memchr::memchr(b':', line).ok_or(HeadFault::EmptyName)?;
    let (name, value) = line.split_at_checked(colon).ok_or(HeadFault::EmptyName)?;
    let value = value.get(1..).unwrap_or_default();
    if name.is_empty() {
        return Err(HeadFault::EmptyName);
    }
    if !name.iter().all(|b| is_token(*b)) {
        return Err(HeadFault::SpaceInName);
    }
    if value.iter().any(|b| (*b < 0x20 && *b != b'\t') || *b == 0x7f) {
        return Err(HeadFault::ControlByte);
    }
    Ok((name, value.trim_ascii()))
}

fn check_length(value: &[u8]) -> Result<(), HeadFault> {
    let is_number = !value.is_empty() && value.len() <= 19 && value.iter().all(u8::is_ascii_digit);
    if is_number { Ok(()) } else { Err(HeadFault::BadLength) }
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Lines that must end in CR LF and hold neither byte elsewhere.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<&'a [u8], HeadFault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some(end) = memchr::memchr(b'\n', self.rest) else {
            self.rest = &[];
            return Some(Err(HeadFault::BareLineFeed));
        };
        let (line, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.get(1..).unwrap_or_default();
        let Some(line) = line.strip_suffix(b"\r") else { return Some(Err(HeadFault::BareLineFeed)) };
        if memchr::memchr(b'\r', line).is_some() {
            return Some(Err(HeadFault::BareCarriageReturn));
        }
        Some(Ok(line))
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
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", HeadFault::SeveralHosts),
            ("GET / HTTP/1.1\r\nX: a\r\n\r\n", HeadFault::NoHost),
            ("GET / HTTP/1.1\r\nHost: a\r\n", HeadFault::NoEnd),
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", HeadFault::RequestLine),
            ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", HeadFault::RequestLine),
            ("GET /\u{1}x HTTP/1.1\r\nHost: a\r\n\r\n", HeadFault::RequestLine),
        ];
        for (head, expected) in cases {
            assert_eq!(fault(head), Some(expected), "{head:?}");
        }
    }
}
