//! A block as it goes up, with everything decided.

use super::cuts::Cuts;
use crate::chat::{CacheHint, Citation, Field};
use crate::framing::json::JsonWriter;
use crate::types::Protocol;
use std::borrow::Cow;

/// A block ready to be written.
#[derive(Debug)]
pub(super) struct Part<'r> {
    pub(super) body: Body<'r>,
    pub(super) cache: Option<&'r CacheHint<'r>>,
    /// Anthropic's own fields that have no place elsewhere.
    pub(super) extra: &'r [Field<'r>],
}

#[derive(Debug)]
pub(super) enum Body<'r> {
    Text {
        text: Cow<'r, str>,
        citations: Vec<&'r Citation<'r>>,
    },
    Media(MediaBody<'r>),
    Call {
        id: String,
        name: Cow<'r, str>,
        input: Cow<'r, str>,
    },
    Result {
        id: String,
        content: Vec<Part<'r>>,
        is_error: bool,
    },
    Thinking {
        text: &'r str,
        signature: &'r str,
    },
    Redacted(&'r str),
    /// A block of Anthropic's, as it was written.
    Whole(&'r str),
}

/// An image or document.
#[derive(Debug)]
pub(super) struct MediaBody<'r> {
    /// `image`, `document`.
    pub(super) kind: &'static str,
    pub(super) source: SourceBody<'r>,
    pub(super) title: Option<&'r str>,
}

#[derive(Debug)]
pub(super) enum SourceBody<'r> {
    Base64 { mime: Cow<'r, str>, data: &'r str },
    Url(&'r str),
    File(&'r str),
    Text(Cow<'r, str>),
}

impl<'r> Part<'r> {
    pub(super) fn plain(body: Body<'r>) -> Self {
        Self { body, cache: None, extra: &[] }
    }

    pub(super) fn text(text: impl Into<Cow<'r, str>>) -> Self {
        Self::plain(Body::Text { text: text.into(), citations: Vec::new() })
    }

    /// Whether the vendor remembers up to here on request: not behind thinking, which takes no hint.
    pub(super) fn has_hint(&self) -> bool {
        self.cache.is_some() && !matches!(self.body, Body::Thinking { .. } | Body::Redacted(_))
    }

    pub(super) fn is_blank_text(&self) -> bool {
        matches!(&self.body, Body::Text { text, .. } if text.trim().is_empty())
    }

    pub(super) fn write(&self, w: &mut JsonWriter<'_>, cuts: &mut Cuts<'_>) {
        if let Body::Whole(json) = self.body {
            return w.raw(json);
        }
        w.object(|w| {
            self.write_body(w, cuts);
            if self.has_hint() {
                write_cache(w, self.cache, cuts);
            }
            write_extra(w, self.extra);
        });
    }

    fn write_body(&self, w: &mut JsonWriter<'_>, cuts: &mut Cuts<'_>) {
        match &self.body {
            Body::Text { text, citations } => {
                w.field_str("type", "text");
                w.field_str("text", text);
                if !citations.is_empty() {
                    w.field_array("citations", |w| citations.iter().for_each(|c| w.raw(c.json.as_str())));
                }
            }
            Body::Media(media) => self.write_media(media, w),
            Body::Call { id, name, input } => {
                w.field_str("type", "tool_use");
                w.field_str("id", id);
                w.field_str("name", name);
                w.field_raw("input", input);
            }
            Body::Result { id, content, is_error } => {
                w.field_str("type", "tool_result");
                w.field_str("tool_use_id", id);
                write_result(w, content, cuts);
                if *is_error {
                    w.field_bool("is_error", true);
                }
            }
            Body::Thinking { text, signature } => {
                w.field_str("type", "thinking");
                w.field_str("thinking", text);
                w.field_str("signature", signature);
            }
            Body::Redacted(data) => {
                w.field_str("type", "redacted_thinking");
                w.field_str("data", data);
            }
            Body::Whole(_) => {}
        }
    }

    fn write_media(&self, media: &MediaBody<'_>, w: &mut JsonWriter<'_>) {
        w.field_str("type", media.kind);
        w.field_object("source", |w| {
            match &media.source {
                SourceBody::Base64 { mime, data } => {
                    w.field_str("type", "base64");
                    w.field_str("media_type", mime);
                    w.field_str("data", data);
                }
                SourceBody::Url(url) => {
                    w.field_str("type", "url");
                    w.field_str("url", url);
                }
                SourceBody::File(id) => {
                    w.field_str("type", "file");
                    w.field_str("file_id", id);
                }
                SourceBody::Text(text) => {
                    w.field_str("type", "text");
                    w.field_str("media_type", "text/plain");
                    w.field_str("data", text);
                }
            }
            write_extra_of_part(w, self.extra, "source");
        });
        w.field_opt_str("title", media.title);
    }
}

/// One text goes as a string, the shortest form there is.
fn write_result(w: &mut JsonWriter<'_>, content: &[Part<'_>], cuts: &mut Cuts<'_>) {
    match content {
        [] => {}
        [Part { body: Body::Text { text, citations }, cache: None, extra: [] }] if citations.is_empty() => {
            w.field_str("content", text);
        }
        parts => w.field_array("content", |w| parts.iter().for_each(|part| part.write(w, cuts))),
    }
}

/// `cache_control`, unless four are enough already.
pub(super) fn write_cache(w: &mut JsonWriter<'_>, hint: Option<&CacheHint<'_>>, cuts: &mut Cuts<'_>) {
    let Some(hint) = hint.filter(|_| cuts.takes_hint()) else { return };
    w.field_object("cache_control", |w| {
        let own = hint.extra.for_protocol(Protocol::Messages);
        if !own.iter().any(|field| field.name == "type") {
            w.field_str("type", "ephemeral");
        }
        match hint.ttl_s {
            Some(ttl) if ttl >= CacheHint::ONE_HOUR => w.field_str("ttl", "1h"),
            Some(_) => w.field_str("ttl", "5m"),
            None => {}
        }
        for field in own {
            if cuts.keeps_hint_field(field) {
                w.field_raw(&field.name, field.value.as_str());
            }
        }
    });
}

/// The fields that stand in the object itself, not in a part of it.
pub(super) fn write_extra(w: &mut JsonWriter<'_>, extra: &[Field<'_>]) {
    for field in extra.iter().filter(|field| !is_of_part(field)) {
        w.field_raw(&field.name, field.value.as_str());
    }
}

/// Whether the field stood in an object inside the one that keeps it; its name then says so.
pub(super) fn is_of_part(field: &Field<'_>) -> bool {
    const PARTS: [&str; 4] = ["source.", "metadata.", "output_config.", "usage."];
    PARTS.iter().any(|part| field.name.starts_with(part))
}

/// The fields of the part `name`.
pub(super) fn write_extra_of_part(w: &mut JsonWriter<'_>, extra: &[Field<'_>], name: &str) {
    for field in extra {
        if let Some(own) = field.name.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')) {
            w.field_raw(own, field.value.as_str());
        }
    }
}
