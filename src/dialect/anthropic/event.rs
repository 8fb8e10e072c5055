//! The events of a Messages stream.
//!
//! The event's `type` member decides, the SSE name only where it is missing. Ended means
//! `message_stop`; `error` is a fault.

use crate::dialect::generic::cursor::{Cursor, Malformed, Read};
use crate::dialect::generic::fault::{self, StreamFault};
use crate::dialect::generic::progress::Progress;
use crate::dialect::generic::text::{Listener, Text};
use crate::dialect::tap::EventClass;

use super::block;
use super::usage::Told;

/// Listens to one stream.
#[derive(Default)]
pub(crate) struct MessagesTap {
    pub(crate) progress: Progress,
    pub(crate) told: Told,
    is_terminated: bool,
}

/// The members of one event, unread where reading depends on the type.
#[derive(Default)]
struct Parts<'a> {
    kind: Option<Text<'a>>,
    message: Option<Cursor<'a>>,
    block: Option<Cursor<'a>>,
    delta: Option<Cursor<'a>>,
    usage: Option<Cursor<'a>>,
    error: Option<StreamFault>,
}

impl MessagesTap {
    pub(crate) fn on_event(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        listener: Listener<'_>,
    ) -> EventClass {
        let class = match Parts::read(data) {
            Ok(parts) => self.classify(name, parts, data, listener).unwrap_or(EventClass::Other),
            Err(Malformed) => match name {
                Some(b"error") => EventClass::Fault(StreamFault::unstructured(data)),
                _ if data.trim_ascii().is_empty() => EventClass::Preamble,
                _ => EventClass::Other,
            },
        };
        self.progress.has_content |= class == EventClass::Content;
        class
    }

    pub(crate) fn is_terminated(&self) -> bool {
        self.is_terminated
    }

    fn classify(
        &mut self,
        name: Option<&[u8]>,
        parts: Parts<'_>,
        data: &[u8],
        listener: Listener<'_>,
    ) -> Read<EventClass> {
        match parts.kind.map(Text::raw).or(name).unwrap_or_default() {
            b"content_block_delta" => content(parts.delta, listener),
            b"content_block_start" => content(parts.block, listener),
            b"content_block_stop" | b"ping" => Ok(EventClass::Preamble),
            b"message_start" => {
                if let Some(mut message) = parts.message {
                    self.message_usage(&mut message)?;
                }
                Ok(EventClass::Preamble)
            }
            b"message_delta" => self.message_delta(parts),
            b"message_stop" => {
                self.is_terminated = true;
                Ok(EventClass::Terminal)
            }
            b"error" => {
                let fault = parts.error.or_else(|| fault::read_document(data));
                Ok(EventClass::Fault(fault.unwrap_or_else(|| StreamFault::unstructured(data))))
            }
            _ => Ok(parts.error.map_or(EventClass::Other, EventClass::Fault)),
        }
    }

    /// Anthropic's `message_start` counts the input and only begins to count the output.
    fn message_usage(&mut self, message: &mut Cursor<'_>) -> Read<()> {
        if !message.enter(b'{')? {
            return Ok(());
        }
        while let Some(key) = message.key()? {
            match key {
                b"usage" => self.told.read(message)?,
                _ => message.skip()?,
            }
        }
        self.progress.has_usage |= self.told.usage().is_some();
        Ok(())
    }

    fn message_delta(&mut self, parts: Parts<'_>) -> Read<EventClass> {
        if let Some(mut usage) = parts.usage {
            self.told.read(&mut usage)?;
            self.progress.has_usage |= self.told.usage().is_some();
            self.progress.is_usage_final |= self.progress.has_usage;
        }
        let Some(mut delta) = parts.delta else { return Ok(EventClass::Preamble) };
        let mut has_reason = false;
        if delta.enter(b'{')? {
            while let Some(key) = delta.key()? {
                match key {
                    b"stop_reason" => {
                        let reason = delta.string()?.map(Text::raw).unwrap_or_default();
                        has_reason |= !reason.is_empty();
                        self.progress.finish.set_cut(reason);
                    }
                    _ => delta.skip()?,
                }
            }
        }
        Ok(if has_reason { EventClass::Content } else { EventClass::Preamble })
    }
}

fn content(block: Option<Cursor<'_>>, listener: Listener<'_>) -> Read<EventClass> {
    let Some(mut block) = block else { return Ok(EventClass::Preamble) };
    Ok(if block::read(&mut block, listener)? { EventClass::Content } else { EventClass::Preamble })
}

impl<'a> Parts<'a> {
    fn read(data: &'a [u8]) -> Read<Self> {
        let mut c = Cursor::new(data);
        let mut parts = Parts::default();
        if !c.enter(b'{')? {
            return Err(Malformed);
        }
        while let Some(key) = c.key()? {
            let place = c;
            match key {
                b"type" => {
                    parts.kind = c.string()?;
                    continue;
                }
                b"error" => {
                    parts.error = fault::read(&mut c)?.or(parts.error.take());
                    continue;
                }
                b"message" => parts.message = Some(place),
                b"content_block" => parts.block = Some(place),
                b"delta" => parts.delta = Some(place),
                b"usage" => parts.usage = Some(place),
                _ => {}
            }
            c.skip()?;
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EventClass::{Content, Other, Preamble, Terminal};

    fn hear(events: &[&str]) -> (Vec<EventClass>, String, MessagesTap) {
        let mut tap = MessagesTap::default();
        let mut text = String::new();
        let classes = events
            .iter()
            .map(|data| tap.on_event(None, data.as_bytes(), &mut |piece| text.push_str(piece)))
            .collect();
        (classes, text, tap)
    }

    #[test]
    fn a_whole_stream_is_classed_and_counted_without_event_names() {
        let (classes, text, tap) = hear(&[
            r#"{"type":"message_start","message":{"id":"m","usage":{"input_tokens":5,"cache_read_input_tokens":7,"output_tokens":1}}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type": "ping"}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}  }"#,
            r#"{"type":"message_stop"   }"#,
        ]);
        assert_eq!(classes, [Preamble, Preamble, Preamble, Content, Preamble, Content, Terminal]);
        assert_eq!(text, "hi");
        let usage = tap.told.usage().unwrap();
        assert_eq!((usage.input, usage.output), (12, 3));
        assert_eq!(tap.progress.finish.as_str(), Some("end_turn"));
        assert!(tap.is_terminated() && tap.progress.is_usage_final);
    }

    #[test]
    fn usage_of_the_start_alone_is_not_final() {
        let (_, _, tap) =
            hear(&[r#"{"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1}}}"#]);
        assert!(tap.progress.has_usage && !tap.progress.is_usage_final);
    }

    #[test]
    fn errors_are_faults_by_type_or_by_name() {
        let (classes, _, _) =
            hear(&[r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#]);
        assert!(matches!(&classes[..], [EventClass::Fault(f)] if f.status == 529));
        let named = MessagesTap::default().on_event(Some(b"error"), b"upstream died", &mut |_| {});
        assert!(matches!(named, EventClass::Fault(f) if f.message == "upstream died"));
    }

    #[test]
    fn what_is_unknown_is_passed() {
        assert_eq!(hear(&["[DONE]", r#"{"type":"new_event"}"#, "{"]).0, [Other, Other, Other]);
    }
}
