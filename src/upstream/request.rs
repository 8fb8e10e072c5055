//! One request to a provider, as values; and its HTTP/1.1 bytes.

use crate::framing::field_lines::decimal;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};

/// A request ready to be sent. The host field, the framing and the connection fields are written
/// by the HTTP layer, never by the caller.
#[derive(Clone, Debug)]
pub struct UpstreamRequest {
    pub method: Method,
    /// Path and query as they go on the wire.
    pub path: String,
    pub fields: Vec<(HeaderName, HeaderValue)>,
    pub body: Bytes,
}

impl UpstreamRequest {
    /// The HTTP/1.1 head. A body is always sent with its length; a request without one carries a
    /// zero length unless its method has no body by definition. `room` is left for `room` bytes more.
    pub fn http1_head(&self, authority: &str, room: usize) -> Vec<u8> {
        let fields: usize = self.fields.iter().map(|(n, v)| n.as_str().len() + v.len() + 4).sum();
        let mut head = Vec::with_capacity(self.path.len() + authority.len() + fields + 96 + room);
        head.extend_from_slice(self.method.as_str().as_bytes());
        head.push(b' ');
        head.extend_from_slice(self.path.as_bytes());
        head.extend_from_slice(b" HTTP/1.1\r\nhost: ");
        head.extend_from_slice(authority.as_bytes());
        head.extend_from_slice(b"\r\n");
        for (name, value) in &self.fields {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        if !self.body.is_empty() || self.method == Method::POST || self.method == Method::PUT {
            head.extend_from_slice(b"content-length: ");
            decimal(&mut head, self.body.len() as u64);
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_always_states_its_length_and_a_get_states_none() {
        let mut request = UpstreamRequest {
            method: Method::POST,
            path: "/v1/x".into(),
            fields: vec![(http::header::ACCEPT, HeaderValue::from_static("*/*"))],
            body: Bytes::from_static(b"{}"),
        };
        let head = String::from_utf8(request.http1_head("api.example", 0)).unwrap();
        assert_eq!(
            head,
            "POST /v1/x HTTP/1.1\r\nhost: api.example\r\naccept: */*\r\ncontent-length: 2\r\n\r\n"
        );
        request.method = Method::GET;
        request.body = Bytes::new();
        assert!(!String::from_utf8(request.http1_head("a", 0)).unwrap().contains("content-length"));
    }
}
