//! A JSON string as it stands in the bytes, and the generated text inside JSON values.
//!
//! Decoding needs no heap: text goes to the listener as borrowed slices. A string without escapes
//! is one call; one with escapes is one call for every half kilobyte of it.

use super::cursor::{Cursor, Read};

/// Receives generated text, in order. Pieces of one string follow each other.
pub(crate) type Listener<'l> = &'l mut dyn FnMut(&str);

/// Content parts nest two deep in practice; deeper values are stepped over.
const DEPTH_MAX: usize = 8;
const PIECE_BYTES: usize = 512;

/// A JSON string between its quotes, escapes untouched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    raw: &'a [u8],
    has_escapes: bool,
}

impl<'a> Text<'a> {
    pub(crate) fn new(raw: &'a [u8], has_escapes: bool) -> Self {
        Self { raw, has_escapes }
    }

    pub(crate) fn raw(self) -> &'a [u8] {
        self.raw
    }

    pub(crate) fn is_empty(self) -> bool {
        self.raw.is_empty()
    }

    /// Hands the decoded text on; invalid UTF-8 and lone surrogates become U+FFFD.
    pub(crate) fn emit(self, listener: Listener<'_>) {
        if self.has_escapes {
            decode(self.raw, listener);
        } else {
            emit_lossy(self.raw, listener);
        }
    }

    /// The decoded text, cut at a character boundary after at most `bytes_max` bytes.
    pub(crate) fn to_string_bounded(self, bytes_max: usize) -> String {
        let mut out = String::new();
        self.emit(&mut |piece| {
            let room = bytes_max.saturating_sub(out.len());
            out.push_str(piece.get(..piece.floor_char_boundary(room)).unwrap_or_default());
        });
        out
    }
}

/// Hands on bytes that should be UTF-8.
pub(crate) fn emit_lossy(bytes: &[u8], listener: Listener<'_>) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        if !text.is_empty() {
            listener(text);
        }
        return;
    }
    for chunk in bytes.utf8_chunks() {
        if !chunk.valid().is_empty() {
            listener(chunk.valid());
        }
        if !chunk.invalid().is_empty() {
            listener("\u{fffd}");
        }
    }
}

/// Gathers decoded pieces so that a string full of escapes is not one call a character.
struct Gather<'l> {
    buf: [u8; PIECE_BYTES],
    len: usize,
    listener: Listener<'l>,
}

impl Gather<'_> {
    fn push(&mut self, piece: &str) {
        if piece.len() > PIECE_BYTES - self.len {
            self.flush();
        }
        match self.buf.get_mut(self.len..self.len + piece.len()) {
            Some(room) => {
                room.copy_from_slice(piece.as_bytes());
                self.len += piece.len();
            }
            None => (self.listener)(piece),
        }
    }

    fn flush(&mut self) {
        let whole = self.buf.get(..self.len).and_then(|b| std::str::from_utf8(b).ok());
        if let Some(text) = whole.filter(|t| !t.is_empty()) {
            (self.listener)(text);
        }
        self.len = 0;
    }
}

fn decode(raw: &[u8], listener: Listener<'_>) {
    let mut out = Gather { buf: [0; PIECE_BYTES], len: 0, listener };
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        emit_lossy(plain, &mut |piece| out.push(piece));
        let (character, used) = unescape(escape);
        out.push(character.encode_utf8(&mut [0; 4]));
        rest = escape.get(used..).unwrap_or_default();
    }
    emit_lossy(rest, &mut |piece| out.push(piece));
    out.flush();
}

/// The character an escape stands for, and how many bytes it takes (at least two, or all).
fn unescape(escape: &[u8]) -> (char, usize) {
    match escape.get(1) {
        Some(b'n') => ('\n', 2),
        Some(b't') => ('\t', 2),
        Some(b'r') => ('\r', 2),
        Some(b'b') => ('\u{8}', 2),
        Some(b'f') => ('\u{c}', 2),
        Some(b'u') => unescape_unicode(escape),
        Some(plain @ (b'"' | b'\\' | b'/')) => (char::from(*plain), 2),
        _ => (char::REPLACEMENT_CHARACTER, 2),
    }
}

