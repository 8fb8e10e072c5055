//! Tools a request offers, and which of them the model may or must call.

use crate::chat::{At, Feature, Losses, Raw, Refused, Request, Tool, ToolChoice, ToolKind, freeform};
use crate::framing::json::{JsonWriter, Node};

use super::extra;

/// The schema of a tool without parameters; Cohere wants one.
const EMPTY_SCHEMA: &str = r#"{"type":"object","properties":{}}"#;

/// Reads `tools`. `strict_tools` is said of all of them.
pub(super) fn read<'a>(root: &Node<'a>) -> Result<Vec<Tool<'a>>, Refused> {
    let strict = match root.get("strict_tools") {
        Some(node) => Some(node.as_bool().ok_or_else(|| {
            Refused::new(At::of(node), format!("`strict_tools` must be true or false, not {}", node.kind()))
        })?),
        None => None,
    };
    let Some(list) = root.get("tools") else { return Ok(Vec::new()) };
    if !list.is_array() {
        return Err(Refused::new(At::of(list), format!("`tools` must be a list, not {}", list.kind())));
    }
    list.items().iter().map(|node| tool(node, strict)).collect()
}

fn tool<'a>(node: &Node<'a>, strict: Option<bool>) -> Result<Tool<'a>, Refused> {
    let Some(function) = node.get("function").filter(|function| function.is_object()) else {
        return Err(Refused::new(At::of(node), "a tool needs an object `function`"));
    };
    let Some(name) = function.text_of("name").filter(|name| !name.is_empty()) else {
        return Err(Refused::new(At::of(function), "a tool needs a `name`"));
    };
    let schema = function.get("parameters");
    if let Some(odd) = schema.filter(|schema| !schema.is_object()) {
        return Err(Refused::new(At::of(odd), "`parameters` must be a JSON schema object"));
    }
    let kind = ToolKind::Function {
        name,
        description: function.text_of("description"),
        schema: schema.filter(|schema| schema.raw() != EMPTY_SCHEMA).map(Raw::of),
        strict,
    };
    let mut rest = extra::of(node, &["type", "function"]);
    extra::add_inner(&mut rest, "function", function, &["name", "description", "parameters"]);
    Ok(Tool { at: At::of(node), extra: rest, ..Tool::new(kind) })
}

pub(super) fn read_choice<'a>(root: &Node<'a>) -> Result<Option<ToolChoice<'a>>, Refused> {
    let Some(node) = root.get("tool_choice") else { return Ok(None) };
    match node.text().as_deref() {
        Some("REQUIRED") => Ok(Some(ToolChoice::Any)),
        Some("NONE") => Ok(Some(ToolChoice::None)),
        _ => Err(Refused::new(At::of(node), "unknown choice: it must be REQUIRED or NONE, or left out")),
    }
}

/// The tools that go up: those the choice allows, without other vendors' own.
pub(super) fn offered<'r, 'a>(request: &'r Request<'a>) -> Vec<&'r Tool<'a>> {
    let is_allowed = |tool: &&Tool<'_>| match (&request.tool_choice, tool.name()) {
        (_, None) => false,
        (Some(ToolChoice::Tool(only)), Some(name)) => name == only,
        (Some(ToolChoice::Allowed { names, .. }), Some(name)) => names.iter().any(|allowed| allowed == name),
        _ => true,
    };
    request.tools.iter().filter(is_allowed).collect()
}

/// Writes the tools and the choice among them: nothing where there are none, or Cohere refuses.
pub(super) fn write(request: &Request<'_>, tools: &[&Tool<'_>], losses: &mut Losses, w: &mut JsonWriter<'_>) {
    if tools.is_empty() {
        return;
    }
    w.field_array("tools", |w| tools.iter().for_each(|tool| write_one(tool, w)));
    match &request.tool_choice {
        Some(ToolChoice::None) => w.field_str("tool_choice", "NONE"),
        Some(ToolChoice::Any | ToolChoice::Tool(_) | ToolChoice::Allowed { must_call: true, .. }) => {
            w.field_str("tool_choice", "REQUIRED");
        }
        Some(ToolChoice::Auto | ToolChoice::Allowed { .. } | ToolChoice::Opaque { .. }) | None => {}
    }
    let strict = |tool: &Tool<'_>| match &tool.kind {
        ToolKind::Function { strict, .. } => *strict,
        _ => None,
    };
    if tools.iter().all(|tool| strict(tool) == Some(true)) {
        w.field_bool("strict_tools", true);
    } else if tools.iter().all(|tool| strict(tool) == Some(false)) {
        w.field_bool("strict_tools", false);
    } else {
        for tool in tools.iter().filter(|tool| strict(tool) == Some(true)) {
            losses.push(Feature::StrictTools, tool.at);
        }
    }
}

fn write_one(tool: &Tool<'_>, w: &mut JsonWriter<'_>) {
    w.object(|w| {
        w.field_str("type", "function");
        w.field_object("function", |w| {
            match &tool.kind {
                ToolKind::Function { name, description, schema, .. } => {
                    w.field_str("name", name);
                    w.field_opt_str("description", description.as_deref());
                    w.field_raw("parameters", schema.as_ref().map_or(EMPTY_SCHEMA, Raw::as_str));
                }
                ToolKind::Custom { name, description, format } => {
                    let format = format.as_ref().map(Raw::as_str);
                    w.field_str("name", &freeform::wrap_name(name));
                    let words = freeform::wrap_description(description.as_deref(), format);
                    w.field_opt_str("description", words.as_deref());
                    w.field_raw("parameters", freeform::SCHEMA);
                }
                ToolKind::Hosted { .. } => {}
            }
            extra::write_inner(&tool.extra, "function", w);
        });
        extra::write(&tool.extra, &["function"], w);
    });
}
