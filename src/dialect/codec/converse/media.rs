//! Images, documents, sound and film: formats, sources, and names of documents.

use super::facts::s3_uri;
use super::{HERE, read};
use crate::chat::{At, Media, Refused, Source, Text};
use crate::framing::json::{JsonWriter, Node};
use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::collections::HashSet;

/// The standard alphabet; padding written, and not asked for.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Which of the four it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Image,
    Document,
    Audio,
    Video,
}

type Formats = &'static [(&'static str, &'static str)];

/// Bedrock's formats, with the MIME type each is read as. Of several for one type the first is written.
const IMAGES: Formats = &[
    ("png", "image/png"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("jpeg", "image/jpg"),
];
const DOCUMENTS: Formats = &[
    ("pdf", "application/pdf"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("html", "text/html"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("txt", "application/json"),
    ("txt", "application/xml"),
    ("txt", "application/yaml"),
];
const SOUNDS: Formats = &[
    ("mp3", "audio/mpeg"),
    ("opus", "audio/opus"),
    ("wav", "audio/wav"),
    ("aac", "audio/aac"),
    ("flac", "audio/flac"),
    ("mp4", "audio/mp4"),
    ("ogg", "audio/ogg"),
    ("mkv", "audio/x-matroska"),
    ("m4a", "audio/x-m4a"),
    ("pcm", "audio/pcm"),
    ("webm", "audio/webm"),
    ("mp3", "audio/mp3"),
    ("wav", "audio/x-wav"),
    ("wav", "audio/wave"),
    ("pcm", "audio/l16"),
    ("mpeg", "audio/mpeg"),
    ("mpga", "audio/mpeg"),
    ("mka", "audio/x-matroska"),
    ("x-aac", "audio/aac"),
];
const FILMS: Formats = &[
    ("mp4", "video/mp4"),
    ("mov", "video/quicktime"),
    ("mkv", "video/x-matroska"),
    ("webm", "video/webm"),
    ("flv", "video/x-flv"),
    ("mpeg", "video/mpeg"),
    ("mpg", "video/mpg"),
    ("wmv", "video/x-ms-wmv"),
    ("three_gp", "video/3gpp"),
    ("mov", "video/mov"),
    ("wmv", "video/wmv"),
];

impl Kind {
    /// The member of the content union.
    pub(super) fn key(self) -> &'static str {
        match self {
            Kind::Image => "image",
            Kind::Document => "document",
            Kind::Audio => "audio",
            Kind::Video => "video",
        }
    }

    fn formats(self) -> Formats {
        match self {
            Kind::Image => IMAGES,
            Kind::Document => DOCUMENTS,
            Kind::Audio => SOUNDS,
            Kind::Video => FILMS,
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Kind::Image => "png, jpeg, gif or webp",
            Kind::Document => "pdf, csv, doc, docx, xls, xlsx, html, txt or md",
            Kind::Audio => "mp3, opus, wav, aac, flac, mp4, ogg, mkv, m4a, pcm or webm",
            Kind::Video => "mp4, mov, mkv, webm, flv, mpeg, wmv or 3gp",
        }
    }

    pub(super) fn mime_of(self, format: &str) -> Option<&'static str> {
        self.formats().iter().find(|(known, _)| *known == format).map(|(_, mime)| *mime)
    }

    /// Bedrock's format of `media`: by its MIME type, its name, or its first bytes.
    fn format_of(self, media: &Media<'_>) -> Option<&'static str> {
        let mime = media.mime.as_deref().unwrap_or_default();
        let mime = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let by_mime = self.formats().iter().find(|(_, known)| *known == mime).map(|(format, _)| *format);
        let name = media.name.as_deref().unwrap_or_default();
        let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        let by_name = || {
            let extension = extension?;
            self.formats().iter().find(|(format, _)| *format == extension).map(|(format, _)| *format)
        };
        let is_plain =
            self == Kind::Document && (mime.starts_with("text/") || matches!(media.source, Source::Text(_)));
        by_mime.or_else(by_name).or(is_plain.then_some("txt")).or_else(|| self.by_first_bytes(media))
    }

    /// Base64 of the first bytes that tell a format, where the writer told none.
    fn by_first_bytes(self, media: &Media<'_>) -> Option<&'static str> {
        let (Source::Base64(data), None) = (&media.source, &media.mime) else { return None };
        let heads: &[(&str, &str)] = match self {
            Kind::Image => &[("iVBORw", "png"), ("/9j/", "jpeg"), ("R0lGOD", "gif"), ("UklGR", "webp")],
            Kind::Document => &[("JVBERi", "pdf")],
            _ => &[],
        };
        heads.iter().find(|(head, _)| data.starts_with(head)).map(|(_, format)| *format)
    }
}

/// Reads `{format, source{bytes|s3Location|text}, name}`. None where there is more to it than this
/// form can hold: the caller keeps the block as it is.
pub(super) fn decode<'a>(node: &Node<'a>, kind: Kind) -> Result<Option<Media<'a>>, Refused> {
    let format = read::text(node, "format")?;
    let name = read::text(node, "name")?;
    let holder = read::need_object(node, "source")?;
    let (member, value) = read::member(holder, "source")?;
    let source = match member {
        "bytes" => Source::Base64(value.text().ok_or_else(|| read::wrong(value, "bytes", "base64"))?),
        "text" => Source::Text(value.text().ok_or_else(|| read::wrong(value, "text", "a string"))?),
        "s3Location" if value.entries().len() == 1 => {
            Source::File { of: HERE, id: read::need_text(value, "uri")? }
        }
        _ => return Ok(None),
    };
    let mime = match &format {
        None => None,
        Some(format) => match kind.mime_of(format) {
            Some(mime) => Some(Text::Borrowed(mime)),
            None => return Ok(None),
        },
    };
    Ok(Some(Media { source, mime, name, detail: None }))
}

/// Whether Bedrock takes it.
///
/// # Errors
/// [`Refused`] for a URL, another vendor's file, or a format Bedrock does not know.
pub(super) fn check(media: &Media<'_>, kind: Kind, at: At) -> Result<(), Refused> {
    if matches!(media.source, Source::Url(_)) {
        let what = kind.key();
        return Err(Refused::new(
            at,
            format!("Bedrock fetches no URL of a {what}: send its bytes as base64"),
        ));
    }
    if matches!(media.source, Source::File { .. }) && s3_uri(&media.source).is_none() {
        return Err(Refused::new(at, "this file lives at another vendor: send its content instead"));
    }
    if kind.format_of(media).is_some() || (kind == Kind::Document && media.mime.is_none()) {
        return Ok(());
    }
    let (what, wanted) = (kind.key(), kind.wanted());
    Err(Refused::new(at, format!("Bedrock takes a {what} as {wanted}")))
}

/// Writes the members of the object, for media that passed [`check`].
pub(super) fn encode(
    media: &Media<'_>,
    kind: Kind,
    name: Option<&str>,
    is_own: bool,
    w: &mut JsonWriter<'_>,
) {
    if let Some(format) = kind.format_of(media) {
        w.field_str("format", format);
    }
    if let Some(name) = name {
        w.field_str("name", name);
    }
    w.field_object("source", |w| match &media.source {
        Source::Base64(data) => w.field_str("bytes", data),
        Source::Text(text) if is_own => w.field_str("text", text),
        // As bytes every model takes it; as text only those that cite.
        Source::Text(text) => w.field_str("bytes", &BASE64.encode(text.as_bytes())),
        Source::File { id, .. } => w.field_object("s3Location", |w| w.field_str("uri", id)),
        Source::Url(url) => w.field_str("bytes", url),
    });
}

/// Names of a request's documents. Bedrock wants one for each, of few kinds of characters, and no two
/// alike; the model sees them.
#[derive(Default)]
pub(super) struct Names {
    given: HashSet<String>,
}

const NAME_BYTES_MAX: usize = 180;

impl Names {
    /// The name for the next document. The same conversation gives the same names again, so that a
    /// cached prefix stays one.
    pub(super) fn next(&mut self, wanted: Option<&str>) -> String {
        let plain = wanted.map(sanitised).filter(|name| !name.is_empty());
        // From the place on: a thousand documents of one name must not be a million tries.
        let mut number = self.given.len() + 1;
        let base = plain.unwrap_or_else(|| format!("Document {number}"));
        let mut name = base.clone();
        while !self.given.insert(name.clone()) {
            name = format!("{base} ({number})");
            number += 1;
        }
        name
    }
}

/// Letters, digits, single spaces, hyphens, parentheses and brackets; anything else becomes a hyphen.
/// A known extension goes: the format says it.
fn sanitised(name: &str) -> String {
    let stem = match name.rsplit_once('.') {
        Some((stem, extension)) if DOCUMENTS.iter().any(|(f, _)| f.eq_ignore_ascii_case(extension)) => stem,
        _ => name,
    };
    let mut out = String::with_capacity(stem.len().min(NAME_BYTES_MAX));
    for c in stem.trim().chars() {
        let c = match c {
            c if c.is_ascii_alphanumeric() || "-()[]".contains(c) => c,
            c if c.is_whitespace() => ' ',
            _ => '-',
        };
        if !(out.ends_with(c) && matches!(c, ' ' | '-')) && out.len() < NAME_BYTES_MAX {
            out.push(c);
        }
    }
    if out.chars().any(|c| c.is_ascii_alphanumeric()) { out.trim_end().to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_the_allowed_characters_and_no_two_are_alike() {
        let mut names = Names::default();
        for (wanted, given) in [
            (Some("Q3 report.pdf"), "Q3 report"),
            (Some("Q3 report.docx"), "Q3 report (2)"),
            (Some("a__b/c.tar.gz"), "a-b-c-tar-gz"),
            (Some("  two   spaces "), "two spaces"),
            (Some("[x] (1)"), "[x] (1)"),
            (Some("日本語"), "Document 6"),
            (None, "Document 7"),
            (Some(""), "Document 8"),
        ] {
            assert_eq!(names.next(wanted), given);
        }
        assert!(names.next(Some(&"x".repeat(500))).len() <= 200);
    }

    #[test]
    fn a_format_comes_from_the_type_the_name_or_the_bytes() {
        let media = |mime: Option<&'static str>, name: Option<&'static str>, data: &'static str| Media {
            source: Source::Base64(data.into()),
            mime: mime.map(Text::from),
            name: name.map(Text::from),
            detail: None,
        };
        assert_eq!(Kind::Image.format_of(&media(Some("image/jpg"), None, "")), Some("jpeg"));
        assert_eq!(Kind::Image.format_of(&media(Some("IMAGE/PNG; x=1"), None, "")), Some("png"));
        assert_eq!(Kind::Image.format_of(&media(None, None, "/9j/4AAQ")), Some("jpeg"));
        assert_eq!(Kind::Image.format_of(&media(Some("image/tiff"), None, "/9j/4AAQ")), None);
        assert_eq!(Kind::Document.format_of(&media(None, Some("a.XLSX"), "")), Some("xlsx"));
        assert_eq!(Kind::Document.format_of(&media(Some("text/x-rust"), None, "")), Some("txt"));
        assert_eq!(Kind::Document.format_of(&media(None, None, "JVBERi0x")), Some("pdf"));
        assert_eq!(Kind::Document.format_of(&media(Some("application/zip"), None, "")), None);
    }
}
