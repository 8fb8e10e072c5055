//! Reading members whose type is known, strictly: what a client wrote wrongly is refused where it stands.
//!
//! Not for upstreams' answers: those are read leniently.

use crate::chat::{At, Refused, Text};
use crate::framing::json::Node;

/// The refusal of `node`, which is not what it must be.
pub(super) fn wrong(node: &Node<'_>, wanted: &str) -> Refused {
    Refused::new(At::of(node), format!("this must be {wanted}, not {}", node.kind()))
}

pub(super) fn text<'a>(of: &Node<'a>, key: &str) -> Result<Option<Text<'a>>, Refused> {
    let Some(node) = of.get(key) else { return Ok(None) };
    node.text().map(Some).ok_or_else(|| wrong(node, "a string"))
}

/// As [`text`], and refused at `of` where it is missing.
pub(super) fn needed<'a>(of: &Node<'a>, key: &str) -> Result<Text<'a>, Refused> {
    text(of, key)?.ok_or_else(|| Refused::new(At::of(of), format!("`{key}` is missing here")))
}

pub(super) fn flag(of: &Node<'_>, key: &str) -> Result<Option<bool>, Refused> {
    let Some(node) = of.get(key) else { return Ok(None) };
    node.as_bool().map(Some).ok_or_else(|| wrong(node, "true or false"))
}

/// A whole number of 0 or more.
pub(super) fn whole(of: &Node<'_>, key: &str) -> Result<Option<u64>, Refused> {
    let Some(node) = of.get(key) else { return Ok(None) };
    node.as_u64().map(Some).ok_or_else(|| wrong(node, "a whole number"))
}

pub(super) fn object<'n, 'a>(of: &'n Node<'a>, key: &str) -> Result<Option<&'n Node<'a>>, Refused> {
    let Some(node) = of.get(key) else { return Ok(None) };
    if node.is_object() { Ok(Some(node)) } else { Err(wrong(node, "an object")) }
}

/// The elements of a list; none where it is absent.
pub(super) fn list<'n, 'a>(of: &'n Node<'a>, key: &str) -> Result<&'n [Node<'a>], Refused> {
    let Some(node) = of.get(key) else { return Ok(&[]) };
    if node.is_array() { Ok(node.items()) } else { Err(wrong(node, "an array")) }
}
