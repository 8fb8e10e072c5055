//! Instructions and turns as `messages`.

use crate::chat::{
    Block, BlockKind, Losses, Media, Request, Role, Source, Target, ThinkingStyle, ToolResult, Turn, Vendor,
};
use crate::framing::json::JsonWriter;

use super::calls::{Out, upstream_name};
use super::{extra, images};

/// Writes the messages of one request.
pub(super) struct Messages<'r> {
    pub(super) request: &'r Request<'r>,
    pub(super) target: &'r Target,
}

impl Messages<'_> {
    pub(super) fn write(&self, losses: &mut Losses, w: &mut JsonWriter<'_>) {
        self.system(w);
        for turn in &self.request.turns {
            match turn.role {
                Role::System => said("system", turn, &turn.blocks.iter().collect::<Vec<_>>(), w),
                Role::User => self.user(turn, w),
                Role::Assistant => self.assistant(turn, losses, w),
            }
        }
    }

    fn system(&self, w: &mut JsonWriter<'_>) {
        let Some(first) = self.request.system.first() else { return };
        w.object(|w| {
            w.field_str("role", "system");
            w.key("content");
            joined(self.request.system.iter(), BETWEEN, w);
            extra::write_inner(&first.extra, "message", w);
        });
    }

    /// Tool messages first, then what else the user says, pictures of the results before it.
    fn user(&self, turn: &Turn<'_>, w: &mut JsonWriter<'_>) {
        let mut behind: Vec<&Block<'_>> = Vec::new();
        for block in &turn.blocks {
            if let BlockKind::ToolResult(result) = &block.kind {
                self.tool(block, result, w);
                behind.extend(result.content.iter().filter(|inner| images::data(inner).is_some()));
            }
        }
        behind.extend(turn.blocks.iter().filter(|block| is_said(block)));
        if !behind.is_empty() || turn.blocks.is_empty() {
            said("user", turn, &behind, w);
        }
    }

    fn tool(&self, block: &Block<'_>, result: &ToolResult<'_>, w: &mut JsonWriter<'_>) {
        w.object(|w| {
            w.field_str("role", "tool");
            w.key("content");
            joined(result.content.iter(), "\n", w);
            let name = result.name.as_deref().or_else(|| self.request.tool_name(&result.id));
            w.field_opt_str("tool_name", name);
            w.field_opt_str("tool_call_id", Some(result.id.as_ref()).filter(|id| !id.is_empty()));
            extra::write(&block.extra, &[], w);
        });
    }

    fn assistant(&self, turn: &Turn<'_>, losses: &mut Losses, w: &mut JsonWriter<'_>) {
        let thoughts = self.thoughts(turn, losses);
        w.object(|w| {
            w.field_str("role", "assistant");
            w.key("content");
            joined(turn.blocks.iter(), "", w);
            if !thoughts.is_empty() {
                w.key("thinking");
                // Nothing between them: as its own clients put the pieces of an answer together.
                w.string_of(thoughts);
            }
            images::write(turn.blocks.iter().filter_map(images::data), w);
            let calls = || {
                turn.blocks.iter().filter_map(|block| match &block.kind {
                    BlockKind::ToolUse(call) => Some((block, call)),
                    _ => None,
                })
            };
            if calls().next().is_some() {
                w.field_array("tool_calls", |w| {
                    for (index, (block, call)) in calls().enumerate() {
                        let name = upstream_name(call);
                        Out { call, name: &name, id: &call.id, index }.write(&block.extra, w);
                    }
                });
            }
            extra::write(&turn.extra, &[], w);
        });
    }

    /// Thinking on which nobody's proof hangs, for models that think.
    fn thoughts<'t>(&self, turn: &'t Turn<'_>, losses: &mut Losses) -> Vec<&'t str> {
        let mut texts = Vec::new();
        for block in &turn.blocks {
            let BlockKind::Thinking(thought) = &block.kind else { continue };
            let is_own = thought.signature.as_ref().is_none_or(|signed| signed.vendor == Vendor::Unsigned);
            if !is_own || thought.text.is_empty() {
                continue;
            }
            match self.target.thinking {
                ThinkingStyle::None => losses.push(crate::chat::Feature::OwnThinking, block.at),
                _ => texts.push(thought.text.as_ref()),
            }
        }
        texts
    }
}

/// Between two texts of one message.
const BETWEEN: &str = "\n\n";

fn text<'b>(block: &'b Block<'_>) -> Option<&'b str> {
    match &block.kind {
        BlockKind::Text { text, .. }
        | BlockKind::Refusal(text)
        | BlockKind::Document(Media { source: Source::Text(text), .. }) => Some(text.as_ref()),
        _ => None,
    }
}

fn is_said(block: &Block<'_>) -> bool {
    text(block).is_some() || images::data(block).is_some()
}

/// All texts as one string.
fn joined<'b, 'a: 'b>(blocks: impl Iterator<Item = &'b Block<'a>>, between: &str, w: &mut JsonWriter<'_>) {
    let texts: Vec<&str> = blocks.filter_map(text).filter(|text| !text.is_empty()).collect();
    w.string_of(texts.iter().enumerate().flat_map(|(at, text)| [if at == 0 { "" } else { between }, text]));
}

/// A message of anybody but the model.
fn said(role: &str, turn: &Turn<'_>, blocks: &[&Block<'_>], w: &mut JsonWriter<'_>) {
    w.object(|w| {
        w.field_str("role", role);
        w.key("content");
        joined(blocks.iter().copied(), BETWEEN, w);
        images::write(blocks.iter().copied().filter_map(images::data), w);
        extra::write(&turn.extra, &[], w);
    });
}
