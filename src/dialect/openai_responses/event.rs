//! The events of a Responses stream.
//!
//! The event's `type` member decides, the SSE name only where it is missing. Ended means
//! `response.completed`, `response.incomplete` or `response.cancelled`; `response.failed` and a
//! bare `error` are faults. Usage is read from those only.

use crate::dialect::generic::cursor::{Cursor, Malformed, Read};
use crate::dialect::generic::fault::{self, ErrorFields, StreamFault};
use crate::dialect::generic::label::Label;
use crate::dialect::generic::progress::Progress;
use crate::dialect::generic::text::{Listener, Text, texts};
use crate::dialect::tap::EventClass;

use super::body;
use super::item;

/// Listens to one stream.
#[derive(Default)]
pub(crate) struct ResponsesTap {
    pub(crate) progress: Progress,
    /// Whole or absent: a response is looked up by it.
    pub(crate) response_id: Label<120>,
    is_terminated: bool,
    /// One bit for each kind of text that came as deltas: its `.done` then only repeats it.
    heard_as_deltas: u8,
    has_text: bool,
}

/// The members of one event, unread where reading depends on the type.
#[derive(Default)]
struct Parts<'a> {
    kind: &'a [u8],
    delta: Option<Cursor<'a>>,
    /// `text`, `arguments`, `refusal`, `input`, `code` of a `.done` event.
    whole: Option<Cursor<'a>>,
    /// `item` or `part`.
    piece: Option<Cursor<'a>>,
    response: Option<Cursor<'a>>,
    error: Option<StreamFault>,
    fields: ErrorFields<'a>,
}

impl ResponsesTap {
    pub(crate) fn on_event(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        listener: Listener<'_>,
    ) -> EventClass {
        let data = data.trim_ascii();
        match data {
            b"" => return EventClass::Preamble,
            // OpenRouter ends its Responses streams as chat streams; it is no end by itself.
            b"[DONE]" if self.is_terminated => return EventClass::Terminal,
            b"[DONE]" => return EventClass::Other,
            _ => {}
        }
        let class = match Parts::read(data, name.unwrap_or_default()) {
            Ok(parts) => self.classify(parts, data, listener).unwrap_or(EventClass::Other),
            Err(Malformed) if name == Some(b"error") => EventClass::Fault(StreamFault::unstructured(data)),
            Err(Malformed) => EventClass::Other,
        };
        self.progress.has_content |= class == EventClass::Content;
        class
    }

    pub(crate) fn is_terminated(&self) -> bool {
        self.is_terminated
    }

    fn classify(&mut self, parts: Parts<'_>, data: &[u8], listener: Listener<'_>) -> Read<EventClass> {
        match parts.kind {
            b"response.created" | b"response.in_progress" | b"response.queued" | b"ping" | b"keepalive" => {
                if let Some(mut response) = parts.response {
                    body::response_id(&mut response, &mut self.response_id)?;
                }
                Ok(EventClass::Preamble)
            }
            b"response.completed" | b"response.incomplete" | b"response.cancelled" | b"response.failed" => {
                self.on_end(parts, listener)
            }
            b"error" => {
                let fault = parts.error.or_else(|| fault::read_document(data));
                Ok(EventClass::Fault(fault.unwrap_or_else(|| parts.fields.fault())))
            }
            b"response.output_item.added"
            | b"response.content_part.added"
            | b"response.reasoning_summary_part.added" => {
                let is_item = parts.kind == b"response.output_item.added";
                let is_frame = match parts.piece {
                    Some(mut item) if is_item => item::is_frame(&mut item)?,
                    Some(mut part) => !texts(&mut part, &mut |_| {})?,
                    None => true,
                };
                Ok(if is_frame { EventClass::Preamble } else { EventClass::Content })
            }
            kind if kind.ends_with(b".delta") => self.on_delta(kind, parts.delta, listener),
            kind if kind.ends_with(b".done") => self.on_done(kind, parts.whole, listener),
            kind if kind.starts_with(b"response.") => Ok(EventClass::Content),
            _ => Ok(parts.error.map_or(EventClass::Other, EventClass::Fault)),
        }
    }

    fn on_delta(
        &mut self,
        kind: &[u8],
        delta: Option<Cursor<'_>>,
        listener: Listener<'_>,
    ) -> Read<EventClass> {
        let Some(mut delta) = delta else { return Ok(EventClass::Preamble) };
        // Sound as base64 is no text; its transcript comes beside it.
        let is_sound = kind == b"response.audio.delta" || kind == b"response.output_audio.delta";
        let found = if is_sound { delta.presence()? } else { texts(&mut delta, listener)? };
        if found && !is_sound {
            self.has_text = true;
            self.heard_as_deltas |= text_kind(kind);
        }
        Ok(if found { EventClass::Content } else { EventClass::Preamble })
    }

