//! What a model answered, whole.

use super::block::Block;
use super::text::{Extra, Raw, Text};
use crate::types::{Protocol, Usage};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// The protocol it was read from; every [`Extra`] in it is this protocol's.
    pub from: Protocol,
    /// The provider's id of the answer; empty where it gives none.
    pub id: Text<'a>,
    /// The model that answered, in the provider's words.
    pub model: Text<'a>,
    /// Unix seconds; None where the provider does not say.
    pub created: Option<u64>,
    /// In the order of their index; one, unless more were asked for. None at all only where the
    /// prompt itself was blocked.
    pub choices: Vec<Choice<'a>>,
    pub usage: Option<Usage>,
    pub service_tier: Option<Text<'a>>,
    pub extra: Extra<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice<'a> {
    pub index: u32,
    pub blocks: Vec<Block<'a>>,
    pub stop: Stop<'a>,
    /// OpenAI's `logprobs`, as written.
    pub logprobs: Option<Raw<'a>>,
    pub extra: Extra<'a>,
}

/// Why it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop<'a> {
    pub reason: StopReason,
    /// The stop sequence that was met, where the provider tells.
    pub sequence: Option<Text<'a>>,
    /// The provider's own word.
    pub native: Option<Text<'a>>,
}

/// The reasons every protocol has, and those some have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopReason {
    /// The model was done.
    End,
    StopSequence,
    /// `max_tokens` reached. Stays this also in the middle of a tool call.
    Length,
    /// The context window is full.
    ContextWindow,
    ToolUse,
    /// A filter of the provider blocked the answer.
    ContentFilter,
    /// The model declined.
    Refusal,
    /// A long turn pauses; the client sends it back to go on (Anthropic `pause_turn`).
    Pause,
    /// Something went wrong at the provider; the answer is what there is.
    Error,
}

impl StopReason {
    pub const ALL: [StopReason; 9] = [
        StopReason::End,
        StopReason::StopSequence,
        StopReason::Length,
        StopReason::ContextWindow,
        StopReason::ToolUse,
        StopReason::ContentFilter,
        StopReason::Refusal,
        StopReason::Pause,
        StopReason::Error,
    ];
}

impl<'a> Stop<'a> {
    pub fn new(reason: StopReason) -> Self {
        Self { reason, sequence: None, native: None }
    }

    pub fn native(reason: StopReason, word: impl Into<Text<'a>>) -> Self {
        Self { reason, sequence: None, native: Some(word.into()) }
    }
}

impl<'a> Response<'a> {
    pub fn new(from: Protocol) -> Self {
        Self {
            from,
            id: Text::Borrowed(""),
            model: Text::Borrowed(""),
            created: None,
            choices: Vec::new(),
            usage: None,
            service_tier: None,
            extra: Extra::none(),
        }
    }
}
