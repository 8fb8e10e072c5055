//! Tools a request offers.

use crate::chat::{At, Feature, Raw, Refused, Text, Tool, ToolKind, freeform};
use crate::framing::json::{JsonWriter, Node};
use crate::types::Protocol;

use super::losses::Policy;
use super::schemas::Schemas;
use super::{extra, parts_in, parts_out};

/// The schema of a tool without parameters: the same as none.
const EMPTY_SCHEMA: &str = r#"{"type":"object","properties":{}}"#;
const FUNCTION: [&str; 5] = ["name", "description", "parameters", "strict", "input_schema"];

/// Reads `tools`, and the deprecated `functions` behind them.
pub(super) fn read<'a>(root: &Node<'a>) -> Result<Vec<Tool<'a>>, Refused> {
    let mut tools = Vec::new();
    for node in list(root, "tools")? {
        tools.push(tool(node)?);
    }
    for node in list(root, "functions")? {
        tools.push(function(node, node)?);
    }
    Ok(tools)
}

fn list<'n, 'a>(root: &'n Node<'a>, key: &str) -> Result<&'n [Node<'a>], Refused> {
    match root.get(key) {
        Some(node) if !node.is_array() => {
            Err(Refused::new(At::of(node), format!("`{key}` must be a list, not {}", node.kind())))
        }
        Some(node) => Ok(node.items()),
        None => Ok(&[]),
    }
}

fn tool<'a>(node: &Node<'a>) -> Result<Tool<'a>, Refused> {
    let kind = node.text_of("type");
    let nested = |key: &str| node.get(key).filter(|inner| inner.is_object());
    match kind.as_deref() {
        // Cursor and others flatten the function into the tool.
        Some("function") | None => function(node, nested("function").unwrap_or(node)),
        Some("custom") => custom(node, nested("custom").unwrap_or(node)),
        Some(_) => {
            let kind = kind.unwrap_or_default();
            let hosted = ToolKind::Hosted { of: Protocol::Chat, kind, json: Raw::of(node) };
            Ok(Tool { at: At::of(node), ..Tool::new(hosted) })
        }
    }
}

fn name<'a>(inner: &Node<'a>) -> Result<Text<'a>, Refused> {
    let name = inner.text_of("name").filter(|name| !name.is_empty());
    name.ok_or_else(|| Refused::new(At::of(inner), "a tool needs a `name`"))
}

fn function<'a>(node: &Node<'a>, inner: &Node<'a>) -> Result<Tool<'a>, Refused> {
    let schema = inner.get("parameters").or_else(|| inner.get("input_schema"));
    if let Some(odd) = schema.filter(|schema| !schema.is_object()) {
        return Err(Refused::new(At::of(odd), "`parameters` must be a JSON schema object"));
    }
    let kind = ToolKind::Function {
        name: name(inner)?,
        description: inner.text_of("description"),
        schema: schema.filter(|schema| schema.raw() != EMPTY_SCHEMA).map(Raw::of),
        strict: inner.get("strict").and_then(Node::as_bool),
    };
    Ok(finish(node, inner, "function", kind, &FUNCTION))
}

fn custom<'a>(node: &Node<'a>, inner: &Node<'a>) -> Result<Tool<'a>, Refused> {
    let kind = ToolKind::Custom {
        name: name(inner)?,
        description: inner.text_of("description"),
        format: inner.get("format").map(Raw::of),
    };
    Ok(finish(node, inner, "custom", kind, &["name", "description", "format"]))
}

/// Puts a tool together with what else stands in its objects.
fn finish<'a>(node: &Node<'a>, inner: &Node<'a>, key: &str, kind: ToolKind<'a>, known: &[&str]) -> Tool<'a> {
    let is_nested = inner.at() != node.at();
    let mut outer = vec!["type", key];
    if !is_nested {
        outer.extend(known);
    }
    let mut rest = extra::of(node, &outer);
    if is_nested {
        extra::add_inner(&mut rest, key, inner, known);
    }
    let (cache, rest) = parts_in::cache(node, rest);
    Tool { at: At::of(node), kind, cache, extra: rest }
}

/// Whether a tool goes to a chat upstream.
pub(super) fn is_carried(tool: &Tool<'_>) -> bool {
    !matches!(&tool.kind, ToolKind::Hosted { of, .. } if *of != Protocol::Chat)
}

/// Writes one tool, the one at `place` of the request.
pub(super) fn write(
    tool: &Tool<'_>,
    place: usize,
    schemas: &Schemas,
    policy: &Policy<'_>,
    w: &mut JsonWriter<'_>,
) {
    let key = match &tool.kind {
        ToolKind::Hosted { json, .. } => return w.raw(json.as_str()),
        ToolKind::Custom { .. } if policy.target.takes_custom_tools => "custom",
        ToolKind::Custom { .. } | ToolKind::Function { .. } => "function",
    };
    w.object(|w| {
        w.field_str("type", key);
        w.field_object(key, |w| {
            match &tool.kind {
                ToolKind::Function { name, description, schema, strict } => {
                    w.field_str("name", name);
                    w.field_opt_str("description", description.as_deref());
                    let own = schema.as_ref().map_or(EMPTY_SCHEMA, Raw::as_str);
                    w.field_raw("parameters", schemas.tool(place, own));
                    if let Some(strict) = strict {
                        w.field_bool("strict", *strict);
                    }
                }
                ToolKind::Custom { name, description, format } if key == "custom" => {
                    w.field_str("name", name);
                    w.field_opt_str("description", description.as_deref());
                    if let Some(format) = format {
                        w.field_raw("format", format.as_str());
                    }
                }
                ToolKind::Custom { name, description, format } => {
                    wrapped(name, description.as_deref(), format.as_ref(), w);
                }
                ToolKind::Hosted { .. } => {}
            }
            extra::write_inner(&tool.extra, key, w);
        });
        if let Some(hint) = &tool.cache
            && policy.keeps(Feature::CacheHints)
        {
            parts_out::cache(hint, w);
        }
        extra::write(&tool.extra, &[key], w);
    });
}

/// A free-form tool as a function; its grammar becomes words.
fn wrapped(name: &str, description: Option<&str>, format: Option<&Raw<'_>>, w: &mut JsonWriter<'_>) {
    w.field_str("name", &freeform::wrap_name(name));
    let words = freeform::wrap_description(description, format.map(Raw::as_str));
    w.field_opt_str("description", words.as_deref());
    w.field_raw("parameters", freeform::SCHEMA);
}
