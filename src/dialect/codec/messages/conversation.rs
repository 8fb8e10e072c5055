//! Turns in the order the vendor demands.
//!
//! Rules (platform.claude.com/docs/en/api/messages, …/tool-use, and the 400s recorded in public
//! threads): the first turn is the user's; every call of an assistant's turn has its result at the head
//! of the next one, and every result has its call; no text is empty, no turn blank; the last turn, if
//! it is the assistant's, does not end in white space.
//!
//! Decisions. A conversation that does not begin with the user gets a first turn that says so. Results
//! scattered over several messages are gathered as long as the assistant does not speak in between.
//! Instructions in the middle keep their place: as a `system` turn where that is taken, else marked
//! inside the user's.

use super::ids::Ids;
use super::media_out;
use super::part::{Body, Part};
use crate::chat::{
    At, Block, BlockKind, Extra, Field, Refused, Request, Role, ToolResult, Turn, Vendor, freeform,
};
use crate::types::Protocol;
use std::borrow::Cow;

const NO_BEGINNING: &str = "(The conversation starts here, without a message of the user.)";

/// One message as it goes up.
#[derive(Debug)]
pub(super) struct Message<'r> {
    pub(super) role: Role,
    pub(super) parts: Vec<Part<'r>>,
    pub(super) extra: &'r [Field<'r>],
}

/// A call that waits for its result.
struct Pending<'r> {
    at: At,
    id: &'r str,
    name: &'r str,
    wire: String,
    is_answered: bool,
}

pub(super) struct Layout<'r> {
    request: &'r Request<'r>,
    /// `role: system` is taken inside the conversation.
    keeps_system: bool,
    ids: Ids,
    pending: Vec<Pending<'r>>,
    messages: Vec<Message<'r>>,
}

/// The messages of the request.
///
/// # Errors
/// [`Refused`] at a call without result, a result without call, or a file Claude cannot read.
pub(super) fn lay_out<'r>(request: &'r Request<'r>, keeps_system: bool) -> Result<Vec<Message<'r>>, Refused> {
    let mut layout =
        Layout { request, keeps_system, ids: Ids::default(), pending: Vec::new(), messages: Vec::new() };
    if let Some(silent) = silent_user(request) {
        return Err(Refused::new(
            silent.at,
            "the user says nothing here: Claude needs words, or other content",
        ));
    }
    let runs = request.turns.chunk_by(|a, b| (a.role == Role::Assistant) == (b.role == Role::Assistant));
    for run in runs {
        if run.first().is_some_and(|turn| turn.role == Role::Assistant) {
            layout.all_answered()?;
            layout.assistant(run)?;
        } else {
            layout.others(run)?;
        }
    }
    layout.all_answered()?;
    Ok(layout.finish())
}

/// A turn in which the user says nothing, where that cannot just be left out: at the beginning words
/// would have to be invented for it, at the end the assistant's turn before it would be gone on with.
fn silent_user<'r>(request: &'r Request<'r>) -> Option<&'r Turn<'r>> {
    let is_blank = |block: &Block<'_>| block.as_text().is_some_and(|text| text.trim().is_empty());
    let is_silent = |turn: &&Turn<'_>| turn.role == Role::User && turn.blocks.iter().all(is_blank);
    let mut spoken = request.turns.iter().filter(|turn| turn.role != Role::System);
    let first = spoken.next();
    first.filter(is_silent).or_else(|| spoken.next_back().filter(is_silent))
}

/// The blocks of the top-level system prompt.
pub(super) fn system<'r>(request: &'r Request<'r>) -> Vec<Part<'r>> {
    let is_own = request.from == Protocol::Messages;
    request.system.iter().filter_map(|block| simple(block, is_own)).collect()
}

impl<'r> Layout<'r> {
    fn is_own(&self) -> bool {
        self.request.from == Protocol::Messages
    }

