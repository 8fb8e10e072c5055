//! `messages` as instructions and turns.

use crate::chat::{At, Block, BlockKind, Extra, Refused, Role, Text, Thinking, ToolResult, Turn, unpack_id};
use crate::framing::json::Node;

use super::details::Detail;
use super::{calls, citation, extra, parts_in};
use std::collections::HashSet;

/// Reads the messages of one request.
#[derive(Default)]
pub(super) struct Conversation<'a> {
    pub(super) system: Vec<Block<'a>>,
    pub(super) turns: Vec<Turn<'a>>,
    /// Deprecated function calls met so far: they have no ids, so they are counted.
    functions: u32,
    /// Ids of the calls of custom tools.
    customs: HashSet<Text<'a>>,
}

const ASSISTANT: [&str; 9] = [
    "role",
    "content",
    "name",
    "refusal",
    "tool_calls",
    "function_call",
    "reasoning_content",
    "reasoning",
    "reasoning_details",
];

impl<'a> Conversation<'a> {
    pub(super) fn read(messages: &Node<'a>) -> Result<Self, Refused> {
        if !messages.is_array() {
            let message = format!("`messages` must be a list, not {}", messages.kind());
            return Err(Refused::new(At::of(messages), message));
        }
        if messages.items().is_empty() {
            return Err(Refused::new(At::of(messages), "`messages` must hold at least one message"));
        }
        let mut conversation = Conversation::default();
        for message in messages.items() {
            conversation.message(message)?;
        }
        Ok(conversation)
    }

    fn message(&mut self, message: &Node<'a>) -> Result<(), Refused> {
        let Some(role) = message.text_of("role") else {
            return Err(Refused::new(At::of(message), "a message must be an object with a `role`"));
        };
        match role.as_ref() {
            "system" | "developer" => self.system(message),
            "user" => self.user(message),
            "assistant" => self.assistant(message),
            "tool" => self.tool(message),
            "function" => self.function(message),
            _ => Err(Refused::new(
                message.get("role").map_or(At::NOWHERE, At::of),
                "unknown role: it must be developer, system, user, assistant or tool",
            )),
        }
    }

    fn system(&mut self, message: &Node<'a>) -> Result<(), Refused> {
        let mut blocks = parts_in::read(message.get("content"))?;
        if !self.turns.is_empty() {
            self.turns.push(turn(Role::System, blocks, message));
            return Ok(());
        }
        if let Some(first) = blocks.first_mut() {
            extra::add_inner(&mut first.extra, "message", message, &["role", "content"]);
        }
        self.system.append(&mut blocks);
        Ok(())
    }

    fn user(&mut self, message: &Node<'a>) -> Result<(), Refused> {
        let turn = turn(Role::User, parts_in::read(message.get("content"))?, message);
        match self.turns.last_mut() {
            // Tool results and what the user says behind them are one turn.
            Some(last) if is_results(last) && turn.name.is_none() && turn.extra.is_empty() => {
                last.blocks.extend(turn.blocks);
            }
            _ => self.turns.push(turn),
        }
        Ok(())
    }

    fn assistant(&mut self, message: &Node<'a>) -> Result<(), Refused> {
        let mut blocks = thinking(message);
        blocks.extend(parts_in::read(message.get("content"))?);
        if let Some(refusal) = message.text_of("refusal").filter(|refusal| !refusal.is_empty()) {
            blocks.push(Block::new(BlockKind::Refusal(refusal)));
        }
        let tool_calls = message.get("tool_calls");
        if let Some(odd) = tool_calls.filter(|calls| !calls.is_array()) {
            return Err(Refused::new(At::of(odd), "`tool_calls` must be a list"));
        }
        for call in tool_calls.map(Node::items).unwrap_or_default() {
            let block = calls::read(call)?;
            if let BlockKind::ToolUse(call) = &block.kind
                && call.is_custom
            {
                self.customs.insert(call.id.clone());
            }
            blocks.push(block);
        }
        let function = message.get("function_call");
        if let Some(block) = function.and_then(|call| calls::read_function(call, self.function_id())) {
            blocks.push(block);
            self.functions += 1;
        }
        let mut rest = extra::of(message, &ASSISTANT);
        if let Some(signature) = calls::google_signature(message)
            && calls::sign_first(&mut blocks, &signature)
        {
            drop_fields(&mut rest, &["extra_content", "thought_signature"]);
        }
        let cited = message.get("annotations").map(Node::items).unwrap_or_default();
        if citation::attach(&mut blocks, cited.iter().filter_map(citation::read).collect()) {
            drop_fields(&mut rest, &["annotations"]);
        }
        let name = message.text_of("name");
        self.turns.push(Turn { at: At::of(message), role: Role::Assistant, blocks, name, extra: rest });
        Ok(())
    }

