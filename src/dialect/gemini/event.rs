//! The elements of a `streamGenerateContent` stream, from SSE or from a JSON array.
//!
//! There is no terminal event. Ended means: every candidate seen so far gave a `finishReason`, or
//! the prompt was blocked.

use crate::dialect::generic::cursor::{Cursor, Malformed, Read};
use crate::dialect::generic::fault::{self, StreamFault};
use crate::dialect::generic::progress::Progress;
use crate::dialect::generic::text::{Listener, Text};
use crate::dialect::generic::tokens::tokens;
use crate::dialect::tap::EventClass;

use super::part;
use super::usage::Told;

/// Listens to one stream.
#[derive(Default)]
pub(crate) struct GenerateTap {
    pub(crate) progress: Progress,
    pub(crate) told: Told,
    /// One bit a candidate index; indexes past the last bit share it.
    seen: u32,
    finished: u32,
    is_blocked: bool,
}

/// What one element held.
#[derive(Default)]
struct Found {
    has_content: bool,
    has_finish: bool,
    is_response: bool,
    is_report: bool,
    fault: Option<StreamFault>,
}

impl GenerateTap {
    pub(crate) fn on_event(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        listener: Listener<'_>,
    ) -> EventClass {
        let mut found = Found::default();
        let read = self.element(data, &mut found, listener);
        let class = match read {
            _ if found.fault.is_some() => found.fault.map_or(EventClass::Other, EventClass::Fault),
            _ if name == Some(b"error") => EventClass::Fault(
                fault::read_document(data).unwrap_or_else(|| StreamFault::unstructured(data)),
            ),
            _ if found.has_content => EventClass::Content,
            Ok(()) if found.has_finish => EventClass::Terminal,
            Ok(()) if found.is_response => EventClass::Preamble,
            Err(Malformed) if data.trim_ascii().is_empty() => EventClass::Preamble,
            _ => EventClass::Other,
        };
        self.progress.has_content |= class == EventClass::Content;
        class
    }

    pub(crate) fn is_terminated(&self) -> bool {
        self.is_blocked || (self.seen != 0 && self.seen == self.finished)
    }

    fn element(&mut self, data: &[u8], found: &mut Found, listener: Listener<'_>) -> Read<()> {
        let mut c = Cursor::new(data);
        if !c.enter(b'{')? {
            return Err(Malformed);
        }
        while let Some(key) = c.key()? {
            match key {
                b"candidates" => {
                    found.is_response = true;
                    if c.enter(b'[')? {
                        while c.element()? {
                            self.candidate(&mut c, found, listener)?;
                        }
                    }
                }
                b"usageMetadata" => {
                    found.is_response = true;
                    self.told.read(&mut c)?;
                    found.is_report = self.told.usage().is_some();
                    self.progress.has_usage |= found.is_report;
                }
                b"promptFeedback" => self.feedback(&mut c, found)?,
                b"error" => found.fault = fault::read(&mut c)?.or(found.fault.take()),
                b"modelVersion" | b"responseId" => {
                    found.is_response = true;
                    c.skip()?;
                }
                _ => c.skip()?,
            }
        }
        self.progress.cover(found.is_report, found.has_content, self.is_terminated());
        Ok(())
    }

    fn candidate(&mut self, c: &mut Cursor<'_>, found: &mut Found, listener: Listener<'_>) -> Read<()> {
        let mut index = 0;
        let mut finish: &[u8] = b"";
        if !c.enter(b'{')? {
            return Ok(());
        }
        while let Some(key) = c.key()? {
            match key {
                b"content" => found.has_content |= part::read_content(c, listener)?,
                b"index" => index = tokens(c)?.unwrap_or(0),
                b"finishReason" if c.peek() == Some(b'"') => {
                    finish = c.string()?.map(Text::raw).unwrap_or_default();
                }
                // Some Vertex answers give the number of the enum; zero is "unspecified".
                b"finishReason" if c.peek().is_some_and(|b| matches!(b, b'1'..=b'9')) => {
                    finish = c.scalar()?;
                }
                _ => c.skip()?,
            }
        }
        let bit = 1u32 << index.min(31);
        self.seen |= bit;
        if !is_unset(finish) {
            self.finished |= bit;
            found.has_finish = true;
            self.stopped(finish);
        }
        Ok(())
    }

