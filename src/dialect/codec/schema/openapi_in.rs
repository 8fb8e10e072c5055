//! Gemini's `Schema` as JSON Schema, which is what every other vendor reads.

use crate::framing::json::{JsonWriter, Node};
use std::borrow::Cow;

/// Counts that Google's JSON writes as strings, being 64-bit numbers.
const COUNTS: [&str; 6] =
    ["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"];

/// `schema` with small-letter types, `null` for `nullable`, and JSON Schema's names; as it is where
/// it says nothing else.
pub fn from_openapi<'a>(schema: &Node<'a>) -> Cow<'a, str> {
    if is_plain(schema) {
        return Cow::Borrowed(schema.raw());
    }
    let mut out = Vec::with_capacity(schema.raw().len());
    write(schema, &mut JsonWriter::new(&mut out));
    String::from_utf8(out).map_or(Cow::Borrowed(schema.raw()), Cow::Owned)
}

fn name(key: &str) -> &str {
    match key {
        "any_of" => "anyOf",
        "min_items" => "minItems",
        "max_items" => "maxItems",
        "min_length" => "minLength",
        "max_length" => "maxLength",
        "min_properties" => "minProperties",
        "max_properties" => "maxProperties",
        "property_ordering" => "propertyOrdering",
        "additional_properties" => "additionalProperties",
        "ref" => "$ref",
        "defs" => "$defs",
        other => other,
    }
}

fn children<'n, 'a>(key: &str, value: &'n Node<'a>) -> Vec<&'n Node<'a>> {
    match name(key) {
        "properties" | "$defs" => value.entries().iter().map(|(_, schema)| schema).collect(),
        "items" | "additionalProperties" => vec![value],
        "anyOf" => value.items().iter().collect(),
        _ => Vec::new(),
    }
}

/// Whether it is JSON Schema already.
fn is_plain(schema: &Node<'_>) -> bool {
    schema.entries().iter().all(|(key, value)| {
        let is_same = name(key) == key;
        let is_upper = key == "type" && value.raw().bytes().any(|byte| byte.is_ascii_uppercase());
        let is_own = matches!(key.as_ref(), "nullable" | "example")
            || key == "format" && value.is("enum")
            || COUNTS.contains(&key.as_ref()) && value.is_string();
        is_same && !is_upper && !is_own && children(key, value).into_iter().all(is_plain)
    })
}

fn write(schema: &Node<'_>, w: &mut JsonWriter<'_>) {
    if !schema.is_object() {
        return w.raw(schema.raw());
    }
    let is_nullable = schema.get("nullable").and_then(Node::as_bool) == Some(true);
    let kind = schema.text_of("type").map(|word| word.to_ascii_lowercase()).unwrap_or_default();
    w.object(|w| {
        for (key, value) in schema.entries() {
            let key = name(key);
            match key {
                "type" if value.is_string() => write_type(&kind, is_nullable, w),
                "nullable" => {}
                "format" if value.is("enum") => {}
                "example" => w.field_array("examples", |w| w.raw(value.raw())),
                "enum" => w.field_array("enum", |w| write_enum(value, &kind, is_nullable, w)),
                "$ref" => {
                    let pointer = value.text().unwrap_or_default().replacen("#/defs/", "#/$defs/", 1);
                    w.field_str("$ref", &pointer);
                }
                "properties" | "$defs" if value.is_object() => w.field_object(key, |w| {
                    for (name, inner) in value.entries() {
                        w.key(name);
                        write(inner, w);
                    }
                }),
                "items" | "additionalProperties" => {
                    w.key(key);
                    write(value, w);
                }
                "anyOf" if value.is_array() => w.field_array(key, |w| {
                    value.items().iter().for_each(|inner| write(inner, w));
                    if is_nullable && kind.is_empty() {
                        w.object(|w| w.field_str("type", "null"));
                    }
                }),
                _ => w.field_raw(key, digits(key, value).unwrap_or(value.raw())),
            }
        }
    });
}

fn write_type(kind: &str, is_nullable: bool, w: &mut JsonWriter<'_>) {
    if kind.is_empty() || kind == "type_unspecified" {
        return;
    }
    if is_nullable && kind != "null" {
        w.field_array("type", |w| {
            w.string(kind);
            w.string("null");
        });
    } else {
        w.field_str("type", kind);
    }
}

/// Gemini writes the values of every enum as strings.
fn write_enum(values: &Node<'_>, kind: &str, is_nullable: bool, w: &mut JsonWriter<'_>) {
    for value in values.items() {
        match value.text() {
            Some(text)
                if matches!(kind, "integer" | "number")
                    && is_number(text.strip_prefix('-').unwrap_or(&text)) =>
            {
                w.raw(&text);
            }
            _ => w.raw(value.raw()),
        }
    }
    if is_nullable && !values.items().iter().any(Node::is_null) {
        w.null();
    }
}

fn digits<'a>(key: &str, value: &Node<'a>) -> Option<&'a str> {
    let digits = value.raw().strip_prefix('"')?.strip_suffix('"')?;
    (COUNTS.contains(&key) && is_number(digits)).then_some(digits)
}

/// Whether JSON takes it as a number of digits alone.
fn is_number(digits: &str) -> bool {
    let has_idle_zero = digits.len() > 1 && digits.starts_with('0');
    !digits.is_empty() && !has_idle_zero && digits.bytes().all(|byte| byte.is_ascii_digit())
}
