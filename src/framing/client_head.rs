//! The head of a client's request: its bytes once, and where in them everything stands.
//!
//! Not a header map: a head has a dozen fields, each is asked for once or twice, and none is copied
//! for it. Requests of HTTP/2, whose heads come as values, are written into the same form. Invariant:
//! an HTTP/1 head exists here only if [`strict_head`] passed it.

use super::http1_head::BodyFraming;
use super::strict_head::{self, HeadFault};
use bytes::{BufMut, Bytes, BytesMut};
use http::{Method, Version};
use std::ops::Range;

/// A request's head.
#[derive(Clone, Debug)]
pub struct ClientHead {
    pub method: Method,
    pub version: Version,
    /// How the body ends. `Empty` for HTTP/2, whose frames say it.
    pub framing: BodyFraming,
    bytes: Bytes,
    target: Span,
    path: Span,
    query: Option<Span>,
    fields: Vec<Field>,
    /// The marks of all names: most names that are asked for are not there.
    names: u64,
}

/// What the bytes read so far amount to.
#[derive(Debug)]
pub enum Arrived {
    /// Not a whole head yet.
    NeedMore,
    Head(Box<ClientHead>),
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

#[derive(Clone, Copy, Debug)]
struct Field {
    name: Span,
    value: Span,
}

impl Span {
    /// Heads are bounded far below 4 GiB.
    fn of(range: Range<usize>) -> Self {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: place(range.start), end: place(range.end) }
    }

    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One bit for a name, by its length and its ends, whatever their case.
fn mark(name: &[u8]) -> u64 {
    let fold = |byte: Option<&u8>| u32::from(byte.copied().unwrap_or_default() | 0x20);
    let mixed = fold(name.first()).wrapping_mul(7) ^ fold(name.last()).wrapping_mul(3) ^ name.len() as u32;
    1 << (mixed & 63)
}

impl ClientHead {
    /// Takes a head from the front of what was read; the rest stays.
    ///
    /// # Errors
    /// The first [`HeadFault`]; the connection is of no further use.
    pub fn take(read: &mut BytesMut) -> Result<Arrived, HeadFault> {
        let mut fields = Vec::with_capacity(24);
        let mut framing = BodyFraming::Empty;
        let mut names = 0;
        let bytes: &[u8] = read;
        let walked = strict_head::walk(bytes, |name, value| {
            let text = bytes.get(name.clone()).unwrap_or_default();
            match text.len() {
                14 if text.eq_ignore_ascii_case(b"content-length") => {
                    framing = BodyFraming::Length(number(bytes.get(value.clone()).unwrap_or_default()));
                }
                17 if text.eq_ignore_ascii_case(b"transfer-encoding") => framing = BodyFraming::Chunked,
                _ => {}
            }
            names |= mark(text);
            fields.push(Field { name: Span::of(name), value: Span::of(value) });
        });
        let walked = match walked {
            Ok(walked) => walked,
            Err(HeadFault::NoEnd) => return Ok(Arrived::NeedMore),
            Err(fault) => return Err(fault),
        };
        let method = bytes.get(..walked.method).and_then(|method| Method::from_bytes(method).ok());
        let method = method.ok_or(HeadFault::RequestLine)?;
        let target = walked.method + 1..walked.target_end;
        let (path, query) = parts(bytes.get(target.clone()).unwrap_or_default(), target.start);
        let version = if walked.is_http11 { Version::HTTP_11 } else { Version::HTTP_10 };
        let bytes = read.split_to(walked.end).freeze();
        let target = Span::of(target);
        Ok(Arrived::Head(Box::new(Self {
            method,
            version,
            framing,
            bytes,
            target,
            path,
            query,
            fields,
            names,
        })))
    }

