//! `input`: items in order, gathered into turns.
//!
//! Items of one speaker that follow each other are one turn. An item's own id and status are passed
//! over: they mean something only where the vendor stored the item, and there the id of the
//! reasoning and the item references that are kept say it.

use super::read::{needed, text, wrong};
use super::{parts, reasoning};
use crate::chat::{
    At, Block, BlockKind, Extra, Raw, Refused, Role, Text, ToolResult, ToolUse, Turn, unpack_id,
};
use crate::framing::json::Node;
use crate::types::Protocol;

/// What the items came to.
#[derive(Default)]
pub(super) struct Items<'a> {
    /// Instructions before anything else was said.
    pub(super) system: Vec<Block<'a>>,
    pub(super) turns: Vec<Turn<'a>>,
}

/// Reads `input`.
///
/// # Errors
/// [`Refused`] at the first item that makes no sense.
pub(super) fn read<'a>(input: &Node<'a>) -> Result<Items<'a>, Refused> {
    let mut items = Items::default();
    if let Some(words) = input.text() {
        let block = Block::text(words).at(At::of(input));
        items.add(Role::User, At::of(input), vec![block], Extra::none());
        return Ok(items);
    }
    if !input.is_array() {
        return Err(wrong(input, "a string or an array of items"));
    }
    for node in input.items() {
        items.item(node)?;
    }
    Ok(items)
}

impl<'a> Items<'a> {
    fn item(&mut self, node: &Node<'a>) -> Result<(), Refused> {
        if !node.is_object() {
            return Err(wrong(node, "an item (an object)"));
        }
        let kind = text(node, "type")?;
        let at = At::of(node);
        match kind.as_deref() {
            Some("message") => self.message(node),
            None if node.get("role").is_some() => self.message(node),
            Some("function_call" | "custom_tool_call") => {
                let block = call(node, kind.as_deref() == Some("custom_tool_call"))?;
                self.add(Role::Assistant, at, vec![block], Extra::none());
                Ok(())
            }
            Some("function_call_output" | "custom_tool_call_output") => {
                let block = output(node, kind.as_deref() == Some("custom_tool_call_output"))?;
                self.add(Role::User, at, vec![block], Extra::none());
                Ok(())
            }
            Some("reasoning") => {
                self.add(Role::Assistant, at, reasoning::read(node, true), Extra::none());
                Ok(())
            }
            Some(other) => {
                self.opaque(node, other.to_owned());
                Ok(())
            }
            None if node.get("id").is_some() => {
                self.opaque(node, "item_reference".to_owned());
                Ok(())
            }
            None => Err(Refused::new(at, "an item needs a `type` or a `role`")),
        }
    }

    /// Hosted calls, references and whatever is new: whole, at the place where they stood.
    fn opaque(&mut self, node: &Node<'a>, kind: String) {
        let is_answer = kind.ends_with("_output") || kind == "mcp_approval_response";
        let role = if is_answer { Role::User } else { Role::Assistant };
        let opaque =
            BlockKind::Opaque { of: Protocol::Responses, kind: Text::Owned(kind), json: Raw::of(node) };
        self.add(role, At::of(node), vec![Block::new(opaque).at(At::of(node))], Extra::none());
    }

    fn message(&mut self, node: &Node<'a>) -> Result<(), Refused> {
        let role = match needed(node, "role")?.as_ref() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" | "developer" => Role::System,
            _ => {
                let role = node.get("role").unwrap_or(node);
                return Err(Refused::new(
                    At::of(role),
                    "a role is one of user, assistant, system, developer",
                ));
            }
        };
        let blocks = content(node)?;
        let extra = Extra::of(Protocol::Responses, node, &["type", "role", "content", "id", "status"]);
        if role == Role::System && self.turns.is_empty() && extra.is_empty() {
            self.system.extend(blocks);
        } else {
            self.add(role, At::of(node), blocks, extra);
        }
        Ok(())
    }

    /// Adds to the last turn, or begins one. `extra` is that of a message: a turn holds one such.
    fn add(&mut self, role: Role, at: At, blocks: Vec<Block<'a>>, extra: Extra<'a>) {
        if blocks.is_empty() && extra.is_empty() {
            return;
        }
        if let Some(last) = self.turns.last_mut()
            && last.role == role
            && (extra.is_empty() || (last.extra.is_empty() && !has_message(last)))
        {
            last.blocks.extend(blocks);
            if !extra.is_empty() {
                last.extra = extra;
            }
            return;
        }
        self.turns.push(Turn { at, role, blocks, name: None, extra });
    }
}

fn has_message(turn: &Turn<'_>) -> bool {
    turn.blocks.iter().any(|block| parts::is_part(block, turn.role == Role::Assistant))
}

/// `content` of a message: a string or parts.
fn content<'a>(node: &Node<'a>) -> Result<Vec<Block<'a>>, Refused> {
    let Some(content) = node.get("content") else { return Ok(Vec::new()) };
    if content.is_array() {
        return content.items().iter().map(parts::read).collect();
    }
    let Some(words) = content.text() else { return Err(wrong(content, "a string or an array of parts")) };
    Ok(vec![Block::text(words).at(At::of(content))])
}

fn call<'a>(node: &Node<'a>, is_custom: bool) -> Result<Block<'a>, Refused> {
    let (id, signature) = unpack_id(needed(node, "call_id")?);
    let name = needed(node, "name")?;
    let key = if is_custom { "input" } else { "arguments" };
    let arguments = match node.get(key) {
        None => Text::Borrowed(""),
        Some(text) if text.is_string() => text.text().unwrap_or_default(),
        Some(object) if object.is_object() => Text::Borrowed(object.raw()),
        Some(other) => return Err(wrong(other, "a string")),
    };
    let mut block = Block::new(BlockKind::ToolUse(ToolUse { id, name, arguments, is_custom, signature }))
        .at(At::of(node));
    let known = ["type", "call_id", "name", key, "id", "status"];
    block.extra = Extra::of(Protocol::Responses, node, &known);
    Ok(block)
}

fn output<'a>(node: &Node<'a>, is_custom: bool) -> Result<Block<'a>, Refused> {
    let (id, _) = unpack_id(needed(node, "call_id")?);
    let content = match node.get("output") {
        None => Vec::new(),
        Some(parts) if parts.is_array() => {
            parts.items().iter().map(parts::read).collect::<Result<Vec<_>, _>>()?
        }
        Some(text) if text.is_string() => match text.text().unwrap_or_default() {
            words if words.is_empty() => Vec::new(),
            words => vec![Block::text(words).at(At::of(text))],
        },
        Some(other) => return Err(wrong(other, "a string or an array of parts")),
    };
    let result = ToolResult { id, name: None, content, is_error: false, is_custom };
    let mut block = Block::new(BlockKind::ToolResult(result)).at(At::of(node));
    let known = ["type", "call_id", "output", "id", "status"];
    block.extra = Extra::of(Protocol::Responses, node, &known);
    Ok(block)
}
