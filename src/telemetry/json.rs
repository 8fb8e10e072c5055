//! JSON values appended to a byte buffer, without a tree in between.
//!
//! Not a general writer: what a log line needs. Invariant: whatever bytes go in, the text that
//! comes out is one line of valid UTF-8, a valid JSON value, and cannot steer a terminal.

use std::fmt::Write as _;
use std::net::IpAddr;

/// Ends a text that was cut.
const CUT_MARK: &str = "…";

/// Appends `text` as a JSON string of at most `max` bytes of it; more is cut and marked with `…`.
/// Bytes that are not UTF-8 become U+FFFD.
pub(super) fn push_text(out: &mut Vec<u8>, text: &[u8], max: usize) {
    out.push(b'"');
    let kept = cut(text, max);
    if kept.iter().fold(true, |plain, byte| plain & is_plain(*byte)) {
        out.extend_from_slice(kept);
    } else {
        for chunk in kept.utf8_chunks() {
            chunk.valid().chars().for_each(|c| push_char(out, c));
            if !chunk.invalid().is_empty() {
                push_char(out, char::REPLACEMENT_CHARACTER);
            }
        }
    }
    if kept.len() < text.len() {
        out.extend_from_slice(CUT_MARK.as_bytes());
    }
    out.push(b'"');
}

/// Appends `n` in decimal.
pub(super) fn push_u64(out: &mut Vec<u8>, mut n: u64) {
    let mut digits = [b'0'; 20];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (n % 10) as u8;
        n /= 10;
        used += 1;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.last_chunk::<20>().and_then(|all| all.get(20 - used..)).unwrap_or_default());
}

/// Appends `thousandths` / 1000 with three decimals: microseconds as milliseconds.
pub(super) fn push_thousandths(out: &mut Vec<u8>, thousandths: u64) {
    push_u64(out, thousandths / 1000);
    let rest = thousandths % 1000;
    let digit = |place: u64| b'0' + (rest / place % 10) as u8;
    out.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
}

/// Appends `address` as a JSON string.
pub(super) fn push_address(out: &mut Vec<u8>, address: IpAddr) {
    out.push(b'"');
    match address {
        IpAddr::V4(v4) => {
            for (n, octet) in v4.octets().into_iter().enumerate() {
                if n > 0 {
                    out.push(b'.');
                }
                push_u64(out, u64::from(octet));
            }
        }
        IpAddr::V6(v6) => push_display(out, v6),
    }
    out.push(b'"');
}

/// Appends what `value` displays, which must need no escaping.
pub(super) fn push_display(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    struct Sink<'v>(&'v mut Vec<u8>);
    impl std::fmt::Write for Sink<'_> {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }
    // The sink cannot fail, and neither do the displays given here.
    let _ = write!(Sink(out), "{value}");
}

fn is_plain(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte) & (byte != b'"') & (byte != b'\\')
}

/// The first `max` bytes of `text`, less the pieces of a character cut in two.
fn cut(text: &[u8], max: usize) -> &[u8] {
    let Some((kept, beyond)) = text.split_at_checked(max) else { return text };
    let is_continuation = |byte: Option<&u8>| byte.is_some_and(|byte| byte & 0xc0 == 0x80);
    if !is_continuation(beyond.first()) {
        return kept;
    }
    // Only the last three bytes can belong to a character that goes on beyond the cut.
    let lead = kept.iter().rev().take(3).position(|byte| byte & 0xc0 != 0x80);
    let end = lead.map_or(kept.len(), |back| kept.len() - back - 1);
    kept.get(..end).unwrap_or(kept)
}

fn push_char(out: &mut Vec<u8>, c: char) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        c if is_steering(c) => push_display(out, format_args!("\\u{:04x}", u32::from(c))),
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// Characters that move a cursor, end a line, colour a terminal or turn the direction of text:
/// the C0 and C1 controls, the line separators, the bidirectional marks and overrides, the byte
/// order mark. All lie in the basic plane, so four hex digits name them.
fn is_steering(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{061c}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8], max: usize) -> String {
        let mut out = Vec::new();
        push_text(&mut out, bytes, max);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_that_could_steer_a_terminal_or_break_a_line_is_escaped() {
        assert_eq!(text(b"a\"b\\c\n\r\t\x1b[31m\x7f", 99), r#""a\"b\\c\n\r\t\u001b[31m\u007f""#);
        assert_eq!(text("\u{9b}0m \u{202e}x\u{2028}".as_bytes(), 99), r#""\u009b0m \u202ex\u2028""#);
        assert_eq!(text("grüße 漢字 🦀".as_bytes(), 99), "\"grüße 漢字 🦀\"");
    }

    #[test]
    fn bytes_that_are_not_utf8_become_the_replacement_character() {
        assert_eq!(text(b"ok\xff\xc3(\xe2\x82", 99), "\"ok\u{fffd}\u{fffd}(\u{fffd}\"");
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_marked() {
        assert_eq!(text(b"abcdef", 6), "\"abcdef\"");
        assert_eq!(text(b"abcdefg", 6), "\"abcdef…\"");
        for max in 0..8 {
            let kept = "a🦀é漢".len().min(max);
            let got = text("a🦀é漢!!!!".as_bytes(), max);
            assert!(!got.contains('\u{fffd}'), "{got}");
            assert!(got.len() <= kept + "\"…\"".len(), "{got}");
        }
        assert_eq!(text(&[0x80; 9], 4), format!("\"{}…\"", "\u{fffd}".repeat(4)));
    }

    #[test]
    fn numbers_and_addresses_are_written_in_full() {
        let mut out = Vec::new();
        for n in [0, 7, 10, u64::MAX] {
            push_u64(&mut out, n);
            out.push(b' ');
        }
        for micros in [0, 999, 12_345_006] {
            push_thousandths(&mut out, micros);
            out.push(b' ');
        }
        push_address(&mut out, "10.0.255.1".parse().unwrap());
        push_address(&mut out, "2001:db8::1".parse().unwrap());
        let written = String::from_utf8(out).unwrap();
        assert_eq!(
            written,
            "0 7 10 18446744073709551615 0.000 0.999 12345.006 \"10.0.255.1\"\"2001:db8::1\""
        );
    }
}
