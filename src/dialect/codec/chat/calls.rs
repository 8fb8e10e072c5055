//! Tool calls as they stand in an assistant's message.

use crate::chat::{
    At, Block, BlockKind, Extra, Refused, Signature, Text, ToolUse, Vendor, freeform, unpack_id,
};
use crate::framing::json::{JsonWriter, Node};

use super::extra;

/// Reads one element of `tool_calls`.
pub(super) fn read<'a>(node: &Node<'a>) -> Result<Block<'a>, Refused> {
    let is_custom = node.get("type").is_some_and(|kind| kind.is("custom"));
    let key = if is_custom { "custom" } else { "function" };
    let Some(inner) = node.get(key).filter(|inner| inner.is_object()) else {
        return Err(Refused::new(At::of(node), format!("a tool call needs an object `{key}`")));
    };
    let name = inner.text_of("name").filter(|name| !name.is_empty());
    let Some(name) = name else {
        return Err(Refused::new(At::of(inner), "a tool call needs the tool's `name`"));
    };
    let (id, packed) = unpack_id(node.text_of("id").unwrap_or_default());
    let own = google_signature(node);
    let mut rest = extra::of(node, known(own.is_some(), is_custom));
    let arguments_key = if is_custom { "input" } else { "arguments" };
    extra::add_inner(&mut rest, key, inner, &["name", arguments_key]);
    let call = ToolUse {
        id,
        name,
        arguments: inner.get(arguments_key).map(arguments).unwrap_or_default(),
        is_custom,
        signature: own.or(packed),
    };
    let block = Block::new(BlockKind::ToolUse(call)).at(At::of(node));
    Ok(Block { extra: rest, ..block })
}

/// Snowflake and others write both objects, one of them empty.
fn known(has_signature: bool, is_custom: bool) -> &'static [&'static str] {
    match (has_signature, is_custom) {
        (true, _) => &["id", "type", "index", "function", "custom", "extra_content"],
        (false, _) => &["id", "type", "index", "function", "custom"],
    }
}

/// Reads the deprecated `function_call`; it has no id.
pub(super) fn read_function<'a>(node: &Node<'a>, id: Text<'a>) -> Option<Block<'a>> {
    let name = node.text_of("name").filter(|name| !name.is_empty())?;
    let call = ToolUse {
        id,
        name,
        arguments: node.get("arguments").map(arguments).unwrap_or_default(),
        is_custom: false,
        signature: None,
    };
    Some(Block::new(BlockKind::ToolUse(call)).at(At::of(node)))
}

/// A string; some vendors give the object itself.
pub(super) fn arguments<'a>(node: &Node<'a>) -> Text<'a> {
    node.text().unwrap_or(Text::Borrowed(if node.is_null() { "" } else { node.raw() }))
}

/// Gemini's signature where Google's own compatible endpoint puts it.
pub(super) fn google_signature<'a>(node: &Node<'a>) -> Option<Signature<'a>> {
    let data = node.get("extra_content")?.get("google")?.text_of("thought_signature")?;
    (!data.is_empty()).then(|| Signature::new(Vendor::Gemini, data))
}

/// Gives the first call the signature that its message carries, as Gemini's older compatible
/// endpoint has it; the API itself signs the first call of a turn.
pub(super) fn sign_first(blocks: &mut [Block<'_>], signature: &Signature<'_>) -> bool {
    let first = blocks.iter_mut().find_map(|block| match &mut block.kind {
        BlockKind::ToolUse(call) => Some(call),
        _ => None,
    });
    let Some(call) = first else { return false };
    if call.signature.is_none() {
        call.signature = Some(signature.to_static());
    }
    true
}

/// Writes one call. `id` is what the reader shall see; `is_signed`: with Google's slot for the signature.
pub(super) fn write(call: &ToolUse<'_>, id: &str, is_signed: bool, rest: &Extra<'_>, w: &mut JsonWriter<'_>) {
    let (key, arguments_key) = if call.is_custom { ("custom", "input") } else { ("function", "arguments") };
    w.object(|w| {
        w.field_str("id", id);
        w.field_str("type", key);
        w.field_object(key, |w| {
            w.field_str("name", &call.name);
            let is_none = !call.is_custom && call.arguments.trim().is_empty();
            w.field_str(arguments_key, if is_none { "{}" } else { &call.arguments });
            extra::write_inner(rest, key, w);
        });
        if let Some(signature) = call.signature.as_ref().filter(|_| is_signed) {
            write_signature(signature, w);
        }
        extra::write(rest, &["function", "custom"], w);
    });
}

/// Google's slot, for Gemini's signatures only.
pub(super) fn write_signature(signature: &Signature<'_>, w: &mut JsonWriter<'_>) {
    if signature.vendor == Vendor::Gemini {
        w.field_object("extra_content", |w| {
            w.field_object("google", |w| w.field_str("thought_signature", &signature.data));
        });
    }
}

/// A custom tool's call as the function that stands for it.
pub(super) fn wrapped(call: &ToolUse<'_>) -> ToolUse<'static> {
    ToolUse {
        id: Text::default(),
        name: Text::Owned(freeform::wrap_name(&call.name)),
        arguments: Text::Owned(freeform::wrap_input(&call.arguments)),
        is_custom: false,
        signature: call.signature.as_ref().map(Signature::to_static),
    }
}

/// A call of such a function as the custom tool's.
pub(super) fn unwrapped(block: &mut Block<'_>) {
    if let BlockKind::ToolUse(call) = &mut block.kind
        && let Some(name) = freeform::unwrap_name(&call.name)
    {
        call.name = Text::Owned(name.to_owned());
        call.arguments = Text::Owned(freeform::unwrap_input(&call.arguments).into_owned());
        call.is_custom = true;
    }
}