    fn function_id(&self) -> Text<'static> {
        Text::Owned(format!("call_function_{}", self.functions))
    }

    fn tool(&mut self, message: &Node<'a>) -> Result<(), Refused> {
        let Some(id) = message.text_of("tool_call_id") else {
            return Err(Refused::new(
                At::of(message),
                "a tool message needs the `tool_call_id` of the call it answers",
            ));
        };
        let (id, _) = unpack_id(id);
        self.result(message, id)
    }

    /// The answer to the latest deprecated function call.
    fn function(&mut self, message: &Node<'a>) -> Result<(), Refused> {
        let Some(latest) = self.functions.checked_sub(1) else {
            return Err(Refused::new(At::of(message), "this function message answers no call before it"));
        };
        self.result(message, Text::Owned(format!("call_function_{latest}")))
    }

    fn result(&mut self, message: &Node<'a>, id: Text<'a>) -> Result<(), Refused> {
        let content = parts_in::read(message.get("content"))?;
        let (cache, rest) =
            parts_in::cache(message, extra::of(message, &["role", "content", "tool_call_id", "name"]));
        let result = ToolResult {
            is_custom: self.customs.contains(&id),
            id,
            name: message.text_of("name"),
            content,
            is_error: false,
        };
        let at = At::of(message);
        let block = Block { at, kind: BlockKind::ToolResult(result), cache, extra: rest };
        match self.turns.last_mut() {
            Some(last) if is_results(last) => last.blocks.push(block),
            _ => self.turns.push(Turn { at, ..Turn::new(Role::User, vec![block]) }),
        }
        Ok(())
    }
}

fn turn<'a>(role: Role, blocks: Vec<Block<'a>>, message: &Node<'a>) -> Turn<'a> {
    Turn {
        at: At::of(message),
        role,
        blocks,
        name: message.text_of("name"),
        extra: extra::of(message, &["role", "content", "name"]),
    }
}

/// Whether a turn is tool results and nothing else.
fn is_results(turn: &Turn<'_>) -> bool {
    turn.role == Role::User
        && !turn.blocks.is_empty()
        && turn.blocks.iter().all(|block| matches!(block.kind, BlockKind::ToolResult(_)))
}

fn drop_fields(rest: &mut Extra<'_>, names: &[&str]) {
    rest.fields.retain(|field| !names.contains(&field.name.as_ref()));
    if rest.fields.is_empty() {
        rest.of = None;
    }
}

/// The thinking of a message, in answers and in what clients send back: the details where there are
/// any, else the text.
pub(super) fn thinking<'a>(message: &Node<'a>) -> Vec<Block<'a>> {
    let details = message.get("reasoning_details");
    let elements = details.map(Node::items).unwrap_or_default();
    let block = |element: &Node<'a>| Some(Block::new(Detail::read(element)?.into_kind()).at(At::of(element)));
    let blocks: Vec<Block<'a>> = elements.iter().filter_map(block).collect();
    if !blocks.is_empty() {
        return blocks;
    }
    let plain = ["reasoning_content", "reasoning"].iter().find_map(|key| {
        let node = message.get(key)?;
        Some((At::of(node), node.text().filter(|text| !text.is_empty())?))
    });
    let thinking = plain.map(|(at, text)| {
        let kind = Thinking { text, signature: None, is_summary: false, item_id: None };
        Block::new(BlockKind::Thinking(kind)).at(at)
    });
    thinking.into_iter().collect()
}
