//! Field names as Google's JSON has them: `camelCase` documented, `snake_case` taken as well.

use crate::chat::{At, Extra, Field, Raw, Refused, Text};
use crate::framing::json::{JsonWriter, Node};
use crate::types::Protocol;

/// Whether `key` is the field `camel`, in either spelling.
pub(super) fn is_named(key: &str, camel: &str) -> bool {
    let mut given = key.bytes();
    for wanted in camel.bytes() {
        let is_same = match given.next() {
            Some(byte) if byte == wanted => true,
            Some(b'_') => wanted.is_ascii_uppercase() && given.next() == Some(wanted.to_ascii_lowercase()),
            _ => false,
        };
        if !is_same {
            return false;
        }
    }
    given.next().is_none()
}

/// `snake_case` as `camelCase`; anything else as it is.
pub(super) fn camel(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    let mut is_after_bar = false;
    for letter in key.chars() {
        match letter {
            '_' if !out.is_empty() => is_after_bar = true,
            _ if std::mem::take(&mut is_after_bar) => out.push(letter.to_ascii_uppercase()),
            _ => out.push(letter),
        }
    }
    out
}

/// The field `name` of an object in either spelling, unless it is absent or null.
pub(super) fn get<'n, 'a>(node: &'n Node<'a>, name: &str) -> Option<&'n Node<'a>> {
    let found = node.entries().iter().rev().find(|(key, _)| is_named(key, name));
    found.map(|(_, value)| value).filter(|value| !value.is_null())
}

/// Such a field as text, if it is a string.
pub(super) fn text<'a>(node: &Node<'a>, name: &str) -> Option<Text<'a>> {
    get(node, name)?.text()
}

/// The elements of a list. Google's documents write a list of one also as its element alone.
pub(super) fn list<'n, 'a>(node: &'n Node<'a>) -> Result<Vec<&'n Node<'a>>, Refused> {
    if node.is_object() {
        return Ok(vec![node]);
    }
    if !node.is_array() {
        return Err(mismatch(node, "a list"));
    }
    Ok(node.items().iter().collect())
}

pub(super) fn mismatch(node: &Node<'_>, wanted: &str) -> Refused {
    Refused::new(At::of(node), format!("{wanted} is expected here, not {}", node.kind()))
}

pub(super) fn want_object<'n, 'a>(node: &'n Node<'a>) -> Result<&'n Node<'a>, Refused> {
    if node.is_object() { Ok(node) } else { Err(mismatch(node, "an object")) }
}

pub(super) fn want_text<'a>(node: &Node<'a>) -> Result<Text<'a>, Refused> {
    node.text().ok_or_else(|| mismatch(node, "a string"))
}

/// A field that must be a string where it is there.
pub(super) fn text_field<'a>(node: &Node<'a>, name: &str) -> Result<Option<Text<'a>>, Refused> {
    get(node, name).map(want_text).transpose()
}

pub(super) fn bool_field(node: &Node<'_>, name: &str) -> Result<Option<bool>, Refused> {
    let flag = |value: &Node<'_>| value.as_bool().ok_or_else(|| mismatch(value, "a boolean"));
    get(node, name).map(flag).transpose()
}

/// A whole number from 0, also as a string of digits, as Google's JSON of 64-bit numbers has it.
pub(super) fn want_u64(node: &Node<'_>) -> Result<u64, Refused> {
    let digits = || node.text().and_then(|text| text.parse().ok());
    node.as_u64().or_else(digits).ok_or_else(|| {
        if node.is_number() {
            Refused::new(At::of(node), "a whole number from 0 is expected here")
        } else {
            mismatch(node, "a number")
        }
    })
}

/// The fields of `node` that are not among `known`, each name behind `prefix`: what stands deeper in
/// the request than the canonical form has places for is kept under its path.
pub(super) fn add_extra<'a>(extra: &mut Extra<'a>, node: &Node<'a>, known: &[&str], prefix: &str) {
    for (name, value) in node.entries() {
        if value.is_null() || known.iter().any(|known| is_named(name, known)) {
            continue;
        }
        let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}").into() };
        extra.fields.push(Field { name, at: At::of(value), value: Raw::of(value) });
        extra.of = Some(Protocol::Generate);
    }
}

pub(super) fn extra_of<'a>(node: &Node<'a>, known: &[&str]) -> Extra<'a> {
    let mut extra = Extra::none();
    add_extra(&mut extra, node, known, "");
    extra
}

/// Writes Gemini's own leftovers that stood under `prefix`.
pub(super) fn write_extra(w: &mut JsonWriter<'_>, extra: &Extra<'_>, prefix: &str) {
    for field in extra.for_protocol(Protocol::Generate) {
        if let Some(name) = under(&field.name, prefix) {
            w.field_raw(name, field.value.as_str());
        }
    }
}

/// Whether Gemini's own leftovers hold something under `prefix`.
pub(super) fn has_extra(extra: &Extra<'_>, prefix: &str) -> bool {
    extra.for_protocol(Protocol::Generate).iter().any(|field| under(&field.name, prefix).is_some())
}

fn under<'f>(name: &'f str, prefix: &str) -> Option<&'f str> {
    let rest = if prefix.is_empty() { name } else { name.strip_prefix(prefix)?.strip_prefix('.')? };
    (!rest.contains('.')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_known_in_both_spellings_and_in_no_third() {
        for key in ["inlineData", "inline_data"] {
            assert!(is_named(key, "inlineData"), "{key}");
        }
        for key in ["inlinedata", "inline_Data", "inlineDat", "inlineDataX", "inline__data", ""] {
            assert!(!is_named(key, "inlineData"), "{key}");
        }
        assert_eq!(camel("google_search"), "googleSearch");
        assert_eq!(camel("googleSearch"), "googleSearch");
    }
}
