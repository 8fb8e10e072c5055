//! The other way round: Anthropic's server-sent events as Bedrock's `InvokeModelWithResponseStream`
//! sends them.
//!
//! Invariants: the JSON of an event is not changed, but that the last one counts the tokens, as
//! Bedrock's does; a failure is an exception, after which nothing of success follows; comments, which
//! Amazon's event streams have no form of, become nothing.

use crate::framing::eventstream::write_message;
use crate::framing::json::{Duplicates, JsonWriter, Node, parse_bytes};
use crate::framing::{SseError, SseScanner};
use crate::types::bounds::SSE_EVENT_BYTES_MAX;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const METRICS: &str = "amazon-bedrock-invocationMetrics";

/// Wraps one stream.
#[derive(Debug)]
pub struct Wrapper {
    scanner: SseScanner,
    counted: Counted,
}

/// Tokens that the events told: each the last above zero.
#[derive(Debug, Default)]
struct Counted {
    input: u64,
    output: u64,
    cache_read: u64,
    cache_write: u64,
}

impl Default for Wrapper {
    fn default() -> Self {
        // An event of ours may be longer than a provider's: JSON that was written anew.
        Self { scanner: SseScanner::new(2 * SSE_EVENT_BYTES_MAX), counted: Counted::default() }
    }
}

impl Wrapper {
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the messages of all events that `bytes` complete.
    ///
    /// # Errors
    /// An event is longer than a stream's events may be.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), SseError> {
        let counted = &mut self.counted;
        self.scanner.feed(bytes, |event, _| match event.name {
            Some(b"error") => exception(event.data, out),
            Some(b"message_start" | b"message_delta") => {
                counted.note(event.data);
                chunk(event.data, out);
            }
            Some(b"message_stop") => chunk(&counted.told_in(event.data), out),
            _ => chunk(event.data, out),
        })
    }
}

impl Counted {
    fn note(&mut self, data: &[u8]) {
        let Ok(root) = parse_bytes(data, Duplicates::LastCounts) else { return };
        let usage = root.get("usage").or_else(|| root.get("message")?.get("usage"));
        let raise = |count: &mut u64, key: &str| {
            let told = usage.and_then(|usage| usage.get(key)?.as_u64()).filter(|told| *told > 0);
            *count = told.unwrap_or(*count);
        };
        raise(&mut self.input, "input_tokens");
        raise(&mut self.output, "output_tokens");
        raise(&mut self.cache_read, "cache_read_input_tokens");
        raise(&mut self.cache_write, "cache_creation_input_tokens");
    }

    /// The last event with the counts in it; as it is where it has them.
    fn told_in(&self, data: &[u8]) -> Vec<u8> {
        let root = parse_bytes(data, Duplicates::LastCounts).ok();
        let Some(root) = root.filter(|root| root.is_object() && root.get(METRICS).is_none()) else {
            return data.to_vec();
        };
        let mut out = Vec::with_capacity(data.len() + 160);
        JsonWriter::new(&mut out).object(|w| {
            root.entries().iter().for_each(|(key, value): &(_, Node<'_>)| w.field_raw(key, value.raw()));
            w.field_object(METRICS, |w| {
                w.field_u64("inputTokenCount", self.input);
                w.field_u64("outputTokenCount", self.output);
                w.field_u64("cacheReadInputTokenCount", self.cache_read);
                w.field_u64("cacheWriteInputTokenCount", self.cache_write);
            });
        });
        out
    }
}

fn chunk(event: &[u8], out: &mut Vec<u8>) {
    const HEADERS: [(&str, &str); 3] =
        [(":event-type", "chunk"), (":content-type", "application/json"), (":message-type", "event")];
    let payload = format!("{{\"bytes\":\"{}\"}}", STANDARD.encode(event));
    write_message(&HEADERS, payload.as_bytes(), out);
}

fn exception(data: &[u8], out: &mut Vec<u8>) {
    let root = parse_bytes(data, Duplicates::LastCounts).ok();
    let error = root.as_ref().and_then(|root| root.get("error"));
    let kind = error.and_then(|error| error.text_of("type"));
    let name = match kind.as_deref() {
        Some("rate_limit_error") => "throttlingException",
        Some("overloaded_error") => "serviceUnavailableException",
        Some("timeout_error") => "modelTimeoutException",
        Some("api_error") => "internalServerException",
        Some(kind) if kind.ends_with("_error") => "validationException",
        _ => "modelStreamErrorException",
    };
    let said = error.and_then(|error| error.text_of("message"));
    let mut payload = Vec::new();
    JsonWriter::new(&mut payload)
        .object(|w| w.field_str("message", said.as_deref().unwrap_or("the stream failed")));
    let headers =
        [(":exception-type", name), (":content-type", "application/json"), (":message-type", "exception")];
    write_message(&headers, &payload, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::invoke::Unwrapper;
    use crate::framing::eventstream::EventStreamScanner;

    const STREAM: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n\
        : keepalive\n\n\
        event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"d\":\"\u{e9}\"}\n\n\
        event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":7}}\n\n\
        event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

    fn unwrapped(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        Unwrapper::new().feed(bytes, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_wrapped_comes_out_as_it_was_but_for_comments_and_the_counts() {
        let counts = r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":9,"outputTokenCount":7,"cacheReadInputTokenCount":0,"cacheWriteInputTokenCount":0}}"#;
        let expected = STREAM.replace(": keepalive\n\n", "").replace("{\"type\":\"message_stop\"}", counts);
        for cut in 0..=STREAM.len() {
            let (mut wrapper, mut out) = (Wrapper::new(), Vec::new());
            for piece in [&STREAM.as_bytes()[..cut], &STREAM.as_bytes()[cut..]] {
                wrapper.feed(piece, &mut out).unwrap();
            }
            assert_eq!(unwrapped(&out), expected, "{cut}");
        }
        let (mut again, mut out) = (Wrapper::new(), Vec::new());
        again.feed(expected.as_bytes(), &mut out).unwrap();
        assert_eq!(unwrapped(&out), expected, "counts that are there stay");
    }

    #[test]
    fn a_failure_is_an_exception_of_its_kind() {
        for (kind, name) in [
            ("rate_limit_error", "throttlingException"),
            ("overloaded_error", "serviceUnavailableException"),
            ("invalid_request_error", "validationException"),
            ("api_error", "internalServerException"),
            ("odd", "modelStreamErrorException"),
        ] {
            let event = format!(
                "event: error\ndata: {{\"type\":\"error\",\"error\":{{\"type\":\"{kind}\",\"message\":\"no \\\"luck\\\"\"}}}}\n\n"
            );
            let mut out = Vec::new();
            Wrapper::new().feed(event.as_bytes(), &mut out).unwrap();
            let mut seen = Vec::new();
            EventStreamScanner::new()
                .feed(&out, |message, _| {
                    seen.push((message.kind.to_vec(), message.name.to_vec(), message.payload.to_vec()));
                })
                .unwrap();
            let payload = br#"{"message":"no \"luck\""}"#.to_vec();
            assert_eq!(seen, [(b"exception".to_vec(), name.as_bytes().to_vec(), payload)]);
        }
    }

    #[test]
    fn an_event_without_an_end_is_not_held_for_ever() {
        let mut wrapper = Wrapper::new();
        let mut feed = |bytes: &[u8]| wrapper.feed(bytes, &mut Vec::new());
        assert!(feed(&vec![b'x'; 2 * SSE_EVENT_BYTES_MAX]).is_ok());
        assert!(feed(b"x").is_err());
    }
}
