//! A request, ready to be sent, with the places where each copy differs.

use std::net::SocketAddr;

use crate::options::Call;

/// What `--vary` replaces; as many digits as a counter needs to never come round in a run.
const MARK: &[u8] = b"0000000000";

/// The bytes of a request.
#[derive(Clone, Debug)]
pub struct Template {
    pub addr: SocketAddr,
    bytes: Vec<u8>,
    /// Offsets of the marks in `bytes`.
    marks: Vec<usize>,
}

impl Template {
    /// Reads the body and puts the request together, with `extra` headers (`name: value`).
    pub fn new(call: &Call, extra: &[String]) -> Result<Self, String> {
        let body = std::fs::read(&call.body).map_err(|e| format!("{}: {e}", call.body.display()))?;
        let (addr, path) = parse_url(&call.url)?;
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nhost: {addr}\r\ncontent-type: application/json\r\naccept: */*\r\n\
             content-length: {}\r\n",
            body.len()
        );
        if let Some(key) = &call.key {
            head.push_str(&format!("authorization: Bearer {key}\r\n"));
        }
        for header in call.headers.iter().chain(extra) {
            head.push_str(header);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        let marks = if call.vary {
            memchr::memmem::find_iter(&body, MARK).map(|at| at + head.len()).collect()
        } else {
            Vec::new()
        };
        if call.vary && marks.is_empty() {
            return Err(format!("no 0000000000 in {} to vary", call.body.display()));
        }
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&body);
        Ok(Self { addr, bytes, marks })
    }

    /// The request with `number` at its marks.
    pub fn numbered(&mut self, number: u64) -> &[u8] {
        for mark in &self.marks {
            let mut rest = number;
            for digit in self.bytes.iter_mut().skip(*mark).take(MARK.len()).rev() {
                *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
                rest /= 10;
            }
        }
        &self.bytes
    }
}

fn parse_url(url: &str) -> Result<(SocketAddr, &str), String> {
    let rest = url.strip_prefix("http://").ok_or_else(|| format!("not an http url: {url}"))?;
    let at = rest.find('/').unwrap_or(rest.len());
    let (addr, path) = rest.split_at_checked(at).unwrap_or((rest, "/"));
    let addr = addr.parse().map_err(|e| format!("{addr}: {e}"))?;
    Ok((addr, if path.is_empty() { "/" } else { path }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_gets_the_number_and_nothing_else_changes() {
        let bytes = b"a0000000000b0000000000".to_vec();
        let mut template =
            Template { addr: SocketAddr::from(([127, 0, 0, 1], 1)), bytes, marks: vec![1, 12] };
        assert_eq!(template.numbered(1_234_567_890), b"a1234567890b1234567890");
        assert_eq!(template.numbered(7), b"a0000000007b0000000007");
    }

    #[test]
    fn a_url_is_an_address_and_a_path() {
        assert_eq!(parse_url("http://127.0.0.1:80/v1/x").unwrap().1, "/v1/x");
        assert_eq!(parse_url("http://127.0.0.1:80").unwrap().1, "/");
        assert!(parse_url("https://127.0.0.1:80/").is_err() && parse_url("http://nowhere/").is_err());
    }
}
