//! Fields this gateway has no word for, also those one object deeper.
//!
//! A field of an inner object (`function.x`, `image_url.x`) stands in its outer object's [`Extra`]
//! under the dotted name, and goes back inside.

use crate::chat::{At, Extra, Field, Raw, Text};
use crate::framing::json::{JsonWriter, Node};
use crate::types::Protocol;

pub(super) fn of<'a>(node: &Node<'a>, known: &[&str]) -> Extra<'a> {
    Extra::of(Protocol::Chat, node, known)
}

/// Adds the unknown fields of `inner`, which stands under `key`.
pub(super) fn add_inner<'a>(extra: &mut Extra<'a>, key: &str, inner: &Node<'a>, known: &[&str]) {
    for field in Extra::of(Protocol::Chat, inner, known).fields {
        extra.of = Some(Protocol::Chat);
        extra.fields.push(Field { name: Text::Owned(format!("{key}.{}", field.name)), ..field });
    }
}

/// Adds one field that turned out to have no meaning here.
pub(super) fn add<'a>(extra: &mut Extra<'a>, name: &'static str, node: &Node<'a>) {
    extra.of = Some(Protocol::Chat);
    extra.fields.push(Field { name: Text::Borrowed(name), at: At::of(node), value: Raw::of(node) });
}

/// Writes the fields of the object itself; `inner` names the objects whose fields go elsewhere.
pub(super) fn write(extra: &Extra<'_>, inner: &[&str], w: &mut JsonWriter<'_>) {
    for field in extra.for_protocol(Protocol::Chat) {
        let is_inner = |key: &&str| inside(&field.name, key).is_some();
        if !inner.iter().any(is_inner) {
            w.field_raw(&field.name, field.value.as_str());
        }
    }
}

/// Writes the fields of the object under `key`.
pub(super) fn write_inner(extra: &Extra<'_>, key: &str, w: &mut JsonWriter<'_>) {
    for field in extra.for_protocol(Protocol::Chat) {
        if let Some(name) = inside(&field.name, key) {
            w.field_raw(name, field.value.as_str());
        }
    }
}

fn inside<'n>(name: &'n str, key: &str) -> Option<&'n str> {
    name.strip_prefix(key)?.strip_prefix('.')
}
