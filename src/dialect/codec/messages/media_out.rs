//! Images and documents for Claude: what it reads, and what it is told when it does not.
//!
//! Source: platform.claude.com/docs/en/build-with-claude/{vision,pdf-support}.

use super::part::{MediaBody, SourceBody};
use crate::chat::{At, Media, Refused, Source};
use crate::types::Protocol;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

const IMAGES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

pub(super) fn image<'r>(media: &'r Media<'r>, at: At) -> Result<MediaBody<'r>, Refused> {
    let source = match &media.source {
        Source::Base64(data) => {
            let mime = mime(media, data, at)?;
            if !IMAGES.contains(&mime.as_ref()) {
                return Err(Refused::new(
                    at,
                    format!("Claude reads JPEG, PNG, GIF and WebP images, not {mime}"),
                ));
            }
            SourceBody::Base64 { mime, data }
        }
        Source::Url(url) => SourceBody::Url(url),
        Source::File { of, id } => file(*of, id, at)?,
        Source::Text(_) => return Err(Refused::new(at, "an image cannot be made of text")),
    };
    Ok(MediaBody { kind: "image", source, title: None })
}

pub(super) fn document<'r>(media: &'r Media<'r>, at: At) -> Result<MediaBody<'r>, Refused> {
    let source = match &media.source {
        Source::Base64(data) => read_document(media, data, at)?,
        Source::Url(url) => SourceBody::Url(url),
        Source::File { of, id } => file(*of, id, at)?,
        Source::Text(words) => SourceBody::Text(Cow::Borrowed(words)),
    };
    // A file that is an image goes as one.
    let is_image = matches!(&source, SourceBody::Base64 { mime, .. } if IMAGES.contains(&mime.as_ref()));
    if is_image {
        return Ok(MediaBody { kind: "image", source, title: None });
    }
    Ok(MediaBody { kind: "document", source, title: media.name.as_deref().filter(|name| !name.is_empty()) })
}

fn file<'r>(of: Protocol, id: &'r str, at: At) -> Result<SourceBody<'r>, Refused> {
    if of == Protocol::Messages {
        return Ok(SourceBody::File(id));
    }
    Err(Refused::new(at, "this file lives at another vendor: send its content instead"))
}

fn read_document<'r>(media: &'r Media<'r>, data: &'r str, at: At) -> Result<SourceBody<'r>, Refused> {
    let mime = mime(media, data, at)?;
    if mime == "application/pdf" || IMAGES.contains(&mime.as_ref()) {
        return Ok(SourceBody::Base64 { mime, data });
    }
    let is_text = mime.starts_with("text/")
        || ["application/json", "application/xml", "application/yaml", "application/x-yaml"]
            .contains(&mime.as_ref());
    let words = if is_text {
        STANDARD.decode(data.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok())
    } else {
        None
    };
    match words {
        Some(words) => Ok(SourceBody::Text(Cow::Owned(words))),
        None if is_text => Err(Refused::new(at, format!("this {mime} document is not base64 of UTF-8 text"))),
        None => Err(Refused::new(at, format!("Claude reads PDF and plain text documents, not {mime}"))),
    }
}

/// What the writer said it is, else what its first bytes say.
fn mime<'r>(media: &'r Media<'r>, data: &str, at: At) -> Result<Cow<'r, str>, Refused> {
    if let Some(mime) = media.mime.as_deref() {
        // `image/png; charset=binary`
        let bare = mime.split_once(';').map_or(mime, |(bare, _)| bare).trim();
        let lower = bare.to_ascii_lowercase();
        return Ok(match lower.as_str() {
            "image/jpg" => Cow::Borrowed("image/jpeg"),
            _ if lower == *mime => Cow::Borrowed(mime),
            _ => Cow::Owned(lower),
        });
    }
    const HEADS: [(&str, &str); 5] = [
        ("/9j/", "image/jpeg"),
        ("iVBORw0KGgo", "image/png"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
        ("JVBERi0", "application/pdf"),
    ];
    let known = HEADS.iter().find(|(head, _)| data.starts_with(head));
    known
        .map(|(_, mime)| Cow::Borrowed(*mime))
        .ok_or_else(|| Refused::new(at, "what kind of file this is was not said: give its MIME type"))
}