fn unescape_unicode(escape: &[u8]) -> (char, usize) {
    let unit = |from: usize| {
        let digits = std::str::from_utf8(escape.get(from..from + 4)?).ok()?;
        u16::from_str_radix(digits, 16).ok()
    };
    let Some(first) = unit(2) else {
        return (char::REPLACEMENT_CHARACTER, 2);
    };
    let has_second = escape.get(6..8) == Some(b"\\u");
    let units = [first, unit(8).filter(|_| has_second).unwrap_or(0)];
    match char::decode_utf16(units).next() {
        Some(Ok(character)) => (character, if character.len_utf16() == 2 { 12 } else { 6 }),
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}

/// Consumes a value that holds generated text (a string, a list of parts, a part) and hands its
/// text on. True when the value holds anything a client would show or store.
pub(crate) fn texts(c: &mut Cursor<'_>, listener: Listener<'_>) -> Read<bool> {
    texts_within(c, listener, DEPTH_MAX)
}

fn texts_within(c: &mut Cursor<'_>, listener: Listener<'_>, depth: usize) -> Read<bool> {
    let Some(deeper) = depth.checked_sub(1) else {
        return c.presence();
    };
    match c.peek() {
        Some(b'"') => {
            let text = c.string()?.filter(|t| !t.is_empty());
            if let Some(text) = text {
                text.emit(listener);
            }
            Ok(text.is_some())
        }
        Some(b'[') => {
            let mut found = false;
            c.enter(b'[')?;
            while c.element()? {
                found |= texts_within(c, listener, deeper)?;
            }
            Ok(found)
        }
        Some(b'{') => part(c, listener, deeper),
        _ => c.skip().map(|()| false),
    }
}

fn part(c: &mut Cursor<'_>, listener: Listener<'_>, depth: usize) -> Read<bool> {
    let mut found = false;
    c.enter(b'{')?;
    while let Some(key) = c.key()? {
        found |= match key {
            b"text" | b"thinking" | b"content" | b"summary" | b"refusal" | b"transcript" => {
                texts_within(c, listener, depth)?
            }
            b"type" | b"id" | b"format" | b"status" => c.skip().map(|()| false)?,
            _ => c.presence()?,
        };
    }
    Ok(found)
}

/// Consumes a value and hands it on as text: a string decoded, an object as its JSON. True unless
/// empty.
pub(crate) fn value_text(c: &mut Cursor<'_>, listener: Listener<'_>) -> Read<bool> {
    if c.peek() == Some(b'"') {
        return texts(c, listener);
    }
    let mut again = *c;
    let is_present = c.presence()?;
    if is_present {
        emit_lossy(again.raw()?, listener);
    }
    Ok(is_present)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(json: &[u8]) -> String {
        let mut out = String::new();
        texts(&mut Cursor::new(json), &mut |piece| out.push_str(piece)).unwrap();
        out
    }

    #[test]
    fn escapes_decode_as_serde_json_decodes_them() {
        for json in [
            r#""plain""#,
            r#""a\nb\t\"q\" \\ \/ \b\f\r""#,
            r#""\u00e9 \ud83d\ude00 \u4e16""#,
            r#""naïve 世界 😀\n""#,
        ] {
            assert_eq!(decoded(json.as_bytes()), serde_json::from_str::<String>(json).unwrap(), "{json}");
        }
        let long = serde_json::to_string(&"é\n".repeat(2000)).unwrap();
        assert_eq!(decoded(long.as_bytes()), "é\n".repeat(2000));
    }

    #[test]
    fn broken_escapes_and_bytes_become_replacement_characters() {
        assert_eq!(decoded(br#""a\ud83dz""#), "a\u{fffd}z");
        assert_eq!(decoded(br#""\uZZZZ""#), "\u{fffd}ZZZZ");
        assert_eq!(decoded(b"\"a\xffb\""), "a\u{fffd}b");
    }

    #[test]
    fn parts_give_their_text_in_order() {
        let json =
            br#"[{"type":"thinking","thinking":[{"type":"text","text":"a"}]},{"type":"text","text":"b"}]"#;
        assert_eq!(decoded(json), "ab");
    }

    #[test]
    fn parts_without_text_hold_nothing() {
        let mut c = Cursor::new(br#"[{"type":"text","text":""}]"#);
        assert_eq!(texts(&mut c, &mut |_| {}), Ok(false));
    }

    #[test]
    fn a_bounded_copy_is_cut_between_characters() {
        assert_eq!(Text::new("aé世".as_bytes(), false).to_string_bounded(4), "aé");
    }
}
