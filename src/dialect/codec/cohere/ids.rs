//! Ids of tool calls for Cohere, which takes any and wants every result to name its call.
//!
//! Calls without an id (Gemini gives none) get one by their place, so the next turn says the same.
//! Invariant: every result answers a call before it, every call that turns follow is answered.

use crate::chat::{At, BlockKind, Refused, Request, ToolResult};
use std::collections::HashMap;

/// The ids that differ from what the request says, by turn and block.
#[derive(Default)]
pub(super) struct Ids(HashMap<(usize, usize), String>);

struct Waiting<'r> {
    /// None where one was made.
    id: Option<&'r str>,
    made: String,
    name: &'r str,
    at: At,
    turn: usize,
}

impl Ids {
    /// Walks the request once.
    ///
    /// # Errors
    /// [`Refused`] at a result without a call or a call without a result.
    pub(super) fn plan(request: &Request<'_>) -> Result<Self, Refused> {
        let mut ids = Self::default();
        let mut waiting: Vec<Waiting<'_>> = Vec::new();
        for (turn, said) in request.turns.iter().enumerate() {
            for (place, block) in said.blocks.iter().enumerate() {
                match &block.kind {
                    BlockKind::ToolUse(call) => {
                        let id = Some(call.id.as_ref()).filter(|id| !id.is_empty());
                        let made = format!("call_{turn}_{place}");
                        if id.is_none() {
                            ids.0.insert((turn, place), made.clone());
                        }
                        waiting.push(Waiting { id, made, name: &call.name, at: block.at, turn });
                    }
                    BlockKind::ToolResult(result) => {
                        let found = waiting.iter().position(|call| answers(result, call));
                        let Some(found) = found else {
                            return Err(Refused::new(block.at, "this tool result answers no call before it"));
                        };
                        let call = waiting.remove(found);
                        if call.id.is_none() {
                            ids.0.insert((turn, place), call.made);
                        }
                    }
                    _ => {}
                }
            }
        }
        // A call in the last turn waits for its answer; any other has had its chance.
        match waiting.iter().find(|call| call.turn + 1 < request.turns.len()) {
            Some(call) => Err(Refused::new(call.at, "this tool call is answered by no result")),
            None => Ok(ids),
        }
    }

    pub(super) fn get<'i>(&'i self, place: (usize, usize), own: &'i str) -> &'i str {
        self.0.get(&place).map_or(own, String::as_str)
    }
}

fn answers(result: &ToolResult<'_>, call: &Waiting<'_>) -> bool {
    match call.id {
        Some(id) => id == result.id,
        None => result.id.is_empty() && result.name.as_deref().is_none_or(|name| name == call.name),
    }
}
