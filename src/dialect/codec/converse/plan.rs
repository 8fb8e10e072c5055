//! The turns of a conversation in the order Bedrock demands.
//!
//! User and assistant in turns; a tool's results first in the user turn right after its calls, each
//! call answered once; no empty text; ids of Bedrock's alphabet. What cannot be brought into that
//! order is refused where it stands.

use super::HERE;
use super::facts::Facts;
use super::media::{self, Kind};
use crate::chat::{Block, BlockKind, Extra, Refused, Request, Role, ToolResult, ToolUse, Turn};
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// The conversation as it will be written.
pub(super) struct Plan<'r, 'a> {
    pub(super) system: Vec<&'r Block<'a>>,
    pub(super) turns: Vec<Said<'r, 'a>>,
}

/// One message.
pub(super) struct Said<'r, 'a> {
    pub(super) role: Role,
    pub(super) pieces: Vec<Piece<'r, 'a>>,
    pub(super) extras: Vec<&'r Extra<'a>>,
}

/// One block of a message.
pub(super) enum Piece<'r, 'a> {
    Block(&'r Block<'a>),
    Call {
        block: &'r Block<'a>,
        call: &'r ToolUse<'a>,
        id: Cow<'r, str>,
    },
    Result {
        block: &'r Block<'a>,
        result: &'r ToolResult<'a>,
        id: Cow<'r, str>,
    },
    /// Where Bedrock demands a text and nobody said anything.
    Filler,
    /// Where the user has to speak first and did not.
    Beginning,
}

/// A call that waits for its result.
struct Open<'r, 'a> {
    block: &'r Block<'a>,
    call: &'r ToolUse<'a>,
    id: Cow<'r, str>,
    is_answered: bool,
}

impl<'r, 'a> Plan<'r, 'a> {
    pub(super) fn new(request: &'r Request<'a>, facts: &Facts) -> Result<Self, Refused> {
        let mut plan = Plan { system: request.system.iter().collect(), turns: Vec::new() };
        for turn in &request.turns {
            if turn.role == Role::System && plan.turns.is_empty() {
                plan.system.extend(&turn.blocks);
                continue;
            }
            plan.add(turn, facts)?;
        }
        plan.system.retain(|block| match &block.kind {
            BlockKind::Opaque { of, .. } => *of == HERE,
            _ => block.as_text().is_some_and(|text| !is_blank(text, facts)),
        });
        plan.pair()?;
        plan.fill();
        if plan.turns.is_empty() {
            let at = request.turns.first().map(|turn| turn.at).unwrap_or_default();
            return Err(Refused::new(at, "the conversation holds nothing to answer"));
        }
        Ok(plan)
    }

    fn add(&mut self, turn: &'r Turn<'a>, facts: &Facts) -> Result<(), Refused> {
        let role = if turn.role == Role::Assistant { Role::Assistant } else { Role::User };
        let mut pieces = Vec::new();
        for block in &turn.blocks {
            if let Some(piece) = piece(block, role, facts)? {
                pieces.push(piece);
            }
        }
        if pieces.is_empty() {
            return Ok(());
        }
        match self.turns.last_mut().filter(|last| last.role == role) {
            Some(last) => {
                last.pieces.extend(pieces);
                last.extras.push(&turn.extra);
            }
            None => self.turns.push(Said { role, pieces, extras: vec![&turn.extra] }),
        }
        Ok(())
    }

    /// Gives calls and results their ids, and brings the results to the front of their turn.
    fn pair(&mut self) -> Result<(), Refused> {
        let mut open: Vec<Open<'r, 'a>> = Vec::new();
        for (number, turn) in self.turns.iter_mut().enumerate() {
            if turn.role == Role::Assistant {
                open = turn.calls(number)?;
                continue;
            }
            turn.answer(&mut open)?;
            if let Some(unanswered) = open.iter().find(|call| !call.is_answered) {
                return Err(no_result(unanswered));
            }
            open.clear();
            turn.pieces.sort_by_key(|piece| !matches!(piece, Piece::Result { .. }));
        }
        open.first().map_or(Ok(()), |unanswered| Err(no_result(unanswered)))
    }

    /// Bedrock wants the user to speak first ("A conversation must start with a user message"), and a
    /// document wants a text beside it.
    fn fill(&mut self) {
        if self.turns.first().is_some_and(|turn| turn.role == Role::Assistant) {
            let pieces = vec![Piece::Beginning];
            self.turns.insert(0, Said { role: Role::User, pieces, extras: Vec::new() });
        }
        for turn in &mut self.turns {
            let has = |wanted: fn(&BlockKind<'_>) -> bool| {
                turn.pieces.iter().any(|piece| matches!(piece, Piece::Block(block) if wanted(&block.kind)))
            };
            let has_document = has(|kind| matches!(kind, BlockKind::Document(_)));
            if has_document && !has(|kind| matches!(kind, BlockKind::Text { .. })) {
                turn.pieces.push(Piece::Filler);
            }
        }
    }
}

