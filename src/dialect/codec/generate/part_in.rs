//! One `Part`, of a request as of an answer.
//!
//! A signature that stands on a part with no slot of its own for it becomes a thinking block without
//! text before that part's block: there every protocol has a slot, and on the way back the writer puts
//! it on the part behind it again.

use super::names::{bool_field, extra_of, get, text_field, want_object, want_text};
use super::signature::{self, Slot};
use super::{media, names};
use crate::chat::{
    At, Block, BlockKind, Extra, Raw, Refused, Signature, Text, Thinking, ToolResult, ToolUse, unpack_id,
};
use crate::framing::json::Node;
use crate::types::Protocol;

/// The fields of a part this codec reads. Others are kept with the block.
const KNOWN: [&str; 7] =
    ["text", "thought", "thoughtSignature", "inlineData", "fileData", "functionCall", "functionResponse"];
/// Parts that only Google understands.
const OPAQUE: [&str; 4] = ["executableCode", "codeExecutionResult", "toolCall", "toolResponse"];

/// What a part holds.
pub(super) enum Piece<'a> {
    Text(Text<'a>),
    Thought(Text<'a>),
    Call(Call<'a>),
    /// An answer to a call, its id as it was given.
    Result {
        id: Option<Text<'a>>,
        result: ToolResult<'a>,
    },
    /// Media, or a part for Google alone.
    Whole(BlockKind<'a>),
    /// Nothing but, perhaps, a signature.
    Nothing,
}

/// A `functionCall` with the node it came in, for arguments that come in pieces.
pub(super) struct Call<'a> {
    pub id: Option<Text<'a>>,
    pub name: Text<'a>,
    pub arguments: Text<'a>,
}

/// A part, read.
pub(super) struct Part<'a> {
    pub at: At,
    pub piece: Piece<'a>,
    pub slot: Option<Slot<'a>>,
    pub extra: Extra<'a>,
}

/// Reads a part.
///
/// # Errors
/// [`Refused`] where a field is not of its type.
pub(super) fn part<'a>(node: &Node<'a>) -> Result<Part<'a>, Refused> {
    want_object(node)?;
    let is_thought = bool_field(node, "thought")?.unwrap_or(false);
    let slot = text_field(node, "thoughtSignature")?.filter(|slot| !slot.is_empty());
    let mut part = Part {
        at: At::of(node),
        piece: Piece::Nothing,
        slot: slot.map(signature::from_slot),
        extra: Extra::none(),
    };
    if let Some(call) = get(node, "functionCall") {
        part.piece = Piece::Call(function_call(call)?);
        part.extra =
            leftovers(node, call, &["id", "name", "args", "partialArgs", "willContinue"], "functionCall");
    } else if let Some(answer) = get(node, "functionResponse") {
        part.piece = function_response(answer)?;
        part.extra = leftovers(node, answer, &["id", "name", "response", "parts"], "functionResponse");
    } else if let Some(data) = get(node, "inlineData").or_else(|| get(node, "fileData")) {
        if is_thought {
            // A picture the model thought with, which is no output.
            part.slot = None;
            part.piece = Piece::Whole(opaque(node, "thought"));
            return Ok(part);
        }
        let is_inline = get(node, "inlineData").is_some();
        let (kind, extra) = if is_inline { media::inline(data)? } else { media::file(data)? };
        part.piece = Piece::Whole(kind);
        part.extra = extra_of(node, &KNOWN);
        part.extra.fields.extend(extra.fields);
        part.extra.of = part.extra.of.or(extra.of);
    } else if let Some(words) = get(node, "text") {
        let words = want_text(words)?;
        part.piece = if is_thought { Piece::Thought(words) } else { Piece::Text(words) };
        part.extra = extra_of(node, &KNOWN);
    } else if let Some(kind) = opaque_kind(node) {
        // It carries its signature itself.
        part.slot = None;
        part.piece = Piece::Whole(opaque(node, &kind));
    }
    Ok(part)
}

/// The name of what an unknown part holds.
fn opaque_kind(node: &Node<'_>) -> Option<String> {
    let known = OPAQUE.iter().find(|kind| get(node, kind).is_some());
    let unknown = || {
        let holds = |(key, value): &&(Text<'_>, Node<'_>)| value.is_object() && !key.is_empty();
        node.entries().iter().find(holds).map(|(key, _)| names::camel(key))
    };
    known.map(|kind| (*kind).to_owned()).or_else(unknown)
}

fn opaque<'a>(node: &Node<'a>, kind: &str) -> BlockKind<'a> {
    BlockKind::Opaque { of: Protocol::Generate, kind: kind.to_owned().into(), json: Raw::of(node) }
}

fn leftovers<'a>(part: &Node<'a>, inner: &Node<'a>, known: &[&str], prefix: &str) -> Extra<'a> {
    let mut extra = extra_of(part, &KNOWN);
    names::add_extra(&mut extra, inner, known, prefix);
    extra
}

fn function_call<'a>(call: &Node<'a>) -> Result<Call<'a>, Refused> {
    want_object(call)?;
    let arguments = match get(call, "args") {
        Some(args) => want_object(args)?.raw().into(),
        None => Text::Borrowed(""),
    };
    let id = text_field(call, "id")?.filter(|id| !id.is_empty());
    Ok(Call { id, name: text_field(call, "name")?.unwrap_or_default(), arguments })
}

