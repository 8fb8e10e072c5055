//! A pull reader over JSON bytes: borrowed, forward only, no tree.
//!
//! It reads what an upstream sent in order to *listen*, so it is lenient where leniency costs
//! nothing: mismatched brackets inside a skipped value, a leading comma or a bad literal go
//! unnoticed. It is not a validator. Invariant: every call either consumes at least one byte or
//! says [`Malformed`], so every loop over it ends.

use memchr::{memchr2, memchr3};

use super::text::Text;

/// The bytes are not JSON as far as they were read, or end before the value does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

pub(crate) type Read<T> = Result<T, Malformed>;

/// Where reading stands. Copying it is a bookmark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next byte that is not white space, left in place.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        while let Some((byte, tail)) = self.rest.split_first() {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(*byte);
            }
            self.rest = tail;
        }
        None
    }

    #[inline]
    fn advance(&mut self, by: usize) -> Read<()> {
        self.rest = self.rest.get(by..).ok_or(Malformed)?;
        Ok(())
    }

    /// Steps into the container opened by `open` (`{` or `[`). When the value is something else it
    /// is skipped, and the answer is false.
    #[inline]
    pub(crate) fn enter(&mut self, open: u8) -> Read<bool> {
        if self.peek() == Some(open) {
            self.advance(1)?;
            return Ok(true);
        }
        self.skip()?;
        Ok(false)
    }

    /// The next key of the object stepped into, raw (escapes stay), its colon consumed; `None`
    /// once the object closed. The caller consumes exactly one value before asking again.
    #[inline]
    pub(crate) fn key(&mut self) -> Read<Option<&'a [u8]>> {
        match self.peek() {
            Some(b'}') => {
                self.advance(1)?;
                return Ok(None);
            }
            Some(b',') => self.advance(1)?,
            _ => {}
        }
        if self.peek() != Some(b'"') {
            return Err(Malformed);
        }
        let key = self.quoted()?;
        if self.peek() != Some(b':') {
            return Err(Malformed);
        }
        self.advance(1)?;
        Ok(Some(key.raw()))
    }

    /// Whether the array stepped into has another element; false consumes the closing bracket.
    #[inline]
    pub(crate) fn element(&mut self) -> Read<bool> {
        match self.peek() {
            Some(b']') => {
                self.advance(1)?;
                Ok(false)
            }
            Some(b',') => {
                self.advance(1)?;
                Ok(true)
            }
            Some(_) => Ok(true),
            None => Err(Malformed),
        }
    }

    /// The value when it is a string; anything else is skipped.
    #[inline]
    pub(crate) fn string(&mut self) -> Read<Option<Text<'a>>> {
        if self.peek() == Some(b'"') {
            return self.quoted().map(Some);
        }
        self.skip()?;
        Ok(None)
    }

    /// Consumes one value and tells whether there is anything in it: false for null, booleans,
    /// numbers and empty strings, arrays and objects.
    pub(crate) fn presence(&mut self) -> Read<bool> {
        match self.peek() {
            Some(b'"') => Ok(!self.quoted()?.is_empty()),
            Some(open @ (b'{' | b'[')) => {
                let mut inside = *self;
                inside.advance(1)?;
                self.skip()?;
                Ok(inside.peek() != Some(open + 2))
            }
            _ => self.skip().map(|()| false),
        }
    }

    /// Consumes one value and gives its bytes as they stand.
    pub(crate) fn raw(&mut self) -> Read<&'a [u8]> {
        self.peek();
        let before = self.rest;
        self.skip()?;
        before.get(..before.len() - self.rest.len()).ok_or(Malformed)
    }

    /// Consumes one value.
    #[inline]
    pub(crate) fn skip(&mut self) -> Read<()> {
        match self.peek() {
            Some(b'"') => self.quoted().map(|_| ()),
            Some(b'{') => self.skip_container(b'{', b'}'),
            Some(b'[') => self.skip_container(b'[', b']'),
            Some(_) => self.scalar().map(|_| ()),
            None => Err(Malformed),
        }
    }

    /// Consumes a number or literal and gives its bytes.
    #[inline]
    pub(crate) fn scalar(&mut self) -> Read<&'a [u8]> {
        self.peek();
        let ends = |b: &u8| matches!(b, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' | b'"' | b':');
        let len = self.rest.iter().position(ends).unwrap_or(self.rest.len());
        let (scalar, tail) = self.rest.split_at_checked(len).ok_or(Malformed)?;
        self.rest = tail;
        if scalar.is_empty() { Err(Malformed) } else { Ok(scalar) }
    }

    /// In well-formed JSON the brackets of one kind balance on their own, so one kind is counted.
    fn skip_container(&mut self, open: u8, close: u8) -> Read<()> {
        let mut depth = 0usize;
        loop {
            let at = quote_or_bracket(self.rest, open, close).ok_or(Malformed)?;
            self.advance(at)?;
            match self.rest.first() {
                Some(b'"') => {
                    self.quoted()?;
                    continue;
                }
                Some(byte) if *byte == open => depth += 1,
                _ => depth = depth.saturating_sub(1),
            }
            self.advance(1)?;
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// The string that starts here; the next byte is its opening quote.
    #[inline]
    fn quoted(&mut self) -> Read<Text<'a>> {
        let body = self.rest.get(1..).ok_or(Malformed)?;
        let mut len = 0;
        let mut has_escapes = false;
        loop {
            let ahead = body.get(len..).ok_or(Malformed)?;
            len += quote_or_backslash(ahead).ok_or(Malformed)?;
            if body.get(len) == Some(&b'"') {
                break;
            }
            has_escapes = true;
            len += 2;
        }
        let raw = body.get(..len).ok_or(Malformed)?;
        self.rest = body.get(len + 1..).ok_or(Malformed)?;
        Ok(Text::new(raw, has_escapes))
    }
}

