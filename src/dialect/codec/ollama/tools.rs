//! Tools a request offers. Ollama has no word for a choice among them: the tools the client rules out
//! are left out.

use crate::chat::{At, Raw, Refused, Request, Tool, ToolChoice, ToolKind, freeform};
use crate::framing::json::{JsonWriter, Node};

use super::extra;

const EMPTY_SCHEMA: &str = r#"{"type":"object","properties":{}}"#;

pub(super) fn read<'a>(root: &Node<'a>) -> Result<Vec<Tool<'a>>, Refused> {
    let Some(list) = root.get("tools") else { return Ok(Vec::new()) };
    if !list.is_array() {
        return Err(Refused::new(At::of(list), format!("`tools` must be a list, not {}", list.kind())));
    }
    list.items().iter().map(tool).collect()
}

fn tool<'a>(node: &Node<'a>) -> Result<Tool<'a>, Refused> {
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
        strict: None,
    };
    let mut rest = extra::of(node, &["type", "function"]);
    extra::add_inner(&mut rest, "function", function, &["name", "description", "parameters"]);
    Ok(Tool { at: At::of(node), extra: rest, ..Tool::new(kind) })
}

/// Writes `tools`, where any is left.
pub(super) fn write(request: &Request<'_>, w: &mut JsonWriter<'_>) {
    let is_offered = |tool: &&Tool<'_>| match (&request.tool_choice, tool.name()) {
        (_, None) | (Some(ToolChoice::None), _) => false,
        (Some(ToolChoice::Tool(only)), Some(name)) => name == only,
        (Some(ToolChoice::Allowed { names, .. }), Some(name)) => names.iter().any(|allowed| allowed == name),
        _ => true,
    };
    let offered: Vec<&Tool<'_>> = request.tools.iter().filter(is_offered).collect();
    if !offered.is_empty() {
        w.field_array("tools", |w| offered.iter().for_each(|tool| write_one(tool, w)));
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
