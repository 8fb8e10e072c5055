//! From bytes to a tree, strictly.

use super::node::{Node, Value};
use super::plain::plain_len;
use super::string;
use std::borrow::Cow;

/// Containers in containers. The reader recurses, so this bounds its stack.
pub const DEPTH_MAX: usize = 128;

/// What two equal keys in one object are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// A client's mistake: readers disagree which one counts.
    Refuse,
    /// A provider's habit: the last counts.
    LastCounts,
}

/// The document is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at byte {at}")]
pub struct JsonError {
    pub at: usize,
    pub fault: JsonFault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    #[error("the JSON ends too early")]
    Truncated,
    #[error("this is not JSON")]
    Syntax,
    #[error("the JSON is not UTF-8")]
    Utf8,
    #[error("the JSON is nested too deep")]
    Depth,
    #[error("a key stands twice in one object")]
    Duplicate,
    #[error("the document is too long")]
    Length,
}

/// Parses bytes that should be one JSON document.
///
/// # Errors
/// [`JsonError`] with the offset of the first fault.
pub fn parse_bytes(bytes: &[u8], duplicates: Duplicates) -> Result<Node<'_>, JsonError> {
    let text =
        std::str::from_utf8(bytes).map_err(|e| JsonError { at: e.valid_up_to(), fault: JsonFault::Utf8 })?;
    parse(text, duplicates)
}

/// Parses one JSON document.
///
/// # Errors
/// [`JsonError`] with the offset of the first fault.
pub fn parse(text: &str, duplicates: Duplicates) -> Result<Node<'_>, JsonError> {
    if u32::try_from(text.len()).is_err() {
        return Err(JsonError { at: 0, fault: JsonFault::Length });
    }
    let mut reader = Reader { text, at: 0, duplicates };
    let node = reader.value(0)?;
    reader.space();
    if reader.at < text.len() { Err(reader.fault(JsonFault::Syntax)) } else { Ok(node) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    duplicates: Duplicates,
}

impl<'a> Reader<'a> {
    fn fault(&self, fault: JsonFault) -> JsonError {
        JsonError { at: self.at, fault }
    }

    /// Where the document ends too early or, if it goes on, is wrong.
    fn unexpected(&self) -> JsonError {
        self.fault(if self.peek().is_none() { JsonFault::Truncated } else { JsonFault::Syntax })
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(self.unexpected())
    }

