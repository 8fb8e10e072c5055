//! Images, files and sounds: `data:` URLs, links, ids.

use super::read::{needed, object, text, wrong};
use crate::chat::{At, BlockKind, Media, Refused, Source, Text};
use crate::framing::json::{JsonWriter, Node};
use crate::types::Protocol;
use std::borrow::Cow;

/// An `input_image`.
pub(super) fn image<'a>(node: &Node<'a>) -> Result<BlockKind<'a>, Refused> {
    let detail = text(node, "detail")?;
    let (source, mime) = match (node.get("image_url"), text(node, "file_id")?) {
        // Chat's part has the URL in an object.
        (Some(url), _) => linked(url.get("url").unwrap_or(url))?,
        (None, Some(id)) => (Source::File { of: Protocol::Responses, id }, None),
        (None, None) => return Err(Refused::new(At::of(node), "an image needs `image_url` or `file_id`")),
    };
    Ok(BlockKind::Image(Media { source, mime, name: None, detail }))
}

/// An `input_file`.
pub(super) fn file<'a>(node: &Node<'a>) -> Result<BlockKind<'a>, Refused> {
    let name = text(node, "filename")?;
    let (source, mime) = match (text(node, "file_data")?, node.get("file_url"), text(node, "file_id")?) {
        (Some(data), _, _) => match split_data_url(&data) {
            Some((mime, data)) => (Source::Base64(data), mime),
            None if data.starts_with("data:") => return Err(not_base64(node)),
            None => (Source::Base64(data), None),
        },
        (None, Some(url), _) => linked(url)?,
        (None, None, Some(id)) => (Source::File { of: Protocol::Responses, id }, None),
        (None, None, None) => {
            return Err(Refused::new(At::of(node), "a file needs `file_data`, `file_url` or `file_id`"));
        }
    };
    Ok(BlockKind::Document(Media { source, mime, name, detail: None }))
}

/// An `input_audio`.
pub(super) fn audio<'a>(node: &Node<'a>) -> Result<BlockKind<'a>, Refused> {
    let Some(sound) = object(node, "input_audio")? else {
        return Err(Refused::new(At::of(node), "`input_audio` is missing here"));
    };
    let data = needed(sound, "data")?;
    let mime = text(sound, "format")?.map(|format| match format.as_ref() {
        "mp3" => Text::Borrowed("audio/mpeg"),
        "wav" => Text::Borrowed("audio/wav"),
        other => Text::Owned(format!("audio/{other}")),
    });
    Ok(BlockKind::Audio(Media { source: Source::Base64(data), mime, name: None, detail: None }))
}

/// The format word of a sound, of its type.
fn sound_format(mime: Option<&str>) -> &str {
    match mime {
        None | Some("audio/wav" | "audio/x-wav" | "audio/wave") => "wav",
        Some("audio/mpeg" | "audio/mp3") => "mp3",
        Some(other) => other.strip_prefix("audio/").unwrap_or(other),
    }
}

fn linked<'a>(node: &Node<'a>) -> Result<(Source<'a>, Option<Text<'a>>), Refused> {
    let Some(url) = node.text() else { return Err(wrong(node, "a string")) };
    if let Some((mime, data)) = split_data_url(&url) {
        return Ok((Source::Base64(data), mime));
    }
    let is_web =
        |scheme: &str| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    if is_web("http://") || is_web("https://") {
        return Ok((Source::Url(url), None));
    }
    if url.starts_with("data:") {
        return Err(not_base64(node));
    }
    Err(Refused::new(At::of(node), "this must be an http, https or data URL"))
}

fn not_base64(node: &Node<'_>) -> Refused {
    Refused::new(At::of(node), "a data URL must be of the form data:<type>;base64,<data>")
}

/// Type and data of a base64 data URL; parameters of the type are left out.
fn split_data_url<'a>(url: &Text<'a>) -> Option<(Option<Text<'a>>, Text<'a>)> {
    let body = url.strip_prefix("data:")?;
    let (head, data) = body.split_once(',')?;
    let head = head.strip_suffix(";base64")?;
    let mime = head.split(';').next().unwrap_or_default();
    let mime_from = "data:".len();
    let data_from = url.len() - data.len();
    let slice = |from: usize, len: usize| -> Text<'a> {
        match url {
            Cow::Borrowed(url) => Cow::Borrowed(url.get(from..from + len).unwrap_or_default()),
            Cow::Owned(url) => Cow::Owned(url.get(from..from + len).unwrap_or_default().to_owned()),
        }
    };
    Some(((!mime.is_empty()).then(|| slice(mime_from, mime.len())), slice(data_from, data.len())))
}

/// Writes `"key":"data:…"`.
fn write_data_url(w: &mut JsonWriter<'_>, key: &str, mime: &str, data: &str) {
    w.key(key);
    w.string_of(["data:", mime, ";base64,", data]);
}

/// Members of an `input_image`.
pub(super) fn write_image(w: &mut JsonWriter<'_>, media: &Media<'_>) {
    w.field_str("type", "input_image");
    match &media.source {
        Source::Base64(data) => {
            write_data_url(w, "image_url", media.mime.as_deref().unwrap_or("image/png"), data);
        }
        Source::Url(url) | Source::Text(url) => w.field_str("image_url", url),
        Source::File { id, .. } => w.field_str("file_id", id),
    }
    w.field_opt_str("detail", media.detail.as_deref());
}

/// Members of an `input_file`, or of an `input_text` for what is plain text already.
pub(super) fn write_document(w: &mut JsonWriter<'_>, media: &Media<'_>) {
    if let Source::Text(words) = &media.source {
        w.field_str("type", "input_text");
        w.key("text");
        match &media.name {
            Some(name) => w.string_of([name, "\n\n", words]),
            None => w.string(words),
        }
        return;
    }
    w.field_str("type", "input_file");
    match &media.source {
        Source::Base64(data) => {
            let mime = media.mime.as_deref().unwrap_or("application/pdf");
            // OpenAI refuses data without a name, and goes by the name's ending.
            let invented = if mime == "text/plain" { "document.txt" } else { "document.pdf" };
            w.field_str("filename", media.name.as_deref().unwrap_or(invented));
            write_data_url(w, "file_data", mime, data);
        }
        Source::Url(url) | Source::Text(url) => w.field_str("file_url", url),
        Source::File { id, .. } => w.field_str("file_id", id),
    }
}

/// Members of an `input_audio`. A source other than data was refused before.
pub(super) fn write_audio(w: &mut JsonWriter<'_>, media: &Media<'_>) {
    w.field_str("type", "input_audio");
    w.field_object("input_audio", |w| {
        if let Source::Base64(data) = &media.source {
            w.field_str("data", data);
        }
        w.field_str("format", sound_format(media.mime.as_deref()));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_url_is_split_and_stays_borrowed() {
        let url = Text::Borrowed("data:image/png;charset=x;base64,iVBO+/=");
        let (mime, data) = split_data_url(&url).unwrap();
        assert_eq!((mime.as_deref(), data.as_ref()), (Some("image/png"), "iVBO+/="));
        assert!(matches!(data, Cow::Borrowed(_)));
        assert_eq!(split_data_url(&"data:;base64,QQ".into()).unwrap(), (None, "QQ".into()));
        for other in ["data:text/plain,hello", "data:image/png;base64", "http://x/;base64,", ""] {
            assert_eq!(split_data_url(&other.into()), None, "{other}");
        }
    }
}
