//! `inlineData` and `fileData`: pictures, documents, sound, film.

use super::names::{extra_of, text, text_field, want_object};
use super::{base64, names};
use crate::chat::{At, BlockKind, Extra, Media, Refused, Source, Text};
use crate::framing::json::{JsonWriter, Node};
use crate::types::Protocol;

/// What the medium is, by its MIME type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Image,
    Audio,
    Video,
    Document,
}

impl Sort {
    fn of(mime: &str) -> Self {
        match mime.split('/').next().map(str::to_ascii_lowercase).as_deref() {
            Some("image") => Sort::Image,
            Some("audio") => Sort::Audio,
            Some("video") => Sort::Video,
            _ => Sort::Document,
        }
    }

    fn block(self, media: Media<'_>) -> BlockKind<'_> {
        match self {
            Sort::Image => BlockKind::Image(media),
            Sort::Audio => BlockKind::Audio(media),
            Sort::Video => BlockKind::Video(media),
            Sort::Document => BlockKind::Document(media),
        }
    }
}

/// MIME types of file names, for URIs that come without one.
const BY_ENDING: [(&str, &str); 18] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("heif", "image/heif"),
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("html", "text/html"),
    ("csv", "text/csv"),
    ("mp3", "audio/mp3"),
    ("wav", "audio/wav"),
    ("flac", "audio/flac"),
    ("ogg", "audio/ogg"),
    ("mp4", "video/mp4"),
    ("mov", "video/mov"),
    ("webm", "video/webm"),
];

/// MIME types by the first letters of base64.
const BY_START: [(&str, &str); 6] = [
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
    ("JVBERi0", "application/pdf"),
    ("SUQz", "audio/mp3"),
];

fn mime_of_uri(uri: &str) -> Option<&'static str> {
    if is_youtube(uri) {
        return Some("video/mp4");
    }
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    let ending = path.rsplit('/').next()?.rsplit_once('.')?.1;
    BY_ENDING.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending)).map(|(_, mime)| *mime)
}

/// Films Google reads wherever it runs.
pub(super) fn is_youtube(uri: &str) -> bool {
    let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://")).unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    matches!(host, "youtube.com" | "www.youtube.com" | "m.youtube.com" | "youtu.be")
}

/// Reads the object `inlineData`.
pub(super) fn inline<'a>(data: &Node<'a>) -> Result<(BlockKind<'a>, Extra<'a>), Refused> {
    want_object(data)?;
    let bytes = text_field(data, "data")?
        .ok_or_else(|| Refused::new(At::of(data), "inlineData needs its data, in base64"))?;
    let mime = text_field(data, "mimeType")?;
    let sort = Sort::of(mime.as_deref().unwrap_or_default());
    let name = text(data, "displayName");
    let media = Media { source: Source::Base64(bytes), mime, name, detail: None };
    Ok((sort.block(media), extra_under(data, &["mimeType", "data", "displayName"], "inlineData")))
}

/// Reads the object `fileData`.
pub(super) fn file<'a>(data: &Node<'a>) -> Result<(BlockKind<'a>, Extra<'a>), Refused> {
    want_object(data)?;
    let uri = text_field(data, "fileUri")?
        .ok_or_else(|| Refused::new(At::of(data), "fileData needs its fileUri"))?;
    let mime = text_field(data, "mimeType")?;
    let known = mime.as_deref().or_else(|| mime_of_uri(&uri)).unwrap_or_default();
    let sort = Sort::of(known);
    let name = text(data, "displayName");
    let media = Media { source: source(uri), mime, name, detail: None };
    Ok((sort.block(media), extra_under(data, &["mimeType", "fileUri", "displayName"], "fileData")))
}

/// Google's own storage keeps files for Google alone; any other address is open to everybody.
fn source(uri: Text<'_>) -> Source<'_> {
    let is_http = uri.starts_with("https://") || uri.starts_with("http://");
    let is_file = uri.contains("generativelanguage.googleapis.com/");
    if is_http && !is_file { Source::Url(uri) } else { Source::File { of: Protocol::Generate, id: uri } }
}

fn extra_under<'a>(node: &Node<'a>, known: &[&str], prefix: &str) -> Extra<'a> {
    let mut extra = extra_of(node, known);
    for field in &mut extra.fields {
        field.name = format!("{prefix}.{}", field.name).into();
    }
    extra
}

