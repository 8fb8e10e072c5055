//! Strings between their quotes.

use super::plain::plain_len;

/// Decodes a validated string body. A lone surrogate becomes U+FFFD: it is no character.
pub(super) fn unescape(body: &str) -> String {
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        let (plain, escape) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(plain);
        let (character, used) = one(escape);
        out.push(character);
        rest = escape.get(used..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// The character an escape stands for, and the bytes it takes.
fn one(escape: &str) -> (char, usize) {
    match escape.as_bytes().get(1) {
        Some(b'n') => ('\n', 2),
        Some(b't') => ('\t', 2),
        Some(b'r') => ('\r', 2),
        Some(b'b') => ('\u{8}', 2),
        Some(b'f') => ('\u{c}', 2),
        Some(b'u') => unicode(escape),
        Some(plain @ (b'"' | b'\\' | b'/')) => (char::from(*plain), 2),
        _ => (char::REPLACEMENT_CHARACTER, escape.len().max(1)),
    }
}

fn unicode(escape: &str) -> (char, usize) {
    let unit = |from: usize| u16::from_str_radix(escape.get(from..from + 4)?, 16).ok();
    let Some(first) = unit(2) else { return (char::REPLACEMENT_CHARACTER, escape.len()) };
    let second = if escape.get(6..8) == Some("\\u") { unit(8) } else { None };
    if let Some(second) = second
        && let Some(Ok(character)) = char::decode_utf16([first, second]).next()
        && character.len_utf16() == 2
    {
        return (character, 12);
    }
    match char::decode_utf16([first]).next() {
        Some(Ok(character)) => (character, 6),
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}

/// Appends `text` quoted and escaped. Only what must be escaped is.
pub(super) fn quote(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
}

/// Appends `text` escaped, without quotes.
pub(super) fn escape(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at_checked(plain_len(rest)).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        let Some((byte, behind)) = special.split_first() else { return };
        rest = behind;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            other => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX.get(usize::from(other >> 4)).copied().unwrap_or(b'0'));
                out.push(HEX.get(usize::from(other & 15)).copied().unwrap_or(b'0'));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_reads_back_the_same() {
        for text in ["", "plain", "a\"b\\c\n\r\t\u{1}\u{1f}\u{7f}é世😀/", "\\u0041"] {
            let mut out = Vec::new();
            quote(text, &mut out);
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
            let inner = std::str::from_utf8(&out[1..out.len() - 1]).unwrap();
            assert_eq!(unescape(inner), text);
        }
    }

    #[test]
    fn surrogates_pair_up_or_become_replacement_characters() {
        assert_eq!(unescape(r"\ud83d\ude00"), "😀");
        assert_eq!(unescape(r"a\ud83dz"), "a\u{fffd}z");
        assert_eq!(unescape(r"\ude00\u0041"), "\u{fffd}A");
        assert_eq!(unescape(r"\ud83d\u0041"), "\u{fffd}A");
    }
}