    fn assistant(&mut self, run: &'r [Turn<'r>]) -> Result<(), Refused> {
        for turn in run {
            let mut parts = Vec::with_capacity(turn.blocks.len());
            for block in &turn.blocks {
                match &block.kind {
                    BlockKind::ToolUse(call) => {
                        let wire = self.ids.assign(&call.id);
                        let name = if call.is_custom {
                            Cow::Owned(freeform::wrap_name(&call.name))
                        } else {
                            Cow::Borrowed(call.name.as_ref())
                        };
                        let input = call.arguments_object();
                        parts.push(dressed(block, Body::Call { id: wire.clone(), name, input }));
                        self.pending.push(Pending {
                            at: block.at,
                            id: &call.id,
                            name: &call.name,
                            wire,
                            is_answered: false,
                        });
                    }
                    BlockKind::ToolResult(_) => {
                        return Err(Refused::new(block.at, "a tool result belongs into a turn of the user"));
                    }
                    _ => parts.extend(self.part(block)?),
                }
            }
            self.say(Role::Assistant, parts, &turn.extra);
        }
        Ok(())
    }

    /// The user's turns, and instructions between them.
    fn others(&mut self, run: &'r [Turn<'r>]) -> Result<(), Refused> {
        let mut results = Vec::new();
        for block in run.iter().flat_map(|turn| &turn.blocks) {
            if let BlockKind::ToolResult(result) = &block.kind {
                results.push(self.result(block, result)?);
            }
        }
        self.all_answered()?;
        self.say(Role::User, results, &NO_EXTRA);
        for turn in run {
            let mut parts = Vec::with_capacity(turn.blocks.len());
            for block in &turn.blocks {
                match &block.kind {
                    BlockKind::ToolResult(_) => {}
                    BlockKind::ToolUse(_) => {
                        return Err(Refused::new(
                            block.at,
                            "a tool call belongs into a turn of the assistant",
                        ));
                    }
                    _ => parts.extend(self.part(block)?),
                }
            }
            if turn.role == Role::User || self.keeps_system {
                self.say(turn.role, parts, &turn.extra);
            } else {
                self.say(Role::User, parts.into_iter().map(marked).collect(), &turn.extra);
            }
        }
        Ok(())
    }

    fn result(&mut self, block: &'r Block<'r>, result: &'r ToolResult<'r>) -> Result<Part<'r>, Refused> {
        let name = result.name.as_deref();
        let waits = |call: &&mut Pending<'r>| !call.is_answered;
        // Gemini gives neither calls nor results an id: then name and order tell.
        let call = if result.id.is_empty() {
            self.pending.iter_mut().filter(waits).find(|call| name.is_none_or(|name| call.name == name))
        } else {
            self.pending.iter_mut().filter(waits).find(|call| call.id == result.id)
        };
        let Some(call) = call else {
            let why = format!(
                "the tool result {:?} answers no open tool call of the assistant's turn before it",
                result.id
            );
            return Err(Refused::new(block.at, why));
        };
        call.is_answered = true;
        let id = call.wire.clone();
        let mut content = Vec::with_capacity(result.content.len());
        for inner in &result.content {
            content.extend(self.part(inner)?.filter(|part| !is_empty_text(part)));
        }
        Ok(dressed(block, Body::Result { id, content, is_error: result.is_error }))
    }

    fn all_answered(&mut self) -> Result<(), Refused> {
        let Some(call) = self.pending.drain(..).find(|call| !call.is_answered) else { return Ok(()) };
        let why = format!("the tool call {:?} has no result in the turn after it: Claude needs one", call.id);
        Err(Refused::new(call.at, why))
    }

    /// The block as it goes up; None where it stays behind (the survey has said so).
    fn part(&self, block: &'r Block<'r>) -> Result<Option<Part<'r>>, Refused> {
        let body = match &block.kind {
            BlockKind::Image(media) => Body::Media(media_out::image(media, block.at)?),
            BlockKind::Document(media) => Body::Media(media_out::document(media, block.at)?),
            _ => return Ok(simple(block, self.is_own())),
        };
        Ok(Some(dressed(block, body)))
    }

    /// Adds to the last message where that is of the same role; one with fields of its own stands alone.
    fn say(&mut self, role: Role, mut parts: Vec<Part<'r>>, extra: &'r Extra<'r>) {
        parts.retain(|part| !is_empty_text(part));
        if parts.iter().all(Part::is_blank_text) && !(role == Role::Assistant && self.is_own()) {
            return;
        }
        let extra = extra.for_protocol(Protocol::Messages);
        match self.messages.last_mut() {
            Some(last) if last.role == role && last.extra.is_empty() && extra.is_empty() => {
                last.parts.append(&mut parts);
            }
            _ => self.messages.push(Message { role, parts, extra }),
        }
    }

    fn finish(mut self) -> Vec<Message<'r>> {
        self.messages.retain(|message| !message.parts.iter().all(Part::is_blank_text));
        if let Some(last) = self.messages.last_mut()
            && last.role == Role::Assistant
        {
            trim_end(&mut last.parts);
        }
        self.messages.retain(|message| !message.parts.is_empty());
        if self.messages.first().is_none_or(|first| first.role == Role::Assistant) {
            let first = Message { role: Role::User, parts: vec![Part::text(NO_BEGINNING)], extra: &[] };
            self.messages.insert(0, first);
        }
        self.messages
    }
}

