//! Tool calls as they stand in an assistant's message.

use crate::chat::{At, Block, BlockKind, Refused, Text, ToolUse, freeform, unpack_id};
use crate::framing::json::{JsonWriter, Node};

use super::extra;

/// Reads one element of `tool_calls`.
pub(super) fn read<'a>(node: &Node<'a>) -> Result<Block<'a>, Refused> {
    let Some(function) = node.get("function").filter(|function| function.is_object()) else {
        return Err(Refused::new(At::of(node), "a tool call needs an object `function`"));
    };
    let Some(name) = function.text_of("name").filter(|name| !name.is_empty()) else {
        return Err(Refused::new(At::of(function), "a tool call needs the tool's `name`"));
    };
    let (id, signature) = unpack_id(node.text_of("id").unwrap_or_default());
    let mut rest = extra::of(node, &["id", "type", "function"]);
    extra::add_inner(&mut rest, "function", function, &["name", "arguments"]);
    let arguments = function.get("arguments").map(arguments).unwrap_or_default();
    let call = own_form(ToolUse { id, name, arguments, is_custom: false, signature });
    Ok(Block { extra: rest, ..Block::new(BlockKind::ToolUse(call)).at(At::of(node)) })
}

/// A string; some servers give the object itself.
fn arguments<'a>(node: &Node<'a>) -> Text<'a> {
    node.text().unwrap_or(Text::Borrowed(node.raw()))
}

/// A call of a function that stands for a free-form tool is that tool's again.
fn own_form(call: ToolUse<'_>) -> ToolUse<'_> {
    let Some(name) = freeform::unwrap_name(&call.name).map(str::to_owned) else { return call };
    let arguments = Text::Owned(freeform::unwrap_input(&call.arguments).into_owned());
    ToolUse { name: name.into(), arguments, is_custom: true, ..call }
}

/// The name an upstream knows: that of a free-form tool is marked. Clients know the tool's own.
pub(super) fn upstream_name<'c>(call: &'c ToolUse<'_>) -> Text<'c> {
    if call.is_custom { freeform::wrap_name(&call.name).into() } else { Text::Borrowed(&call.name) }
}

/// Writes one call under the id and name given.
pub(super) fn write(block: &Block<'_>, call: &ToolUse<'_>, (id, name): (&str, &str), w: &mut JsonWriter<'_>) {
    w.object(|w| {
        w.field_str("id", id);
        w.field_str("type", "function");
        w.field_object("function", |w| {
            w.field_str("name", name);
            if call.is_custom {
                w.field_str("arguments", &freeform::wrap_input(&call.arguments));
            } else {
                w.field_str(
                    "arguments",
                    if call.arguments.trim().is_empty() { "{}" } else { &call.arguments },
                );
            }
            extra::write_inner(&block.extra, "function", w);
        });
        extra::write(&block.extra, &["function"], w);
    });
}
