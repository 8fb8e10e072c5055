//! `tools` and `tool_choice`, flat as Responses writes them or nested as chat does.

use super::read::{flag, list, needed, object, text, wrong};
use crate::chat::{At, Extra, Raw, Refused, Text, Tool, ToolChoice, ToolKind};
use crate::framing::json::Node;
use crate::types::Protocol;

/// The schema of a function without parameters, as it is written here: Responses wants one.
pub(super) const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;

/// # Errors
/// [`Refused`] at the first tool that is none.
pub(super) fn read<'a>(root: &Node<'a>) -> Result<Vec<Tool<'a>>, Refused> {
    list(root, "tools")?.iter().map(one).collect()
}

fn one<'a>(node: &Node<'a>) -> Result<Tool<'a>, Refused> {
    if !node.is_object() {
        return Err(wrong(node, "a tool (an object)"));
    }
    let kind = needed(node, "type")?;
    let (kind, of, known): (_, _, &[&str]) = match kind.as_ref() {
        "function" => {
            let of = object(node, "function")?.unwrap_or(node);
            let known = &["type", "name", "description", "parameters", "strict", "function"];
            (function(of)?, of, known)
        }
        "custom" => {
            let of = object(node, "custom")?.unwrap_or(node);
            let custom = ToolKind::Custom {
                name: needed(of, "name")?,
                description: text(of, "description")?,
                format: object(of, "format")?.map(Raw::of),
            };
            (custom, of, &["type", "name", "description", "format", "custom"])
        }
        _ => {
            let json = Raw::of(node);
            let tool = Tool::new(ToolKind::Hosted { of: Protocol::Responses, kind, json });
            return Ok(Tool { at: At::of(node), ..tool });
        }
    };
    let mut extra = Extra::of(Protocol::Responses, of, known);
    if !std::ptr::eq(of, node) {
        extra.fields.extend(Extra::of(Protocol::Responses, node, known).fields);
        extra.of = (!extra.fields.is_empty()).then_some(Protocol::Responses);
    }
    Ok(Tool { at: At::of(node), kind, cache: None, extra })
}

fn function<'a>(node: &Node<'a>) -> Result<ToolKind<'a>, Refused> {
    Ok(ToolKind::Function {
        name: needed(node, "name")?,
        description: text(node, "description")?,
        schema: object(node, "parameters")?.map(Raw::of).filter(|raw| raw.as_str() != NO_PARAMETERS),
        strict: flag(node, "strict")?,
    })
}

/// # Errors
/// [`Refused`] where it is no choice.
pub(super) fn choice<'a>(root: &Node<'a>) -> Result<Option<ToolChoice<'a>>, Refused> {
    let Some(node) = root.get("tool_choice") else { return Ok(None) };
    if let Some(word) = node.text() {
        return by_word(&word).map(Some).ok_or_else(|| {
            Refused::new(At::of(node), "a tool choice is one of auto, none, required, or an object")
        });
    }
    if !node.is_object() {
        return Err(wrong(node, "a string or an object"));
    }
    let kind = needed(node, "type")?;
    Ok(Some(match kind.as_ref() {
        "function" | "custom" | "tool" => {
            let of = node.get(&kind).filter(|inner| inner.is_object()).unwrap_or(node);
            ToolChoice::Tool(needed(of, "name")?)
        }
        "allowed_tools" => allowed(node)?,
        // Cursor writes the words as objects.
        word => by_word(word)
            .unwrap_or_else(|| ToolChoice::Opaque { of: Protocol::Responses, json: Raw::of(node) }),
    }))
}

fn by_word(word: &str) -> Option<ToolChoice<'static>> {
    match word {
        "auto" => Some(ToolChoice::Auto),
        "none" => Some(ToolChoice::None),
        "required" | "any" => Some(ToolChoice::Any),
        _ => None,
    }
}

/// `allowed_tools`; one that names hosted tools among others stays as it is.
fn allowed<'a>(node: &Node<'a>) -> Result<ToolChoice<'a>, Refused> {
    let of = node.get("allowed_tools").filter(|inner| inner.is_object()).unwrap_or(node);
    let must_call = match text(of, "mode")?.as_deref() {
        None | Some("auto") => false,
        Some("required") => true,
        Some(_) => return Err(Refused::new(At::of(of), "the mode of allowed tools is auto or required")),
    };
    let name = |tool: &Node<'a>| -> Option<Text<'a>> {
        let kind = tool.text_of("type")?;
        let is_ours = matches!(kind.as_ref(), "function" | "custom");
        let inner = tool.get(&kind).filter(|inner| inner.is_object()).unwrap_or(tool);
        is_ours.then(|| inner.text_of("name"))?
    };
    let names: Option<Vec<Text<'a>>> = list(of, "tools")?.iter().map(name).collect();
    Ok(match names {
        Some(names) => ToolChoice::Allowed { names, must_call },
        None => ToolChoice::Opaque { of: Protocol::Responses, json: Raw::of(node) },
    })
}
