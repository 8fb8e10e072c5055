//! `tools` and `toolConfig`, read.

use super::names::{add_extra, camel, extra_of, get, is_named, list, text_field, want_object, want_text};
use crate::chat::{At, Raw, Refused, Request, Text, Tool, ToolChoice, ToolKind};
use crate::dialect::codec::schema;
use crate::framing::json::Node;
use crate::types::Protocol;

const CALLING: &str = "toolConfig.functionCallingConfig";

/// Reads `tools`: of each object its functions, and every other member as a tool Google runs.
pub(super) fn tools<'a>(tools: &Node<'a>) -> Result<Vec<Tool<'a>>, Refused> {
    let mut all = Vec::new();
    for node in list(tools)? {
        for (name, value) in want_object(node)?.entries().iter().filter(|(_, value)| !value.is_null()) {
            if is_named(name, "functionDeclarations") {
                for declaration in list(value)? {
                    all.push(function(declaration)?);
                }
                continue;
            }
            let kind =
                ToolKind::Hosted { of: Protocol::Generate, kind: camel(name).into(), json: Raw::of(value) };
            all.push(Tool { at: At::of(value), ..Tool::new(kind) });
        }
    }
    Ok(all)
}

fn function<'a>(node: &Node<'a>) -> Result<Tool<'a>, Refused> {
    want_object(node)?;
    let name = text_field(node, "name")?.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Refused::new(At::of(node), "a function needs a name"))?;
    let schema = match (get(node, "parametersJsonSchema"), get(node, "parameters")) {
        (Some(schema), _) => Some(Raw::of(schema)),
        (None, Some(schema)) => Some(Raw(schema::from_openapi(want_object(schema)?))),
        (None, None) => None,
    };
    let description = text_field(node, "description")?;
    let extra = extra_of(node, &["name", "description", "parameters", "parametersJsonSchema"]);
    let kind = ToolKind::Function { name, description, schema, strict: None };
    Ok(Tool { at: At::of(node), kind, cache: None, extra })
}

/// Reads `toolConfig` into `request`.
pub(super) fn config<'a>(config: &Node<'a>, request: &mut Request<'a>) -> Result<(), Refused> {
    want_object(config)?;
    add_extra(&mut request.extra, config, &["functionCallingConfig"], "toolConfig");
    let Some(calling) = get(config, "functionCallingConfig") else { return Ok(()) };
    want_object(calling)?;
    let names: Vec<Text<'a>> = match get(calling, "allowedFunctionNames") {
        Some(names) => list(names)?.into_iter().map(want_text).collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    let mode = text_field(calling, "mode")?.unwrap_or_default().to_ascii_uppercase();
    request.tool_choice = match (mode.as_str(), names.as_slice()) {
        ("NONE", _) => Some(ToolChoice::None),
        ("ANY", []) => Some(ToolChoice::Any),
        ("ANY", [one]) => Some(ToolChoice::Tool(one.clone())),
        ("ANY", _) => Some(ToolChoice::Allowed { names, must_call: true }),
        ("AUTO" | "VALIDATED", []) => Some(ToolChoice::Auto),
        ("AUTO" | "VALIDATED", _) => Some(ToolChoice::Allowed { names, must_call: false }),
        ("" | "MODE_UNSPECIFIED", _) => None,
        _ => {
            let at = get(calling, "mode").map_or(At::NOWHERE, At::of);
            return Err(Refused::new(at, "a mode is AUTO, ANY, NONE or VALIDATED"));
        }
    };
    let is_validated = mode == "VALIDATED" && request.tool_choice == Some(ToolChoice::Auto);
    // The canonical `auto` does not say VALIDATED: Gemini's own word for it is kept beside it.
    let known: &[&str] =
        if is_validated { &["allowedFunctionNames"] } else { &["mode", "allowedFunctionNames"] };
    add_extra(&mut request.extra, calling, known, CALLING);
    Ok(())
}
