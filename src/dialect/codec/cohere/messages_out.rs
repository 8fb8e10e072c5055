//! Instructions and turns as `messages`.

use crate::chat::{
    Block, BlockKind, Citation, Feature, Losses, Refused, Request, Role, ThinkingStyle, ToolResult, Turn,
};
use crate::framing::json::JsonWriter;
use crate::types::Protocol;

use super::ids::Ids;
use super::losses::Policy;
use super::{calls, documents, extra, media, thinking};

/// Writes the messages of one request.
pub(super) struct Messages<'r> {
    request: &'r Request<'r>,
    policy: &'r Policy<'r>,
    ids: Ids,
}

impl<'r> Messages<'r> {
    pub(super) fn new(request: &'r Request<'r>, policy: &'r Policy<'r>) -> Result<Self, Refused> {
        Ok(Self { request, policy, ids: Ids::plan(request)? })
    }

    /// `instruction`: said behind the client's own.
    pub(super) fn write(&self, instruction: Option<&str>, losses: &mut Losses, w: &mut JsonWriter<'_>) {
        self.system(instruction, w);
        for (number, turn) in self.request.turns.iter().enumerate() {
            match turn.role {
                Role::System => said("system", turn, &turn.blocks.iter().collect::<Vec<_>>(), w),
                Role::User => self.user(number, turn, w),
                Role::Assistant => self.assistant(number, turn, losses, w),
            }
        }
    }

    fn system(&self, instruction: Option<&str>, w: &mut JsonWriter<'_>) {
        let added = instruction.map(Block::text);
        let blocks: Vec<&Block<'_>> =
            self.request.system.iter().chain(&added).filter(|block| is_part(block)).collect();
        let Some(first) = blocks.first() else { return };
        w.object(|w| {
            w.field_str("role", "system");
            w.key("content");
            content(&blocks, w);
            extra::write_inner(&first.extra, "message", w);
        });
    }

    /// Tool messages first, then what else the user says, pictures of the results before it.
    fn user(&self, number: usize, turn: &Turn<'_>, w: &mut JsonWriter<'_>) {
        let mut behind: Vec<&Block<'_>> = Vec::new();
        let mut has_result = false;
        for (place, block) in turn.blocks.iter().enumerate() {
            if let BlockKind::ToolResult(result) = &block.kind {
                has_result = true;
                tool(block, result, self.ids.get((number, place), &result.id), w);
                behind
                    .extend(result.content.iter().filter(|inner| matches!(inner.kind, BlockKind::Image(_))));
            }
        }
        behind.extend(turn.blocks.iter().filter(|block| is_part(block)));
        if !(behind.is_empty() && (has_result || !turn.blocks.is_empty())) {
            said("user", turn, &behind, w);
        }
    }

    fn assistant(&self, number: usize, turn: &Turn<'_>, losses: &mut Losses, w: &mut JsonWriter<'_>) {
        let parts: Vec<&Block<'_>> =
            turn.blocks.iter().filter(|block| self.is_assistant_part(block, losses)).collect();
        let has_plan = turn.blocks.iter().any(|block| thinking::as_plan(block).is_some());
        let calls: Vec<(usize, &Block<'_>)> = turn
            .blocks
            .iter()
            .enumerate()
            .filter(|(_, block)| matches!(block.kind, BlockKind::ToolUse(_)))
            .collect();
        if parts.is_empty() && !has_plan && calls.is_empty() {
            return;
        }
        w.object(|w| {
            w.field_str("role", "assistant");
            if !parts.is_empty() {
                w.key("content");
                content(&parts, w);
            }
            thinking::write_plan(&turn.blocks, w);
            if !calls.is_empty() {
                w.field_array("tool_calls", |w| {
                    for (place, block) in calls {
                        if let BlockKind::ToolUse(call) = &block.kind {
                            let id = self.ids.get((number, place), &call.id);
                            calls::write(block, call, (id, &calls::upstream_name(call)), w);
                        }
                    }
                });
            }
            if self.policy.keeps(Feature::Citations) {
                citations(&turn.blocks, w);
            }
            extra::write(&turn.extra, &[], w);
        });
    }

    /// Plans have a field of their own; thinking goes back to models that think.
    fn is_assistant_part(&self, block: &Block<'_>, losses: &mut Losses) -> bool {
        let BlockKind::Thinking(thought) = &block.kind else { return is_part(block) };
        if thinking::is_plan(thought) || !thinking::is_own(thought) || thought.text.is_empty() {
            return false;
        }
        let is_taken = self.policy.target.thinking != ThinkingStyle::None;
        if !is_taken {
            losses.push(Feature::OwnThinking, block.at);
        }
        is_taken
    }
}

/// Whether a block is a part of a message's content.
fn is_part(block: &Block<'_>) -> bool {
    match &block.kind {
        BlockKind::Text { text, .. } | BlockKind::Refusal(text) => !text.is_empty(),
        BlockKind::Image(_) => true,
        BlockKind::Opaque { of, .. } => *of == Protocol::Cohere,
        _ => false,
    }
}

/// A message of anybody but the model.
fn said(role: &str, turn: &Turn<'_>, blocks: &[&Block<'_>], w: &mut JsonWriter<'_>) {
    let blocks: Vec<&Block<'_>> = blocks.iter().copied().filter(|block| is_part(block)).collect();
    if blocks.is_empty() && !turn.blocks.is_empty() {
        return;
    }
    w.object(|w| {
        w.field_str("role", role);
        w.key("content");
        content(&blocks, w);
        extra::write(&turn.extra, &[], w);
    });
}