    fn feedback(&mut self, c: &mut Cursor<'_>, found: &mut Found) -> Read<()> {
        found.is_response = true;
        if !c.enter(b'{')? {
            return Ok(());
        }
        while let Some(key) = c.key()? {
            match key {
                b"blockReason" => {
                    let reason = c.string()?.map(Text::raw).unwrap_or_default();
                    if !is_unset(reason) {
                        self.is_blocked = true;
                        found.has_finish = true;
                        self.stopped(reason);
                    }
                }
                _ => c.skip()?,
            }
        }
        Ok(())
    }

    fn stopped(&mut self, reason: &[u8]) {
        if self.progress.finish.as_str().is_none() {
            self.progress.finish.set_cut(reason);
        }
    }
}

fn is_unset(reason: &[u8]) -> bool {
    reason.is_empty() || reason.ends_with(b"_UNSPECIFIED")
}

#[cfg(test)]
mod tests {
    use super::*;
    use EventClass::{Content, Other, Preamble, Terminal};

    fn hear(events: &[&str]) -> (Vec<EventClass>, String, GenerateTap) {
        let mut tap = GenerateTap::default();
        let mut text = String::new();
        let classes = events
            .iter()
            .map(|data| tap.on_event(None, data.as_bytes(), &mut |piece| text.push_str(piece)))
            .collect();
        (classes, text, tap)
    }

    #[test]
    fn a_whole_stream_is_classed_and_counted() {
        let (classes, text, tap) = hear(&[
            r#"{"candidates":[{"content":{"role":"model","parts":[{"text":""}]}}],"usageMetadata":{"trafficType":"X"}}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"hi"}]}}],"usageMetadata":{"promptTokenCount":4}}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":1}}"#,
        ]);
        assert_eq!(classes, [Preamble, Content, Terminal]);
        assert_eq!(text, "hi");
        assert!(tap.is_terminated() && tap.progress.is_usage_final);
        assert_eq!(tap.progress.finish.as_str(), Some("STOP"));
    }

    #[test]
    fn the_end_needs_a_reason_on_every_candidate() {
        let open = r#"{"candidates":[{"index":0,"content":{"parts":[{"text":"a"}]}},{"index":1,"content":{"parts":[{"text":"b"}]}}]}"#;
        let first = r#"{"candidates":[{"index":0,"finishReason":"STOP"}]}"#;
        let second =
            r#"{"candidates":[{"index":1,"content":{"parts":[{"text":"c"}]},"finishReason":"MAX_TOKENS"}]}"#;
        assert!(!hear(&[open, first]).2.is_terminated());
        let (classes, _, tap) = hear(&[open, first, second]);
        assert_eq!(classes, [Content, Terminal, Content]);
        assert!(tap.is_terminated());
    }

    #[test]
    fn a_reason_may_be_the_number_of_its_enum() {
        let (_, _, tap) =
            hear(&[r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":1}]}"#]);
        assert!(tap.is_terminated());
        assert!(!hear(&[r#"{"candidates":[{"finishReason":0}]}"#]).2.is_terminated());
    }

    #[test]
    fn a_blocked_prompt_ends_the_stream() {
        let (classes, _, tap) =
            hear(&[r#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4}}"#]);
        assert_eq!(classes, [Terminal]);
        assert!(tap.is_terminated());
        assert_eq!(tap.progress.finish.as_str(), Some("SAFETY"));
    }

    #[test]
    fn errors_are_faults_with_their_own_status() {
        let (classes, _, _) =
            hear(&[r#"{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}"#]);
        assert!(matches!(&classes[..], [EventClass::Fault(f)] if f.status == 503 && f.code == "UNAVAILABLE"));
    }

    #[test]
    fn what_is_unknown_is_passed() {
        assert_eq!(hear(&["{\"x\":1}", "nonsense", "{\"candidates\":[{"]).0, [Other, Other, Other]);
    }
}
