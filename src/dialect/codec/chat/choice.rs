//! Which tools the model may or must call.

use crate::chat::{At, Feature, Raw, Refused, Request, Text, ToolChoice, ToolKind, freeform};
use crate::framing::json::{JsonWriter, Node};
use crate::types::Protocol;

use super::losses::Policy;

/// Reads `tool_choice`, or the deprecated `function_call`.
pub(super) fn read<'a>(root: &Node<'a>) -> Result<Option<ToolChoice<'a>>, Refused> {
    let Some(node) = root.get("tool_choice").or_else(|| root.get("function_call")) else { return Ok(None) };
    if let Some(text) = node.text() {
        return word(&text).map(Some).ok_or_else(|| {
            Refused::new(At::of(node), "unknown choice: it must be none, auto, required or an object")
        });
    }
    if !node.is_object() {
        let message = format!("this must be a string or an object, not {}", node.kind());
        return Err(Refused::new(At::of(node), message));
    }
    object(node).map(Some)
}

fn word<'a>(word: &str) -> Option<ToolChoice<'a>> {
    Some(match word {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        "required" | "any" => ToolChoice::Any,
        _ => return None,
    })
}

/// Nested as OpenAI documents it, flat as Responses has it, or only a type as Cursor sends it.
fn object<'a>(node: &Node<'a>) -> Result<ToolChoice<'a>, Refused> {
    let kind = node.text_of("type");
    match kind.as_deref() {
        None | Some("function" | "custom" | "tool") => {
            let inner = ["function", "custom"].iter().find_map(|key| node.get(key)).unwrap_or(node);
            let name = inner.text_of("name").filter(|name| !name.is_empty());
            let needs = || Refused::new(At::of(node), "this choice needs the `name` of a tool");
            name.map(ToolChoice::Tool).ok_or_else(needs)
        }
        Some("allowed_tools") => allowed(node, node.get("allowed_tools").unwrap_or(node)),
        Some(other) => {
            let opaque = || ToolChoice::Opaque { of: Protocol::Chat, json: Raw::of(node) };
            Ok(word(other).unwrap_or_else(opaque))
        }
    }
}

fn allowed<'a>(node: &Node<'a>, inner: &Node<'a>) -> Result<ToolChoice<'a>, Refused> {
    let tools = inner.get("tools").map(Node::items).unwrap_or_default();
    let name = |tool: &Node<'a>| {
        let inner = ["function", "custom"].iter().find_map(|key| tool.get(key)).unwrap_or(tool);
        inner.text_of("name")
    };
    let names: Vec<Text<'a>> = tools.iter().filter_map(name).collect();
    if names.is_empty() || names.len() < tools.len() {
        return Err(Refused::new(At::of(node), "`allowed_tools` needs `tools`, each with a name"));
    }
    let must_call = inner.get("mode").is_some_and(|mode| mode.is("required"));
    Ok(ToolChoice::Allowed { names, must_call })
}

/// Writes `tool_choice`. Nothing without tools: OpenAI refuses a choice among none.
pub(super) fn write(request: &Request<'_>, policy: &Policy<'_>, w: &mut JsonWriter<'_>) {
    let Some(choice) = &request.tool_choice else { return };
    let any = if policy.target.says_any { "any" } else { "required" };
    match choice {
        ToolChoice::Auto => w.field_str("tool_choice", "auto"),
        ToolChoice::None => w.field_str("tool_choice", "none"),
        ToolChoice::Any => w.field_str("tool_choice", any),
        ToolChoice::Tool(name) => w.field_object("tool_choice", |w| named(name, request, policy, w)),
        ToolChoice::Allowed { names, must_call } if policy.keeps(Feature::ToolChoiceAllowed) => {
            w.field_object("tool_choice", |w| {
                w.field_str("type", "allowed_tools");
                w.field_object("allowed_tools", |w| {
                    w.field_str("mode", if *must_call { "required" } else { "auto" });
                    w.field_array("tools", |w| {
                        for name in names {
                            w.object(|w| named(name, request, policy, w));
                        }
                    });
                });
            });
        }
        // The restriction is lost and told; that there must be a call is not.
        ToolChoice::Allowed { must_call, .. } => {
            w.field_str("tool_choice", if *must_call { any } else { "auto" });
        }
        ToolChoice::Opaque { of, json } if *of == Protocol::Chat => {
            w.field_raw("tool_choice", json.as_str());
        }
        ToolChoice::Opaque { .. } => {}
    }
}

fn named(name: &str, request: &Request<'_>, policy: &Policy<'_>, w: &mut JsonWriter<'_>) {
    let is_custom = request
        .tools
        .iter()
        .any(|tool| matches!(&tool.kind, ToolKind::Custom { name: custom, .. } if custom == name));
    let (kind, wrapped) = match is_custom {
        true if policy.target.takes_custom_tools => ("custom", None),
        true => ("function", Some(freeform::wrap_name(name))),
        false => ("function", None),
    };
    w.field_str("type", kind);
    w.field_object(kind, |w| w.field_str("name", wrapped.as_deref().unwrap_or(name)));
}
