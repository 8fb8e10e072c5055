//! Fields this gateway has no word for, also those one object deeper.
//!
//! A field of an inner object (`function.x`, `thinking.x`) stands in its outer object's [`Extra`]
//! under the dotted name, and goes back inside.

use crate::chat::{Extra, Field, Text};
use crate::framing::json::{JsonWriter, Node};
use crate::types::Protocol;

pub(super) fn of<'a>(node: &Node<'a>, known: &[&str]) -> Extra<'a> {
    Extra::of(Protocol::Cohere, node, known)
}

/// Adds the unknown fields of `inner`, which stands under `key`.
pub(super) fn add_inner<'a>(extra: &mut Extra<'a>, key: &str, inner: &Node<'a>, known: &[&str]) {
    for field in of(inner, known).fields {
        extra.of = Some(Protocol::Cohere);
        extra.fields.push(Field { name: Text::Owned(format!("{key}.{}", field.name)), ..field });
    }
}

/// Writes the fields of the object itself; `inner` names the objects whose fields go elsewhere.
pub(super) fn write(extra: &Extra<'_>, inner: &[&str], w: &mut JsonWriter<'_>) {
    for field in extra.for_protocol(Protocol::Cohere) {
        if !inner.iter().any(|key| inside(&field.name, key).is_some()) {
            w.field_raw(&field.name, field.value.as_str());
        }
    }
}

/// Writes the fields of the object under `key`.
pub(super) fn write_inner(extra: &Extra<'_>, key: &str, w: &mut JsonWriter<'_>) {
    for field in extra.for_protocol(Protocol::Cohere) {
        if let Some(name) = inside(&field.name, key) {
            w.field_raw(name, field.value.as_str());
        }
    }
}

fn inside<'n>(name: &'n str, key: &str) -> Option<&'n str> {
    name.strip_prefix(key)?.strip_prefix('.')
}
