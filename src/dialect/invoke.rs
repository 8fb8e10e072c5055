//! Bedrock's `InvokeModelWithResponseStream`: the maker's own events (Anthropic's), each in base64 inside a
//! message of Amazon's event stream, turned into the server-sent events they are at Anthropic.
//!
//! Source: AWS, "InvokeModelWithResponseStream"; recorded answers. Not here: what the events mean.
//! Invariant: the bytes of an event are not changed; never more than one is held.

use crate::framing::eventstream::EventStreamScanner;
use crate::framing::json::{Duplicates, JsonWriter, parse_bytes};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

mod wrap;

pub use wrap::Wrapper;

/// Undoes the wrapping of one stream.
#[derive(Default)]
pub struct Unwrapper {
    scanner: EventStreamScanner,
}

impl Unwrapper {
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the server-sent events of all messages that `bytes` complete. An exception becomes
    /// Anthropic's `error` event.
    ///
    /// # Errors
    /// What is wrong with the framing or a message; the stream cannot be read on.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let mut fault = None;
        let fed = self.scanner.feed(bytes, |message, _| {
            let read = match message.kind {
                b"event" if message.name == b"chunk" => chunk(message.payload, out),
                b"event" => Some(()),
                _ => {
                    exception(message.name, message.payload, out);
                    Some(())
                }
            };
            if read.is_none() {
                fault = Some("a chunk of the provider's stream holds no event".to_owned());
            }
        });
        fed.map_err(|error| error.to_string())?;
        fault.map_or(Ok(()), Err)
    }
}

/// `{"bytes":"…","p":"…"}`.
fn chunk(payload: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let root = parse_bytes(payload, Duplicates::LastCounts).ok()?;
    let event = STANDARD.decode(root.text_of("bytes")?.as_bytes()).ok()?;
    let inner = parse_bytes(&event, Duplicates::LastCounts).ok()?;
    let name = inner.text_of("type").unwrap_or_default();
    let is_word = |b: u8| b.is_ascii_lowercase() || b == b'_';
    // Line ends would end the event early; JSON has none but between its tokens.
    if !name.bytes().all(is_word) || event.iter().any(|b| matches!(b, b'\n' | b'\r')) {
        return None;
    }
    if !name.is_empty() {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(&event);
    out.extend_from_slice(b"\n\n");
    Some(())
}

fn exception(name: &[u8], payload: &[u8], out: &mut Vec<u8>) {
    let kind = match name {
        b"throttlingException" => "rate_limit_error",
        b"validationException" => "invalid_request_error",
        b"serviceUnavailableException" | b"modelNotReadyException" => "overloaded_error",
        b"modelTimeoutException" => "timeout_error",
        _ => "api_error",
    };
    let root = parse_bytes(payload, Duplicates::LastCounts).ok();
    let said = root.as_ref().and_then(|root| root.text_of("message"));
    let message = said.as_deref().unwrap_or("the provider's stream failed");
    out.extend_from_slice(b"event: error\ndata: ");
    JsonWriter::new(out).object(|w| {
        w.field_str("type", "error");
        w.field_object("error", |w| {
            w.field_str("type", kind);
            w.field_str("message", message);
        });
    });
    out.extend_from_slice(b"\n\n");
}

/// The body of Bedrock's `CountTokens` for a body of Claude's.
pub fn wrap_count(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() * 4 / 3 + 64);
    out.extend_from_slice(b"{\"input\":{\"invokeModel\":{\"body\":\"");
    out.extend_from_slice(STANDARD.encode(body).as_bytes());
    out.extend_from_slice(b"\"}}}");
    out
}