    /// The head of a request that came as values. `target`: path and query as they came.
    pub fn of_values<'f>(
        method: Method,
        version: Version,
        target: &[u8],
        values: impl Iterator<Item = (&'f str, &'f [u8])>,
    ) -> Self {
        let mut bytes = BytesMut::with_capacity(1024);
        bytes.put_slice(target);
        let (path, query) = parts(target, 0);
        let mut names = 0;
        let mut fields = Vec::with_capacity(24);
        for (name, value) in values {
            let start = bytes.len();
            bytes.put_slice(name.as_bytes());
            names |= mark(name.as_bytes());
            let middle = bytes.len();
            bytes.put_slice(value);
            fields.push(Field { name: Span::of(start..middle), value: Span::of(middle..bytes.len()) });
        }
        let target = Span::of(0..target.len());
        let bytes = bytes.freeze();
        Self { method, version, framing: BodyFraming::Empty, bytes, target, path, query, fields, names }
    }

    /// The bytes of an HTTP/1 head as they came.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The target of the request line.
    pub fn target(&self) -> &[u8] {
        self.slice(self.target)
    }

    /// The path, without the scheme and host that a proxy's client puts before it; empty where the
    /// target has none.
    pub fn path(&self) -> &str {
        std::str::from_utf8(self.slice(self.path)).unwrap_or_default()
    }

    /// The query, without its question mark.
    pub fn query(&self) -> Option<&str> {
        self.query.and_then(|span| std::str::from_utf8(self.slice(span)).ok())
    }

    /// Names, in the case they came in, and values.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|field| (self.slice(field.name), self.slice(field.value)))
    }

    /// Names, and values that share this head's memory.
    pub fn shared_fields(&self) -> impl Iterator<Item = (&[u8], Bytes)> {
        self.fields.iter().map(|field| (self.slice(field.name), self.bytes.slice(field.value.range())))
    }

    pub fn fields_len(&self) -> usize {
        self.fields.len()
    }

    /// The values of a field; `name` in lower case.
    pub fn values<'h, 'n>(&'h self, name: &'n str) -> impl Iterator<Item = &'h [u8]> + use<'h, 'n> {
        let is_here = self.names & mark(name.as_bytes()) != 0;
        let fields = if is_here { self.fields.as_slice() } else { &[] };
        let is_it = move |field: &&Field| {
            let length = (field.name.end - field.name.start) as usize;
            length == name.len() && self.slice(field.name).eq_ignore_ascii_case(name.as_bytes())
        };
        fields.iter().filter(is_it).map(|field| self.slice(field.value))
    }

    pub fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// The first value of a field, where it is visible ASCII.
    pub fn text<'h>(&'h self, name: &str) -> Option<&'h str> {
        let value = self.values(name).next()?;
        let is_text = value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
        std::str::from_utf8(value).ok().filter(|_| is_text)
    }

    /// Whether the connection takes another request after this one.
    pub fn keeps_alive(&self) -> bool {
        let mut options = self.values("connection").flat_map(|value| value.split(|byte| *byte == b','));
        self.version == Version::HTTP_11
            && !options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
    }

    /// Whether the client waits for a word before it sends the body (RFC 9110 §10.1.1).
    pub fn expects_continue(&self) -> bool {
        self.version != Version::HTTP_10
            && self.values("expect").next().is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"))
    }

    fn slice(&self, span: Span) -> &[u8] {
        self.bytes.get(span.range()).unwrap_or_default()
    }
}

/// Path and query of a target that stands `at` there. A target of another form than a path or an
/// address (RFC 9112 §3.2) has an empty path.
fn parts(target: &[u8], at: usize) -> (Span, Option<Span>) {
    let skipped = if target.first() == Some(&b'/') { Some(0) } else { authority_end(target) };
    let Some(skipped) = skipped else { return (Span::of(at..at), None) };
    let rest = target.get(skipped..).unwrap_or_default();
    let end = at + target.len();
    match memchr::memchr(b'?', rest) {
        Some(mark) => {
            let mark = at + skipped + mark;
            (Span::of(at + skipped..mark), Some(Span::of(mark + 1..end)))
        }
        None => (Span::of(at + skipped..end), None),
    }
}

