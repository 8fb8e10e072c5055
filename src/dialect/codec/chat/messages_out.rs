//! Instructions and turns as `messages`.

use crate::chat::{
    Block, BlockKind, Feature, Losses, Refused, Request, Role, Text, Thinking, ThinkingEcho, ToolResult,
    Turn, Vendor,
};
use crate::framing::json::JsonWriter;
use crate::types::Protocol;

use super::ids::{Form, Ids};
use super::losses::Policy;
use super::{calls, details, extra, parts_out};

/// Writes the messages of one request.
pub(super) struct Messages<'r> {
    request: &'r Request<'r>,
    policy: &'r Policy<'r>,
    ids: Ids,
}

impl<'r> Messages<'r> {
    pub(super) fn new(request: &'r Request<'r>, policy: &'r Policy<'r>) -> Result<Self, Refused> {
        let form = match (policy.target.has_short_tool_ids, policy.target.echo) {
            (true, _) => Form::Short,
            (false, ThinkingEcho::ReasoningDetails) => Form::Any,
            (false, _) => Form::Bounded,
        };
        let ids = Ids::plan(request, form)?;
        Ok(Self { request, policy, ids })
    }

    /// `instruction`: said behind the client's own.
    pub(super) fn write(&self, instruction: Option<&str>, losses: &mut Losses, w: &mut JsonWriter<'_>) {
        self.system(instruction, w);
        let mut is_after_tool = false;
        for (number, turn) in self.request.turns.iter().enumerate() {
            match turn.role {
                Role::System => {
                    self.said(self.system_role(), turn, &turn.blocks.iter().collect::<Vec<_>>(), w)
                }
                Role::User => {
                    is_after_tool = self.user(number, turn, is_after_tool, w);
                    continue;
                }
                Role::Assistant => self.assistant(number, turn, losses, w),
            }
            is_after_tool = false;
        }
    }

