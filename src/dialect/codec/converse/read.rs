//! Reading fields, with errors that say what is wrong and what would be right.

use crate::chat::{At, Refused, Text};
use crate::framing::json::Node;

pub(super) fn wrong(node: &Node<'_>, what: &str, want: &str) -> Refused {
    Refused::new(At::of(node), format!("`{what}` must be {want}, not {}", node.kind()))
}

/// The only member of a union, by name.
pub(super) fn member<'n, 'a>(node: &'n Node<'a>, what: &str) -> Result<(&'n str, &'n Node<'a>), Refused> {
    if !node.is_object() {
        return Err(wrong(node, what, "an object"));
    }
    let mut members = node.entries().iter().filter(|(_, value)| !value.is_null());
    match (members.next(), members.next()) {
        (Some((name, value)), None) => Ok((name, value)),
        (None, _) => Err(Refused::new(At::of(node), format!("`{what}` is empty: it needs one member"))),
        _ => Err(Refused::new(At::of(node), format!("`{what}` must have exactly one member"))),
    }
}

pub(super) fn text<'a>(node: &Node<'a>, key: &str) -> Result<Option<Text<'a>>, Refused> {
    let Some(value) = node.get(key) else { return Ok(None) };
    value.text().map(Some).ok_or_else(|| wrong(value, key, "a string"))
}

pub(super) fn need_text<'a>(node: &Node<'a>, key: &str) -> Result<Text<'a>, Refused> {
    text(node, key)?.ok_or_else(|| missing(node, key))
}

pub(super) fn count(node: &Node<'_>, key: &str) -> Result<Option<u64>, Refused> {
    let Some(value) = node.get(key) else { return Ok(None) };
    value.as_u64().map(Some).ok_or_else(|| wrong(value, key, "a whole number"))
}

pub(super) fn flag(node: &Node<'_>, key: &str) -> Result<Option<bool>, Refused> {
    let Some(value) = node.get(key) else { return Ok(None) };
    value.as_bool().map(Some).ok_or_else(|| wrong(value, key, "a boolean"))
}

pub(super) fn object<'n, 'a>(node: &'n Node<'a>, key: &str) -> Result<Option<&'n Node<'a>>, Refused> {
    let Some(value) = node.get(key) else { return Ok(None) };
    if value.is_object() { Ok(Some(value)) } else { Err(wrong(value, key, "an object")) }
}

pub(super) fn need_object<'n, 'a>(node: &'n Node<'a>, key: &str) -> Result<&'n Node<'a>, Refused> {
    object(node, key)?.ok_or_else(|| missing(node, key))
}

/// The elements of an array; none where the key is absent.
pub(super) fn array<'n, 'a>(node: &'n Node<'a>, key: &str) -> Result<&'n [Node<'a>], Refused> {
    let Some(value) = node.get(key) else { return Ok(&[]) };
    if value.is_array() { Ok(value.items()) } else { Err(wrong(value, key, "an array")) }
}

pub(super) fn missing(node: &Node<'_>, key: &str) -> Refused {
    Refused::new(At::of(node), format!("`{key}` is missing"))
}
