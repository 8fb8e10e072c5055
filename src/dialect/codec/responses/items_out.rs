//! Turns written as input items.

use super::{parts, reasoning};
use crate::chat::{
    At, Block, BlockKind, Feature, Losses, Media, Refused, Request, Role, Signature, Source, Target,
    Thinking, ThinkingEcho, ToolResult, ToolUse, Turn, Vendor, freeform,
};
use crate::framing::json::JsonWriter;
use crate::types::Protocol;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;

/// Writes the items of one request.
pub(super) struct Items<'r, 'l> {
    request: &'r Request<'r>,
    losses: &'l mut Losses,
    /// Thinking that nobody signed goes back.
    takes_unsigned: bool,
    ids: Ids<'r>,
    /// Ids of free-form calls: their outputs have a type of their own.
    custom: Vec<&'r str>,
    /// Free-form calls are written as calls of the functions that stand for them.
    wraps: bool,
    /// Content that is text only may be a list.
    takes_lists: bool,
}

/// Whether free-form tools are offered as functions. Who speaks Responses knows what it asks for.
pub(super) fn wraps_custom(request: &Request<'_>, target: &Target) -> bool {
    !is_own(request) && !target.takes_custom_tools
}

/// Ids for calls that came without one, given back to their outputs in order.
#[derive(Default)]
struct Ids<'r> {
    made: u32,
    /// Tool and id of calls that have no output yet.
    open: VecDeque<(&'r str, String)>,
}

/// Refuses what no item can hold, before anything is written.
///
/// # Errors
/// [`Refused`] at a turn of a user who says nothing, the first sound that is not data, or image that is
/// text.
pub(super) fn check(request: &Request<'_>) -> Result<(), Refused> {
    if let Some(silent) = silent_user(request) {
        return Err(Refused::new(
            silent.at,
            "the user says nothing here: the model needs words, or other content",
        ));
    }
    let turns = request.turns.iter().flat_map(|turn| &turn.blocks);
    request.system.iter().chain(turns).try_for_each(check_block)
}

/// A turn in which the user says nothing, where that cannot just be left out: at the beginning the
/// input may be empty, at the end the model would be asked what another turn asked. Who speaks
/// Responses may have said it elsewhere.
fn silent_user<'r>(request: &'r Request<'r>) -> Option<&'r Turn<'r>> {
    let is_empty = |block: &Block<'_>| block.as_text() == Some("");
    let is_silent = |turn: &&Turn<'_>| turn.role == Role::User && turn.blocks.iter().all(is_empty);
    let mut spoken = request.turns.iter().filter(|turn| turn.role != Role::System && !is_own(request));
    let first = spoken.next();
    first.filter(is_silent).or_else(|| spoken.next_back().filter(is_silent))
}

fn check_block(block: &Block<'_>) -> Result<(), Refused> {
    let is_data = |media: &Media<'_>| matches!(media.source, Source::Base64(_));
    match &block.kind {
        BlockKind::Audio(media) if !is_data(media) => {
            Err(Refused::new(block.at, "this provider takes sound as base64 data only"))
        }
        BlockKind::Image(Media { source: Source::Text(_), .. }) => {
            Err(Refused::new(block.at, "an image cannot be text"))
        }
        BlockKind::ToolResult(result) => result.content.iter().try_for_each(check_block),
        _ => Ok(()),
    }
}

impl<'r, 'l> Items<'r, 'l> {
    pub(super) fn new(request: &'r Request<'r>, target: &Target, losses: &'l mut Losses) -> Self {
        let custom =
            request.turns.iter().flat_map(|turn| &turn.blocks).filter_map(|block| match &block.kind {
                BlockKind::ToolUse(call) if call.is_custom => Some(call.id.as_ref()),
                _ => None,
            });
        Self {
            request,
            losses,
            takes_unsigned: is_own(request) || target.echo != ThinkingEcho::None,
            ids: Ids::default(),
            custom: custom.collect(),
            wraps: wraps_custom(request, target),
            takes_lists: target.takes_text_lists,
        }
    }

