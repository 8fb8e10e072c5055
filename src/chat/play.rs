//! A whole answer as the events it would have come in: the counterpart of [`Collector`](super::Collector).
//!
//! Invariant: the events keep the order and the pairing that encoders rely on (see [`Event`]).

use super::block::{Block, BlockKind};
use super::event::{BlockStart, Delta, Event};
use super::response::Response;
use super::text::Text;

/// Hands on the events of `response`, ended as a provider ends a stream.
pub fn play(response: &Response<'_>, sink: &mut dyn FnMut(Event<'_>)) {
    sink(Event::Start {
        id: Text::Borrowed(&response.id),
        model: Text::Borrowed(&response.model),
        created: response.created,
    });
    let mut next = 0u32;
    for choice in &response.choices {
        let mut logprobs = choice.logprobs.as_ref();
        for block in &choice.blocks {
            let mut at = Place { choice: choice.index, block: next, sink: &mut *sink };
            at.play(block);
            next = next.saturating_add(1);
            // They are of the text: behind its first block.
            if block.as_text().is_some()
                && let Some(json) = logprobs.take()
            {
                sink(Event::Logprobs { choice: choice.index, json: json.clone() });
            }
        }
        sink(Event::Stop { choice: choice.index, stop: choice.stop.clone() });
    }
    if let Some(usage) = response.usage {
        sink(Event::Usage(usage));
    }
    sink(Event::End);
}

/// The block that is played.
struct Place<'s> {
    choice: u32,
    block: u32,
    sink: &'s mut dyn FnMut(Event<'_>),
}

impl Place<'_> {
    fn play(&mut self, block: &Block<'_>) {
        match &block.kind {
            BlockKind::Text { text, citations } => {
                self.start(BlockStart::Text);
                self.text(text);
                for citation in citations {
                    self.delta(Delta::Citation(citation.clone()));
                }
            }
            BlockKind::Refusal(text) => {
                self.start(BlockStart::Refusal);
                self.text(text);
            }
            BlockKind::Thinking(thinking) => {
                let item_id = thinking.item_id.clone();
                self.start(BlockStart::Thinking { is_summary: thinking.is_summary, item_id });
                self.text(&thinking.text);
                if let Some(signature) = &thinking.signature {
                    self.delta(Delta::Signature(signature.clone()));
                }
            }
            BlockKind::ToolUse(call) => {
                self.start(BlockStart::ToolUse {
                    id: call.id.clone(),
                    name: call.name.clone(),
                    is_custom: call.is_custom,
                    signature: call.signature.clone(),
                });
                if !call.arguments.is_empty() {
                    self.delta(Delta::Arguments(Text::Borrowed(&call.arguments)));
                }
            }
            whole => self.start(BlockStart::Whole(Box::new(whole.clone()))),
        }
        (self.sink)(Event::BlockStop { choice: self.choice, block: self.block });
    }

    fn start(&mut self, start: BlockStart<'_>) {
        (self.sink)(Event::BlockStart { choice: self.choice, block: self.block, start });
    }

    fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.delta(Delta::Text(Text::Borrowed(text)));
        }
    }

    fn delta(&mut self, delta: Delta<'_>) {
        (self.sink)(Event::Delta { choice: self.choice, block: self.block, delta });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Choice, Collector, Extra, Raw, Signature, Stop, StopReason, Vendor, arbitrary};
    use crate::types::Protocol;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_played_gathers_into_the_same_answer(
            response in arbitrary::response(Protocol::Chat, Vendor::Anthropic)
        ) {
            let mut collector = Collector::new(Protocol::Chat);
            play(&response, &mut |event| collector.take(&event));
            prop_assert_eq!(collector.finish(), (response, true));
        }
    }

    #[test]
    fn choices_and_blocks_that_come_whole_are_numbered_through() {
        let signature = Signature::new(Vendor::Anthropic, "p");
        let choice = |index| Choice {
            index,
            blocks: vec![Block::text("a"), Block::new(BlockKind::Redacted(signature.clone()))],
            stop: Stop::new(StopReason::End),
            logprobs: Some(Raw(Text::Borrowed("{}"))),
            extra: Extra::none(),
        };
        let response = Response { choices: vec![choice(0), choice(1)], ..Response::new(Protocol::Chat) };
        let (mut starts, mut order) = (Vec::new(), String::new());
        play(&response, &mut |event| {
            order.push(match event {
                Event::BlockStart { choice, block, .. } => {
                    starts.push((choice, block));
                    '<'
                }
                Event::BlockStop { .. } => '>',
                Event::Logprobs { .. } => 'l',
                Event::Stop { .. } => '.',
                Event::End => '!',
                _ => '-',
            });
        });
        assert_eq!(starts, [(0, 0), (0, 1), (1, 2), (1, 3)]);
        assert_eq!(order, "-<->l<>.<->l<>.!");
    }
}
