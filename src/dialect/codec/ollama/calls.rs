//! Tool calls as they stand in an assistant's message: whole, the arguments an object.

use crate::chat::{At, Block, BlockKind, Refused, Text, ToolUse, freeform, unpack_id};
use crate::framing::json::{JsonWriter, Node};

use super::extra;

/// Reads one element of `tool_calls`; the id is empty where there is none.
pub(super) fn read<'a>(node: &Node<'a>) -> Result<Block<'a>, Refused> {
    let Some(function) = node.get("function").filter(|function| function.is_object()) else {
        return Err(Refused::new(At::of(node), "a tool call needs an object `function`"));
    };
    let Some(name) = function.text_of("name").filter(|name| !name.is_empty()) else {
        return Err(Refused::new(At::of(function), "a tool call needs the tool's `name`"));
    };
    let (id, signature) = unpack_id(node.text_of("id").unwrap_or_default());
    let mut rest = extra::of(node, &["id", "type", "function"]);
    extra::add_inner(&mut rest, "function", function, &["name", "arguments", "index"]);
    let arguments = function.get("arguments").map(arguments).unwrap_or_default();
    let own = freeform::unwrap_name(&name).map(str::to_owned);
    let call = match own {
        None => ToolUse { id, name, arguments, is_custom: false, signature },
        Some(own) => ToolUse {
            id,
            name: own.into(),
            arguments: freeform::unwrap_input(&arguments).into_owned().into(),
            is_custom: true,
            signature,
        },
    };
    Ok(Block { extra: rest, ..Block::new(BlockKind::ToolUse(call)).at(At::of(node)) })
}

/// An object; some clients and servers give its text.
fn arguments<'a>(node: &Node<'a>) -> Text<'a> {
    node.text().unwrap_or(Text::Borrowed(node.raw()))
}

/// The name an upstream knows: that of a free-form tool is marked. Clients know the tool's own.
pub(super) fn upstream_name<'c>(call: &'c ToolUse<'_>) -> Text<'c> {
    if call.is_custom { freeform::wrap_name(&call.name).into() } else { Text::Borrowed(&call.name) }
}

/// A call to be written.
pub(super) struct Out<'c> {
    pub(super) call: &'c ToolUse<'c>,
    pub(super) name: &'c str,
    /// Empty where there is none.
    pub(super) id: &'c str,
    pub(super) index: usize,
}

impl Out<'_> {
    /// Writes the fields of the call; `rest` what else stands in it.
    pub(super) fn write(&self, rest: &crate::chat::Extra<'_>, w: &mut JsonWriter<'_>) {
        w.object(|w| {
            w.field_opt_str("id", Some(self.id).filter(|id| !id.is_empty()));
            w.field_object("function", |w| {
                w.field_u64("index", self.index as u64);
                w.field_str("name", self.name);
                w.field_raw("arguments", &self.call.arguments_object());
                extra::write_inner(rest, "function", w);
            });
            extra::write(rest, &["function"], w);
        });
    }
}