impl<'r, 'a> Said<'r, 'a> {
    fn calls(&mut self, number: usize) -> Result<Vec<Open<'r, 'a>>, Refused> {
        let mut open: Vec<Open<'r, 'a>> = Vec::new();
        for piece in &mut self.pieces {
            let Piece::Call { block, call, id } = piece else { continue };
            if call.id.is_empty() {
                *id = Cow::Owned(format!("tooluse_{number}_{}", open.len()));
            }
            if open.iter().any(|other| other.id == *id) {
                return Err(Refused::new(block.at, "two tool calls of one turn have the same id"));
            }
            open.push(Open { block, call, id: id.clone(), is_answered: false });
        }
        Ok(open)
    }

    fn answer(&mut self, open: &mut [Open<'r, 'a>]) -> Result<(), Refused> {
        for piece in &mut self.pieces {
            let Piece::Result { block, result, id } = piece else { continue };
            let answers = |call: &Open<'r, 'a>| {
                let is_named = result.name.as_ref().is_none_or(|name| *name == call.call.name);
                call.call.id == result.id && !call.is_answered && (!result.id.is_empty() || is_named)
            };
            let Some(call) = open.iter_mut().find(|call| answers(call)) else {
                let why = "this tool result answers no open tool call of the turn before it";
                return Err(Refused::new(block.at, why));
            };
            call.is_answered = true;
            *id = call.id.clone();
        }
        Ok(())
    }
}

fn no_result(call: &Open<'_, '_>) -> Refused {
    let why = "this tool call has no result: the user's next turn must hold one with its id";
    Refused::new(call.block.at, why)
}

/// Bedrock refuses empty text. It takes white space from those who speak its own protocol.
fn is_blank(text: &str, facts: &Facts) -> bool {
    if facts.is_own { text.is_empty() } else { text.trim().is_empty() }
}

/// The piece that becomes of a block; None where it is left out (a declared loss, or nothing).
fn piece<'r, 'a>(block: &'r Block<'a>, role: Role, facts: &Facts) -> Result<Option<Piece<'r, 'a>>, Refused> {
    let of_user = |what: &str| match role {
        Role::Assistant => Err(Refused::new(block.at, format!("Bedrock takes {what} in user turns only"))),
        _ => Ok(()),
    };
    let checked = |media, kind: Kind| {
        of_user(&format!("a block of kind `{}`", kind.key()))?;
        media::check(media, kind, block.at).map(|()| true)
    };
    let is_carried = match &block.kind {
        BlockKind::Text { text, .. } | BlockKind::Refusal(text) => !is_blank(text, facts),
        BlockKind::Image(media) => checked(media, Kind::Image)?,
        BlockKind::Document(media) => checked(media, Kind::Document)?,
        BlockKind::Audio(media) => checked(media, Kind::Audio)?,
        BlockKind::Video(media) => checked(media, Kind::Video)?,
        BlockKind::Thinking(thinking) => {
            role == Role::Assistant && facts.takes_back(thinking.signature.as_ref().map(|s| s.vendor))
        }
        BlockKind::Redacted(signature) => role == Role::Assistant && facts.takes_back(Some(signature.vendor)),
        BlockKind::Opaque { of, .. } => *of == HERE,
        BlockKind::ToolUse(call) if role == Role::Assistant => {
            return Ok(Some(Piece::Call { block, call, id: wire_id(&call.id) }));
        }
        BlockKind::ToolUse(_) => {
            return Err(Refused::new(block.at, "a tool call stands in assistant turns only"));
        }
        BlockKind::ToolResult(result) => {
            of_user("tool results")?;
            check_content(result)?;
            return Ok(Some(Piece::Result { block, result, id: wire_id(&result.id) }));
        }
    };
    Ok(is_carried.then_some(Piece::Block(block)))
}

fn check_content(result: &ToolResult<'_>) -> Result<(), Refused> {
    for inner in &result.content {
        match &inner.kind {
            BlockKind::Image(media) => media::check(media, Kind::Image, inner.at)?,
            BlockKind::Document(media) => media::check(media, Kind::Document, inner.at)?,
            BlockKind::Video(media) => media::check(media, Kind::Video, inner.at)?,
            BlockKind::Audio(_) => {
                return Err(Refused::new(inner.at, "Bedrock takes no audio in tool results"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The id itself where Bedrock takes it, and otherwise one made of it: 1 to 64 of `a-zA-Z0-9_.:-`.
fn wire_id<'r>(id: &'r str) -> Cow<'r, str> {
    let is_fit = id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b));
    if is_fit {
        return Cow::Borrowed(id);
    }
    let digest = Sha256::digest(id.as_bytes());
    Cow::Owned(digest.iter().take(16).fold("tooluse_".to_owned(), |made, byte| made + &format!("{byte:02x}")))
}
