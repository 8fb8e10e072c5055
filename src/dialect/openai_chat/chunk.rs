//! The chunks of a chat or completions stream.
//!
//! Ended means: `[DONE]` came, or every choice seen so far gave a finish reason. Some vendors send
//! no `[DONE]`; those who do may still send usage after the last finish reason, so the end of the
//! *connection* decides, not this answer alone.

use crate::dialect::generic::cursor::{Cursor, Malformed, Read};
use crate::dialect::generic::fault::{self, ErrorFields, StreamFault};
use crate::dialect::generic::progress::Progress;
use crate::dialect::generic::text::{Listener, Text};
use crate::dialect::generic::tokens::tokens;
use crate::dialect::generic::usage;
use crate::dialect::tap::EventClass;

use super::message;

/// Listens to one stream.
#[derive(Default)]
pub(crate) struct ChatTap {
    pub(crate) progress: Progress,
    /// One bit a choice index; indexes past the last bit share it.
    seen: u128,
    finished: u128,
    is_done: bool,
}

/// What one chunk held.
#[derive(Default)]
struct Found<'a> {
    has_choices: bool,
    has_content: bool,
    has_finish: bool,
    has_usage: bool,
    /// Usage stood in it, and was read.
    is_report: bool,
    is_error_object: bool,
    is_chunk: bool,
    fault: Option<StreamFault>,
    top: ErrorFields<'a>,
}

/// Finish reasons by which a provider says that generation broke off on its side: OpenRouter and
/// Mistral, Z.ai, DeepSeek.
pub(super) fn is_failure(finish_reason: &[u8]) -> bool {
    matches!(finish_reason, b"error" | b"network_error" | b"insufficient_system_resource")
}

impl ChatTap {
    pub(crate) fn on_event(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        listener: Listener<'_>,
    ) -> EventClass {
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            self.is_done = true;
            self.progress.cover(false, false, true);
            return EventClass::Terminal;
        }
        let mut found = Found::default();
        let read = self.chunk(data, &mut found, listener);
        self.progress.cover(found.is_report, found.has_content, self.is_terminated());
        if name == Some(b"error") && found.fault.is_none() {
            let fault = fault::read_document(data);
            return EventClass::Fault(fault.unwrap_or_else(|| StreamFault::unstructured(data)));
        }
        let class = found.class(data.is_empty(), read);
        self.progress.has_content |= class == EventClass::Content;
        class
    }

    /// `[DONE]`, or a finish reason on every choice seen.
    pub(crate) fn is_terminated(&self) -> bool {
        self.is_done || (self.seen != 0 && self.seen == self.finished)
    }

    fn chunk<'a>(&mut self, data: &'a [u8], found: &mut Found<'a>, listener: Listener<'_>) -> Read<()> {
        let mut c = Cursor::new(data);
        if !c.enter(b'{')? {
            return Err(Malformed);
        }
        while let Some(key) = c.key()? {
            match key {
                b"choices" => {
                    found.is_chunk = true;
                    if c.enter(b'[')? {
                        while c.element()? {
                            self.choice(&mut c, found, listener)?;
                        }
                    }
                }
                b"usage" => found.has_usage |= self.usage(&mut c, &mut found.is_report)?,
                b"x_groq" => self.x_groq(&mut c, found)?,
                b"error" if c.peek() == Some(b'"') => {
                    if let Some(text) = c.string()?.filter(|t| !t.is_empty()) {
                        found.fault = Some(StreamFault::unstructured(text.raw()));
                    }
                }
                b"error" => found.fault = fault::read(&mut c)?.or(found.fault.take()),
                b"object" => found.is_error_object |= c.string()?.is_some_and(|t| t.raw() == b"error"),
                b"id" | b"model" | b"created" | b"system_fingerprint" | b"obfuscation" => c.skip()?,
                _ => found.top.member(key, &mut c)?,
            }
        }
        Ok(())
    }

    fn choice<'a>(&mut self, c: &mut Cursor<'a>, found: &mut Found<'a>, listener: Listener<'_>) -> Read<()> {
        let mut index = 0;
        let mut finish = None;
        let mut has_message = false;
        let mut completion: Option<Text<'a>> = None;
        found.has_choices = true;
        if !c.enter(b'{')? {
            return Ok(());
        }
        while let Some(key) = c.key()? {
            match key {
                b"delta" | b"message" => {
                    has_message = true;
                    found.has_content |= message::read(c, listener)?;
                }
                b"index" => index = tokens(c)?.unwrap_or(0),
                b"finish_reason" => finish = c.string()?.filter(|t| !t.is_empty()),
                b"text" => completion = c.string()?.filter(|t| !t.is_empty()),
                // Older Moonshot.
                b"usage" => self.usage(c, &mut found.is_report).map(|_| ())?,
                b"error" => found.fault = fault::read(c)?.or(found.fault.take()),
                _ => c.skip()?,
            }
        }
        // Together repeats the delta's text beside it.
        if let (Some(text), false) = (completion, has_message) {
            found.has_content = true;
            text.emit(listener);
        }
        self.close_choice(index, finish, found);
        Ok(())
    }

    fn close_choice<'a>(&mut self, index: u64, finish: Option<Text<'a>>, found: &mut Found<'a>) {
        let bit = 1u128 << index.min(127);
        self.seen |= bit;
        let Some(reason) = finish.map(Text::raw) else { return };
        self.finished |= bit;
        found.has_finish = true;
        if self.progress.finish.as_str().is_none() {
            self.progress.finish.set_cut(reason);
        }
        if is_failure(reason) && found.fault.is_none() {
            found.fault = Some(StreamFault::named(reason));
        }
    }

    fn usage(&mut self, c: &mut Cursor<'_>, is_report: &mut bool) -> Read<bool> {
        let is_object = c.peek() == Some(b'{');
        if let Some(usage) = usage::read(c)? {
            self.progress.report(&usage);
            *is_report = true;
        }
        Ok(is_object)
    }

    fn x_groq(&mut self, c: &mut Cursor<'_>, found: &mut Found<'_>) -> Read<()> {
        if !c.enter(b'{')? {
            return Ok(());
        }
        while let Some(key) = c.key()? {
            match key {
                b"usage" => self.usage(c, &mut found.is_report).map(|_| ())?,
                b"error" => found.fault = fault::read(c)?.or(found.fault.take()),
                _ => c.skip()?,
            }
        }
        Ok(())
    }
}

