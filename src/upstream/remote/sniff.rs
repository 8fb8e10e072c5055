//! What a file is, by its first bytes.

/// The MIME type of a picture or document that models read; None for anything else.
pub fn mime_of(bytes: &[u8]) -> Option<&'static str> {
    const STARTS: [(&[u8], &str); 5] = [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"%PDF-", "application/pdf"),
    ];
    let is_webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    if is_webp {
        return Some("image/webp");
    }
    STARTS.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, mime)| *mime)
}

/// Whether a `content-type` field does not contradict what the bytes are. Stores that know no types
/// say nothing, or that it is bytes.
pub fn agrees(content_type: Option<&str>, mime: &str) -> bool {
    let Some(said) = content_type else { return true };
    let said = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let said = if said == "image/jpg" { "image/jpeg" } else { said.as_str() };
    said == mime || matches!(said, "" | "application/octet-stream" | "binary/octet-stream")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_what_their_first_bytes_say() {
        for (bytes, mime) in [
            (&b"\x89PNG\r\n\x1a\n...."[..], Some("image/png")),
            (b"\xff\xd8\xff\xe0", Some("image/jpeg")),
            (b"GIF89a..", Some("image/gif")),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Some("image/webp")),
            (b"RIFF\x10\0\0\0WAVE", None),
            (b"%PDF-1.7", Some("application/pdf")),
            (b"<svg onload=", None),
            (b"", None),
        ] {
            assert_eq!(mime_of(bytes), mime, "{bytes:?}");
        }
    }

    #[test]
    fn a_field_may_be_silent_but_not_wrong() {
        assert!(agrees(None, "image/png") && agrees(Some("application/octet-stream"), "image/png"));
        assert!(agrees(Some("image/jpg"), "image/jpeg") && agrees(Some("Image/PNG; x=1"), "image/png"));
        assert!(!agrees(Some("text/html"), "image/png") && !agrees(Some("image/png"), "image/jpeg"));
    }
}
