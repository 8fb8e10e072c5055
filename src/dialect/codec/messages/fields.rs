//! Fields of a JSON object that must have a certain shape.

use crate::chat::{At, CacheHint, Extra, Field, Refused, Text};
use crate::framing::json::Node;
use crate::types::Protocol;
use std::borrow::Cow;

/// The string `key`.
pub(super) fn text<'a>(node: &Node<'a>, key: &str) -> Result<Text<'a>, Refused> {
    opt_text(node, key)?.ok_or_else(|| Refused::new(At::of(node), format!("`{key}` is missing: a string")))
}

/// The string `key`, where there is one.
pub(super) fn opt_text<'a>(node: &Node<'a>, key: &str) -> Result<Option<Text<'a>>, Refused> {
    match node.get(key) {
        None => Ok(None),
        Some(value) => value.text().map(Some).ok_or_else(|| wrong(value, key, "a string")),
    }
}

pub(super) fn opt_bool(node: &Node<'_>, key: &str) -> Result<Option<bool>, Refused> {
    match node.get(key) {
        None => Ok(None),
        Some(value) => value.as_bool().map(Some).ok_or_else(|| wrong(value, key, "true or false")),
    }
}

pub(super) fn opt_whole(node: &Node<'_>, key: &str) -> Result<Option<u64>, Refused> {
    match node.get(key) {
        None => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| wrong(value, key, "a whole number")),
    }
}

/// The elements of the array `key`; none where it is absent.
pub(super) fn items<'n, 'a>(node: &'n Node<'a>, key: &str) -> Result<&'n [Node<'a>], Refused> {
    match node.get(key) {
        None => Ok(&[]),
        Some(value) if value.is_array() => Ok(value.items()),
        Some(value) => Err(wrong(value, key, "an array")),
    }
}

/// The object `key`, where there is one.
pub(super) fn opt_object<'n, 'a>(node: &'n Node<'a>, key: &str) -> Result<Option<&'n Node<'a>>, Refused> {
    match node.get(key) {
        Some(value) if !value.is_object() => Err(wrong(value, key, "an object")),
        other => Ok(other),
    }
}

pub(super) fn wrong(value: &Node<'_>, key: &str, right: &str) -> Refused {
    Refused::new(At::of(value), format!("`{key}` is {right}, not {}", value.kind()))
}

/// The fields of `node` beyond `known`, this protocol's.
pub(super) fn extra<'a>(node: &Node<'a>, known: &[&str]) -> Extra<'a> {
    Extra::of(Protocol::Messages, node, known)
}

/// Appends such fields of a part of the object, their names led by the part's.
pub(super) fn extra_of_part<'a>(into: &mut Extra<'a>, part: &Node<'a>, name: &str, known: &[&str]) {
    for field in extra(part, known).fields {
        add(into, Field { name: Cow::Owned(format!("{name}.{}", field.name)), ..field });
    }
}

pub(super) fn add<'a>(into: &mut Extra<'a>, field: Field<'a>) {
    into.of = Some(Protocol::Messages);
    into.fields.push(field);
}

/// The block's or tool's `cache_control`.
pub(super) fn cache<'a>(node: &Node<'a>) -> Result<Option<CacheHint<'a>>, Refused> {
    let Some(control) = opt_object(node, "cache_control")? else { return Ok(None) };
    let ttl_s = opt_text(control, "ttl")?.as_deref().and_then(seconds);
    // What is not understood stays as it was written.
    let known: &[&str] = match (control.get("type").is_some_and(|kind| kind.is("ephemeral")), ttl_s) {
        (true, Some(_)) => &["type", "ttl"],
        (true, None) => &["type"],
        (false, Some(_)) => &["ttl"],
        (false, None) => &[],
    };
    Ok(Some(CacheHint { ttl_s, extra: extra(control, known) }))
}

/// `5m`, `1h`.
fn seconds(ttl: &str) -> Option<u32> {
    let (number, unit) = ttl.split_at_checked(ttl.len().checked_sub(1)?)?;
    let number: u32 = number.parse().ok()?;
    number.checked_mul(match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    })
}
