//! `messages` as instructions and turns.

use crate::chat::{At, Block, BlockKind, Refused, Role, Text, Thinking, ToolResult, Turn, unpack_id};
use crate::framing::json::Node;
use std::collections::VecDeque;

use super::{calls, extra, images};

/// Reads the messages of one request.
#[derive(Default)]
pub(super) struct Conversation<'a> {
    pub(super) system: Vec<Block<'a>>,
    pub(super) turns: Vec<Turn<'a>>,
    /// Calls met so far: ids are made of it.
    count: usize,
    /// Calls that wait for their results.
    waiting: VecDeque<Waiting<'a>>,
}

struct Waiting<'a> {
    id: Text<'a>,
    name: Text<'a>,
    is_custom: bool,
}

impl<'a> Conversation<'a> {
    pub(super) fn read(messages: &Node<'a>) -> Result<Self, Refused> {
        if !messages.is_array() {
            let message = format!("`messages` must be a list, not {}", messages.kind());
            return Err(Refused::new(At::of(messages), message));
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
            "system" => self.system(message),
            "user" => self.user(message),
            "assistant" => self.assistant(message),
            "tool" => self.tool(message),
            _ => Err(Refused::new(
                message.get("role").map_or(At::NOWHERE, At::of),
                "unknown role: it must be system, user, assistant or tool",
            )),
        }
    }

    fn system(&mut self, message: &Node<'a>) -> Result<(), Refused> {
        let mut blocks = said(message)?;
        if self.turns.is_empty() {
            if let Some(first) = blocks.first_mut() {
                extra::add_inner(&mut first.extra, "message", message, &["role", "content", "images"]);
            }
            self.system.append(&mut blocks);
        } else {
            self.turns.push(turn(Role::System, blocks, message, &["role", "content", "images"]));
        }
        Ok(())
    }

    fn user(&mut self, message: &Node<'a>) -> Result<(), Refused> {
        let turn = turn(Role::User, said(message)?, message, &["role", "content", "images"]);
        match self.turns.last_mut() {
            // Tool results and what the user says behind them are one turn.
            Some(last) if is_results(last) && turn.extra.is_empty() => last.blocks.extend(turn.blocks),
            _ => self.turns.push(turn),
        }
        Ok(())
    }

    fn assistant(&mut self, message: &Node<'a>) -> Result<(), Refused> {
        let mut blocks = assistant(message)?;
        for block in &mut blocks {
            let BlockKind::ToolUse(call) = &mut block.kind else { continue };
            if call.id.is_empty() {
                call.id = Text::Owned(format!("call_{}", self.count));
            }
            self.count += 1;
            let (id, name) = (call.id.clone(), call.name.clone());
            self.waiting.push_back(Waiting { id, name, is_custom: call.is_custom });
        }
        self.turns.push(turn(Role::Assistant, blocks, message, &ASSISTANT));
        Ok(())
    }

    fn tool(&mut self, message: &Node<'a>) -> Result<(), Refused> {
        let named = message.text_of("tool_call_id").filter(|id| !id.is_empty()).map(|id| unpack_id(id).0);
        let name = message.text_of("tool_name").or_else(|| message.text_of("name"));
        let Some(call) = self.answered(named.as_deref(), name.as_deref()) else {
            return Err(Refused::new(At::of(message), "this tool message answers no call before it"));
        };
        let result = ToolResult {
            id: call.id,
            name: name.or(Some(call.name)),
            content: said(message)?,
            is_error: false,
            is_custom: call.is_custom,
        };
        let at = At::of(message);
        let known = ["role", "content", "images", "tool_call_id", "tool_name", "name"];
        let block =
            Block { extra: extra::of(message, &known), ..Block::new(BlockKind::ToolResult(result)).at(at) };
        match self.turns.last_mut() {
            Some(last) if is_results(last) => last.blocks.push(block),
            _ => self.turns.push(Turn { at, ..Turn::new(Role::User, vec![block]) }),
        }
        Ok(())
    }

    /// The call a result answers: that of its id, else the earliest of its name, else the earliest.
    fn answered(&mut self, id: Option<&str>, name: Option<&str>) -> Option<Waiting<'a>> {
        let by_id = id.and_then(|id| self.waiting.iter().position(|call| call.id == id));
        let by_name = || name.and_then(|name| self.waiting.iter().position(|call| call.name == name));
        self.waiting.remove(by_id.or_else(by_name).unwrap_or(0))
    }
}

pub(super) const ASSISTANT: [&str; 5] = ["role", "content", "thinking", "images", "tool_calls"];

/// Text and pictures of a message.
fn said<'a>(message: &Node<'a>) -> Result<Vec<Block<'a>>, Refused> {
    let mut blocks = Vec::new();
    if let Some(node) = message.get("content") {
        let wrong = || Refused::new(At::of(node), format!("`content` must be a string, not {}", node.kind()));
        let text = node.text().ok_or_else(wrong)?;
        if !text.is_empty() {
            blocks.push(Block::text(text).at(At::of(node)));
        }
    }
    blocks.extend(images::read(message)?);
    Ok(blocks)
}

/// What an assistant's message says, in histories and in answers.
pub(super) fn assistant<'a>(message: &Node<'a>) -> Result<Vec<Block<'a>>, Refused> {
    let mut blocks = Vec::new();
    if let Some(text) = message.text_of("thinking").filter(|text| !text.is_empty()) {
        let thinking = Thinking { text, signature: None, is_summary: false, item_id: None };
        blocks.push(Block::new(BlockKind::Thinking(thinking)));
    }
    blocks.extend(said(message)?);
    let list = message.get("tool_calls");
    if let Some(odd) = list.filter(|list| !list.is_array()) {
        return Err(Refused::new(At::of(odd), "`tool_calls` must be a list"));
    }
    for call in list.map(Node::items).unwrap_or_default() {
        blocks.push(calls::read(call)?);
    }
    Ok(blocks)
}

fn turn<'a>(role: Role, blocks: Vec<Block<'a>>, message: &Node<'a>, known: &[&str]) -> Turn<'a> {
    Turn { at: At::of(message), extra: extra::of(message, known), ..Turn::new(role, blocks) }
}

/// Whether a turn is tool results and nothing else.
fn is_results(turn: &Turn<'_>) -> bool {
    turn.role == Role::User
        && !turn.blocks.is_empty()
        && turn.blocks.iter().all(|block| matches!(block.kind, BlockKind::ToolResult(_)))
}