/// Keys and most values of a chunk are a dozen bytes, too short for a vector search to pay: the
/// first words are searched eight bytes at a time.
#[inline]
fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    let hits = |word| zero_bytes(word ^ repeat(b'"')) | zero_bytes(word ^ repeat(b'\\'));
    let (found, searched) = in_first_words(bytes, hits);
    found.or_else(|| Some(searched + memchr2(b'"', b'\\', bytes.get(searched..)?)?))
}

#[inline]
fn quote_or_bracket(bytes: &[u8], open: u8, close: u8) -> Option<usize> {
    let hits = |word| {
        zero_bytes(word ^ repeat(b'"')) | zero_bytes(word ^ repeat(open)) | zero_bytes(word ^ repeat(close))
    };
    let (found, searched) = in_first_words(bytes, hits);
    found.or_else(|| Some(searched + memchr3(b'"', open, close, bytes.get(searched..)?)?))
}

/// The place of the first byte that `hits` marks in the first words, and how far was looked.
#[inline]
fn in_first_words(bytes: &[u8], hits: impl Fn(u64) -> u64) -> (Option<usize>, usize) {
    const WORDS: usize = 4;
    let (words, _) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().take(WORDS).enumerate() {
        let hits = hits(u64::from_le_bytes(*word));
        if hits != 0 {
            return (Some(at * 8 + hits.trailing_zeros() as usize / 8), 0);
        }
    }
    (None, words.len().min(WORDS) * 8)
}

const fn repeat(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The high bit of the lowest zero byte of `word` (bits above it may be set wrongly).
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(repeat(1)) & !word & repeat(0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(json: &str) -> Read<Vec<String>> {
        let mut c = Cursor::new(json.as_bytes());
        let mut keys = Vec::new();
        assert!(c.enter(b'{')?);
        while let Some(key) = c.key()? {
            keys.push(String::from_utf8_lossy(key).into_owned());
            c.skip()?;
        }
        Ok(keys)
    }

    #[test]
    fn every_kind_of_value_is_stepped_over() {
        let json = r#" { "a" : "x\"}\\" , "b":[1,[2,"]"],{"c":"}"}],"d":{"e":{"f":"{"}},"g":-1.5e3,"h":null,"i":true}"#;
        assert_eq!(keys(json).unwrap(), ["a", "b", "d", "g", "h", "i"]);
    }

    #[test]
    fn a_document_cut_anywhere_is_malformed_and_never_panics() {
        let json = r#"{"a":"x\"\u00e9","b":[1,{"c":[]}],"d":{"e":null},"f":12}"#;
        for cut in 1..json.len() {
            assert_eq!(keys(&json[..cut]), Err(Malformed), "{}", &json[..cut]);
        }
        assert!(keys(json).is_ok());
    }

    #[test]
    fn a_deep_value_is_skipped_without_recursion() {
        let deep = format!("{{\"a\":{}{},\"b\":1}}", "[".repeat(1 << 20), "]".repeat(1 << 20));
        assert_eq!(keys(&deep).unwrap(), ["a", "b"]);
    }

    #[test]
    fn presence_is_false_for_what_holds_nothing() {
        for (json, expected) in [
            ("null", false),
            ("0", false),
            ("true", false),
            ("\"\"", false),
            ("[ ]", false),
            ("{}", false),
            ("\"x\"", true),
            ("[0]", true),
            ("{\"a\":1}", true),
        ] {
            assert_eq!(Cursor::new(json.as_bytes()).presence(), Ok(expected), "{json}");
        }
    }

    #[test]
    fn a_string_ends_at_its_first_bare_quote_wherever_that_is() {
        for len in 0..70 {
            for filler in ["x", "!", "#", "[", "]", "\u{a2}"] {
                let json = format!("\"{}\"\"", filler.repeat(len));
                let text = Cursor::new(json.as_bytes()).string().unwrap().unwrap();
                assert_eq!(text.raw(), filler.repeat(len).as_bytes(), "{json}");
                let json = format!("\"{}\\\"z\"", filler.repeat(len));
                let text = Cursor::new(json.as_bytes()).string().unwrap().unwrap();
                assert_eq!(text.raw().len(), filler.len() * len + 3, "{json}");
            }
        }
    }

    #[test]
    fn raw_gives_a_value_as_it_stands() {
        let mut c = Cursor::new(br#" {"x": [1, 2]} ,"#);
        assert_eq!(c.raw().unwrap(), br#"{"x": [1, 2]}"#);
    }
}