    fn system_role(&self) -> &'static str {
        if self.policy.target.has_developer_role { "developer" } else { "system" }
    }

    fn system(&self, instruction: Option<&str>, w: &mut JsonWriter<'_>) {
        let added = instruction.map(Block::text);
        let blocks: Vec<&Block<'_>> =
            self.request.system.iter().chain(&added).filter(|block| parts_out::is_part(block)).collect();
        let Some(first) = blocks.first() else { return };
        w.object(|w| {
            w.field_str("role", self.system_role());
            w.key("content");
            self.content(&blocks, "\n\n", w);
            extra::write_inner(&first.extra, "message", w);
        });
    }

    /// A message of anybody but the model.
    fn said(&self, role: &str, turn: &Turn<'_>, blocks: &[&Block<'_>], w: &mut JsonWriter<'_>) {
        let blocks: Vec<&Block<'_>> =
            blocks.iter().copied().filter(|block| parts_out::is_part(block)).collect();
        if blocks.is_empty() && !turn.blocks.is_empty() {
            return;
        }
        w.object(|w| {
            w.field_str("role", role);
            self.name(turn, w);
            w.key("content");
            self.content(&blocks, "\n\n", w);
            extra::write(&turn.extra, &[], w);
        });
    }

    fn name(&self, turn: &Turn<'_>, w: &mut JsonWriter<'_>) {
        if self.policy.keeps(Feature::ParticipantName) {
            w.field_opt_str("name", turn.name.as_deref());
        }
    }

    /// One text is a string; anything more is a list, or joined where lists are not taken.
    fn content(&self, blocks: &[&Block<'_>], between: &str, w: &mut JsonWriter<'_>) {
        let plain: Option<Vec<&str>> =
            blocks.iter().map(|block| parts_out::plain(block, self.policy)).collect();
        match plain.as_deref() {
            Some([]) => w.string(""),
            Some([only]) => w.string(only),
            Some(texts) if !self.policy.target.takes_text_lists => join(texts, between, w),
            _ => w.array(|w| {
                for block in blocks {
                    parts_out::write(block, self.policy, w);
                }
            }),
        }
    }

    /// Tool messages first, then what else the user says, pictures of the results before it. True
    /// where a tool message is the last one.
    fn user(&self, number: usize, turn: &Turn<'_>, is_after_tool: bool, w: &mut JsonWriter<'_>) -> bool {
        let mut behind: Vec<&Block<'_>> = Vec::new();
        let mut labels: Vec<Block<'_>> = Vec::new();
        for (place, block) in turn.blocks.iter().enumerate() {
            if let BlockKind::ToolResult(result) = &block.kind {
                let id = self.ids.get((number, place), &result.id);
                self.tool(block, result, id, w);
                if result.content.iter().any(is_attached) {
                    labels.push(Block::text(format!("Attached by tool call {id}:")));
                }
            }
        }
        let mut labels = labels.iter();
        for block in &turn.blocks {
            match &block.kind {
                BlockKind::ToolResult(result) if result.content.iter().any(is_attached) => {
                    behind.extend(labels.next());
                    behind.extend(result.content.iter().filter(|inner| is_attached(inner)));
                }
                BlockKind::ToolResult(_) => {}
                _ => behind.push(block),
            }
        }
        let has_results = turn.blocks.iter().any(|block| matches!(block.kind, BlockKind::ToolResult(_)));
        if behind.is_empty() && has_results {
            return true;
        }
        // Mistral: "unexpected role 'user' after role 'tool'".
        if self.policy.target.says_any && (has_results || is_after_tool) {
            w.object(|w| {
                w.field_str("role", "assistant");
                w.field_str("content", "OK");
            });
        }
        self.said("user", turn, &behind, w);
        false
    }

    fn tool(&self, block: &Block<'_>, result: &ToolResult<'_>, id: &str, w: &mut JsonWriter<'_>) {
        w.object(|w| {
            w.field_str("role", "tool");
            w.field_str("tool_call_id", id);
            // Groq refuses the name; a chat client who wrote it knows its upstream.
            if self.request.from == Protocol::Chat {
                w.field_opt_str("name", result.name.as_deref());
            }
            w.key("content");
            let texts: Vec<&Block<'_>> = result.content.iter().filter(|b| b.as_text().is_some()).collect();
            let is_marked = texts.iter().any(|text| parts_out::plain(text, self.policy).is_none());
            if is_marked {
                self.content(&texts, "\n", w);
            } else if texts.is_empty() && result.content.iter().any(is_attached) {
                w.string("The result is attached to the next message.");
            } else {
                w.string(&result.joined_text());
            }
            extra::write(&block.extra, &[], w);
        });
    }

    fn assistant(&self, number: usize, turn: &Turn<'_>, losses: &mut Losses, w: &mut JsonWriter<'_>) {
        let mut content: Vec<&Block<'_>> = Vec::new();
        let mut refusals: Vec<&str> = Vec::new();
        let mut has_calls = false;
        for block in &turn.blocks {
            match &block.kind {
                BlockKind::Text { .. } => content.push(block),
                BlockKind::Opaque { .. } if parts_out::is_part(block) => content.push(block),
                BlockKind::Refusal(text) => refusals.push(text),
                BlockKind::ToolUse(_) => has_calls = true,
                other => lose(other, block, losses),
            }
        }
        w.object(|w| {
            w.field_str("role", "assistant");
            self.name(turn, w);
            w.key("content");
            if content.is_empty() && (has_calls || !refusals.is_empty()) {
                w.null();
            } else {
                self.content(&content, "", w);
            }
            if !refusals.is_empty() {
                w.key("refusal");
                join(&refusals, "", w);
            }
            self.thinking(turn, has_calls, losses, w);
            if has_calls {
                self.calls(number, turn, w);
            }
            extra::write(&turn.extra, &[], w);
        });
    }

    fn calls(&self, number: usize, turn: &Turn<'_>, w: &mut JsonWriter<'_>) {
        let needs_signatures = self.policy.target.needs_signatures;
        w.field_array("tool_calls", |w| {
            for (place, block) in turn.blocks.iter().enumerate() {
                if let BlockKind::ToolUse(call) = &block.kind {
                    let id = self.ids.get((number, place), &call.id);
                    if call.is_custom && !self.policy.target.takes_custom_tools {
                        calls::write(&calls::wrapped(call), id, needs_signatures, &block.extra, w);
                    } else {
                        calls::write(call, id, needs_signatures, &block.extra, w);
                    }
                }
            }
        });
    }

    fn thinking(&self, turn: &Turn<'_>, has_calls: bool, losses: &mut Losses, w: &mut JsonWriter<'_>) {
        match self.policy.target.echo {
            ThinkingEcho::None => {}
            ThinkingEcho::ReasoningContent => {
                let texts: Vec<&str> = turn.blocks.iter().filter_map(thinking_text).collect();
                // DeepSeek and Moonshot refuse a turn with tool calls without it, be it empty.
                if has_calls || !texts.is_empty() {
                    w.key("reasoning_content");
                    // Nothing between them: as clients put the pieces of an answer together.
                    w.string_of(texts);
                }
            }
            ThinkingEcho::ReasoningDetails => self.details(turn, losses, w),
        }
    }

    /// OpenRouter gets its own elements back as they were, and plain thinking as new ones.
    fn details(&self, turn: &Turn<'_>, losses: &mut Losses, w: &mut JsonWriter<'_>) {
        let mut own: Vec<&Block<'_>> = Vec::new();
        for block in &turn.blocks {
            match is_details(&block.kind) {
                Some(true) => own.push(block),
                Some(false) => losses.push(Feature::ForeignThinking, block.at),
                None => {}
            }
        }
        if own.is_empty() {
            return;
        }
        w.field_array("reasoning_details", |w| {
            for (index, block) in own.iter().enumerate() {
                match &block.kind {
                    BlockKind::Thinking(thinking) => detail(thinking, index, w),
                    BlockKind::Redacted(signature) => {
                        details::write_native(None, signature, w);
                    }
                    _ => {}
                }
            }
        });
    }
}

