//! Header fields of an answer in the form they are sent in: `name: value`, one a line.
//!
//! For fields that are written once and read by nobody on the way: each costs a copy of its bytes and
//! nothing else. Invariant: every line is one field, whatever its value was; a value that would be
//! more than that is left out.

use std::fmt::Write as _;

/// Fields in order, ready for HTTP/1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldLines {
    bytes: Vec<u8>,
}

impl FieldLines {
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes) }
    }

    /// Adds a field. `name` is a token in lower case; a value that cannot be one (a model's name with
    /// odd bytes) is left out, and its field with it.
    pub fn push(&mut self, name: &str, value: &[u8]) {
        let is_odd = value.iter().fold(false, |odd, b| odd | ((*b < 0x20 && *b != b'\t') | (*b == 0x7f)));
        if !is_odd {
            self.line(name, |out| out.extend_from_slice(value));
        }
    }

    pub fn push_number(&mut self, name: &str, value: u64) {
        self.line(name, |out| decimal(out, value));
    }

    /// Adds a field whose value is printed: numbers and ids, never somebody else's words.
    pub fn push_shown(&mut self, name: &str, value: &impl std::fmt::Display) {
        let mut text = String::with_capacity(32);
        // Writing to a string does not fail.
        let _ = write!(text, "{value}");
        self.push(name, text.as_bytes());
    }

    /// The lines, each with its CR LF.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Names and values, for answers that are not sent in this form.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let lines = self.bytes.split(|byte| *byte == b'\n');
        lines.filter_map(|line| {
            let line = line.strip_suffix(b"\r")?;
            let (name, rest) = line.split_at_checked(memchr::memchr(b':', line)?)?;
            Some((name, rest.get(2..).unwrap_or_default()))
        })
    }

    fn line(&mut self, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b": ");
        value(&mut self.bytes);
        self.bytes.extend_from_slice(b"\r\n");
    }
}

/// Writes a number in decimal digits.
pub fn decimal(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0u8; 20];
    let mut rest = value;
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(20 - used..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_lines_and_can_be_read_back() {
        let mut fields = FieldLines::default();
        fields.push("a", b"b c");
        fields.push("empty", b"");
        fields.push("colon", b"a: b");
        fields.push_number("n", 120);
        fields.push_shown("d", &1.5);
        assert_eq!(fields.as_bytes(), b"a: b c\r\nempty: \r\ncolon: a: b\r\nn: 120\r\nd: 1.5\r\n");
        let back: Vec<_> = fields.iter().collect();
        let expected: [(&[u8], &[u8]); 5] =
            [(b"a", b"b c"), (b"empty", b""), (b"colon", b"a: b"), (b"n", b"120"), (b"d", b"1.5")];
        assert_eq!(back, expected);
    }

    #[test]
    fn a_value_that_would_be_more_than_a_field_is_left_out() {
        let mut fields = FieldLines::default();
        for value in ["a\r\nset-cookie: b", "a\nb", "\0", "\u{7f}"] {
            fields.push("x", value.as_bytes());
        }
        assert!(fields.is_empty(), "{fields:?}");
        fields.push("x", "a\té".as_bytes());
        assert_eq!(fields.iter().count(), 1);
    }

    #[test]
    fn numbers_have_their_digits() {
        for value in [0, 9, 10, 99, 100, 18_446_744_073_709_551_615] {
            let mut out = Vec::new();
            decimal(&mut out, value);
            assert_eq!(out, value.to_string().into_bytes());
        }
    }
}
