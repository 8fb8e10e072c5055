//! A stream gathered into the whole answer it amounts to.

use super::block::{Block, BlockKind, Thinking, ToolUse};
use super::event::{BlockStart, Delta, Event};
use super::response::{Choice, Response, Stop, StopReason};
use super::text::{At, Extra, Text};
use crate::types::Protocol;
use std::borrow::Cow;

/// Gathers events. For answers that must be whole (a client that did not ask for a stream, a store);
/// it grows with the answer, so its user bounds what it feeds.
pub struct Collector {
    response: Response<'static>,
    /// The decoder's number of each block, by choice: blocks stand in the order they opened.
    open: Vec<(u32, u32)>,
    is_ended: bool,
}

fn owned(text: &Text<'_>) -> Text<'static> {
    Cow::Owned(text.clone().into_owned())
}

impl Collector {
    pub fn new(from: Protocol) -> Self {
        Self { response: Response::new(from), open: Vec::new(), is_ended: false }
    }

    /// The answer so far; `true` where the stream ended as it should.
    pub fn finish(self) -> (Response<'static>, bool) {
        (self.response, self.is_ended)
    }

    pub fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Start { id, model, created } => {
                self.response.id = owned(id);
                self.response.model = owned(model);
                self.response.created = *created;
            }
            Event::BlockStart { choice, block, start } => {
                self.open.push((*choice, *block));
                let kind = opened(start);
                self.choice(*choice).blocks.push(Block::new(kind).at(At::NOWHERE));
            }
            Event::Delta { choice, block, delta } => {
                if let Some(open) = self.block(*choice, *block) {
                    add(open, delta);
                }
            }
            Event::BlockStop { .. } | Event::Logprobs { .. } => {}
            Event::Stop { choice, stop } => {
                let stop = Stop {
                    reason: stop.reason,
                    sequence: stop.sequence.as_ref().map(owned),
                    native: stop.native.as_ref().map(owned),
                };
                self.choice(*choice).stop = stop;
            }
            Event::Usage(usage) => self.response.usage = Some(*usage),
            Event::End => self.is_ended = true,
        }
    }

    fn choice(&mut self, index: u32) -> &mut Choice<'static> {
        let at = self.response.choices.iter().position(|choice| choice.index == index);
        let at = at.unwrap_or_else(|| {
            self.response.choices.push(Choice {
                index,
                blocks: Vec::new(),
                stop: Stop::new(StopReason::Error),
                logprobs: None,
                extra: Extra::none(),
            });
            self.response.choices.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "the place was just found or made")]
        &mut self.response.choices[at]
    }

    fn block(&mut self, choice: u32, block: u32) -> Option<&mut Block<'static>> {
        let place =
            self.open.iter().filter(|(of, _)| *of == choice).position(|(_, number)| *number == block)?;
        self.choice(choice).blocks.get_mut(place)
    }
}

fn opened(start: &BlockStart<'_>) -> BlockKind<'static> {
    match start {
        BlockStart::Text => BlockKind::Text { text: Cow::Borrowed(""), citations: Vec::new() },
        BlockStart::Refusal => BlockKind::Refusal(Cow::Borrowed("")),
        BlockStart::Thinking { is_summary, item_id } => BlockKind::Thinking(Thinking {
            text: Cow::Borrowed(""),
            signature: None,
            is_summary: *is_summary,
            item_id: item_id.as_ref().map(owned),
        }),
        BlockStart::ToolUse { id, name, is_custom, signature } => BlockKind::ToolUse(ToolUse {
            id: owned(id),
            name: owned(name),
            arguments: Cow::Borrowed(""),
            is_custom: *is_custom,
            signature: signature.as_ref().map(super::signature::Signature::to_static),
        }),
        BlockStart::Whole(kind) => kind.to_static(),
    }
}

fn add(block: &mut Block<'static>, delta: &Delta<'_>) {
    match (&mut block.kind, delta) {
        (BlockKind::Text { text, .. } | BlockKind::Refusal(text), Delta::Text(more)) => {
            text.to_mut().push_str(more);
        }
        (BlockKind::Thinking(thinking), Delta::Text(more)) => thinking.text.to_mut().push_str(more),
        (BlockKind::Thinking(thinking), Delta::Signature(signature)) => {
            thinking.signature = Some(signature.to_static());
        }
        (BlockKind::ToolUse(call), Delta::Arguments(more)) => call.arguments.to_mut().push_str(more),
        (BlockKind::Text { citations, .. }, Delta::Citation(citation)) => {
            citations.push(citation.to_static());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Vendor, arbitrary};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_stream_gathers_into_the_answer_it_was_made_of(
            (response, events) in arbitrary::stream(Protocol::Chat, Vendor::Anthropic)
        ) {
            let mut collector = Collector::new(Protocol::Chat);
            for event in &events {
                collector.take(event);
            }
            prop_assert_eq!(collector.finish(), (response, true));
        }
    }
}