    /// A message of instructions, its parts in order; `note` comes last.
    pub(super) fn system(&mut self, w: &mut JsonWriter<'_>, blocks: &'r [Block<'r>], note: Option<&str>) {
        w.object(|w| {
            w.field_str("type", "message");
            w.field_str("role", "system");
            w.field_array("content", |w| {
                for block in blocks.iter().filter(|block| parts::is_part(block, false)) {
                    parts::write(w, block, false, is_own(self.request));
                }
                if let Some(note) = note {
                    parts::write(w, &Block::text(note), false, false);
                }
            });
        });
    }

    pub(super) fn turn(&mut self, w: &mut JsonWriter<'_>, turn: &'r Turn<'r>) {
        let is_assistant = turn.role == Role::Assistant;
        let mut has_message = false;
        let mut rest = turn.blocks.as_slice();
        while let Some((first, after)) = rest.split_first() {
            let count = if parts::is_part(first, is_assistant) {
                let run = rest.iter().take_while(|block| parts::is_part(block, is_assistant)).count();
                let (run, _) = rest.split_at_checked(run).unwrap_or((rest, &[]));
                self.message(w, turn, run, !has_message);
                has_message = true;
                run.len()
            } else {
                self.item(w, first, after, is_assistant)
            };
            rest = rest.get(count..).unwrap_or_default();
        }
        if !has_message && !turn.extra.for_protocol(Protocol::Responses).is_empty() {
            self.message(w, turn, &[], true);
        }
    }

    /// `is_first`: the turn's own fields are written with this one.
    fn message(&mut self, w: &mut JsonWriter<'_>, turn: &Turn<'_>, blocks: &[Block<'_>], is_first: bool) {
        let role = match turn.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        let is_own = is_own(self.request);
        let joins = !self.takes_lists && is_text_only(blocks);
        w.object(|w| {
            w.field_str("type", "message");
            w.field_str("role", role);
            if joins {
                let texts: Vec<&str> = blocks.iter().filter_map(Block::as_text).collect();
                w.field_str("content", &texts.join("\n\n"));
            } else {
                w.field_array("content", |w| {
                    for block in blocks {
                        self.note_citations(block);
                        parts::write(w, block, turn.role == Role::Assistant, is_own);
                    }
                });
            }
            if is_first {
                parts::write_extra(w, &turn.extra);
            }
        });
    }

    fn note_citations(&mut self, block: &Block<'_>) {
        if let BlockKind::Text { citations, .. } = &block.kind {
            let has_form = |of: Protocol, has_url: bool| of == Protocol::Responses || has_url;
            if !citations.iter().all(|citation| has_form(citation.of, citation.url.is_some())) {
                self.losses.push(Feature::Citations, block.at);
            }
        }
    }

    /// Writes the item that `first` begins; gives the number of blocks it took.
    fn item(
        &mut self,
        w: &mut JsonWriter<'_>,
        first: &'r Block<'r>,
        after: &'r [Block<'r>],
        is_assistant: bool,
    ) -> usize {
        match &first.kind {
            BlockKind::ToolUse(call) => self.call(w, first, call),
            BlockKind::ToolResult(result) => self.output(w, first, result),
            BlockKind::Thinking(thinking) => return self.thinking(w, first.at, thinking, after),
            BlockKind::Redacted(signature) => self.redacted(w, first.at, signature),
            BlockKind::Opaque { of: Protocol::Responses, json, .. } => w.raw(json.as_str()),
            // What a model painted has no place in what it said before.
            BlockKind::Image(media) if is_assistant => self.losses.push(image_feature(media), first.at),
            BlockKind::Document(media) if is_assistant => {
                self.losses.push(document_feature(media), first.at);
            }
            BlockKind::Audio(_) if is_assistant => self.losses.push(Feature::AudioInput, first.at),
            _ => {}
        }
        1
    }

    fn call(&mut self, w: &mut JsonWriter<'_>, block: &Block<'_>, call: &'r ToolUse<'r>) {
        let id = self.ids.of_call(call);
        let wraps = self.wraps;
        w.object(|w| {
            let is_custom = call.is_custom && !wraps;
            w.field_str("type", if is_custom { "custom_tool_call" } else { "function_call" });
            w.field_str("call_id", &id);
            if call.is_custom && wraps {
                w.field_str("name", &freeform::wrap_name(&call.name));
                w.field_str("arguments", &freeform::wrap_input(&call.arguments));
            } else {
                w.field_str("name", &call.name);
                match is_custom {
                    true => w.field_str("input", &call.arguments),
                    false => w.field_str("arguments", or_empty_object(&call.arguments)),
                }
            }
            parts::write_extra(w, &block.extra);
        });
    }

    fn output(&mut self, w: &mut JsonWriter<'_>, block: &Block<'_>, result: &'r ToolResult<'r>) {
        let id = self.ids.of_output(result);
        let is_custom = !self.wraps && (result.is_custom || self.custom.contains(&result.id.as_ref()));
        let joins = !self.takes_lists && is_text_only(&result.content);
        let is_own = is_own(self.request);
        w.object(|w| {
            let kind = if is_custom { "custom_tool_call_output" } else { "function_call_output" };
            w.field_str("type", kind);
            w.field_str("call_id", &id);
            match result.content.as_slice() {
                [] => w.field_str("output", ""),
                [Block { kind: BlockKind::Text { text, .. }, cache: None, extra, .. }]
                    if extra.is_empty() =>
                {
                    w.field_str("output", text);
                }
                _ if joins => w.field_str("output", &result.joined_text()),
                several => w.field_array("output", |w| {
                    for part in several.iter().filter(|part| parts::is_part(part, false)) {
                        parts::write(w, part, false, is_own);
                    }
                }),
            }
            parts::write_extra(w, &block.extra);
        });
    }

    /// One reasoning item; the blocks of one item have its id.
    fn thinking(
        &mut self,
        w: &mut JsonWriter<'_>,
        at: At,
        first: &Thinking<'_>,
        after: &[Block<'_>],
    ) -> usize {
        let mut rest = after.iter().map_while(|block| match &block.kind {
            BlockKind::Thinking(next) if next.item_id.is_some() && next.item_id == first.item_id => {
                Some(next)
            }
            _ => None,
        });
        // One item has a summary and a content, each once; a proof ends it.
        let second =
            rest.next().filter(|second| first.signature.is_none() && first.is_summary && !second.is_summary);
        let signature = second.map_or(first.signature.as_ref(), |second| second.signature.as_ref());
        let count = 1 + usize::from(second.is_some());
        if !self.goes_back(signature) {
            self.losses.push(Feature::ForeignThinking, at);
            return count;
        }
        let mut item = reasoning::Item { id: first.item_id.as_deref(), ..Default::default() };
        for thinking in [Some(first), second].into_iter().flatten() {
            if thinking.text.is_empty() {
                continue;
            }
            // OpenAI's own models take summaries only, and what a client of another protocol has of
            // them is the summary.
            let is_summary = thinking.is_summary || (signature.is_some() && !is_own(self.request));
            let slot = if is_summary { &mut item.summary } else { &mut item.content };
            *slot = Some(&thinking.text);
        }
        item.encrypted = proof(signature);
        item.write(w);
        count
    }

    fn redacted(&mut self, w: &mut JsonWriter<'_>, at: At, signature: &Signature<'_>) {
        if signature.vendor != Vendor::OpenAi {
            return self.losses.push(Feature::ForeignThinking, at);
        }
        reasoning::Item { encrypted: proof(Some(signature)), ..Default::default() }.write(w);
    }

    fn goes_back(&self, signature: Option<&Signature<'_>>) -> bool {
        match signature.map(|signature| signature.vendor) {
            Some(Vendor::OpenAi) => true,
            None | Some(Vendor::Unsigned) => self.takes_unsigned,
            Some(_) => false,
        }
    }
}

fn is_own(request: &Request<'_>) -> bool {
    request.from == Protocol::Responses
}

fn is_text_only(blocks: &[Block<'_>]) -> bool {
    blocks.iter().all(|block| block.as_text().is_some())
}

/// What OpenAI encrypted.
fn proof<'s>(signature: Option<&'s Signature<'_>>) -> Option<&'s str> {
    signature.filter(|signature| signature.vendor == Vendor::OpenAi).map(|signature| signature.data.as_ref())
}

/// Arguments as the JSON text they must be.
pub(super) fn or_empty_object(arguments: &str) -> &str {
    if arguments.trim().is_empty() { "{}" } else { arguments }
}

fn image_feature(media: &Media<'_>) -> Feature {
    match media.source {
        Source::Base64(_) | Source::Text(_) => Feature::ImageBase64,
        Source::Url(_) => Feature::ImageUrl,
        Source::File { .. } => Feature::ImageFile,
    }
}

fn document_feature(media: &Media<'_>) -> Feature {
    match media.source {
        Source::Base64(_) => Feature::DocumentBase64,
        Source::Text(_) => Feature::DocumentText,
        Source::Url(_) => Feature::DocumentUrl,
        Source::File { .. } => Feature::DocumentFile,
    }
}

/// Longest `call_id`: OpenAI answers `string_above_max_length` beyond it.
const CALL_ID_BYTES_MAX: usize = 64;

/// The id, or one made of it alone, so that a call, its result and the next turn agree.
fn bounded(id: &str) -> String {
    if id.len() <= CALL_ID_BYTES_MAX {
        return id.to_owned();
    }
    let digest = Sha256::digest(id.as_bytes());
    let short: String = digest.iter().take(20).map(|byte| format!("{byte:02x}")).collect();
    format!("call_{short}")
}

impl<'r> Ids<'r> {
    fn of_call(&mut self, call: &'r ToolUse<'r>) -> String {
        if !call.id.is_empty() {
            return bounded(&call.id);
        }
        self.made += 1;
        let id = format!("call_{}", self.made);
        self.open.push_back((&call.name, id.clone()));
        id
    }

    /// The first open call of the same tool, or the first at all.
    fn of_output(&mut self, result: &ToolResult<'_>) -> String {
        if !result.id.is_empty() {
            return bounded(&result.id);
        }
        let same = result.name.as_ref().and_then(|name| self.open.iter().position(|(tool, _)| tool == name));
        self.open.remove(same.unwrap_or(0)).map(|(_, id)| id).unwrap_or_default()
    }
}
