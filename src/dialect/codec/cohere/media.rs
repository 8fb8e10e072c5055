//! Images, as URLs and data URLs.

use crate::chat::{At, Media, Refused, Source, Text};
use crate::framing::json::{JsonWriter, Node};

/// Reads `image_url`: an object with a `url`, or the URL itself.
pub(super) fn read<'a>(node: &Node<'a>) -> Result<Media<'a>, Refused> {
    let place = node.get("url").unwrap_or(node);
    let Some(url) = place.text() else {
        return Err(Refused::new(At::of(node), "`image_url` needs a `url`"));
    };
    let detail = node.text_of("detail");
    if has_scheme(&url, "http://") || has_scheme(&url, "https://") {
        return Ok(Media { source: Source::Url(url), mime: None, name: None, detail });
    }
    let wrong =
        || Refused::new(At::of(place), "neither an http URL nor a data URL (data:image/png;base64,…)");
    let (mime, data) = data_url(&url).ok_or_else(wrong)?;
    let mime = (!mime.is_empty()).then(|| Text::Owned(mime.to_owned()));
    let data = match &url {
        Text::Borrowed(url) => Text::Borrowed(url.split_once(',').map_or("", |(_, data)| data)),
        Text::Owned(_) => Text::Owned(data.to_owned()),
    };
    Ok(Media { source: Source::Base64(data), mime, name: None, detail })
}

fn has_scheme(url: &str, scheme: &str) -> bool {
    url.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
}

/// Type and base64 of a data URL.
fn data_url(url: &str) -> Option<(&str, &str)> {
    let rest = url.get("data:".len()..).filter(|_| has_scheme(url, "data:"))?;
    let (head, data) = rest.split_once(',')?;
    let (mime, coding) = head.rsplit_once(';')?;
    coding.eq_ignore_ascii_case("base64").then_some((mime.split(';').next().unwrap_or(mime), data))
}

/// Writes an image part. Files of other vendors were refused before.
pub(super) fn write(media: &Media<'_>, w: &mut JsonWriter<'_>) {
    w.object(|w| {
        w.field_str("type", "image_url");
        w.field_object("image_url", |w| {
            w.key("url");
            match &media.source {
                Source::Base64(data) => {
                    let mime = media.mime.as_deref().unwrap_or_else(|| guess(data));
                    w.string_of(["data:", mime, ";base64,", data]);
                }
                Source::Url(url) | Source::File { id: url, .. } | Source::Text(url) => w.string(url),
            }
            w.field_opt_str("detail", media.detail.as_deref());
        });
    });
}

/// The type of a picture whose writer did not say, by how its kind begins.
fn guess(data: &str) -> &'static str {
    const STARTS: [(&str, &str); 3] = [("/9j/", "image/jpeg"), ("R0lG", "image/gif"), ("UklG", "image/webp")];
    let found = STARTS.iter().find(|(start, _)| data.starts_with(start));
    found.map_or("image/png", |(_, mime)| mime)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::json::{Duplicates, parse};

    #[test]
    fn urls_and_data_urls_are_told_apart() {
        let read = |json: &str| {
            let node = parse(json, Duplicates::Refuse).unwrap();
            read(&node).map(|media| format!("{:?} {:?}", media.source, media.mime)).ok()
        };
        assert_eq!(
            read(r#"{"url":"data:image/png;base64,iVBO"}"#).unwrap(),
            r#"Base64("iVBO") Some("image/png")"#
        );
        assert_eq!(
            read(r#"{"url":"data:image\/png;base64,i\/"}"#).unwrap(),
            r#"Base64("i/") Some("image/png")"#
        );
        assert_eq!(read(r#""HTTPS://x/y""#).unwrap(), r#"Url("HTTPS://x/y") None"#);
        for wrong in
            [r#"{"url":""}"#, r#"{"url":"data:x"}"#, r#"{"url":"data:image/png,x"}"#, "{}", "3", r#""é""#]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
