//! Tools and the choice among them.

use super::fields::{cache, extra, items, opt_bool, opt_text, text, wrong};
use crate::chat::{At, Raw, Refused, Tool, ToolChoice, ToolKind};
use crate::framing::json::Node;
use crate::types::Protocol;

pub(super) fn tools<'a>(root: &Node<'a>) -> Result<Vec<Tool<'a>>, Refused> {
    items(root, "tools")?.iter().map(tool).collect()
}

fn tool<'a>(node: &Node<'a>) -> Result<Tool<'a>, Refused> {
    if !node.is_object() {
        return Err(Refused::new(At::of(node), format!("a tool is an object, not {}", node.kind())));
    }
    match opt_text(node, "type")? {
        Some(kind) if kind != "custom" => {
            let kind = ToolKind::Hosted { of: Protocol::Messages, kind, json: Raw::of(node) };
            Ok(Tool { at: At::of(node), ..Tool::new(kind) })
        }
        _ => function(node),
    }
}

fn function<'a>(node: &Node<'a>) -> Result<Tool<'a>, Refused> {
    const KNOWN: [&str; 6] = ["type", "name", "description", "input_schema", "strict", "cache_control"];
    let schema = match node.get("input_schema") {
        Some(schema) if schema.is_object() => Some(Raw::of(schema)),
        Some(schema) => return Err(wrong(schema, "input_schema", "an object")),
        None => return Err(Refused::new(At::of(node), "`input_schema` is missing: a JSON Schema object")),
    };
    let kind = ToolKind::Function {
        name: text(node, "name")?,
        description: opt_text(node, "description")?,
        schema,
        strict: opt_bool(node, "strict")?,
    };
    Ok(Tool { at: At::of(node), kind, cache: cache(node)?, extra: extra(node, &KNOWN) })
}

/// The choice, and whether calls may be parallel.
pub(super) fn choice<'a>(root: &Node<'a>) -> Result<(Option<ToolChoice<'a>>, Option<bool>), Refused> {
    let Some(node) = super::fields::opt_object(root, "tool_choice")? else { return Ok((None, None)) };
    let is_parallel = opt_bool(node, "disable_parallel_tool_use")?.map(|is_off| !is_off);
    let choice = match text(node, "type")?.as_ref() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Any,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Tool(text(node, "name")?),
        _ => ToolChoice::Opaque { of: Protocol::Messages, json: Raw::of(node) },
    };
    Ok((Some(choice), is_parallel))
}
