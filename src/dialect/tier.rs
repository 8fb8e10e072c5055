//! How urgently a call was asked to be served, and was: the service tier, which the price depends on.
//!
//! Found at the places where vendors write it and nowhere else: what a model generated can hold the
//! same words. OpenAI `service_tier` (of a body, a chunk, a Responses event), Anthropic
//! `usage.service_tier` and `usage.speed`, Gemini `usageMetadata.serviceTier`, Bedrock `serviceTier`.

use crate::catalog::Service;
use crate::types::Endpoint;

use super::generic::cursor::{Cursor, Read};

/// Objects inside objects that are looked into: `message.usage` is the deepest.
const DEPTH_MAX: usize = 3;

/// The service of a request, a whole answer or one event; None where it says nothing that a price
/// depends on.
pub fn service_of(document: &[u8]) -> Option<Service> {
    let has = |word: &[u8]| memchr::memmem::find(document, word).is_some();
    if !has(b"ervice") && !has(b"\"speed\"") {
        return None;
    }
    let mut told = Told::default();
    // What stands before a malformed place counts.
    told.object(&mut Cursor::new(document), 0).unwrap_or_default();
    if told.is_fast { Some(Service::Fast) } else { told.service }
}

/// Listens to a stream: the last event that says it counts.
#[derive(Clone, Copy, Debug)]
pub struct TierTap {
    service: Option<Service>,
    /// Chat repeats it in every chunk: its first word is enough.
    is_repeated: bool,
}

impl TierTap {
    /// For the stream that `endpoint` answers.
    pub fn new(endpoint: Endpoint) -> Self {
        Self { service: None, is_repeated: endpoint == Endpoint::ChatCompletions }
    }

    /// Takes one event.
    pub fn on_event(&mut self, data: &[u8]) {
        if !(self.is_repeated && self.service.is_some()) {
            self.service = service_of(data).or(self.service);
        }
    }

    pub fn service(&self) -> Option<Service> {
        self.service
    }
}

#[derive(Default)]
struct Told {
    service: Option<Service>,
    is_fast: bool,
}

impl Told {
    fn object(&mut self, c: &mut Cursor<'_>, depth: usize) -> Read<()> {
        if !c.enter(b'{')? {
            return Ok(());
        }
        while let Some(key) = c.key()? {
            match key {
                b"service_tier" | b"serviceTier" if c.peek() == Some(b'{') => self.kind(c)?,
                b"service_tier" | b"serviceTier" => self.word(c)?,
                b"speed" => self.is_fast |= c.string()?.is_some_and(|word| word.raw() == b"fast"),
                b"usage" | b"usageMetadata" | b"message" | b"response" if depth + 1 < DEPTH_MAX => {
                    self.object(c, depth + 1)?;
                }
                _ => c.skip()?,
            }
        }
        Ok(())
    }

    /// Bedrock's `{"type": …}`.
    fn kind(&mut self, c: &mut Cursor<'_>) -> Read<()> {
        if !c.enter(b'{')? {
            return Ok(());
        }
        while let Some(key) = c.key()? {
            match key {
                b"type" => self.word(c)?,
                _ => c.skip()?,
            }
        }
        Ok(())
    }

    fn word(&mut self, c: &mut Cursor<'_>) -> Read<()> {
        let word = c.string()?.and_then(|word| std::str::from_utf8(word.raw()).ok());
        self.service = word.and_then(Service::of).or(self.service);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vendor_is_heard_at_its_own_place() {
        for (document, service) in [
            (r#"{"model":"m","service_tier":"flex"}"#, Some(Service::Flex)),
            (r#"{"choices":[],"service_tier":"default","usage":{}}"#, Some(Service::Standard)),
            (
                r#"{"type":"response.completed","response":{"service_tier":"priority"}}"#,
                Some(Service::Priority),
            ),
            (
                r#"{"type":"message_start","message":{"usage":{"service_tier":"batch"}}}"#,
                Some(Service::Batch),
            ),
            (r#"{"usage":{"service_tier":"standard","speed":"fast"}}"#, Some(Service::Fast)),
            (r#"{"usageMetadata":{"serviceTier":"FLEX"}}"#, Some(Service::Flex)),
            (r#"{"output":{},"serviceTier":{"type":"priority"}}"#, Some(Service::Priority)),
            (r#"{"service_tier":"auto"}"#, None),
            (r#"{"service_tier":null}"#, None),
            (r#"{"service_tier":"flex","choices":[{"#, Some(Service::Flex)),
            ("", None),
            ("[]", None),
        ] {
            assert_eq!(service_of(document.as_bytes()), service, "{document}");
        }
    }

    #[test]
    fn what_a_model_wrote_is_not_believed() {
        for document in [
            r#"{"choices":[{"message":{"content":"\"service_tier\":\"flex\""}}]}"#,
            r#"{"content":[{"type":"tool_use","input":{"service_tier":"flex","usage":{"service_tier":"flex"}}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"functionCall":{"args":{"serviceTier":"flex"}}}]}}]}"#,
            r#"{"message":{"content":[{"service_tier":"flex"}]}}"#,
            r#"{"message":{"usage":{"usage":{"service_tier":"flex"}}}}"#,
        ] {
            assert_eq!(service_of(document.as_bytes()), None, "{document}");
        }
    }

    #[test]
    fn the_last_word_of_a_stream_counts_and_chats_first_is_its_only_one() {
        let mut tap = TierTap::new(Endpoint::Responses);
        for event in [
            r#"{"type":"response.created","response":{"service_tier":"flex"}}"#,
            r#"{"type":"response.output_text.delta","delta":"service"}"#,
            r#"{"type":"response.completed","response":{"service_tier":"default"}}"#,
        ] {
            tap.on_event(event.as_bytes());
        }
        assert_eq!(tap.service(), Some(Service::Standard));
        let mut tap = TierTap::new(Endpoint::ChatCompletions);
        tap.on_event(br#"{"service_tier":"flex"}"#);
        tap.on_event(br#"{"service_tier":"default"}"#);
        assert_eq!(tap.service(), Some(Service::Flex));
    }
}