impl Found<'_> {
    fn class(self, is_empty: bool, read: Read<()>) -> EventClass {
        if let Some(fault) = self.fault {
            return EventClass::Fault(fault);
        }
        // vLLM and Mistral send the error object bare.
        if self.is_error_object || (!self.is_chunk && !self.has_usage && self.top.has_message()) {
            return EventClass::Fault(self.top.fault());
        }
        if self.has_content || self.has_finish {
            return EventClass::Content;
        }
        if read.is_err() && !is_empty {
            return EventClass::Other;
        }
        match (self.has_usage, self.has_choices) {
            (true, false) => EventClass::UsageOnly,
            _ if self.is_chunk || is_empty => EventClass::Preamble,
            _ => EventClass::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(events: &[&str]) -> (Vec<EventClass>, ChatTap) {
        let mut tap = ChatTap::default();
        let classes = events.iter().map(|e| tap.on_event(None, e.as_bytes(), &mut |_| {})).collect();
        (classes, tap)
    }

    #[test]
    fn a_whole_stream_is_classed_and_counted() {
        use EventClass::{Content, Preamble, Terminal, UsageOnly};
        let (classes, tap) = classes(&[
            r#"{"choices":[],"prompt_filter_results":[{"prompt_index":0}],"id":"","object":""}"#,
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}],"usage":null}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#,
            "[DONE]",
        ]);
        assert_eq!(classes, [Preamble, Preamble, Content, Content, UsageOnly, Terminal]);
        assert_eq!((tap.progress.usage.input, tap.progress.usage.output), (3, 1));
        assert_eq!(tap.progress.finish.as_str(), Some("stop"));
    }

    #[test]
    fn usage_in_every_chunk_is_not_added_up() {
        let chunk = |n| {
            format!(
                r#"{{"choices":[{{"delta":{{"content":"x"}}}}],"usage":{{"prompt_tokens":10,"completion_tokens":{n},"total_tokens":{}}}}}"#,
                n + 10
            )
        };
        let chunks: Vec<_> = (1..=9).map(chunk).collect();
        let (classes, tap) = classes(&chunks.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(classes.iter().all(|c| *c == EventClass::Content));
        assert_eq!(tap.progress.usage.total(), 19);
    }

    #[test]
    fn the_end_is_done_or_a_reason_on_every_choice() {
        let open = r#"{"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}"#;
        let first = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
        let second = r#"{"choices":[{"index":1,"delta":{},"finish_reason":"length"}]}"#;
        assert!(!classes(&[open]).1.is_terminated());
        assert!(!classes(&[open, first]).1.is_terminated());
        assert!(classes(&[open, first, second]).1.is_terminated());
        assert!(classes(&[open, "[DONE]"]).1.is_terminated());
        assert!(!classes(&[]).1.is_terminated());
    }

    #[test]
    fn faults_are_found_in_every_guise() {
        for (event, status) in [
            (
                r#"{"error":{"code":502,"message":"x"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#,
                502,
            ),
            (r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#, 500),
            (r#"{"object":"error","message":"x","type":"BadRequestError","code":400}"#, 400),
            (r#"{"message":"Unauthorized","request_id":"r"}"#, 500),
            (r#"{"error":"out of memory"}"#, 500),
            (r#"{"x_groq":{"error":{"type":"server_error","message":"x"}},"choices":[]}"#, 500),
        ] {
            let (classes, _) = classes(&[event]);
            assert!(
                matches!(&classes[..], [EventClass::Fault(f)] if f.status == status),
                "{event}: {classes:?}"
            );
        }
        let named = ChatTap::default().on_event(Some(b"error"), b"<html>busy", &mut |_| {});
        assert!(matches!(named, EventClass::Fault(f) if f.message == "<html>busy"));
    }

    #[test]
    fn what_is_not_a_chunk_is_passed_as_other() {
        for event in ["<html>", "{\"choices\":[{", "[1]", "{\"ping\":1}", "12"] {
            assert_eq!(classes(&[event]).0, [EventClass::Other], "{event}");
        }
        assert_eq!(classes(&["", "{\"choices\":null}"]).0, [EventClass::Preamble, EventClass::Preamble]);
    }

    #[test]
    fn completions_text_is_heard_and_not_twice_beside_a_delta() {
        let mut text = String::new();
        let mut tap = ChatTap::default();
        let mut hear = |event: &str| tap.on_event(None, event.as_bytes(), &mut |piece| text.push_str(piece));
        hear(r#"{"choices":[{"text":"a","index":0}]}"#);
        hear(r#"{"choices":[{"index":0,"text":"b","delta":{"content":"b"}}]}"#);
        assert_eq!(text, "ab");
    }
}