/// The medium of a block; None for a block of another kind.
pub(super) fn of_block<'b, 'a>(kind: &'b BlockKind<'a>) -> Option<&'b Media<'a>> {
    match kind {
        BlockKind::Image(media)
        | BlockKind::Document(media)
        | BlockKind::Audio(media)
        | BlockKind::Video(media) => Some(media),
        _ => None,
    }
}

/// Whether Google can get at it.
///
/// # Errors
/// [`Refused`] for a file of another vendor, and for a URL where the model's provider fetches none.
pub(super) fn check(media: &Media<'_>, at: At, fetches_urls: bool) -> Result<(), Refused> {
    match &media.source {
        Source::File { of, .. } if *of != Protocol::Generate => Err(Refused::new(
            at,
            "this file lives at another vendor than the one that serves the model: send its content instead",
        )),
        Source::Url(url) if !fetches_urls && !is_youtube(url) => {
            Err(Refused::new(at, "the model's provider fetches no URLs: send the content in base64 instead"))
        }
        _ => Ok(()),
    }
}

/// Writes the member `inlineData` or `fileData`. `extra` is the block's.
pub(super) fn write(w: &mut JsonWriter<'_>, kind: &BlockKind<'_>, media: &Media<'_>, extra: &Extra<'_>) {
    match &media.source {
        Source::Base64(data) => write_inline(w, mime(kind, media, data), data, media, extra),
        Source::Text(words) => {
            let mime = media.mime.as_deref().unwrap_or("text/plain");
            write_inline(w, mime, &base64::encode(words.as_bytes()), media, extra);
        }
        Source::Url(uri) | Source::File { id: uri, .. } => w.field_object("fileData", |w| {
            w.field_opt_str("mimeType", media.mime.as_deref().or_else(|| mime_of_uri(uri)));
            w.field_str("fileUri", uri);
            names::write_extra(w, extra, "fileData");
        }),
    }
}

fn write_inline(w: &mut JsonWriter<'_>, mime: &str, data: &str, media: &Media<'_>, extra: &Extra<'_>) {
    w.field_object("inlineData", |w| {
        w.field_str("mimeType", mime);
        w.field_str("data", data);
        // The Gemini API refuses the name; only a client of it can have given one to keep.
        if extra.of == Some(Protocol::Generate) {
            w.field_opt_str("displayName", media.name.as_deref());
        }
        names::write_extra(w, extra, "inlineData");
    });
}

fn mime<'m>(kind: &BlockKind<'_>, media: &'m Media<'_>, data: &str) -> &'m str {
    let guessed = || BY_START.iter().find(|(start, _)| data.starts_with(start)).map(|(_, mime)| *mime);
    media.mime.as_deref().or_else(guessed).unwrap_or(match kind {
        BlockKind::Image(_) => "image/png",
        BlockKind::Audio(_) => "audio/wav",
        BlockKind::Video(_) => "video/mp4",
        _ => "application/pdf",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::json::{Duplicates, parse};

    #[test]
    fn a_uri_is_a_file_of_googles_or_an_address_for_all() {
        let file_at = |uri: &str| {
            let json = format!(r#"{{"fileUri":"{uri}"}}"#);
            let kind = file(&parse(&json, Duplicates::Refuse).unwrap()).unwrap().0;
            let media = of_block(&kind).unwrap();
            let is_file = matches!(media.source, Source::File { of: Protocol::Generate, .. });
            (is_file, format!("{kind:?}").split('(').next().unwrap().to_owned())
        };
        assert_eq!(file_at("gs://b/a.png"), (true, "Image".into()));
        let at_google = "https://generativelanguage.googleapis.com/v1beta/files/8b2b";
        assert_eq!(file_at(at_google), (true, "Document".into()));
        assert_eq!(file_at("https://example.com/a.MP3?x=1.png"), (false, "Audio".into()));
        assert_eq!(file_at("https://www.youtube.com/watch?v=1"), (false, "Video".into()));
        assert_eq!(file_at("https://youtu.be.example.com/"), (false, "Document".into()));
    }

    #[test]
    fn a_medium_without_a_type_gets_the_one_its_bytes_tell() {
        for (data, mime) in
            [("iVBORw0KGgoAAAA", "image/png"), ("/9j/4AAQ", "image/jpeg"), ("AAAA", "image/png")]
        {
            let media = Media { source: Source::Base64(data.into()), mime: None, name: None, detail: None };
            let kind = BlockKind::Image(media.clone());
            let mut out = Vec::new();
            JsonWriter::new(&mut out).object(|w| write(w, &kind, &media, &Extra::none()));
            let expected = format!(r#"{{"inlineData":{{"mimeType":"{mime}","data":"{data}"}}}}"#);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
