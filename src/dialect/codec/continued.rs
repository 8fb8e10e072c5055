//! Two streams made one: what a second target says is joined to what a first one said before it broke.
//!
//! [`Continued`] changes what a decoder reads so that it follows the [`Seam`]; [`Adding`] lets the client
//! read what both came to; [`Recorder`] keeps events until it is known that there is something to join.
//! Invariant: the client's encoder sees one start, one open text block that goes on, block numbers used
//! once, one stop of its one choice and one end.

use super::{DecodeStream, EncodeStream, Owed, Sink, chat};
use crate::chat::{BlockStart, Delta, Event, Seam, Text};
use crate::dialect::keepalive::OpenBlock;
use crate::dialect::tap::StreamFault;
use crate::types::{Protocol, Usage};
use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

/// Reads the stream of a target that was given the beginning of its answer.
pub struct Continued {
    inner: Box<dyn DecodeStream>,
    joint: Joint,
}

/// What is left to be joined.
struct Joint {
    seam: Seam,
    /// The block of the second stream that is the first one's open block.
    adopted: Option<u32>,
    /// The first text block of the second stream.
    text_block: Option<u32>,
}

/// Writes for the first stream's client; counts are of both.
pub(super) struct Adding {
    inner: Box<dyn EncodeStream>,
    earlier: Usage,
}

/// Keeps events; clones share what is kept. Bounded by what one chunk of a stream holds, as nothing is
/// read beyond the first content.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<Vec<Event<'static>>>>);

/// Writes a client's stream beside bytes of the same protocol that pass as they are: so that it can go on
/// where they end. What the provider named is named so again.
pub fn shadow(protocol: Protocol, owed: Owed) -> Box<dyn EncodeStream> {
    match protocol {
        Protocol::Chat => Box::new(chat::Encoder::of_own(owed)),
        protocol => super::encoder(protocol, owed),
    }
}

// === impl Continued ===

impl Continued {
    pub fn new(inner: Box<dyn DecodeStream>, seam: Seam) -> Self {
        Self { inner, joint: Joint { seam, adopted: None, text_block: None } }
    }
}

impl DecodeStream for Continued {
    fn on_frame(&mut self, name: Option<&[u8]>, data: &[u8], sink: Sink<'_>) -> Result<(), StreamFault> {
        let joint = &mut self.joint;
        self.inner.on_frame(name, data, &mut |event| joint.pass(event, sink))
    }

    fn on_end(&mut self, sink: Sink<'_>) {
        let joint = &mut self.joint;
        self.inner.on_end(&mut |event| joint.pass(event, sink));
    }

    fn unknown(&self) -> u64 {
        self.inner.unknown()
    }
}

// === impl Joint ===

impl Joint {
    fn pass(&mut self, event: Event<'_>, sink: Sink<'_>) {
        match event {
            Event::BlockStart { choice: 0, block, start } => self.start(block, start, sink),
            Event::Delta { choice: 0, block, delta } => self.delta(block, delta, sink),
            Event::BlockStop { choice: 0, block } => {
                if self.adopted.is_some_and(|adopted| adopted == block) {
                    self.close(sink);
                } else {
                    sink(Event::BlockStop { choice: 0, block: self.numbered(block) });
                }
            }
            Event::Stop { choice: 0, .. } | Event::End => {
                self.close(sink);
                sink(event);
            }
            Event::Usage(_) | Event::Logprobs { choice: 0, .. } => sink(event),
            // It began long ago; and one choice only is gone on with.
            Event::Start { .. }
            | Event::BlockStart { .. }
            | Event::Delta { .. }
            | Event::BlockStop { .. }
            | Event::Stop { .. }
            | Event::Logprobs { .. } => {}
        }
    }

    fn start(&mut self, block: u32, start: BlockStart<'_>, sink: Sink<'_>) {
        let is_first_text = matches!(start, BlockStart::Text) && self.text_block.is_none();
        if is_first_text {
            self.text_block = Some(block);
        }
        if is_first_text && self.seam.open.is_some() {
            self.adopted = Some(block);
            return;
        }
        self.close(sink);
        sink(Event::BlockStart { choice: 0, block: self.numbered(block), start });
    }

