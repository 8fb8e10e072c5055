//! Streams of endpoints that have no dialect of their own: images that form, transcriptions,
//! speech as events. They share OpenAI's manners: a `type`, a `usage` in the last event.

use super::cursor::{Cursor, Malformed, Read};
use super::fault::{self, StreamFault};
use super::progress::Progress;
use super::text::{Listener, Text};
use super::usage;
use crate::dialect::tap::EventClass;

/// Listens to one stream.
#[derive(Default)]
pub(crate) struct TypedTap {
    pub(crate) progress: Progress,
    is_terminated: bool,
}

impl TypedTap {
    pub(crate) fn on_event(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        listener: Listener<'_>,
    ) -> EventClass {
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            self.is_terminated = true;
            return EventClass::Terminal;
        }
        let class = match self.event(data, listener) {
            Ok(EventClass::Fault(fault)) => EventClass::Fault(fault),
            _ if name == Some(b"error") => EventClass::Fault(
                fault::read_document(data).unwrap_or_else(|| StreamFault::unstructured(data)),
            ),
            Ok(class) => class,
            Err(Malformed) if data.is_empty() => EventClass::Preamble,
            Err(Malformed) => EventClass::Other,
        };
        self.progress.has_content |= class == EventClass::Content;
        class
    }

    /// An event of type `….completed` or `….done`, or `[DONE]`.
    pub(crate) fn is_terminated(&self) -> bool {
        self.is_terminated
    }

    fn event(&mut self, data: &[u8], listener: Listener<'_>) -> Read<EventClass> {
        let mut c = Cursor::new(data);
        let mut kind: &[u8] = b"";
        let mut delta: Option<Text<'_>> = None;
        let mut has_payload = false;
        let mut fault = None;
        if !c.enter(b'{')? {
            return Err(Malformed);
        }
        while let Some(key) = c.key()? {
            match key {
                b"type" => kind = c.string()?.map(Text::raw).unwrap_or_default(),
                b"delta" => delta = c.string()?.filter(|t| !t.is_empty()),
                b"b64_json" | b"text" | b"audio" | b"url" => has_payload |= c.presence()?,
                b"usage" => {
                    if let Some(usage) = usage::read(&mut c)? {
                        self.progress.report(&usage);
                        self.progress.is_usage_final = true;
                    }
                }
                b"error" => fault = fault::read(&mut c)?,
                _ => c.skip()?,
            }
        }
        if kind == b"error" {
            fault = fault.or_else(|| fault::read_document(data));
        }
        if let Some(fault) = fault {
            return Ok(EventClass::Fault(fault));
        }
        if let Some(text) = delta.filter(|_| kind.starts_with(b"transcript.")) {
            text.emit(listener);
        }
        let is_last = kind.ends_with(b".completed") || kind.ends_with(b".done");
        self.is_terminated |= is_last;
        Ok(match (has_payload || delta.is_some(), is_last) {
            (true, _) => EventClass::Content,
            (false, true) => EventClass::Terminal,
            (false, false) => EventClass::Other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_and_transcripts_are_classed_and_counted() {
        let mut tap = TypedTap::default();
        let mut text = String::new();
        let classes: Vec<_> = [
            r#"{"type":"image_generation.partial_image","b64_json":"iVBO"}"#,
            r#"{"type":"transcript.text.delta","delta":"hi"}"#,
            r#"{"type":"image_generation.completed","b64_json":"iVBO","usage":{"input_tokens":5,"output_tokens":7,"total_tokens":12}}"#,
        ]
        .iter()
        .map(|e| tap.on_event(None, e.as_bytes(), &mut |piece| text.push_str(piece)))
        .collect();
        assert!(classes.iter().all(|c| *c == EventClass::Content));
        assert!(tap.is_terminated());
        assert_eq!((text.as_str(), tap.progress.usage.total()), ("hi", 12));
    }

    #[test]
    fn an_error_event_is_a_fault() {
        let event = br#"{"type":"error","error":{"type":"server_error","message":"x"}}"#;
        let class = TypedTap::default().on_event(None, event, &mut |_| {});
        assert!(matches!(class, EventClass::Fault(f) if f.status == 500));
    }
}