static NO_EXTRA: Extra<'static> = Extra { of: None, fields: Vec::new() };

fn is_empty_text(part: &Part<'_>) -> bool {
    matches!(&part.body, Body::Text { text, .. } if text.is_empty())
}

fn dressed<'r>(block: &'r Block<'r>, body: Body<'r>) -> Part<'r> {
    Part { body, cache: block.cache.as_ref(), extra: block.extra.for_protocol(Protocol::Messages) }
}

/// A block that needs no decision.
fn simple<'r>(block: &'r Block<'r>, is_own: bool) -> Option<Part<'r>> {
    let body = match &block.kind {
        BlockKind::Text { text, citations } => {
            // The vendor takes a blank text beside others; only other protocols' are dropped.
            if text.is_empty() || (!is_own && text.trim().is_empty()) {
                return None;
            }
            let own = |c: &&crate::chat::Citation<'_>| super::client_block::is_own(c);
            Body::Text { text: Cow::Borrowed(text), citations: citations.iter().filter(own).collect() }
        }
        BlockKind::Refusal(text) if !text.trim().is_empty() => {
            Body::Text { text: Cow::Borrowed(text), citations: Vec::new() }
        }
        BlockKind::Thinking(thinking) => {
            let own = thinking.signature.as_ref().filter(|s| s.vendor == Vendor::Anthropic)?;
            Body::Thinking { text: &thinking.text, signature: &own.data }
        }
        BlockKind::Redacted(proof) if proof.vendor == Vendor::Anthropic => Body::Redacted(&proof.data),
        BlockKind::Opaque { of: Protocol::Messages, json, .. } => Body::Whole(json.as_str()),
        _ => return None,
    };
    Some(dressed(block, body))
}

/// An instruction among the user's words.
fn marked(part: Part<'_>) -> Part<'_> {
    match part.body {
        Body::Text { text, citations } => {
            let text = Cow::Owned(format!("<system>\n{text}\n</system>"));
            Part { body: Body::Text { text, citations }, ..part }
        }
        body => Part { body, ..part },
    }
}

fn trim_end(parts: &mut Vec<Part<'_>>) {
    while let Some(Part { body: Body::Text { text, .. }, .. }) = parts.last_mut() {
        let kept = text.trim_end().len();
        if kept == text.len() {
            return;
        }
        if kept == 0 {
            parts.pop();
            continue;
        }
        text.to_mut().truncate(kept);
        return;
    }
}
