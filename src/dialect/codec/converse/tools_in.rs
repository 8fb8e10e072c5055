//! `toolConfig`, read.

use super::blocks_in::cache_hint;
use super::{HERE, read};
use crate::chat::{At, Extra, Field, Raw, Refused, Request, Text, Tool, ToolChoice, ToolKind};
use crate::framing::json::Node;

/// Puts the tools and the choice into `request`; what else stands there, among its extras.
pub(super) fn read<'a>(config: &Node<'a>, request: &mut Request<'a>) -> Result<(), Refused> {
    for node in read::array(config, "tools")? {
        let (member, value) = read::member(node, "tool")?;
        match (member, request.tools.last_mut()) {
            ("cachePoint", Some(last)) if last.cache.is_none() => last.cache = Some(cache_hint(value)?),
            ("toolSpec", _) => request.tools.push(function(node, value)?),
            _ => request.tools.push(hosted(node, member, value)),
        }
    }
    if let Some(choice) = config.get("toolChoice") {
        request.tool_choice = Some(self::choice(choice)?);
    }
    let left = Extra::of(HERE, config, &["tools", "toolChoice"]);
    nest("toolConfig", left, request);
    Ok(())
}

/// Keeps the fields of an inner object under its name and a dot.
pub(super) fn nest<'a>(outer: &str, left: Extra<'a>, request: &mut Request<'a>) {
    let named = |field: Field<'a>| Field { name: Text::Owned(format!("{outer}.{}", field.name)), ..field };
    if !left.is_empty() {
        request.extra.of = Some(HERE);
        request.extra.fields.extend(left.fields.into_iter().map(named));
    }
}

fn hosted<'a>(node: &Node<'a>, member: &str, value: &Node<'a>) -> Tool<'a> {
    let kind = value.text_of("name").unwrap_or_else(|| Text::Owned(member.to_owned()));
    Tool { at: At::of(node), ..Tool::new(ToolKind::Hosted { of: HERE, kind, json: Raw::of(node) }) }
}

fn function<'a>(node: &Node<'a>, spec: &Node<'a>) -> Result<Tool<'a>, Refused> {
    let schema = match read::object(spec, "inputSchema")? {
        None => None,
        Some(holder) => Some(Raw::of(read::need_object(holder, "json")?)),
    };
    let kind = ToolKind::Function {
        name: read::need_text(spec, "name")?,
        description: read::text(spec, "description")?,
        schema,
        strict: read::flag(spec, "strict")?,
    };
    let extra = Extra::of(HERE, spec, &["name", "description", "inputSchema", "strict"]);
    Ok(Tool { at: At::of(node), extra, ..Tool::new(kind) })
}

fn choice<'a>(node: &Node<'a>) -> Result<ToolChoice<'a>, Refused> {
    let (member, value) = read::member(node, "toolChoice")?;
    Ok(match member {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Any,
        "tool" => ToolChoice::Tool(read::need_text(value, "name")?),
        _ => ToolChoice::Opaque { of: HERE, json: Raw::of(node) },
    })
}
