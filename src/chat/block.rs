//! What turns are made of.

use super::signature::Signature;
use super::text::{At, Extra, Raw, Text};
use crate::types::Protocol;

/// One piece of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    pub at: At,
    pub kind: BlockKind<'a>,
    /// The provider's prompt cache may end a cached prefix behind this block.
    pub cache: Option<CacheHint<'a>>,
    pub extra: Extra<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockKind<'a> {
    Text {
        text: Text<'a>,
        citations: Vec<Citation<'a>>,
    },
    Image(Media<'a>),
    /// PDF and other files a model reads.
    Document(Media<'a>),
    Audio(Media<'a>),
    Video(Media<'a>),
    ToolUse(ToolUse<'a>),
    ToolResult(ToolResult<'a>),
    Thinking(Thinking<'a>),
    /// Thinking that only the vendor can read: Anthropic `redacted_thinking`, Bedrock
    /// `redactedContent`, a Responses reasoning item with nothing but `encrypted_content`.
    Redacted(Signature<'a>),
    /// The model declined, in its own words (OpenAI `refusal`).
    Refusal(Text<'a>),
    /// A block with no counterpart in other protocols (server tools, computer use, item
    /// references): its own JSON, whole. Written back to `of`, and a loss anywhere else.
    Opaque {
        of: Protocol,
        kind: Text<'a>,
        json: Raw<'a>,
    },
}

/// How long the provider should remember.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheHint<'a> {
    /// Seconds; None where the vendor's default is meant. Anthropic knows 300 and 3600.
    pub ttl_s: Option<u32>,
    /// What else stands in the hint's object (`scope` …), for its own protocol.
    pub extra: Extra<'a>,
}

/// An image, document, sound or film.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media<'a> {
    pub source: Source<'a>,
    /// As a MIME type, `image/png`; None where the writer did not say.
    pub mime: Option<Text<'a>>,
    /// A document's file name or title.
    pub name: Option<Text<'a>>,
    /// OpenAI's `detail` of an image: `auto`, `low`, `high` …
    pub detail: Option<Text<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// Base64, standard alphabet, as it was written (without a data URL's head).
    Base64(Text<'a>),
    /// `http://` or `https://`: whoever answers fetches it.
    Url(Text<'a>),
    /// A file at the vendor: an id or URI that only `of` understands (`file_…`, `gs://…`, `s3://…`).
    File { of: Protocol, id: Text<'a> },
    /// A document that is plain text.
    Text(Text<'a>),
}

/// The model asks for a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolUse<'a> {
    /// The call's own id, without a packed signature. Empty where the vendor gives none (Gemini):
    /// encoders then make one up.
    pub id: Text<'a>,
    pub name: Text<'a>,
    /// JSON text as the model wrote it; empty means no arguments. Not always a valid object: models
    /// err, and a turn that hit its limit ends in the middle. For a custom (free-form) tool: its text.
    pub arguments: Text<'a>,
    /// A custom tool's call: `arguments` is no JSON.
    pub is_custom: bool,
    /// Gemini's `thoughtSignature` of the part.
    pub signature: Option<Signature<'a>>,
}

/// What the tool said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolResult<'a> {
    /// [`ToolUse::id`] of the call.
    pub id: Text<'a>,
    /// The tool's name where the writer gave it (Gemini must be told; see `Request::tool_name`).
    pub name: Option<Text<'a>>,
    /// Text and media blocks. JSON objects (Gemini `response`, Bedrock `json`) are their text.
    pub content: Vec<Block<'a>>,
    pub is_error: bool,
    /// The answer to a custom tool's call.
    pub is_custom: bool,
}

/// The model's thinking as far as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thinking<'a> {
    /// May be empty where only a signature came.
    pub text: Text<'a>,
    pub signature: Option<Signature<'a>>,
    /// A summary of the thinking (Responses `summary`), not the thinking itself.
    pub is_summary: bool,
    /// The id of the Responses reasoning item it came in.
    pub item_id: Option<Text<'a>>,
}

/// Where a statement comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Citation<'a> {
    pub url: Option<Text<'a>>,
    pub title: Option<Text<'a>>,
    /// The words that were cited.
    pub quote: Option<Text<'a>>,
    /// Characters of the answer's text it is about, `from..to`.
    pub span: Option<(u64, u64)>,
    /// The citation as `of` wrote it.
    pub of: Protocol,
    pub json: Raw<'a>,
}

impl<'a> Block<'a> {
    pub fn new(kind: BlockKind<'a>) -> Self {
        Self { at: At::NOWHERE, kind, cache: None, extra: Extra::none() }
    }

    pub fn text(text: impl Into<Text<'a>>) -> Self {
        Self::new(BlockKind::Text { text: text.into(), citations: Vec::new() })
    }

    pub fn at(mut self, at: At) -> Self {
        self.at = at;
        self
    }

    /// The text of a text block.
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            BlockKind::Text { text, .. } => Some(text),
            _ => None,
        }
    }
}

impl CacheHint<'_> {
    pub const FIVE_MINUTES: u32 = 300;
    pub const ONE_HOUR: u32 = 3600;
}

impl<'a> ToolUse<'a> {
    /// The arguments as a JSON object, for protocols that have no other form: what the model wrote if
    /// that is an object, `{}` for nothing, and otherwise the text inside
    /// `{"INVALID_JSON": "…"}`, Anthropic's documented wrapping (fine-grained tool streaming).
    pub fn arguments_object(&self) -> Text<'_> {
        use crate::framing::json::{Duplicates, JsonWriter, parse};
        if self.arguments.trim().is_empty() {
            return Text::Borrowed("{}");
        }
        if !self.is_custom
            && parse(&self.arguments, Duplicates::LastCounts).is_ok_and(|node| node.is_object())
        {
            return Text::Borrowed(&self.arguments);
        }
        let key = if self.is_custom { "input" } else { "INVALID_JSON" };
        let mut out = Vec::new();
        JsonWriter::new(&mut out).object(|w| w.field_str(key, &self.arguments));
        Text::Owned(String::from_utf8(out).unwrap_or_else(|_| "{}".to_owned()))
    }
}

impl ToolResult<'_> {
    /// All text of the result, joined by newlines.
    pub fn joined_text(&self) -> Text<'_> {
        let mut texts = self.content.iter().filter_map(Block::as_text);
        let Some(first) = texts.next() else { return Text::Borrowed("") };
        let rest: Vec<&str> = texts.collect();
        if rest.is_empty() {
            return Text::Borrowed(first);
        }
        let mut all = first.to_owned();
        for text in rest {
            all.push('\n');
            all.push_str(text);
        }
        Text::Owned(all)
    }
}