    fn delta(&mut self, block: u32, delta: Delta<'_>, sink: Sink<'_>) {
        let delta = match delta {
            Delta::Text(text) if self.text_block == Some(block) => {
                let new = self.beyond_space(text);
                if new.is_empty() {
                    return;
                }
                Delta::Text(new)
            }
            delta => delta,
        };
        sink(Event::Delta { choice: 0, block: self.numbered(block), delta });
    }

    /// What of `text` the client has not seen: white space it has is said again.
    fn beyond_space<'t>(&mut self, text: Text<'t>) -> Text<'t> {
        let space = &mut self.seam.space;
        if space.is_empty() {
            return text;
        }
        let common = space.chars().zip(text.chars()).take_while(|(a, b)| a == b);
        let length: usize = common.map(|(c, _)| c.len_utf8()).sum();
        if length == text.len() {
            space.drain(..length);
        } else {
            space.clear();
        }
        match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(length..).unwrap_or_default()),
            Cow::Owned(mut text) => {
                text.drain(..length);
                Cow::Owned(text)
            }
        }
    }

    /// Ends the block that was open at the seam.
    fn close(&mut self, sink: Sink<'_>) {
        if let Some(block) = self.seam.open.take() {
            sink(Event::BlockStop { choice: 0, block });
        }
    }

    fn numbered(&self, block: u32) -> u32 {
        match (self.adopted, self.seam.open) {
            (Some(adopted), Some(open)) if adopted == block => open,
            _ => block.saturating_add(self.seam.next_block),
        }
    }
}

// === impl Adding ===

impl Adding {
    pub(super) fn new(inner: Box<dyn EncodeStream>, earlier: Usage) -> Self {
        Self { inner, earlier }
    }
}

impl EncodeStream for Adding {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Usage(usage) => self.inner.write(&Event::Usage(usage.plus(&self.earlier)), out),
            event => self.inner.write(event, out),
        }
    }

    fn open_block(&self) -> Option<OpenBlock> {
        self.inner.open_block()
    }

    fn next_sequence(&self) -> u64 {
        self.inner.next_sequence()
    }

    fn response_id(&self) -> Option<&str> {
        self.inner.response_id()
    }

    fn finished(&self) -> Option<&str> {
        self.inner.finished()
    }
}

// === impl Recorder ===

impl Recorder {
    /// What was kept so far; nothing is kept any more of it.
    pub fn take(&self) -> Vec<Event<'static>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl EncodeStream for Recorder {
    fn write(&mut self, event: &Event<'_>, _: &mut Vec<u8>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Only the last counts.
        if let (Event::Usage(_), Some(Event::Usage(_))) = (event, kept.last()) {
            kept.pop();
        }
        kept.push(event.to_static());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Progress, Stop, StopReason};