    /// `.done` repeats what its deltas said; some vendors send only the `.done`. Calls of one
    /// response interleave, so a kind that ever came as deltas is taken to always come so.
    fn on_done(
        &mut self,
        kind: &[u8],
        whole: Option<Cursor<'_>>,
        listener: Listener<'_>,
    ) -> Read<EventClass> {
        if let (Some(mut whole), 0) = (whole, self.heard_as_deltas & text_kind(kind)) {
            self.has_text |= texts(&mut whole, listener)?;
        }
        Ok(EventClass::Content)
    }

    fn on_end(&mut self, parts: Parts<'_>, listener: Listener<'_>) -> Read<EventClass> {
        let mut end = body::Ending::default();
        if let Some(mut response) = parts.response {
            body::ending(&mut response, &mut end, &mut self.response_id)?;
        }
        if let Some(usage) = end.usage {
            self.progress.report(&usage);
            self.progress.is_usage_final = true;
        }
        let is_failed = parts.kind == b"response.failed" || end.is_failed;
        if is_failed {
            return Ok(EventClass::Fault(
                end.fault.or(parts.error).unwrap_or_else(|| StreamFault::named(b"server_error")),
            ));
        }
        if let (None, false, Some(mut output)) = (end.usage, self.has_text, end.output) {
            body::items(&mut output, listener)?;
        }
        self.is_terminated = true;
        let status = parts.kind.strip_prefix(b"response.").unwrap_or(parts.kind);
        self.progress.finish.set_cut(end.reason.map_or(status, Text::raw));
        Ok(EventClass::Terminal)
    }
}

impl<'a> Parts<'a> {
    /// `name` must not outlive `data` here: the kind of an event without `type` is looked up among
    /// the few names that matter.
    fn read(data: &'a [u8], name: &[u8]) -> Read<Self> {
        let mut c = Cursor::new(data);
        let mut parts = Parts::default();
        if !c.enter(b'{')? {
            return Err(Malformed);
        }
        while let Some(key) = c.key()? {
            match key {
                b"type" => parts.kind = c.string()?.map(Text::raw).unwrap_or_default(),
                b"delta" => parts.delta = Some(bookmark(&mut c)?),
                b"text" | b"arguments" | b"refusal" | b"input" | b"code" | b"transcript"
                    if c.peek() == Some(b'"') =>
                {
                    let mut error_code = c;
                    parts.whole = Some(bookmark(&mut c)?);
                    if key == b"code" {
                        parts.fields.member(key, &mut error_code)?;
                    }
                }
                b"item" | b"part" => parts.piece = Some(bookmark(&mut c)?),
                b"response" => parts.response = Some(bookmark(&mut c)?),
                b"error" => parts.error = fault::read(&mut c)?.or(parts.error.take()),
                b"message" | b"code" => parts.fields.member(key, &mut c)?,
                _ => c.skip()?,
            }
        }
        if parts.kind.is_empty() {
            parts.kind = known_kind(name);
        }
        Ok(parts)
    }
}

/// The bit of the text that an event's deltas and `.done` carry.
fn text_kind(kind: &[u8]) -> u8 {
    let stem = kind.strip_suffix(b".delta").or_else(|| kind.strip_suffix(b".done")).unwrap_or(kind);
    match stem {
        b"response.output_text" => 1,
        b"response.function_call_arguments" => 2,
        b"response.reasoning_text" => 4,
        b"response.reasoning_summary_text" => 8,
        b"response.refusal" => 16,
        b"response.custom_tool_call_input" => 32,
        _ => 64,
    }
}

/// Steps over a value, keeping its place.
fn bookmark<'a>(c: &mut Cursor<'a>) -> Read<Cursor<'a>> {
    let place = *c;
    c.skip()?;
    Ok(place)
}

