//! Events that outlive the frame they were read from.

use super::block::BlockKind;
use super::event::{BlockStart, Delta, Event};
use super::response::Stop;
use super::signature::Signature;
use super::text::Text;
use std::borrow::Cow;

fn text(text: &Text<'_>) -> Text<'static> {
    Cow::Owned(text.as_ref().to_owned())
}

impl Event<'_> {
    pub fn to_static(&self) -> Event<'static> {
        match self {
            Event::Start { id, model, created } => {
                Event::Start { id: text(id), model: text(model), created: *created }
            }
            Event::BlockStart { choice, block, start } => {
                Event::BlockStart { choice: *choice, block: *block, start: start.to_static() }
            }
            Event::Delta { choice, block, delta } => {
                Event::Delta { choice: *choice, block: *block, delta: delta.to_static() }
            }
            Event::BlockStop { choice, block } => Event::BlockStop { choice: *choice, block: *block },
            Event::Logprobs { choice, json } => Event::Logprobs { choice: *choice, json: json.to_static() },
            Event::Stop { choice, stop } => Event::Stop { choice: *choice, stop: stop.to_static() },
            Event::Usage(usage) => Event::Usage(*usage),
            Event::End => Event::End,
        }
    }
}

impl BlockStart<'_> {
    fn to_static(&self) -> BlockStart<'static> {
        match self {
            BlockStart::Text => BlockStart::Text,
            BlockStart::Refusal => BlockStart::Refusal,
            BlockStart::Thinking { is_summary, item_id } => {
                BlockStart::Thinking { is_summary: *is_summary, item_id: item_id.as_ref().map(text) }
            }
            BlockStart::ToolUse { id, name, is_custom, signature } => BlockStart::ToolUse {
                id: text(id),
                name: text(name),
                is_custom: *is_custom,
                signature: signature.as_ref().map(Signature::to_static),
            },
            BlockStart::Whole(kind) => BlockStart::Whole(Box::new(BlockKind::to_static(kind))),
        }
    }
}

impl Delta<'_> {
    fn to_static(&self) -> Delta<'static> {
        match self {
            Delta::Text(words) => Delta::Text(text(words)),
            Delta::Arguments(words) => Delta::Arguments(text(words)),
            Delta::Signature(signature) => Delta::Signature(signature.to_static()),
            Delta::Citation(citation) => Delta::Citation(citation.to_static()),
        }
    }
}

impl Stop<'_> {
    fn to_static(&self) -> Stop<'static> {
        Stop {
            reason: self.reason,
            sequence: self.sequence.as_ref().map(text),
            native: self.native.as_ref().map(text),
        }
    }
}
