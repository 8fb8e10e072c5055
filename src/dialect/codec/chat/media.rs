//! Data URLs, MIME types and the words chat has for them.

use crate::chat::{At, Media, Refused, Source, Text};
use crate::types::Protocol;

/// Reads what stands where a URL is expected: a data URL, an address, or a file in a vendor's store.
pub(super) fn of_url<'a>(url: Text<'a>, at: At) -> Result<Media<'a>, Refused> {
    let (source, mime) = if has_scheme(&url, "data:") {
        of_data_url(&url, at)?
    } else if has_scheme(&url, "https://") || has_scheme(&url, "http://") {
        (Source::Url(url), None)
    } else if has_scheme(&url, "gs://") {
        (Source::File { of: Protocol::Generate, id: url }, None)
    } else if has_scheme(&url, "s3://") {
        (Source::File { of: Protocol::Converse, id: url }, None)
    } else {
        return Err(Refused::new(at, "neither an http URL nor a data URL (data:image/png;base64,…)"));
    };
    Ok(Media { source, mime, name: None, detail: None })
}

pub(super) fn has_scheme(url: &str, scheme: &str) -> bool {
    url.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
}

fn of_data_url<'a>(url: &Text<'a>, at: At) -> Result<(Source<'a>, Option<Text<'a>>), Refused> {
    let refused = || Refused::new(at, "a data URL must be of the form data:<type>;base64,<data>");
    let comma = url.find(',').ok_or_else(refused)?;
    let head = url.get("data:".len()..comma).unwrap_or_default();
    let (kind, coding) = head.rsplit_once(';').ok_or_else(refused)?;
    if !coding.eq_ignore_ascii_case("base64") {
        return Err(refused());
    }
    let kind = kind.split(';').next().unwrap_or_default();
    let kind = "data:".len().."data:".len() + kind.len();
    let mime = piece(url, kind.start, kind.end);
    let data = piece(url, comma + 1, url.len());
    Ok((Source::Base64(data), Some(mime).filter(|mime| !mime.is_empty())))
}

/// A piece of a text, borrowed where the text is.
fn piece<'a>(text: &Text<'a>, from: usize, to: usize) -> Text<'a> {
    match text {
        Text::Borrowed(text) => Text::Borrowed(text.get(from..to).unwrap_or_default()),
        Text::Owned(text) => Text::Owned(text.get(from..to).unwrap_or_default().to_owned()),
    }
}

/// The type of base64 data whose writer did not say, by how pictures and PDFs begin.
pub(super) fn guess(data: &str) -> &'static str {
    const STARTS: [(&str, &str); 5] = [
        ("/9j/", "image/jpeg"),
        ("iVBOR", "image/png"),
        ("R0lG", "image/gif"),
        ("UklG", "image/webp"),
        ("JVBER", "application/pdf"),
    ];
    let found = STARTS.iter().find(|(start, _)| data.starts_with(start));
    found.map_or("application/octet-stream", |(_, mime)| mime)
}

/// `input_audio.format` as a MIME type.
pub(super) fn audio_mime(format: Text<'_>) -> Text<'_> {
    match format.as_ref() {
        "mp3" => Text::Borrowed("audio/mpeg"),
        "wav" => Text::Borrowed("audio/wav"),
        "pcm16" => Text::Borrowed("audio/pcm"),
        _ => Text::Owned(format!("audio/{format}")),
    }
}

/// The other way; `wav` where nothing is known.
pub(super) fn audio_format(mime: Option<&str>) -> &str {
    match mime {
        Some("audio/mpeg" | "audio/mp3") => "mp3",
        Some("audio/wav" | "audio/x-wav" | "audio/wave") | None => "wav",
        Some("audio/pcm" | "audio/l16") => "pcm16",
        Some(mime) => {
            let kind = mime.rsplit('/').next().unwrap_or(mime);
            kind.split(';').next().unwrap_or(kind)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Option<(Source<'_>, Option<Text<'_>>)> {
        of_url(url.into(), At::NOWHERE).ok().map(|media| (media.source, media.mime))
    }

    #[test]
    fn urls_are_told_apart() {
        let png = Some((Source::Base64("iVBO".into()), Some("image/png".into())));
        assert_eq!(read("data:image/png;base64,iVBO"), png);
        assert_eq!(read("DATA:image/png;charset=x;BASE64,iVBO"), png);
        assert_eq!(read("data:;base64,iVBO"), Some((Source::Base64("iVBO".into()), None)));
        assert_eq!(read("HTTPS://x/y"), Some((Source::Url("HTTPS://x/y".into()), None)));
        let stored = Source::File { of: Protocol::Generate, id: "gs://b/o".into() };
        assert_eq!(read("gs://b/o"), Some((stored, None)));
        for wrong in ["", "x.png", "data:image/png,iVBO", "data:", "data:é", "file:///etc/passwd", "ftp://x"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_plain_data_url_is_not_copied() {
        let media = of_url("data:image/png;base64,iVBO".into(), At::NOWHERE).unwrap();
        assert!(matches!(media.source, Source::Base64(Text::Borrowed(_))));
    }

    #[test]
    fn formats_of_sound_come_back_as_they_were() {
        for format in ["mp3", "wav", "flac", "pcm16", "ogg"] {
            assert_eq!(audio_format(Some(&audio_mime(format.into()))), format);
        }
    }
}
