//! Tools offered to the model, and which of them it may use.

use super::block::CacheHint;
use super::text::{At, Extra, Raw, Text};
use crate::types::Protocol;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool<'a> {
    pub at: At,
    pub kind: ToolKind<'a>,
    pub cache: Option<CacheHint<'a>>,
    pub extra: Extra<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolKind<'a> {
    Function {
        name: Text<'a>,
        description: Option<Text<'a>>,
        /// JSON Schema as written; None where there are no parameters.
        schema: Option<Raw<'a>>,
        /// The model must keep to the schema exactly.
        strict: Option<bool>,
    },
    /// A tool whose input is free text (OpenAI `custom`), with its grammar as written.
    Custom { name: Text<'a>, description: Option<Text<'a>>, format: Option<Raw<'a>> },
    /// A tool the vendor runs (`web_search`, `code_execution`, `googleSearch` …).
    Hosted { of: Protocol, kind: Text<'a>, json: Raw<'a> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice<'a> {
    Auto,
    None,
    /// At least one, whichever.
    Any,
    /// This one.
    Tool(Text<'a>),
    /// One of these (OpenAI `allowed_tools`, Gemini `allowedFunctionNames`).
    Allowed {
        names: Vec<Text<'a>>,
        must_call: bool,
    },
    /// A choice only `of` understands (a hosted tool by its type).
    Opaque {
        of: Protocol,
        json: Raw<'a>,
    },
}

impl<'a> Tool<'a> {
    pub fn new(kind: ToolKind<'a>) -> Self {
        Self { at: At::NOWHERE, kind, cache: None, extra: Extra::none() }
    }

    /// The name calls use; None for a hosted tool.
    pub fn name(&self) -> Option<&str> {
        match &self.kind {
            ToolKind::Function { name, .. } | ToolKind::Custom { name, .. } => Some(name),
            ToolKind::Hosted { .. } => None,
        }
    }
}
