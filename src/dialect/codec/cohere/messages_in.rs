//! `messages` as instructions and turns.

use crate::chat::{At, Block, BlockKind, Refused, Role, ToolResult, Turn, unpack_id};
use crate::framing::json::Node;
use std::collections::HashSet;

use super::content_in::{self, words};
use super::{calls, citation, extra, thinking};

/// Reads the messages of one request.
#[derive(Default)]
pub(super) struct Conversation<'a> {
    pub(super) system: Vec<Block<'a>>,
    pub(super) turns: Vec<Turn<'a>>,
    /// Ids of the calls of free-form tools.
    customs: HashSet<String>,
}

pub(super) const ASSISTANT: [&str; 4] = ["role", "content", "tool_plan", "tool_calls"];

impl<'a> Conversation<'a> {
    pub(super) fn read(messages: &Node<'a>) -> Result<Self, Refused> {
        if messages.items().is_empty() {
            return Err(Refused::new(At::of(messages), "`messages` must be a list of at least one message"));
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
            _ => Err(Refused::new(
                message.get("role").map_or(At::NOWHERE, At::of),
                "unknown role: it must be system, user, assistant or tool",
            )),
        }
    }

    fn system(&mut self, message: &Node<'a>) -> Result<(), Refused> {
        let mut blocks = content_in::read(message.get("content"))?;
        if self.turns.is_empty() {
            if let Some(first) = blocks.first_mut() {
                extra::add_inner(&mut first.extra, "message", message, &["role", "content"]);
            }
            self.system.append(&mut blocks);
        } else {
            self.turns.push(turn(Role::System, blocks, message, &["role", "content"]));
        }
        Ok(())
    }

    fn user(&mut self, message: &Node<'a>) -> Result<(), Refused> {
        let turn = turn(Role::User, content_in::read(message.get("content"))?, message, &["role", "content"]);
        match self.turns.last_mut() {
            // Tool results and what the user says behind them are one turn.
            Some(last) if is_results(last) && turn.extra.is_empty() => last.blocks.extend(turn.blocks),
            _ => self.turns.push(turn),
        }
        Ok(())
    }

    fn assistant(&mut self, message: &Node<'a>) -> Result<(), Refused> {
        let mut blocks = assistant(message)?;
        for block in &blocks {
            if let BlockKind::ToolUse(call) = &block.kind
                && call.is_custom
            {
                self.customs.insert(call.id.to_string());
            }
        }
        let known = match citation::attach(message, &mut blocks) {
            true => [ASSISTANT.as_slice(), &["citations"]].concat(),
            false => ASSISTANT.to_vec(),
        };
        self.turns.push(turn(Role::Assistant, blocks, message, &known));
        Ok(())
    }

    fn tool(&mut self, message: &Node<'a>) -> Result<(), Refused> {
        let Some(id) = message.text_of("tool_call_id") else {
            return Err(Refused::new(
                At::of(message),
                "a tool message needs the `tool_call_id` of the call it answers",
            ));
        };
        let (id, _) = unpack_id(id);
        let result = ToolResult {
            is_custom: self.customs.contains(id.as_ref()),
            id,
            name: None,
            content: content_in::read(message.get("content"))?,
            is_error: false,
        };
        let at = At::of(message);
        let rest = extra::of(message, &["role", "content", "tool_call_id"]);
        let block = Block { extra: rest, ..Block::new(BlockKind::ToolResult(result)).at(at) };
        match self.turns.last_mut() {
            Some(last) if is_results(last) => last.blocks.push(block),
            _ => self.turns.push(Turn { at, ..Turn::new(Role::User, vec![block]) }),
        }
        Ok(())
    }
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

/// What an assistant's message says, in histories and in answers; its citations apart.
pub(super) fn assistant<'a>(message: &Node<'a>) -> Result<Vec<Block<'a>>, Refused> {
    let mut blocks = content_in::read(message.get("content"))?;
    if let (Some(text), Some(node)) = (words(message, "tool_plan"), message.get("tool_plan")) {
        blocks.push(Block::new(thinking::plan(text)).at(At::of(node)));
    }
    let list = message.get("tool_calls");
    if let Some(odd) = list.filter(|list| !list.is_array()) {
        return Err(Refused::new(At::of(odd), "`tool_calls` must be a list"));
    }
    for call in list.map(Node::items).unwrap_or_default() {
        blocks.push(calls::read(call)?);
    }
    Ok(blocks)
}