fn function_response<'a>(answer: &Node<'a>) -> Result<Piece<'a>, Refused> {
    want_object(answer)?;
    let (is_error, text) = match get(answer, "response") {
        Some(response) => said(want_object(response)?),
        None => (false, Text::Borrowed("")),
    };
    let mut content = Vec::new();
    if !text.is_empty() {
        let at = get(answer, "response").map_or(At::NOWHERE, At::of);
        content.push(Block::text(text).at(at));
    }
    let media = get(answer, "parts").map(names::list).transpose()?.unwrap_or_default();
    for node in media {
        let inner = part(node)?;
        let kind = match inner.piece {
            Piece::Whole(kind) => kind,
            Piece::Text(text) => BlockKind::Text { text, citations: Vec::new() },
            _ => opaque(node, "part"),
        };
        content.push(Block { at: inner.at, kind, cache: None, extra: inner.extra });
    }
    let id = text_field(answer, "id")?.filter(|id| !id.is_empty());
    let name = text_field(answer, "name")?.filter(|name| !name.is_empty());
    let result = ToolResult { id: Text::Borrowed(""), name, content, is_error, is_custom: false };
    Ok(Piece::Result { id, result })
}

/// Whether a tool failed, and what it said: the one string in `result` (as Google's clients wrap
/// bare text), the one value in `error`, and otherwise the object as it stands.
fn said<'a>(response: &Node<'a>) -> (bool, Text<'a>) {
    if let [(key, value)] = response.entries() {
        match (key.as_ref(), value.text()) {
            ("result", Some(text)) if !text.is_empty() => return (false, text),
            ("error", Some(text)) if !text.is_empty() => return (true, text),
            ("error", None) if value.is_object() => return (true, value.raw().into()),
            _ => {}
        }
    }
    (false, response.raw().into())
}

impl<'a> Part<'a> {
    /// Whether it is bare text that only goes on with what the model said last, and is added to it:
    /// an empty piece, or with `is_continued` the next chunk of a text.
    pub(super) fn goes_on_with(&self, blocks: &mut [Block<'a>], is_continued: bool) -> bool {
        let Piece::Text(more) = &self.piece else { return false };
        if self.slot.is_some() || !self.extra.is_empty() {
            return false;
        }
        if more.is_empty() {
            return true;
        }
        match blocks.last_mut() {
            Some(Block { kind: BlockKind::Text { text, .. }, extra, .. })
                if is_continued && extra.is_empty() =>
            {
                text.to_mut().push_str(more);
                true
            }
            _ => false,
        }
    }

    /// The blocks the part is. A call's id and a result's id are `id`.
    pub(super) fn push_to(self, id: Text<'a>, blocks: &mut Vec<Block<'a>>) {
        let Part { at, piece, slot, extra } = self;
        if let Piece::Thought(text) = piece {
            return push_thought(at, text, slot, extra, blocks);
        }
        let block = |kind| Block { at, kind, cache: None, extra };
        match piece {
            Piece::Call(call) => {
                let (id, packed) = unpack_id(id);
                let own = match slot {
                    Some(Slot::Signature(signature) | Slot::Redacted(signature)) => Some(signature),
                    None => packed,
                };
                let Call { name, arguments, .. } = call;
                let call = ToolUse { id, name, arguments, is_custom: false, signature: own };
                blocks.push(block(BlockKind::ToolUse(call)));
            }
            Piece::Result { result, .. } => {
                let (id, _) = unpack_id(id);
                blocks.push(block(BlockKind::ToolResult(ToolResult { id, ..result })));
            }
            Piece::Text(text) | Piece::Thought(text) => {
                let is_empty = text.is_empty();
                let has_slot = push_slot(at, slot, blocks);
                if !(is_empty && has_slot) {
                    blocks.push(block(BlockKind::Text { text, citations: Vec::new() }));
                }
            }
            Piece::Whole(kind) => {
                push_slot(at, slot, blocks);
                blocks.push(block(kind));
            }
            Piece::Nothing => {
                push_slot(at, slot, blocks);
            }
        }
    }
}

/// A signature before the block it belongs to.
fn push_slot<'a>(at: At, slot: Option<Slot<'a>>, blocks: &mut Vec<Block<'a>>) -> bool {
    let kind = match slot {
        None => return false,
        Some(Slot::Signature(signature)) => thinking(Text::Borrowed(""), Some(signature)),
        Some(Slot::Redacted(signature)) => BlockKind::Redacted(signature),
    };
    blocks.push(Block::new(kind).at(at));
    true
}

/// Thoughts in pieces are one block, up to the piece that has the signature.
fn push_thought<'a>(
    at: At,
    text: Text<'a>,
    slot: Option<Slot<'a>>,
    extra: Extra<'a>,
    blocks: &mut Vec<Block<'a>>,
) {
    let signature = match slot {
        Some(Slot::Redacted(signature)) if text.is_empty() => {
            return blocks.push(Block::new(BlockKind::Redacted(signature)).at(at));
        }
        Some(Slot::Signature(signature) | Slot::Redacted(signature)) => Some(signature),
        None => None,
    };
    if let Some(Block { kind: BlockKind::Thinking(open), .. }) = blocks.last_mut()
        && open.signature.is_none()
        && extra.is_empty()
    {
        open.text = join(std::mem::take(&mut open.text), text);
        open.signature = signature;
        return;
    }
    if text.is_empty() && signature.is_none() {
        return;
    }
    blocks.push(Block { at, kind: thinking(text, signature), cache: None, extra });
}

fn join<'a>(mut first: Text<'a>, second: Text<'a>) -> Text<'a> {
    if first.is_empty() {
        return second;
    }
    if !second.is_empty() {
        first.to_mut().push_str(&second);
    }
    first
}

pub(super) fn thinking<'a>(text: Text<'a>, signature: Option<Signature<'a>>) -> BlockKind<'a> {
    BlockKind::Thinking(Thinking { text, signature, is_summary: false, item_id: None })
}