fn detail(thinking: &Thinking<'_>, index: usize, w: &mut JsonWriter<'_>) {
    let is_native = thinking
        .signature
        .as_ref()
        .is_some_and(|signature| details::write_native(Some(&thinking.text), signature, w));
    if !is_native {
        let plain = Thinking { signature: None, ..thinking.clone() };
        details::write_thinking(&plain, u32::try_from(index).unwrap_or(u32::MAX), w);
    }
}

/// Whether thinking can go to OpenRouter; None for what is no thinking.
fn is_details(kind: &BlockKind<'_>) -> Option<bool> {
    match kind {
        BlockKind::Thinking(thinking) => Some(match &thinking.signature {
            None => true,
            Some(signature) => signature.vendor == Vendor::Unsigned || details::is_native(signature),
        }),
        BlockKind::Redacted(signature) => Some(details::is_native(signature)),
        _ => None,
    }
}

fn thinking_text<'b>(block: &'b Block<'_>) -> Option<&'b str> {
    match &block.kind {
        BlockKind::Thinking(thinking) if !thinking.text.is_empty() => Some(&thinking.text),
        _ => None,
    }
}

/// Pictures and files: a tool message holds text only.
fn is_attached(block: &Block<'_>) -> bool {
    block.as_text().is_none() && parts_out::is_part(block)
}

/// What an assistant's message cannot hold. Thinking is the business of the echo.
fn lose(kind: &BlockKind<'_>, block: &Block<'_>, losses: &mut Losses) {
    let feature = match kind {
        BlockKind::Image(_) => Feature::ImageBase64,
        BlockKind::Document(_) => Feature::DocumentBase64,
        BlockKind::Audio(_) => Feature::AudioInput,
        BlockKind::Video(_) => Feature::VideoInput,
        _ => return,
    };
    losses.push(feature, block.at);
}

fn join(texts: &[&str], between: &str, w: &mut JsonWriter<'_>) {
    let pieces = texts.iter().enumerate().flat_map(|(at, text)| [if at == 0 { "" } else { between }, *text]);
    w.string_of(pieces);
}

/// Whether any text of the request says "json", which OpenAI demands of who asks for JSON.
pub(super) fn mentions_json(request: &Request<'_>) -> bool {
    let says = |text: &str| text.as_bytes().windows(4).any(|window| window.eq_ignore_ascii_case(b"json"));
    let blocks = request.system.iter().chain(request.turns.iter().flat_map(|turn| &turn.blocks));
    blocks.filter_map(Block::as_text).any(says)
}

/// The instruction that stands in for a schema the target cannot be given.
pub(super) fn schema_instruction(schema: &str) -> Text<'static> {
    Text::Owned(format!("Answer with one JSON value that fits this JSON Schema, and nothing else:\n{schema}"))
}
