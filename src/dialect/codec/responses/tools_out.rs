//! `tools` and `tool_choice` as Responses writes them: flat.

use super::parts::write_extra;
use super::schemas::Schemas;
use super::tools_in::NO_PARAMETERS;
use crate::chat::{Raw, Request, Text, Tool, ToolChoice, ToolKind, freeform};
use crate::framing::json::JsonWriter;
use crate::types::Protocol;

/// Writes the elements of `tools`: hosted ones of other vendors are left out. `wraps`: free-form tools
/// are offered as functions.
pub(super) fn write(w: &mut JsonWriter<'_>, request: &Request<'_>, schemas: &Schemas<'_>, wraps: bool) {
    let is_own = request.from == Protocol::Responses;
    for (number, tool) in request.tools.iter().enumerate() {
        match &tool.kind {
            ToolKind::Function { name, description, schema, strict } => w.object(|w| {
                w.field_str("type", "function");
                w.field_str("name", name);
                w.field_opt_str("description", description.as_deref());
                let written = schema.as_ref().map_or(NO_PARAMETERS, Raw::as_str);
                w.field_raw("parameters", schemas.of_tool(number).unwrap_or(written));
                // Where nothing is said Responses is strict and the other protocols are not.
                if let Some(strict) = strict.or((!is_own).then_some(false)) {
                    w.field_bool("strict", strict);
                }
                write_extra(w, &tool.extra);
            }),
            ToolKind::Custom { name, description, format } if wraps => w.object(|w| {
                w.field_str("type", "function");
                w.field_str("name", &freeform::wrap_name(name));
                let format = format.as_ref().map(Raw::as_str);
                let words = freeform::wrap_description(description.as_deref(), format);
                w.field_str("description", words.as_deref().unwrap_or_default());
                w.field_raw("parameters", freeform::SCHEMA);
                w.field_bool("strict", false);
            }),
            ToolKind::Custom { name, description, format } => w.object(|w| {
                w.field_str("type", "custom");
                w.field_str("name", name);
                w.field_opt_str("description", description.as_deref());
                if let Some(format) = format {
                    w.field_raw("format", custom_format(format).as_ref());
                }
                write_extra(w, &tool.extra);
            }),
            ToolKind::Hosted { of: Protocol::Responses, json, .. } => w.raw(json.as_str()),
            ToolKind::Hosted { .. } => {}
        }
    }
}

/// Whether any tool is written.
pub(super) fn has_any(request: &Request<'_>) -> bool {
    let is_written = |tool: &Tool<'_>| match &tool.kind {
        ToolKind::Function { .. } | ToolKind::Custom { .. } => true,
        ToolKind::Hosted { of, .. } => *of == Protocol::Responses,
    };
    request.tools.iter().any(is_written)
}

/// A grammar is flat here (`type, syntax, definition`) and in an object of its own in chat.
fn custom_format<'f>(format: &'f Raw<'_>) -> Text<'f> {
    use crate::framing::json::{Duplicates, parse};
    let Ok(node) = parse(format.as_str(), Duplicates::LastCounts) else {
        return Text::Borrowed(format.as_str());
    };
    let Some(grammar) = node.get("grammar").filter(|grammar| grammar.is_object()) else {
        return Text::Borrowed(format.as_str());
    };
    let mut out = Vec::new();
    JsonWriter::new(&mut out).object(|w| {
        w.field_str("type", "grammar");
        for (key, value) in grammar.entries() {
            w.field_raw(key, value.raw());
        }
    });
    Text::Owned(String::from_utf8(out).unwrap_or_default())
}

/// Writes the value of `tool_choice`. Another protocol's own choice is `auto`.
pub(super) fn write_choice(
    w: &mut JsonWriter<'_>,
    request: &Request<'_>,
    choice: &ToolChoice<'_>,
    wraps: bool,
) {
    match choice {
        ToolChoice::Auto => w.string("auto"),
        ToolChoice::None => w.string("none"),
        ToolChoice::Any => w.string("required"),
        ToolChoice::Tool(name) => named(w, request, name, wraps),
        ToolChoice::Allowed { names, must_call } => w.object(|w| {
            w.field_str("type", "allowed_tools");
            w.field_str("mode", if *must_call { "required" } else { "auto" });
            w.field_array("tools", |w| names.iter().for_each(|name| named(w, request, name, wraps)));
        }),
        ToolChoice::Opaque { of: Protocol::Responses, json } => w.raw(json.as_str()),
        ToolChoice::Opaque { .. } => w.string("auto"),
    }
}

fn named(w: &mut JsonWriter<'_>, request: &Request<'_>, name: &str, wraps: bool) {
    let is_it = |tool: &&Tool<'_>| tool.name() == Some(name);
    let is_custom =
        request.tools.iter().find(is_it).is_some_and(|tool| matches!(tool.kind, ToolKind::Custom { .. }));
    w.object(|w| {
        w.field_str("type", if is_custom && !wraps { "custom" } else { "function" });
        match is_custom && wraps {
            true => w.field_str("name", &freeform::wrap_name(name)),
            false => w.field_str("name", name),
        }
    });
}