/// Anthropic's answer for Bedrock's `{"inputTokens":…}`.
pub fn unwrap_count(body: &[u8]) -> Option<Vec<u8>> {
    let root = parse_bytes(body, Duplicates::LastCounts).ok()?;
    let tokens = root.get("inputTokens")?.as_u64()?;
    Some(format!("{{\"input_tokens\":{tokens}}}").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::eventstream::write_message;

    const START: &str = r#"{"type":"message_start","message":{"id":"é\u00e9"} }"#;
    const STOP: &str = r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":3}}"#;

    fn wrapped(events: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        for event in events {
            let payload = format!(r#"{{"bytes":"{}","p":"abc"}}"#, STANDARD.encode(event));
            write_message(
                &[(":event-type", "chunk"), (":message-type", "event")],
                payload.as_bytes(),
                &mut out,
            );
        }
        out
    }

    #[test]
    fn events_come_out_as_they_went_in_however_they_are_cut() {
        let bytes = wrapped(&[START, STOP]);
        let expected =
            format!("event: message_start\ndata: {START}\n\nevent: message_stop\ndata: {STOP}\n\n");
        for cut in 0..=bytes.len() {
            let (mut unwrapper, mut out) = (Unwrapper::new(), Vec::new());
            for piece in [&bytes[..cut], &bytes[cut..]] {
                unwrapper.feed(piece, &mut out).unwrap();
            }
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{cut}");
        }
    }

    #[test]
    fn an_exception_is_an_error_event_and_nonsense_is_a_broken_stream() {
        let mut bytes = Vec::new();
        let headers = [(":message-type", "exception"), (":exception-type", "throttlingException")];
        write_message(&headers, br#"{"message":"slow \"down\""}"#, &mut bytes);
        let mut out = Vec::new();
        Unwrapper::new().feed(&bytes, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow \\\"down\\\"\"}}\n\n"
        );
        for event in ["nonsense", "{\"type\":\"a b\"}", "{\"type\":\"x\"\n}"] {
            let mut out = Vec::new();
            assert!(Unwrapper::new().feed(&wrapped(&[event]), &mut out).is_err(), "{event}");
        }
        let mut unknown = Vec::new();
        write_message(&[(":message-type", "event"), (":event-type", "new")], b"{}", &mut unknown);
        let mut out = Vec::new();
        Unwrapper::new().feed(&unknown, &mut out).unwrap();
        assert!(out.is_empty());
    }

    /// Recorded streams of other makers' models have the same wrapping.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "where the recordings lie, for tests only")]
    fn recorded_streams_come_out_as_what_they_hold() {
        let beside = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
        let root = std::env::var_os("TIDEGATE_CORPUS").map_or(beside, std::path::PathBuf::from);
        let Ok(folders) = std::fs::read_dir(root.join("bedrock")) else {
            println!("SKIPPED: corpus not found at {}", root.display());
            return;
        };
        let folders = folders.map(|folder| folder.unwrap().path());
        let is_invoke = |path: &std::path::PathBuf| path.to_string_lossy().contains("/invoke-stream");
        let mut streams = 0;
        for folder in folders.filter(is_invoke) {
            let bytes = std::fs::read(folder.join("stream.eventstream.bin")).unwrap();
            let decoded = std::fs::read_to_string(folder.join("stream.decoded.jsonl")).unwrap();
            let mut out = Vec::new();
            let mut unwrapper = Unwrapper::new();
            bytes.chunks(7).for_each(|piece| unwrapper.feed(piece, &mut out).unwrap());
            let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            let seen: Vec<_> = std::str::from_utf8(&out)
                .unwrap()
                .lines()
                .filter_map(|line| line.strip_prefix("data: "))
                .map(read)
                .collect();
            let held: Vec<_> = decoded.lines().map(|line| read(line)["payload_inner"].clone()).collect();
            assert_eq!(seen, held, "{}", folder.display());
            streams += 1;
        }
        assert!(streams >= 5, "{streams}");
    }

    #[test]
    fn a_count_is_wrapped_and_its_answer_unwrapped() {
        assert_eq!(
            String::from_utf8(wrap_count(b"{\"a\":1}")).unwrap(),
            r#"{"input":{"invokeModel":{"body":"eyJhIjoxfQ=="}}}"#
        );
        assert_eq!(unwrap_count(b"{\"inputTokens\":7}").unwrap(), b"{\"input_tokens\":7}");
        assert_eq!(unwrap_count(b"{}"), None);
    }
}
