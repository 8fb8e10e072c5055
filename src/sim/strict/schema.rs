//! Walks a JSON schema node by node.

use serde_json::{Map, Value};

/// How deep a schema is followed.
const DEPTH_MAX: usize = 32;

/// What is wrong with one schema at a path.
type Check<'a> = &'a dyn Fn(&Map<String, Value>, &str) -> Option<String>;

/// Asks `check` about each schema in `schema`, itself first; the first complaint ends it. The path
/// is made of the fields on the way.
pub fn walk(schema: &Value, path: &str, check: Check<'_>) -> Option<String> {
    step(schema, path, 0, check)
}

fn step(schema: &Value, path: &str, depth: usize, check: Check<'_>) -> Option<String> {
    let node = schema.as_object().filter(|_| depth < DEPTH_MAX)?;
    if let Some(complaint) = check(node, path) {
        return Some(complaint);
    }
    for field in ["properties", "$defs", "definitions"] {
        let named = node.get(field).and_then(Value::as_object).into_iter().flatten();
        for (name, inner) in named {
            let found = step(inner, &format!("{path}.{field}.{name}"), depth + 1, check);
            if found.is_some() {
                return found;
            }
        }
    }
    for field in ["anyOf", "oneOf", "allOf"] {
        let each = node.get(field).and_then(Value::as_array).into_iter().flatten().enumerate();
        for (index, inner) in each {
            let found = step(inner, &format!("{path}.{field}[{index}]"), depth + 1, check);
            if found.is_some() {
                return found;
            }
        }
    }
    let inner = node.get("items")?;
    step(inner, &format!("{path}.items"), depth + 1, check)
}

/// Whether it describes objects.
pub fn is_object(node: &Map<String, Value>) -> bool {
    let is_typed = match node.get("type") {
        Some(Value::String(name)) => name == "object",
        Some(Value::Array(names)) => names.iter().any(|name| name == "object"),
        _ => false,
    };
    is_typed || node.contains_key("properties")
}

/// What is wrong with an object that must take its own properties only.
pub fn not_closed(node: &Map<String, Value>, path: &str) -> Option<String> {
    (is_object(node) && node.get("additionalProperties") != Some(&Value::Bool(false)))
        .then(|| format!("in {path}, 'additionalProperties' is required to be supplied and to be false"))
}

/// The first keyword of `keywords` it has.
pub fn keyword<'a>(node: &Map<String, Value>, keywords: &[&'a str]) -> Option<&'a str> {
    keywords.iter().find(|name| node.contains_key(**name)).copied()
}
