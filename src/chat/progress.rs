//! What a stream has said so far, as long as another target could go on with it.
//!
//! Only plain text of one choice can be gone on with: a tool call, thinking, a refusal, citations or log
//! probabilities cannot be handed over as the beginning of an answer. Invariant: [`Progress::text`] is
//! what the client was sent, byte for byte; its length is bounded, beyond that nothing is kept.

use super::event::{BlockStart, Delta, Event};

/// Follows one stream.
#[derive(Debug)]
pub struct Progress {
    text: String,
    bytes_max: usize,
    /// Something came that cannot be handed over.
    is_lost: bool,
    /// The text block that is open.
    open: Option<u32>,
    /// The number of the next block.
    next_block: u32,
}

/// Where a stream is gone on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seam {
    /// The text block that is open.
    pub open: Option<u32>,
    /// The number of the next block.
    pub next_block: u32,
    /// White space at the end of the text. It is not handed over, as some targets refuse it and others
    /// drop it, so the answer that goes on is expected to begin with it.
    pub space: String,
}

impl Progress {
    /// Keeps at most `bytes_max` bytes of text.
    pub fn new(bytes_max: usize) -> Self {
        Self { text: String::new(), bytes_max, is_lost: false, open: None, next_block: 0 }
    }

    pub fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Start { .. } | Event::Usage(_) => {}
            Event::BlockStart { choice: 0, block, start } => {
                self.next_block = self.next_block.max(block.saturating_add(1));
                match start {
                    BlockStart::Text => self.open = Some(*block),
                    _ => self.lose(),
                }
            }
            Event::Delta { choice: 0, delta: Delta::Text(text), .. } if !self.is_lost => {
                if self.text.len() + text.len() > self.bytes_max {
                    return self.lose();
                }
                self.text.push_str(text);
            }
            Event::Delta { choice: 0, .. } | Event::Logprobs { .. } => self.lose(),
            Event::BlockStop { choice: 0, block } => self.open = self.open.filter(|open| open != block),
            // All is said: nothing is left to go on with.
            Event::Stop { .. } | Event::End => self.lose(),
            Event::BlockStart { .. } | Event::Delta { .. } | Event::BlockStop { .. } => self.lose(),
        }
    }

    fn lose(&mut self) {
        self.is_lost = true;
        self.text = String::new();
    }

    /// The text so far, without white space at its end, and where it is gone on with. None where it
    /// cannot be.
    pub fn seam(&self) -> Option<(&str, Seam)> {
        if self.is_lost {
            return None;
        }
        let said = self.text.trim_end();
        let space = self.text.get(said.len()..).unwrap_or_default().to_owned();
        Some((said, Seam { open: self.open, next_block: self.next_block, space }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Stop, StopReason};

    fn start(block: u32, start: BlockStart<'static>) -> Event<'static> {
        Event::BlockStart { choice: 0, block, start }
    }

    fn text(block: u32, text: &'static str) -> Event<'static> {
        Event::Delta { choice: 0, block, delta: Delta::Text(text.into()) }
    }

    fn of(events: &[Event<'_>]) -> Progress {
        let mut progress = Progress::new(10);
        events.iter().for_each(|event| progress.note(event));
        progress
    }

    #[test]
    fn plain_text_is_kept_and_its_last_white_space_apart() {
        let progress = of(&[start(3, BlockStart::Text), text(3, "one"), text(3, " two\n ")]);
        let seam = Seam { open: Some(3), next_block: 4, space: "\n ".into() };
        assert_eq!(progress.seam(), Some(("one two", seam)));
    }

    #[test]
    fn text_up_to_the_bound_is_kept_and_not_a_byte_more() {
        assert_eq!(of(&[start(0, BlockStart::Text), text(0, "0123456789")]).seam().unwrap().0, "0123456789");
        let over = of(&[start(0, BlockStart::Text), text(0, "0123456789"), text(0, "0")]);
        assert_eq!(over.seam(), None);
        assert_eq!(over.text.capacity(), 0, "nothing is held for what cannot be gone on with");
    }

    #[test]
    fn what_is_no_plain_text_of_one_choice_cannot_be_gone_on_with() {
        let tool =
            BlockStart::ToolUse { id: "1".into(), name: "f".into(), is_custom: false, signature: None };
        let thinking = BlockStart::Thinking { is_summary: false, item_id: None };
        let other = Event::BlockStart { choice: 1, block: 1, start: BlockStart::Text };
        let odd = [start(1, tool), start(1, thinking), start(1, BlockStart::Refusal), other];
        for event in odd {
            let progress = of(&[start(0, BlockStart::Text), text(0, "one"), event.clone()]);
            assert_eq!(progress.seam(), None, "{event:?}");
        }
    }

    #[test]
    fn an_answer_that_has_stopped_has_nothing_to_go_on_with() {
        let stop = Event::Stop { choice: 0, stop: Stop::new(StopReason::End) };
        let all =
            [start(0, BlockStart::Text), text(0, "one"), Event::BlockStop { choice: 0, block: 0 }, stop];
        assert_eq!(of(&all).seam(), None);
    }

    #[test]
    fn a_closed_block_leaves_none_open() {
        let progress =
            of(&[start(0, BlockStart::Text), text(0, "one"), Event::BlockStop { choice: 0, block: 0 }]);
        assert_eq!(progress.seam().unwrap().1, Seam { open: None, next_block: 1, space: String::new() });
    }
}
