//! One value of a parsed document.

use super::string;
use std::borrow::Cow;

/// A JSON value, where it stands in its document.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    pub(super) raw: &'a str,
    pub(super) at: u32,
    pub(super) value: Value<'a>,
}

/// What a value is. Strings stay as they are written until somebody reads them.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    /// Its digits are [`Node::raw`].
    Number,
    /// Whether there are escapes between the quotes.
    String(bool),
    Array(Vec<Node<'a>>),
    /// In the order written; the last of two equal keys counts.
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl<'a> Node<'a> {
    /// The value's own bytes, without surrounding space.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// Byte offset in the document.
    pub fn at(&self) -> u32 {
        self.at
    }

    pub fn value(&self) -> &Value<'a> {
        &self.value
    }

    /// The field `key` of an object, unless it is absent or null.
    pub fn get(&self, key: &str) -> Option<&Node<'a>> {
        self.entries()
            .iter()
            .rev()
            .find(|(name, _)| name == key)
            .map(|(_, node)| node)
            .filter(|n| !n.is_null())
    }

    /// The field `key` of an object as text.
    pub fn text_of(&self, key: &str) -> Option<Cow<'a, str>> {
        self.get(key)?.text()
    }

    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    pub fn is_object(&self) -> bool {
        matches!(self.value, Value::Object(_))
    }

    pub fn is_array(&self) -> bool {
        matches!(self.value, Value::Array(_))
    }

    pub fn is_string(&self) -> bool {
        matches!(self.value, Value::String(_))
    }

    pub fn is_number(&self) -> bool {
        matches!(self.value, Value::Number)
    }

    /// The decoded string; borrowed where it has no escapes. Lone surrogates become U+FFFD.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        let Value::String(has_escapes) = self.value else { return None };
        let inner = self.raw.get(1..self.raw.len().saturating_sub(1)).unwrap_or_default();
        Some(if has_escapes { Cow::Owned(string::unescape(inner)) } else { Cow::Borrowed(inner) })
    }

    /// Whether it is the string `word`.
    pub fn is(&self, word: &str) -> bool {
        self.text().is_some_and(|text| text == word)
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(flag) => Some(flag),
            _ => None,
        }
    }

    /// A number that is a whole one from 0 to 2^64-1, also when written `3.0` or `1e3`.
    pub fn as_u64(&self) -> Option<u64> {
        let digits = self.is_number().then_some(self.raw)?;
        digits.parse().ok().or_else(|| {
            let float: f64 = digits.parse().ok()?;
            let is_whole = (0.0..9_007_199_254_740_992.0).contains(&float) && float.fract() == 0.0;
            is_whole.then_some(float as u64)
        })
    }

    pub fn as_f64(&self) -> Option<f64> {
        self.is_number().then(|| self.raw.parse().ok()).flatten()
    }

    /// The elements of an array; empty for anything else.
    pub fn items(&self) -> &[Node<'a>] {
        match &self.value {
            Value::Array(items) => items,
            _ => &[],
        }
    }

    /// The fields of an object in order; empty for anything else.
    pub fn entries(&self) -> &[(Cow<'a, str>, Node<'a>)] {
        match &self.value {
            Value::Object(entries) => entries,
            _ => &[],
        }
    }

    /// The word for what it is, in messages: `a string`, `an object` …
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        }
    }
}
