//! What a client asks for.

use super::block::{Block, BlockKind};
use super::carry::Feature;
use super::text::{At, Extra, Raw, Text};
use super::tool::{Tool, ToolChoice};
use crate::types::Protocol;

/// One generation call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Who wrote it; every [`Extra`] in it is this protocol's.
    pub from: Protocol,
    /// As the client named it.
    pub model: Text<'a>,
    /// Instructions apart from the turns, in order: text blocks, or opaque ones.
    pub system: Vec<Block<'a>>,
    pub turns: Vec<Turn<'a>>,
    pub tools: Vec<Tool<'a>>,
    pub tool_choice: Option<ToolChoice<'a>>,
    /// False: at most one tool call in an answer.
    pub parallel_tools: Option<bool>,
    pub output: Option<OutputFormat<'a>>,
    pub reasoning: Option<Reasoning<'a>>,
    pub max_output: Option<u64>,
    pub stop: Vec<Text<'a>>,
    /// Flat parameters: sampling and the like. At most one of each feature.
    pub settings: Vec<Setting<'a>>,
    pub is_stream: bool,
    /// The client asked for usage in the stream (chat `stream_options.include_usage`; always true
    /// where the protocol always tells).
    pub wants_usage: bool,
    pub extra: Extra<'a>,
}

/// Consecutive blocks of one speaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn<'a> {
    pub at: At,
    pub role: Role,
    /// Tool results stand in user turns, as in Anthropic's form.
    pub blocks: Vec<Block<'a>>,
    /// The participant's name (OpenAI `name`).
    pub name: Option<Text<'a>>,
    pub extra: Extra<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions in the middle of a conversation.
    System,
    User,
    Assistant,
}

/// A parameter that is one value: `feature` says which, `value` is its JSON as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<'a> {
    pub feature: Feature,
    pub at: At,
    pub value: Raw<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputFormat<'a> {
    /// Any JSON object.
    Json,
    /// JSON by this schema, as written.
    Schema { name: Option<Text<'a>>, description: Option<Text<'a>>, schema: Raw<'a>, strict: Option<bool> },
}

/// How much the model shall think, and how much of that is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasoning<'a> {
    pub at: At,
    pub effort: Option<Effort>,
    /// Tokens of thinking (Anthropic `budget_tokens`, Gemini `thinkingBudget`).
    pub budget: Option<u64>,
    /// Thinking as the model sees fit (Anthropic `adaptive`, Gemini budget -1).
    pub is_adaptive: bool,
    /// True: thinking is to be shown (Gemini `includeThoughts`, Responses `summary`); false: off.
    pub is_shown: Option<bool>,
    /// Responses `summary`: `auto`, `concise`, `detailed`.
    pub summary: Option<Text<'a>>,
    /// Thinking is explicitly switched off (Anthropic `disabled`, effort `none`, budget 0).
    pub is_off: bool,
    pub extra: Extra<'a>,
}

/// From least to most. Targets with fewer steps take the nearest one below, at least their lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
    Max,
}

impl Effort {
    pub const ALL: [Effort; 6] =
        [Effort::Minimal, Effort::Low, Effort::Medium, Effort::High, Effort::XHigh, Effort::Max];

    /// OpenAI's and Anthropic's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Effort::Minimal => "minimal",
            Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::High => "high",
            Effort::XHigh => "xhigh",
            Effort::Max => "max",
        }
    }

    /// The effort of a word, in any case. `none` is not one: see [`Reasoning::is_off`].
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effort| effort.as_str().eq_ignore_ascii_case(word))
    }

    /// Tokens of thinking that stand for the effort where only a budget is understood.
    pub fn budget(self) -> u64 {
        match self {
            Effort::Minimal => 1024,
            Effort::Low => 2048,
            Effort::Medium => 8192,
            Effort::High => 16384,
            Effort::XHigh => 24576,
            Effort::Max => 32768,
        }
    }

    /// The effort that stands for a budget where only an effort is understood.
    pub fn of_budget(tokens: u64) -> Self {
        Self::ALL.into_iter().rev().find(|effort| effort.budget() <= tokens).unwrap_or(Effort::Minimal)
    }
}

impl<'a> Request<'a> {
    /// An empty request of `from` for `model`.
    pub fn new(from: Protocol, model: impl Into<Text<'a>>) -> Self {
        Self {
            from,
            model: model.into(),
            system: Vec::new(),
            turns: Vec::new(),
            tools: Vec::new(),
            tool_choice: None,
            parallel_tools: None,
            output: None,
            reasoning: None,
            max_output: None,
            stop: Vec::new(),
            settings: Vec::new(),
            is_stream: false,
            wants_usage: false,
            extra: Extra::none(),
        }
    }

    pub fn setting(&self, feature: Feature) -> Option<&Setting<'a>> {
        self.settings.iter().find(|setting| setting.feature == feature)
    }

    /// The name of the tool that was called with `id`, for results that do not say.
    pub fn tool_name(&self, id: &str) -> Option<&str> {
        self.turns.iter().flat_map(|turn| &turn.blocks).find_map(|block| match &block.kind {
            BlockKind::ToolUse(call) if call.id == id => Some(call.name.as_ref()),
            _ => None,
        })
    }
}

impl<'a> Turn<'a> {
    pub fn new(role: Role, blocks: Vec<Block<'a>>) -> Self {
        Self { at: At::NOWHERE, role, blocks, name: None, extra: Extra::none() }
    }
}