    fn node(&self, from: usize, value: Value<'a>) -> Node<'a> {
        // Lengths over u32 were refused before.
        Node { raw: self.text.get(from..self.at).unwrap_or_default(), at: from as u32, value }
    }

    fn value(&mut self, depth: usize) -> Result<Node<'a>, JsonError> {
        self.space();
        let from = self.at;
        let value = match self.peek() {
            Some(b'"') => Value::String(self.string()?),
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b't') => self.word("true", Value::Bool(true))?,
            Some(b'f') => self.word("false", Value::Bool(false))?,
            Some(b'n') => self.word("null", Value::Null)?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => return Err(self.unexpected()),
        };
        Ok(self.node(from, value))
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, JsonError> {
        for byte in word.bytes() {
            self.expect(byte)?;
        }
        Ok(value)
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.unexpected());
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Value<'a>, JsonError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Value::Number)
    }

    /// Steps over a string. True where it has escapes.
    fn string(&mut self) -> Result<bool, JsonError> {
        self.expect(b'"')?;
        let mut has_escapes = false;
        loop {
            let ahead = self.text.as_bytes().get(self.at..).unwrap_or_default();
            self.at += plain_len(ahead);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(has_escapes);
                }
                Some(b'\\') => {
                    has_escapes = true;
                    self.escape()?;
                }
                _ => return Err(self.unexpected()),
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_some_and(|b| b.is_ascii_hexdigit()) {
                        return Err(self.unexpected());
                    }
                    self.at += 1;
                }
            }
            _ => return Err(self.unexpected()),
        }
        Ok(())
    }

    fn deeper(&self, depth: usize) -> Result<usize, JsonError> {
        if depth < DEPTH_MAX { Ok(depth + 1) } else { Err(self.fault(JsonFault::Depth)) }
    }

    fn array(&mut self, depth: usize) -> Result<Value<'a>, JsonError> {
        let depth = self.deeper(depth)?;
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.space();
            if self.peek() == Some(b',') {
                self.at += 1;
                continue;
            }
            self.expect(b']')?;
            return Ok(Value::Array(items));
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value<'a>, JsonError> {
        let depth = self.deeper(depth)?;
        self.at += 1;
        let mut entries = Vec::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(entries));
        }
        loop {
            self.space();
            let from = self.at;
            let has_escapes = self.string()?;
            let inner = self.text.get(from + 1..self.at - 1).unwrap_or_default();
            let key = if has_escapes { Cow::Owned(string::unescape(inner)) } else { Cow::Borrowed(inner) };
            self.space();
            self.expect(b':')?;
            entries.push((key, self.value(depth)?));
            self.space();
            if self.peek() == Some(b',') {
                self.at += 1;
                continue;
            }
            self.expect(b'}')?;
            self.check_duplicates(&entries)?;
            return Ok(Value::Object(entries));
        }
    }

    fn check_duplicates(&self, entries: &[(Cow<'a, str>, Node<'a>)]) -> Result<(), JsonError> {
        /// Up to here comparing each with each is quicker than hashing.
        const FEW: usize = 16;
        if self.duplicates == Duplicates::LastCounts {
            return Ok(());
        }
        let twice = if entries.len() <= FEW {
            let mut seen = entries;
            loop {
                let Some(((key, _), rest)) = seen.split_first() else { break None };
                if let Some((_, node)) = rest.iter().find(|(other, _)| other == key) {
                    break Some(node);
                }
                seen = rest;
            }
        } else {
            let mut seen = std::collections::HashSet::with_capacity(entries.len());
            entries.iter().find(|(key, _)| !seen.insert(key.as_ref())).map(|(_, node)| node)
        };
        twice.map_or(Ok(()), |node| Err(JsonError { at: node.at as usize, fault: JsonFault::Duplicate }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> Option<JsonFault> {
        parse(json, Duplicates::Refuse).err().map(|e| e.fault)
    }

    #[test]
    fn values_keep_their_bytes_and_order() {
        let json = r#" {"b": 1.0, "a":[true,null,-0.5e+3,"x\u00e9"], "c":{"z":18446744073709551616}} "#;
        let node = parse(json, Duplicates::Refuse).unwrap();
        let keys: Vec<&str> = node.entries().iter().map(|(k, _)| k.as_ref()).collect();
        assert_eq!(keys, ["b", "a", "c"]);
        assert_eq!(node.get("b").unwrap().raw(), "1.0");
        assert_eq!(node.get("b").unwrap().as_u64(), Some(1));
        assert_eq!(node.get("c").unwrap().raw(), r#"{"z":18446744073709551616}"#);
        assert_eq!(node.get("c").unwrap().get("z").unwrap().as_u64(), None);
        let items = node.get("a").unwrap().items();
        assert_eq!(items.last().unwrap().text().unwrap(), "xé");
        assert_eq!(&json[items[2].at() as usize..][..7], "-0.5e+3");
    }

    #[test]
    fn it_accepts_what_serde_json_accepts_and_nothing_else() {
        for json in [
            "",
            " ",
            "{",
            "[",
            "[1,]",
            "{\"a\":}",
            "{\"a\" 1}",
            "{a:1}",
            "[01]",
            "[1.]",
            "[.5]",
            "[1e]",
            "-",
            "+1",
            "\"a",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\n\"",
            "nul",
            "truex",
            "[1]x",
            "{}",
            "[]",
            "0",
            "-0",
            "1e5",
            "\"\"",
            "[[],{}]",
            "{\"a\":{\"b\":[1,2,{\"c\":\"\\\\\"}]}}",
            "\u{feff}{}",
            "'a'",
            "NaN",
            "[1 2]",
            "{\"a\":1,}",
        ] {
            let theirs = serde_json::from_str::<serde_json::Value>(json).is_ok();
            assert_eq!(parse(json, Duplicates::Refuse).is_ok(), theirs, "{json:?}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_named_by_its_place() {
        let json = r#"{"a":1,"b":{"c":1,"c":2}}"#;
        let error = parse(json, Duplicates::Refuse).unwrap_err();
        assert_eq!((error.fault, error.at), (JsonFault::Duplicate, json.rfind('2').unwrap()));
        let node = parse(json, Duplicates::LastCounts).unwrap();
        assert_eq!(node.get("b").unwrap().get("c").unwrap().as_u64(), Some(2));
        let many: Vec<String> = (0..40).map(|n| format!("\"k{n}\":0")).collect();
        assert_eq!(fault(&format!("{{{},\"k7\":1}}", many.join(","))), Some(JsonFault::Duplicate));
    }

    #[test]
    fn depth_is_bounded() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert_eq!(fault(&deep(DEPTH_MAX)), None);
        assert_eq!(fault(&deep(DEPTH_MAX + 1)), Some(JsonFault::Depth));
        assert_eq!(fault(&"[".repeat(1 << 20)), Some(JsonFault::Depth));
    }

    #[test]
    fn bytes_that_are_no_utf8_are_refused_with_their_place() {
        let error = parse_bytes(b"[\"a\xff\"]", Duplicates::Refuse).unwrap_err();
        assert_eq!((error.fault, error.at), (JsonFault::Utf8, 3));
    }

    #[test]
    fn a_document_cut_anywhere_is_truncated() {
        let json = r#"{"a":"x\"\u00e9","b":[1,{"c":[]}],"d":{"e":null},"f":true}"#;
        for cut in 0..json.len() {
            assert_eq!(fault(&json[..cut]), Some(JsonFault::Truncated), "{}", &json[..cut]);
        }
    }
}