/// The event names that decide something, for events that carry their type in the SSE name only.
fn known_kind(name: &[u8]) -> &'static [u8] {
    const KINDS: [&[u8]; 10] = [
        b"error",
        b"response.created",
        b"response.in_progress",
        b"response.completed",
        b"response.incomplete",
        b"response.cancelled",
        b"response.failed",
        b"response.output_text.delta",
        b"response.function_call_arguments.delta",
        b"response.output_text.done",
    ];
    KINDS.into_iter().find(|kind| *kind == name).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use EventClass::{Content, Other, Preamble, Terminal};

    fn hear(events: &[(&str, &str)]) -> (Vec<EventClass>, String, ResponsesTap) {
        let mut tap = ResponsesTap::default();
        let mut text = String::new();
        let classes = events
            .iter()
            .map(|(name, data)| {
                let name = (!name.is_empty()).then_some(name.as_bytes());
                tap.on_event(name, data.as_bytes(), &mut |piece| text.push_str(piece))
            })
            .collect();
        (classes, text, tap)
    }

    #[test]
    fn a_whole_stream_is_classed_and_counted() {
        let (classes, text, tap) = hear(&[
            (
                "",
                r#"{"type":"response.created","response":{"id":"resp_1","status":"in_progress","usage":null}}"#,
            ),
            ("", r#"{"type":"response.output_item.added","item":{"type":"message","content":[]}}"#),
            ("", r#"{"type":"response.content_part.added","part":{"type":"output_text","text":""}}"#),
            ("", r#"{"delta":"h\n","type":"response.output_text.delta","obfuscation":"x"}"#),
            ("response.output_text.delta", r#"{"delta":"i"}"#),
            ("", r#"{"type":"response.output_text.done","text":"h\ni"}"#),
            (
                "",
                r#"{"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[],"usage":{"input_tokens":9,"output_tokens":2,"total_tokens":11,"output_tokens_details":{"reasoning_tokens":1}}}}"#,
            ),
        ]);
        assert_eq!(classes, [Preamble, Preamble, Preamble, Content, Content, Content, Terminal]);
        assert_eq!(text, "h\ni");
        assert_eq!(tap.response_id.as_str(), Some("resp_1"));
        assert!(tap.is_terminated() && tap.progress.usage.reasoning == 1);
    }

    #[test]
    fn arguments_that_come_only_when_done_are_heard_once() {
        let (_, text, _) = hear(&[
            ("", r#"{"type":"response.output_text.delta","delta":"t"}"#),
            ("", r#"{"type":"response.reasoning_text.delta","delta":"r"}"#),
            ("", r#"{"type":"response.function_call_arguments.done","arguments":"{1}"}"#),
            ("", r#"{"type":"response.function_call_arguments.done","arguments":"{2}"}"#),
            ("", r#"{"type":"response.output_text.done","text":"t"}"#),
            ("", r#"{"type":"response.reasoning_text.done","text":"r"}"#),
        ]);
        assert_eq!(text, "tr{1}{2}");
    }

    #[test]
    fn an_answer_given_only_at_the_end_is_heard_there() {
        let (_, text, _) = hear(&[(
            "",
            r#"{"type":"response.completed","response":{"output":[{"type":"message","content":[{"type":"output_text","text":"late"}]}]}}"#,
        )]);
        assert_eq!(text, "late");
    }

    #[test]
    fn failures_are_faults_and_never_an_end() {
        for (event, status) in [
            (
                r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"rate_limit_exceeded","message":"x"}}}"#,
                429,
            ),
            (
                r#"{"type":"response.completed","response":{"status":"failed","error":{"code":"server_error","message":"x"}}}"#,
                500,
            ),
            (r#"{"type":"error","code":"rate_limit_exceeded","message":"x","param":null}"#, 429),
            (r#"{"type":"error","error":{"type":"insufficient_quota","message":"x"}}"#, 429),
            (r#"{"error":{"code":503,"message":"x"}}"#, 503),
        ] {
            let (classes, _, tap) = hear(&[("", event)]);
            assert!(
                matches!(&classes[..], [EventClass::Fault(f)] if f.status == status),
                "{event}: {classes:?}"
            );
            assert!(!tap.is_terminated());
        }
    }

    #[test]
    fn an_incomplete_response_ends_and_says_why() {
        let (classes, _, tap) = hear(&[(
            "",
            r#"{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}}"#,
        )]);
        assert_eq!(classes, [Terminal]);
        assert_eq!(tap.progress.finish.as_str(), Some("max_output_tokens"));
    }

    #[test]
    fn what_is_unknown_is_passed_and_done_ends_nothing_by_itself() {
        assert_eq!(
            hear(&[("", "[DONE]"), ("", "{\"type\":\"vendor.x\"}"), ("", "<p>")]).0,
            [Other, Other, Other]
        );
        assert!(!hear(&[("", "[DONE]")]).2.is_terminated());
    }

    #[test]
    fn sound_is_content_but_no_text() {
        let (classes, text, _) = hear(&[("", r#"{"type":"response.audio.delta","delta":"UklGRg=="}"#)]);
        assert_eq!((classes, text.as_str()), (vec![Content], ""));
    }
}