/// One plain text is a string; anything more is a list.
fn content(blocks: &[&Block<'_>], w: &mut JsonWriter<'_>) {
    match blocks {
        [] => w.string(""),
        [only]
            if only
                .extra
                .for_protocol(Protocol::Cohere)
                .iter()
                .all(|field| field.name.starts_with("message.")) =>
        {
            match &only.kind {
                BlockKind::Text { text, .. } | BlockKind::Refusal(text) => w.string(text),
                _ => w.array(|w| part(only, w)),
            }
        }
        _ => w.array(|w| blocks.iter().for_each(|block| part(block, w))),
    }
}

fn part(block: &Block<'_>, w: &mut JsonWriter<'_>) {
    match &block.kind {
        BlockKind::Text { text, .. } | BlockKind::Refusal(text) => w.object(|w| {
            w.field_str("type", "text");
            w.field_str("text", text);
            extra::write(&block.extra, &["message"], w);
        }),
        BlockKind::Thinking(thought) => w.object(|w| {
            w.field_str("type", "thinking");
            w.field_str("thinking", &thought.text);
            extra::write(&block.extra, &[], w);
        }),
        BlockKind::Image(image) => media::write(image, w),
        BlockKind::Opaque { json, .. } => w.raw(json.as_str()),
        _ => {}
    }
}

fn tool(block: &Block<'_>, result: &ToolResult<'_>, id: &str, w: &mut JsonWriter<'_>) {
    let is_carried = |inner: &&Block<'_>| inner.as_text().is_some() || documents::is_document(inner);
    let inner: Vec<&Block<'_>> = result.content.iter().filter(is_carried).collect();
    w.object(|w| {
        w.field_str("role", "tool");
        w.field_str("tool_call_id", id);
        w.key("content");
        match inner.as_slice() {
            [] => w.string(""),
            [only] if only.as_text().is_some() && only.extra.is_empty() => {
                w.string(only.as_text().unwrap_or_default());
            }
            _ => w.array(|w| {
                for inner in inner {
                    match documents::is_document(inner) {
                        false => part(inner, w),
                        true => w.object(|w| {
                            w.field_str("type", "document");
                            w.key("document");
                            documents::write(inner, true, w);
                        }),
                    }
                }
            }),
        }
        extra::write(&block.extra, &[], w);
    });
}

/// Citations of Cohere's own; others have no place here and were told as lost.
fn citations(blocks: &[Block<'_>], w: &mut JsonWriter<'_>) {
    fn of_block<'b, 'a>(block: &'b Block<'a>) -> &'b [Citation<'a>] {
        match &block.kind {
            BlockKind::Text { citations, .. } => citations,
            _ => &[],
        }
    }
    let own = || blocks.iter().flat_map(of_block).filter(|cited| cited.of == Protocol::Cohere);
    if own().next().is_some() {
        w.field_array("citations", |w| own().for_each(|cited| w.raw(cited.json.as_str())));
    }
}
