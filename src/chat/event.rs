//! What a model answers, piece by piece.
//!
//! Invariants a decoder keeps, and an encoder relies on: `Start` comes first and once. Of one choice
//! at most one text, thinking or refusal block is open at a time, and it is closed before the next
//! block of that choice opens; tool calls may be open beside each other. Every delta names an open
//! block; every opened block is closed before its choice stops; `Stop` comes once a choice; `End`
//! comes last and only where the provider ended the stream as it should. `Usage` may come at any
//! place, more than once: the last counts, whole.

use super::block::{BlockKind, Citation};
use super::response::Stop;
use super::signature::Signature;
use super::text::{Raw, Text};
use crate::types::Usage;

/// One step of a streamed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// What is known at the beginning; strings are empty where the provider does not say.
    Start {
        id: Text<'a>,
        model: Text<'a>,
        created: Option<u64>,
    },
    /// `block` is the decoder's number for it: counted up over the whole stream, never used twice.
    BlockStart {
        choice: u32,
        block: u32,
        start: BlockStart<'a>,
    },
    Delta {
        choice: u32,
        block: u32,
        delta: Delta<'a>,
    },
    BlockStop {
        choice: u32,
        block: u32,
    },
    /// OpenAI's log probabilities of the latest tokens, as written.
    Logprobs {
        choice: u32,
        json: Raw<'a>,
    },
    Stop {
        choice: u32,
        stop: Stop<'a>,
    },
    Usage(Usage),
    End,
}

/// What opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockStart<'a> {
    Text,
    Refusal,
    /// `item_id`: that of a Responses reasoning item.
    Thinking {
        is_summary: bool,
        item_id: Option<Text<'a>>,
    },
    ToolUse {
        id: Text<'a>,
        name: Text<'a>,
        is_custom: bool,
        signature: Option<Signature<'a>>,
    },
    /// A block that comes whole: redacted thinking, an image, an opaque one. No delta follows.
    Whole(Box<BlockKind<'a>>),
}

/// What is added to an open block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta<'a> {
    /// Of a text, thinking or refusal block.
    Text(Text<'a>),
    /// The next piece of a tool call's arguments, as text.
    Arguments(Text<'a>),
    /// The proof of a thinking block, whole; at most once a block.
    Signature(Signature<'a>),
    Citation(Citation<'a>),
}
