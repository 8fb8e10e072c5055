//! The head of a request, read from the front of a buffer.
//!
//! Strict about framing (the simulator also stands behind a gateway under test, which must never
//! send it anything ambiguous): content-length together with transfer-encoding, two different lengths
//! or an unknown coding are refused.

use super::directives::Directives;

/// Fields of one head.
const FIELDS_MAX: usize = 128;

/// How the body is framed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyFraming {
    #[default]
    None,
    Length(u64),
    Chunked,
}

/// A request head. Refilled for each request of a connection, so that its buffers are kept.
#[derive(Debug, Default)]
pub struct Head {
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    pub is_http10: bool,
    pub is_keep_alive: bool,
    pub framing: BodyFraming,
    pub expects_continue: bool,
    pub is_upgrade: bool,
    /// A content coding other than identity: the body is not looked into.
    pub is_coded: bool,
    pub directives: Directives,
    /// A wrong `x-sim-*` header, to be answered with 400.
    pub wrong_directive: Option<String>,
    /// The head's bytes, for those who need all fields.
    raw: Vec<u8>,
}

/// The bytes are no request that may be answered; the connection is closed.
#[derive(Debug, thiserror::Error)]
#[error("malformed request: {0}")]
pub struct Malformed(pub String);

impl Head {
    /// Reads a head from the front of `bytes`. `Ok(None)`: not all there yet. Else its length.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut request = httparse::Request::new(&mut fields);
        let length = match request.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(e) => return Err(Malformed(e.to_string())),
        };
        self.start(request.method.unwrap_or(""), request.path.unwrap_or(""), request.version == Some(0));
        for field in request.headers.iter() {
            self.take(field.name, field.value)?;
        }
        self.raw.clear();
        self.raw.extend_from_slice(bytes.get(..length).unwrap_or(bytes));
        Ok(Some(length))
    }

    fn start(&mut self, method: &str, target: &str, is_http10: bool) {
        self.method.clear();
        self.method.push_str(method);
        self.target.clear();
        self.target.push_str(target);
        self.is_http10 = is_http10;
        self.is_keep_alive = !is_http10;
        self.framing = BodyFraming::None;
        self.expects_continue = false;
        self.is_upgrade = false;
        self.is_coded = false;
        self.directives = Directives::default();
        self.wrong_directive = None;
    }

    fn take(&mut self, name: &str, value: &[u8]) -> Result<(), Malformed> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match name.len() {
            6 if is("expect") => self.expects_continue = value.eq_ignore_ascii_case(b"100-continue"),
            7 if is("upgrade") => self.is_upgrade = value.eq_ignore_ascii_case(b"websocket"),
            10 if is("connection") => {
                for word in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    if word.eq_ignore_ascii_case(b"close") {
                        self.is_keep_alive = false;
                    } else if word.eq_ignore_ascii_case(b"keep-alive") {
                        self.is_keep_alive = true;
                    }
                }
            }
            14 if is("content-length") => {
                let length =
                    std::str::from_utf8(value).ok().filter(|v| v.bytes().all(|b| b.is_ascii_digit()));
                let length =
                    length.and_then(|v| v.parse().ok()).ok_or_else(|| Malformed("content-length".into()))?;
                self.frame(BodyFraming::Length(length))?;
            }
            16 if is("content-encoding") => self.is_coded = !value.eq_ignore_ascii_case(b"identity"),
            17 if is("transfer-encoding") => {
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Malformed("transfer-encoding".into()));
                }
                self.frame(BodyFraming::Chunked)?;
            }
            _ if name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-sim-")) => {
                if let Err(wrong) = self.directives.take_header(name, value) {
                    self.wrong_directive = Some(wrong);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn frame(&mut self, framing: BodyFraming) -> Result<(), Malformed> {
        if self.framing != BodyFraming::None && self.framing != framing {
            return Err(Malformed("two framings".into()));
        }
        self.framing = framing;
        Ok(())
    }

    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The value of a query parameter, as written.
    pub fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query
            .split('&')
            .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value))
    }

    /// All fields in order, names as sent.
    pub fn headers(&self) -> Vec<(String, String)> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut request = httparse::Request::new(&mut fields);
        if request.parse(&self.raw).is_err() {
            return Vec::new();
        }
        request
            .headers
            .iter()
            .map(|field| (field.name.to_owned(), String::from_utf8_lossy(field.value).into_owned()))
            .collect()
    }

    /// The first field of this name.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers().into_iter().find(|(held, _)| held.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// What the client identified itself with.
    pub fn credential(&self) -> Option<String> {
        let headers = self.headers();
        let find = |name: &str| {
            headers.iter().find(|(held, _)| held.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
        };
        let bearer = find("authorization").map(|value| value.strip_prefix("Bearer ").unwrap_or(value));
        bearer
            .or_else(|| find("x-api-key"))
            .or_else(|| find("api-key"))
            .or_else(|| find("x-goog-api-key"))
            .or_else(|| self.query("key"))
            .map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Head, Malformed> {
        let mut head = Head::default();
        head.read(text.as_bytes()).map(|length| {
            assert_eq!(length, Some(text.len()));
            head
        })
    }

    #[test]
    fn reads_what_routing_needs() {
        let head = read(
            "POST /v1/x?key=k&alt=sse HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\
             X-Sim-Tokens: 9\r\nAuthorization: Bearer sk-1\r\n\r\n",
        )
        .unwrap();
        assert_eq!((head.method.as_str(), head.path(), head.query("alt")), ("POST", "/v1/x", Some("sse")));
        assert_eq!(head.framing, BodyFraming::Length(5));
        assert_eq!(head.directives.tokens, Some(9));
        assert!(head.expects_continue && head.is_keep_alive);
        assert_eq!(head.credential().as_deref(), Some("sk-1"));
    }

    #[test]
    fn an_ambiguous_body_is_refused() {
        for fields in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: +5\r\n",
            "Transfer-Encoding: gzip\r\n",
        ] {
            assert!(read(&format!("POST / HTTP/1.1\r\n{fields}\r\n")).is_err(), "{fields}");
        }
    }

    #[test]
    fn a_head_in_pieces_waits_for_the_rest_and_nothing_stays_from_the_one_before() {
        let mut head = Head::default();
        head.read(b"GET / HTTP/1.1\r\nx-sim-fault: hold\r\nconnection: close\r\n\r\n").unwrap();
        assert!(matches!(head.read(b"GET /a HTTP/1.1\r\nHo"), Ok(None)));
        head.read(b"GET /a HTTP/1.1\r\n\r\n").unwrap();
        assert!(head.directives.faults.is_empty() && head.is_keep_alive);
    }
}