    /// Gives the events it was made of, one a frame.
    struct Script(Vec<Event<'static>>, usize);

    impl DecodeStream for Script {
        fn on_frame(&mut self, _: Option<&[u8]>, _: &[u8], sink: Sink<'_>) -> Result<(), StreamFault> {
            if let Some(event) = self.0.get(self.1) {
                sink(event.clone());
            }
            self.1 += 1;
            Ok(())
        }

        fn on_end(&mut self, _: Sink<'_>) {}

        fn unknown(&self) -> u64 {
            0
        }
    }

    fn joined(seam: Seam, events: &[Event<'static>]) -> Vec<Event<'static>> {
        let mut continued = Continued::new(Box::new(Script(events.to_vec(), 0)), seam);
        let mut all = Vec::new();
        for _ in events {
            continued.on_frame(None, b"", &mut |event| all.push(event.to_static())).unwrap();
        }
        all
    }

    fn seam(open: Option<u32>, next_block: u32, space: &str) -> Seam {
        Seam { open, next_block, space: space.into() }
    }

    fn open(block: u32) -> Event<'static> {
        Event::BlockStart { choice: 0, block, start: BlockStart::Text }
    }

    fn text(block: u32, text: &'static str) -> Event<'static> {
        Event::Delta { choice: 0, block, delta: Delta::Text(text.into()) }
    }

    fn close(block: u32) -> Event<'static> {
        Event::BlockStop { choice: 0, block }
    }

    fn ends() -> [Event<'static>; 2] {
        [Event::Stop { choice: 0, stop: Stop::new(StopReason::End) }, Event::End]
    }

    fn begun() -> Event<'static> {
        Event::Start { id: "second".into(), model: "m".into(), created: None }
    }

    #[test]
    fn the_open_block_goes_on_and_nothing_starts_twice() {
        let second = [&[begun(), open(0), text(0, "ee"), close(0)][..], &ends()].concat();
        let expected = [&[text(4, "ee"), close(4)][..], &ends()].concat();
        assert_eq!(joined(seam(Some(4), 5, ""), &second), expected);
    }

    #[test]
    fn white_space_the_client_has_is_not_said_again_however_it_is_cut() {
        let said = |space: &str, pieces: &[&'static str]| -> String {
            let mut second = vec![open(0)];
            second.extend(pieces.iter().map(|piece| text(0, piece)));
            let all = joined(seam(Some(0), 1, space), &second);
            let words = all.iter().filter_map(|event| match event {
                Event::Delta { delta: Delta::Text(text), .. } => Some(text.as_ref()),
                _ => None,
            });
            words.collect()
        };
        for pieces in [&["\n\n and"][..], &["\n", "\n and"], &["\n", "\n", " and"], &["\n\n ", "and"]] {
            assert_eq!(said("\n\n", pieces), " and", "{pieces:?}");
        }
        assert_eq!(said(" ", &["and"]), "and", "what does not repeat it is new, all of it");
        assert_eq!(said("\n\n", &["\n and"]), " and");
        assert_eq!(said("", &[" and"]), " and");
        assert_eq!(said(" ", &[" ", " and"]), " and", "only what was said is left out");
    }

    #[test]
    fn a_tool_call_behind_the_seam_closes_the_text_before_it_and_has_a_number_of_its_own() {
        let tool =
            BlockStart::ToolUse { id: "1".into(), name: "f".into(), is_custom: false, signature: None };
        let start = |block| Event::BlockStart { choice: 0, block, start: tool.clone() };
        let second = [&[start(0), close(0)][..], &ends()].concat();
        let expected = [&[close(2), start(3), close(3)][..], &ends()].concat();
        assert_eq!(joined(seam(Some(2), 3, ""), &second), expected);
    }

    #[test]
    fn an_answer_with_nothing_to_add_ends_what_is_open() {
        assert_eq!(joined(seam(Some(0), 1, ""), &ends()), [&[close(0)][..], &ends()].concat());
        assert_eq!(joined(seam(None, 1, ""), &ends()), ends());
    }

    #[test]
    fn a_stream_cut_anywhere_and_gone_on_with_says_what_it_would_have_said() {
        let words = ["one", " two\n", "\n", " three ", "four", "  five"];
        let whole = words.concat();
        for cut in 0..words.len() {
            let (before, _) = words.split_at(cut);
            let mut progress = Progress::new(1000);
            progress.note(&open(0));
            for word in before {
                let delta = Delta::Text((*word).into());
                progress.note(&Event::Delta { choice: 0, block: 0, delta });
            }
            let (said, seam) = progress.seam().unwrap();
            let rest: &'static str = whole[said.len()..].to_owned().leak();
            for at in (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)) {
                let (one, two) = rest.split_at(at);
                let second = [open(7), text(7, one), text(7, two), close(7)];
                let mut all = before.concat();
                for event in joined(seam.clone(), &second) {
                    if let Event::Delta { delta: Delta::Text(text), .. } = event {
                        all.push_str(&text);
                    }
                }
                assert_eq!(all, whole, "cut after {cut}, then after {at}");
            }
        }
    }

    #[test]
    fn what_is_recorded_is_given_once_and_of_usage_the_last() {
        let recorder = Recorder::default();
        let mut writer = recorder.clone();
        let usage = |input| Event::Usage(Usage { input, ..Usage::default() });
        for event in [usage(1), usage(2), text(0, "one")] {
            writer.write(&event, &mut Vec::new());
        }
        assert_eq!(recorder.take(), [usage(2), text(0, "one")]);
        assert_eq!(recorder.take(), []);
    }
}
