//! The envelope of `invoke-with-response-stream`: each message of the event stream holds one event of
//! the model's own stream.

use crate::framing::json::{Duplicates, parse_bytes};
use base64::Engine;

use super::media::BASE64;

/// The model's own event out of `{"bytes":"<base64>","p":"<padding>"}`. None for anything else: an
/// exception, which has its own shape, or nonsense.
pub fn unwrap_invoke(payload: &[u8]) -> Option<Vec<u8>> {
    let root = parse_bytes(payload, Duplicates::LastCounts).ok()?;
    BASE64.decode(root.text_of("bytes")?.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_comes_out_and_the_padding_does_not() {
        let payload = br#"{"bytes":"eyJ0eXBlIjoicGluZyJ9","p":"abcdefgh"}"#;
        assert_eq!(unwrap_invoke(payload).unwrap(), br#"{"type":"ping"}"#);
        for other in
            [&b"{}"[..], b"", b"<html>", br#"{"bytes":1}"#, br#"{"bytes":"*"}"#, br#"{"message":"no"}"#]
        {
            assert_eq!(unwrap_invoke(other), None);
        }
    }
}
