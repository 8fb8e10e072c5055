//! Values that outlive the body they were read from.

use super::block::{Block, BlockKind, CacheHint, Citation, Media, Source, Thinking, ToolResult, ToolUse};
use super::signature::Signature;
use super::text::{Extra, Field, Raw, Text};
use std::borrow::Cow;

fn text(text: &Text<'_>) -> Text<'static> {
    Cow::Owned(text.as_ref().to_owned())
}

fn maybe(value: &Option<Text<'_>>) -> Option<Text<'static>> {
    value.as_ref().map(text)
}

impl Raw<'_> {
    pub fn to_static(&self) -> Raw<'static> {
        Raw(text(&self.0))
    }
}

impl Signature<'_> {
    pub fn to_static(&self) -> Signature<'static> {
        Signature { vendor: self.vendor, data: text(&self.data) }
    }
}

impl Extra<'_> {
    pub fn to_static(&self) -> Extra<'static> {
        let field = |field: &Field<'_>| Field {
            name: text(&field.name),
            at: field.at,
            value: field.value.to_static(),
        };
        Extra { of: self.of, fields: self.fields.iter().map(field).collect() }
    }
}

impl Citation<'_> {
    pub fn to_static(&self) -> Citation<'static> {
        Citation {
            url: maybe(&self.url),
            title: maybe(&self.title),
            quote: maybe(&self.quote),
            span: self.span,
            of: self.of,
            json: self.json.to_static(),
        }
    }
}

impl Media<'_> {
    pub fn to_static(&self) -> Media<'static> {
        let source = match &self.source {
            Source::Base64(data) => Source::Base64(text(data)),
            Source::Url(url) => Source::Url(text(url)),
            Source::File { of, id } => Source::File { of: *of, id: text(id) },
            Source::Text(words) => Source::Text(text(words)),
        };
        Media { source, mime: maybe(&self.mime), name: maybe(&self.name), detail: maybe(&self.detail) }
    }
}

impl Block<'_> {
    pub fn to_static(&self) -> Block<'static> {
        let cache =
            self.cache.as_ref().map(|hint| CacheHint { ttl_s: hint.ttl_s, extra: hint.extra.to_static() });
        Block { at: self.at, kind: self.kind.to_static(), cache, extra: self.extra.to_static() }
    }
}

impl BlockKind<'_> {
    pub fn to_static(&self) -> BlockKind<'static> {
        match self {
            BlockKind::Text { text: words, citations } => BlockKind::Text {
                text: text(words),
                citations: citations.iter().map(Citation::to_static).collect(),
            },
            BlockKind::Image(media) => BlockKind::Image(media.to_static()),
            BlockKind::Document(media) => BlockKind::Document(media.to_static()),
            BlockKind::Audio(media) => BlockKind::Audio(media.to_static()),
            BlockKind::Video(media) => BlockKind::Video(media.to_static()),
            BlockKind::ToolUse(call) => BlockKind::ToolUse(ToolUse {
                id: text(&call.id),
                name: text(&call.name),
                arguments: text(&call.arguments),
                is_custom: call.is_custom,
                signature: call.signature.as_ref().map(Signature::to_static),
            }),
            BlockKind::ToolResult(result) => BlockKind::ToolResult(ToolResult {
                id: text(&result.id),
                name: maybe(&result.name),
                content: result.content.iter().map(Block::to_static).collect(),
                is_error: result.is_error,
                is_custom: result.is_custom,
            }),
            BlockKind::Thinking(thinking) => BlockKind::Thinking(Thinking {
                text: text(&thinking.text),
                signature: thinking.signature.as_ref().map(Signature::to_static),
                is_summary: thinking.is_summary,
                item_id: maybe(&thinking.item_id),
            }),
            BlockKind::Redacted(signature) => BlockKind::Redacted(signature.to_static()),
            BlockKind::Refusal(words) => BlockKind::Refusal(text(words)),
            BlockKind::Opaque { of, kind, json } => {
                BlockKind::Opaque { of: *of, kind: text(kind), json: json.to_static() }
            }
        }
    }
}
