//! Percent-encoding, as AWS and OAuth want it: everything but RFC 3986's unreserved characters.

use std::fmt::Write;

/// Appends `text`, encoded; with `keeps_slash`, slashes stay.
pub(super) fn encode(text: &str, keeps_slash: bool, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            b'/' if keeps_slash => out.push('/'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

/// The body of an `application/x-www-form-urlencoded` POST.
pub(super) fn form(fields: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        if !out.is_empty() {
            out.push('&');
        }
        encode(name, false, &mut out);
        out.push('=');
        encode(value, false, &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stay() {
        assert_eq!(form(&[("a b", "c/d"), ("é", "~-._&=")]), "a%20b=c%2Fd&%C3%A9=~-._%26%3D");
        let mut path = String::new();
        encode("/model/a%3A0/x", true, &mut path);
        assert_eq!(path, "/model/a%253A0/x");
    }
}
