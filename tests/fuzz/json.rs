//! JSON texts made from bytes, in all the ways JSON may be written, and an independent reading of
//! one level of it.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// By the grammar of RFC 8259: numbers outside of a double, and half of a surrogate pair (section 8.2), are
/// JSON that has no value in Rust, and go on as they came.
pub fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(bytes).is_ok()
}

/// Values that are neither an array nor an object.
const SCALARS: [&str; 24] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "17",
    "3.5",
    "-1e3",
    "1E+2",
    "18446744073709551616",
    "\"\"",
    "\"gpt-5\"",
    "\"models/gemini-2.5\"",
    "\"a\\\"b\\\\\"",
    "\"\\u0041\\n\"",
    "\"\\ud83d\\ude00\"",
    "\"\u{e9}\u{1f600}\"",
    "\"stop\"",
    "\"text\"",
    "\"user\"",
    "\"data:image/png;base64,iVBORw0KGgo=\"",
    "\"the quick brown fox\"",
    "\"resp_1\"",
    "\"message_stop\"",
];
const SPACES: [&str; 6] = ["", "", "", " ", "\n", "\t\r\n "];
const DEPTH_MAX: usize = 5;

/// A JSON value; keys of objects are taken from `keys`, which are written with their quotes.
pub fn value(bytes: &[u8], keys: &[&str]) -> String {
    let mut writer = Writer { bytes: bytes.iter(), keys, text: String::new() };
    writer.value(0);
    writer.text
}

/// A JSON object.
pub fn object(bytes: &[u8], keys: &[&str]) -> String {
    let mut writer = Writer { bytes: bytes.iter(), keys, text: String::new() };
    writer.container(0, true);
    writer.text
}

struct Writer<'a> {
    bytes: std::slice::Iter<'a, u8>,
    keys: &'a [&'a str],
    text: String,
}

impl Writer<'_> {
    /// 0 once the bytes have run out, which ends everything that is open.
    fn next(&mut self) -> usize {
        self.bytes.next().map_or(0, |byte| usize::from(*byte))
    }

    fn space(&mut self, choice: usize) {
        self.text.push_str(SPACES[choice % SPACES.len()]);
    }

    fn value(&mut self, depth: usize) {
        let choice = self.next();
        match choice % 5 {
            3 if depth < DEPTH_MAX => self.container(depth, false),
            4 if depth < DEPTH_MAX => self.container(depth, true),
            _ => self.text.push_str(SCALARS[choice / 5 % SCALARS.len()]),
        }
    }

    fn container(&mut self, depth: usize, is_object: bool) {
        self.text.push(if is_object { '{' } else { '[' });
        let count = self.next();
        for index in 0..count % if depth == 0 { 9 } else { 4 } {
            if index > 0 {
                self.text.push(',');
            }
            self.space(count / 9);
            if is_object {
                let key = self.next();
                self.text.push_str(self.keys[key % self.keys.len()]);
                self.space(key / 7);
                self.text.push(':');
            }
            self.value(depth + 1);
            self.space(count / 3);
        }
        self.text.push(if is_object { '}' } else { ']' });
    }
}

/// The fields of an object in their order, repeated ones too; each value as it stands.
#[derive(Debug, Clone)]
pub struct Pairs(pub Vec<(String, Box<RawValue>)>);

impl Pairs {
    /// `None` where serde_json does not take `text` for an object.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.get()).collect()
    }

    pub fn first(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// Everything but the fields of these names, for comparing.
    pub fn without(&self, names: &[&str]) -> Vec<(&str, &str)> {
        let kept = self.0.iter().filter(|(key, _)| !names.contains(&key.as_str()));
        kept.map(|(key, value)| (key.as_str(), value.get())).collect()
    }

    pub fn has_repeated_name(&self) -> bool {
        let mut names: Vec<&str> = self.0.iter().map(|(key, _)| key.as_str()).collect();
        names.sort_unstable();
        names.windows(2).any(|two| two[0] == two[1])
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Pairs;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// How deep the brackets of a valid JSON text go.
pub fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut is_in_string, mut is_escaped) = (0usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_in_string = !is_in_string,
            b'{' | b'[' if !is_in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !is_in_string => depth -= 1,
            _ => {}
        }
    }
    deepest
}
