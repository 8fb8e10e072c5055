//! JSON written straight into bytes.

use super::string;
use memchr::memchr2;

/// Appends one document to a buffer, minified, fields in the order they are given.
///
/// Commas are its own business. Nesting is the caller's: every `begin` has its `end`; the closure
/// forms ([`object`](Self::object), [`field_object`](Self::field_object) …) make that so.
pub struct JsonWriter<'o> {
    out: &'o mut Vec<u8>,
    needs_comma: bool,
}

impl<'o> JsonWriter<'o> {
    /// Appends to what `out` holds.
    pub fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out, needs_comma: false }
    }

    fn separate(&mut self) {
        if self.needs_comma {
            self.out.push(b',');
        }
    }

    fn open(&mut self, bracket: u8) {
        self.separate();
        self.out.push(bracket);
        self.needs_comma = false;
    }

    fn close(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.needs_comma = true;
    }

    /// An object, as the document, an element, or the value after [`key`](Self::key).
    pub fn object(&mut self, fields: impl FnOnce(&mut Self)) {
        self.open(b'{');
        fields(self);
        self.close(b'}');
    }

    /// An array, likewise.
    pub fn array(&mut self, items: impl FnOnce(&mut Self)) {
        self.open(b'[');
        items(self);
        self.close(b']');
    }

    /// A key; exactly one value follows.
    pub fn key(&mut self, key: &str) {
        self.separate();
        string::quote(key, self.out);
        self.out.push(b':');
        self.needs_comma = false;
    }

    pub fn string(&mut self, text: &str) {
        self.separate();
        string::quote(text, self.out);
        self.needs_comma = true;
    }

    /// A string made of pieces, without joining them first.
    pub fn string_of<'p>(&mut self, pieces: impl IntoIterator<Item = &'p str>) {
        self.separate();
        self.out.push(b'"');
        for piece in pieces {
            string::escape(piece, self.out);
        }
        self.out.push(b'"');
        self.needs_comma = true;
    }

    /// A value that is JSON already, on one line.
    ///
    /// Line ends stand between tokens only (RFC 8259 §7: strings escape them), and would cut the line
    /// of an event stream or of NDJSON that this document is written into: they are left out.
    pub fn raw(&mut self, json: &str) {
        self.separate();
        let mut rest = json.as_bytes();
        while let Some((piece, behind)) = memchr2(b'\n', b'\r', rest).and_then(|at| rest.split_at_checked(at))
        {
            self.out.extend_from_slice(piece);
            rest = behind.get(1..).unwrap_or_default();
        }
        self.out.extend_from_slice(rest);
        self.needs_comma = true;
    }

    pub fn number(&mut self, number: u64) {
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        let mut rest = number;
        loop {
            at -= 1;
            if let Some(place) = digits.get_mut(at) {
                *place = b'0' + (rest % 10) as u8;
            }
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.separate();
        self.out.extend_from_slice(digits.get(at..).unwrap_or_default());
        self.needs_comma = true;
    }

    pub fn boolean(&mut self, flag: bool) {
        self.raw(if flag { "true" } else { "false" });
    }

    pub fn null(&mut self) {
        self.raw("null");
    }

    pub fn field_str(&mut self, key: &str, text: &str) {
        self.key(key);
        self.string(text);
    }

    pub fn field_raw(&mut self, key: &str, json: &str) {
        self.key(key);
        self.raw(json);
    }

    pub fn field_u64(&mut self, key: &str, number: u64) {
        self.key(key);
        self.number(number);
    }

    pub fn field_bool(&mut self, key: &str, flag: bool) {
        self.key(key);
        self.boolean(flag);
    }

    pub fn field_null(&mut self, key: &str) {
        self.key(key);
        self.null();
    }

    /// A field that is left out where there is nothing.
    pub fn field_opt_str(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.field_str(key, text);
        }
    }

    pub fn field_object(&mut self, key: &str, fields: impl FnOnce(&mut Self)) {
        self.key(key);
        self.object(fields);
    }

    pub fn field_array(&mut self, key: &str, items: impl FnOnce(&mut Self)) {
        self.key(key);
        self.array(items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_fall_where_they_belong() {
        let mut out = Vec::new();
        JsonWriter::new(&mut out).object(|w| {
            w.field_str("a", "x\n\"");
            w.field_array("b", |w| {
                w.number(0);
                w.number(u64::MAX);
                w.object(|_| {});
                w.array(|w| w.null());
                w.object(|w| w.field_bool("c", true));
            });
            w.field_object("d", |w| w.field_raw("e", "1.50"));
            w.field_opt_str("f", None);
            w.key("g");
            w.string_of(["a\"", "é"]);
        });
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"a":"x\n\"","b":[0,18446744073709551615,{},[null],{"c":true}],"d":{"e":1.50},"g":"a\"é"}"#
        );
    }

    #[test]
    fn raw_values_lose_the_line_ends_between_their_tokens_and_nothing_else() {
        let mut out = b"data:\n".to_vec();
        JsonWriter::new(&mut out).array(|w| {
            w.raw("{\r\n  \"a\\n\": [\n1,\r2 ]\n}");
            w.raw("\n\n");
            w.raw("\"é\\r\\n\"");
        });
        assert_eq!(String::from_utf8(out).unwrap(), "data:\n[{  \"a\\n\": [1,2 ]},,\"é\\r\\n\"]");
    }
}
