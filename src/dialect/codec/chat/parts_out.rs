//! Blocks as parts of a message's content.

use crate::chat::{Block, BlockKind, CacheHint, Feature, Media, Source, Text};
use crate::framing::json::JsonWriter;
use crate::types::Protocol;

use super::losses::Policy;
use super::{extra, media};

/// Writes one block as a part. Only for blocks that [`is_part`] says are.
pub(super) fn write(block: &Block<'_>, policy: &Policy<'_>, w: &mut JsonWriter<'_>) {
    if let BlockKind::Opaque { json, .. } = &block.kind {
        return w.raw(json.as_str());
    }
    w.object(|w| {
        match &block.kind {
            BlockKind::Text { text, .. } => {
                w.field_str("type", "text");
                w.field_str("text", text);
            }
            BlockKind::Refusal(text) => {
                w.field_str("type", "refusal");
                w.field_str("refusal", text);
            }
            BlockKind::Image(media) => image(media, block, w),
            BlockKind::Audio(media) => audio(media, block, w),
            BlockKind::Video(media) => {
                w.field_str("type", "video_url");
                w.field_object("video_url", |w| {
                    url(media, "video/mp4", w);
                    extra::write_inner(&block.extra, "video_url", w);
                });
            }
            BlockKind::Document(media) => document(media, block, policy, w),
            _ => {}
        }
        if let Some(hint) = &block.cache
            && policy.keeps(Feature::CacheHints)
        {
            cache(hint, w);
        }
        extra::write(
            &block.extra,
            &["image_url", "input_audio", "file", "video_url", "document_url", "message"],
            w,
        );
    });
}

/// Whether chat has a part for the block.
pub(super) fn is_part(block: &Block<'_>) -> bool {
    match &block.kind {
        BlockKind::Text { .. }
        | BlockKind::Image(_)
        | BlockKind::Document(_)
        | BlockKind::Audio(_)
        | BlockKind::Video(_) => true,
        BlockKind::Opaque { of, .. } => *of == Protocol::Chat,
        _ => false,
    }
}

/// A block that can be a bare string.
pub(super) fn plain<'b>(block: &'b Block<'_>, policy: &Policy<'_>) -> Option<&'b str> {
    let is_marked = block.cache.is_some() && policy.keeps(Feature::CacheHints);
    let has_own = block.extra.for_protocol(Protocol::Chat).iter().any(|f| !f.name.starts_with("message."));
    block.as_text().filter(|_| !is_marked && !has_own)
}

/// The field `url`, with a data URL where the media is here.
fn url(media: &Media<'_>, default_mime: &str, w: &mut JsonWriter<'_>) {
    w.key("url");
    link(media, default_mime, w);
}

fn link(media: &Media<'_>, default_mime: &str, w: &mut JsonWriter<'_>) {
    match &media.source {
        Source::Base64(data) => {
            let mime = media.mime.as_deref().unwrap_or(default_mime);
            w.string_of(["data:", mime, ";base64,", data]);
        }
        Source::Url(url) => w.string(url),
        Source::File { id, .. } => w.string(id),
        Source::Text(text) => w.string(text),
    }
}

fn image(media: &Media<'_>, block: &Block<'_>, w: &mut JsonWriter<'_>) {
    if let Source::File { id, .. } = &media.source {
        w.field_str("type", "file");
        w.field_object("file", |w| w.field_str("file_id", id));
        return;
    }
    w.field_str("type", "image_url");
    w.field_object("image_url", |w| {
        url(media, guessed(media), w);
        w.field_opt_str("detail", media.detail.as_deref());
        extra::write_inner(&block.extra, "image_url", w);
    });
}

fn guessed<'m>(media: &'m Media<'_>) -> &'m str {
    match &media.source {
        Source::Base64(data) => media::guess(data),
        _ => "",
    }
}

fn audio(media: &Media<'_>, block: &Block<'_>, w: &mut JsonWriter<'_>) {
    let Source::Base64(data) = &media.source else {
        w.field_str("type", "audio_url");
        w.field_object("audio_url", |w| url(media, "", w));
        return;
    };
    w.field_str("type", "input_audio");
    w.field_object("input_audio", |w| {
        w.field_str("data", data);
        w.field_str("format", media::audio_format(media.mime.as_deref()));
        extra::write_inner(&block.extra, "input_audio", w);
    });
}

fn document(media: &Media<'_>, block: &Block<'_>, policy: &Policy<'_>, w: &mut JsonWriter<'_>) {
    match &media.source {
        Source::Text(text) => {
            w.field_str("type", "text");
            w.key("text");
            match media.name.as_deref() {
                Some(name) => w.string_of([name, ":\n", text.as_ref()]),
                None => w.string(text),
            }
            return;
        }
        // Mistral has no files, but documents, also as data URLs.
        Source::Url(_) | Source::Base64(_) if policy.target.says_any => {
            w.field_str("type", "document_url");
            w.key("document_url");
            link(media, guessed(media), w);
            w.field_opt_str("document_name", media.name.as_deref());
            return;
        }
        _ => {}
    }
    w.field_str("type", "file");
    w.field_object("file", |w| {
        if let Source::File { id, .. } = &media.source {
            w.field_str("file_id", id);
            w.field_opt_str("filename", media.name.as_deref());
        } else {
            w.field_str("filename", &file_name(media));
            w.key("file_data");
            link(media, guessed(media), w);
        }
        extra::write_inner(&block.extra, "file", w);
    });
}

/// OpenAI refuses file data without a name.
fn file_name<'m>(media: &'m Media<'_>) -> Text<'m> {
    if let Some(name) = &media.name {
        return Text::Borrowed(name);
    }
    let mime = media.mime.as_deref().unwrap_or_else(|| guessed(media));
    let ending = match mime {
        "application/pdf" => "pdf",
        "text/plain" => "txt",
        _ => mime.rsplit_once('/').map_or("pdf", |(_, kind)| kind),
    };
    let is_plain = ending.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_plain && !ending.is_empty() {
        Text::Owned(format!("document.{ending}"))
    } else {
        "document.pdf".into()
    }
}

/// The hint in the form it had, else in OpenRouter's.
pub(super) fn cache(hint: &CacheHint<'_>, w: &mut JsonWriter<'_>) {
    let own = hint.extra.for_protocol(Protocol::Chat);
    let is_breakpoint = own.iter().any(|field| field.name == "mode");
    w.field_object(if is_breakpoint { "prompt_cache_breakpoint" } else { "cache_control" }, |w| {
        if !is_breakpoint {
            w.field_str("type", "ephemeral");
        }
        if let Some(seconds) = hint.ttl_s {
            w.field_str("ttl", &ttl(seconds));
        }
        extra::write(&hint.extra, &[], w);
    });
}

fn ttl(seconds: u32) -> String {
    match (seconds % 3600, seconds % 60) {
        (0, _) => format!("{}h", seconds / 3600),
        (_, 0) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}
