//! Percent-encoding of URIs (RFC 3986 section 2.1).

use std::borrow::Cow;
use std::fmt::Write;

/// Characters that mean the same encoded or not, so that nobody encodes them (RFC 3986 section 2.3).
pub fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Appends `text`. What is not kept is encoded, and what is not ASCII always.
pub fn encode(text: &str, is_kept: impl Fn(u8) -> bool, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii() && is_kept(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// `text` as one part of a path or a query.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    encode(text, is_unreserved, &mut out);
    out
}

/// `None` for a broken escape or bytes that are not UTF-8. `+` stays `+`: it is no space in a URI.
pub fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' { digit(bytes.next()?)? << 4 | digit(bytes.next()?)? } else { byte });
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stay_and_all_come_back() {
        for (text, told) in [("c/d e", "c%2Fd%20e"), ("é~-._&=", "%C3%A9~-._%26%3D"), ("a%3A0", "a%253A0")] {
            assert_eq!(encoded(text), told);
            assert_eq!(decoded(told).unwrap(), text);
        }
        let mut out = String::new();
        encode("/é", |_| true, &mut out);
        assert_eq!(out, "/%C3%A9");
    }

    #[test]
    fn what_is_no_escape_or_no_text_is_nothing() {
        assert_eq!(decoded("a+b").unwrap(), "a+b");
        for bad in ["%", "%4", "%zz", "%+1", "%ff", "a%c3"] {
            assert_eq!(decoded(bad), None, "{bad}");
        }
    }
}