/// Where the path begins behind `http://host`; the empty path stays empty.
fn authority_end(target: &[u8]) -> Option<usize> {
    let scheme = memchr::memmem::find(target, b"://")?;
    let name = target.get(..scheme)?;
    if !name.eq_ignore_ascii_case(b"http") && !name.eq_ignore_ascii_case(b"https") {
        return None;
    }
    let host = target.get(scheme + 3..)?;
    let length = host.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(host.len());
    (length > 0).then_some(scheme + 3 + length)
}

/// A checked content-length.
fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> ClientHead {
        let mut read = BytesMut::from(text);
        match ClientHead::take(&mut read) {
            Ok(Arrived::Head(head)) => *head,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_head_is_taken_from_the_front_and_the_rest_stays() {
        let text = "POST /v1/x?a=b HTTP/1.1\r\nHost: a\r\nX-A:  b c \r\nx-a: d\r\ncontent-length: 12\r\n\r\n";
        let mut read = BytesMut::from(format!("{text}body").as_str());
        let Ok(Arrived::Head(head)) = ClientHead::take(&mut read) else { panic!() };
        assert_eq!((&*read, head.len()), (&b"body"[..], text.len()));
        assert_eq!((head.method.as_str(), head.path(), head.query()), ("POST", "/v1/x", Some("a=b")));
        assert_eq!(head.target(), b"/v1/x?a=b");
        assert_eq!(head.framing, BodyFraming::Length(12));
        assert_eq!(head.values("x-a").collect::<Vec<_>>(), [&b"b c"[..], b"d"]);
        assert_eq!(head.text("host"), Some("a"));
        assert!(!head.has("x-b"));
        let shared: Vec<_> = head.shared_fields().map(|(_, value)| value).collect();
        assert_eq!(shared, ["a", "b c", "d", "12"]);
        assert_eq!(head.into_bytes(), text.as_bytes());
    }

    #[test]
    fn every_proper_beginning_needs_more() {
        let text = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        for length in 0..text.len() {
            let mut read = BytesMut::from(&text[..length]);
            assert!(matches!(ClientHead::take(&mut read), Ok(Arrived::NeedMore)), "{length}");
            assert_eq!(&*read, &text.as_bytes()[..length]);
        }
    }

    #[test]
    fn a_target_with_scheme_and_host_has_the_same_path() {
        let of = |target: &str| {
            let head = head(&format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n"));
            (head.path().to_owned(), head.query().map(str::to_owned))
        };
        for (target, path, query) in [
            ("http://a:80/v1/x?b=c", "/v1/x", Some("b=c")),
            ("HTTPS://a/v1", "/v1", None),
            ("http://a?b", "", Some("b")),
            ("http://a", "", None),
            ("http:///v1/x", "", None),
            ("ftp://a/v1/x", "", None),
            ("*", "", None),
            ("a:443", "", None),
            ("/v1?", "/v1", Some("")),
            ("/v1?a?b", "/v1", Some("a?b")),
        ] {
            assert_eq!(of(target), (path.to_owned(), query.map(str::to_owned)), "{target}");
        }
    }

    #[test]
    fn the_connection_ends_where_the_client_or_its_version_says_so() {
        let keeps = |line: &str, fields: &str| {
            head(&format!("GET / {line}\r\nhost: a\r\n{fields}\r\n")).keeps_alive()
        };
        assert!(keeps("HTTP/1.1", ""));
        assert!(keeps("HTTP/1.1", "connection: keep-alive, x\r\n"));
        assert!(!keeps("HTTP/1.1", "Connection: x , CLOSE\r\n"));
        assert!(!keeps("HTTP/1.1", "connection: x\r\nconnection: close\r\n"));
        assert!(!keeps("HTTP/1.0", "connection: keep-alive\r\n"));
    }

    #[test]
    fn values_are_read_like_bytes() {
        let fields = [("x-a", &b"1"[..]), ("expect", b"100-Continue")];
        let head = ClientHead::of_values(Method::POST, Version::HTTP_2, b"/a?b", fields.into_iter());
        assert_eq!((head.path(), head.query(), head.text("x-a")), ("/a", Some("b"), Some("1")));
        assert!(head.expects_continue() && !head.keeps_alive());
        assert_eq!(head.framing, BodyFraming::Empty);
    }
}
