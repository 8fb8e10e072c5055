//! The turns of a conversation as Gemini wants them: user and model in alternation, a user first, and
//! behind a model's calls the answers to all of them, in the calls' order.

use super::media;
use super::part_out::{Answer, Body, For, Lowering, Outgoing};
use super::signature::NO_SIGNATURE;
use crate::chat::{
    At, Block, BlockKind, Losses, Refused, Request, Role, Target, ToolResult, ToolUse, freeform,
};
use std::borrow::Cow;

/// One `content` to be written.
pub(super) struct Content<'r> {
    pub is_model: bool,
    pub parts: Vec<Outgoing<'r>>,
}

/// Neighbouring turns of one side.
struct Side<'r> {
    is_model: bool,
    blocks: Vec<&'r Block<'r>>,
}

/// Lays the turns out.
///
/// # Errors
/// [`Refused`] where calls and results do not pair, where a medium cannot be had at Google, and
/// where nothing is left to send.
pub(super) fn contents<'r>(
    request: &'r Request<'r>,
    target: &Target,
    losses: &mut Losses,
) -> Result<Vec<Content<'r>>, Refused> {
    let sides = sides(request);
    let mut contents: Vec<Content<'r>> = Vec::with_capacity(sides.len() + 1);
    let mut before: Option<&Side<'r>> = None;
    for side in &sides {
        let calls = before.filter(|side| side.is_model).map(calls_of).unwrap_or_default();
        let parts = if side.is_model {
            check_media(side.blocks.iter().copied(), target)?;
            model_parts(side, target, losses)?
        } else {
            user_parts(side, &calls, target, losses)?
        };
        before = Some(side);
        if parts.is_empty() {
            continue;
        }
        match contents.last_mut() {
            // What stood between had nothing to say.
            Some(last) if last.is_model == side.is_model => last.parts.extend(parts),
            _ => contents.push(Content { is_model: side.is_model, parts }),
        }
    }
    match contents.first() {
        None => {
            return Err(Refused::new(
                At::NOWHERE,
                "there is nothing to answer: Gemini needs at least one turn with content",
            ));
        }
        // A conversation that the model opened: Gemini wants a user before it, who said nothing.
        Some(first) if first.is_model => contents.insert(0, silence()),
        Some(_) => {}
    }
    Ok(contents)
}

fn silence<'r>() -> Content<'r> {
    let body = Body::Text { text: " ", is_thought: false, extra: None };
    Content { is_model: false, parts: vec![Outgoing { body, signature: None }] }
}

fn sides<'r>(request: &'r Request<'r>) -> Vec<Side<'r>> {
    let mut sides: Vec<Side<'r>> = Vec::with_capacity(request.turns.len());
    for turn in &request.turns {
        let is_model = turn.role == Role::Assistant;
        match sides.last_mut() {
            Some(last) if last.is_model == is_model => last.blocks.extend(&turn.blocks),
            _ => sides.push(Side { is_model, blocks: turn.blocks.iter().collect() }),
        }
    }
    sides
}

fn calls_of<'r>(side: &Side<'r>) -> Vec<(&'r Block<'r>, &'r ToolUse<'r>)> {
    let call = |block: &&'r Block<'r>| match &block.kind {
        BlockKind::ToolUse(call) => Some((*block, call)),
        _ => None,
    };
    side.blocks.iter().filter_map(call).collect()
}

fn check_media<'r>(blocks: impl Iterator<Item = &'r Block<'r>>, target: &Target) -> Result<(), Refused> {
    for block in blocks {
        if let Some(medium) = media::of_block(&block.kind) {
            media::check(medium, block.at, target.fetches_urls)?;
        }
    }
    Ok(())
}

fn model_parts<'r>(
    side: &Side<'r>,
    target: &Target,
    losses: &mut Losses,
) -> Result<Vec<Outgoing<'r>>, Refused> {
    let mut lowering = Lowering::new(For::Model(losses));
    for block in &side.blocks {
        if matches!(block.kind, BlockKind::ToolResult(_)) {
            return Err(Refused::new(block.at, "a tool's result belongs to the user's turn"));
        }
        lowering.block(block);
    }
    let mut parts = lowering.finish();
    // Of calls made at once only the first is signed, and only it is asked for its signature.
    let first = parts.iter_mut().find(|part| matches!(part.body, Body::Call { .. }));
    if let Some(call) = first.filter(|part| target.needs_signatures && part.signature.is_none()) {
        call.signature = Some(Cow::Borrowed(NO_SIGNATURE));
    }
    Ok(parts)
}

fn user_parts<'r>(
    side: &Side<'r>,
    calls: &[(&'r Block<'r>, &'r ToolUse<'r>)],
    target: &Target,
    losses: &mut Losses,
) -> Result<Vec<Outgoing<'r>>, Refused> {
    let mut results: Vec<(&'r Block<'r>, &'r ToolResult<'r>)> = Vec::new();
    let mut lowering = Lowering::new(For::Model(losses));
    check_media(side.blocks.iter().copied(), target)?;
    for block in &side.blocks {
        match &block.kind {
            BlockKind::ToolResult(result) => {
                check_result(block, result, calls, &results)?;
                check_media(result.content.iter(), target)?;
                results.push((block, result));
            }
            BlockKind::ToolUse(_) => {
                return Err(Refused::new(block.at, "a tool call belongs to the assistant's turn"));
            }
            _ => lowering.block(block),
        }
    }
    let mut parts = Vec::with_capacity(side.blocks.len());
    let mut behind = Vec::new();
    for (call_block, call) in calls {
        let Some((block, result)) = results.iter().find(|(_, result)| result.id == call.id) else {
            let message = format!("the call \"{}\" of the tool \"{}\" has no result", call.id, call.name);
            return Err(Refused::new(call_block.at, message));
        };
        let holds_media = target.needs_signatures;
        let name = if call.is_custom {
            freeform::wrap_name(&call.name).into()
        } else {
            Cow::Borrowed(call.name.as_ref())
        };
        let answer = Answer { name, result, extra: &block.extra, holds_media };
        parts.push(Outgoing { body: Body::Result(answer), signature: None });
        if !holds_media {
            let media = result.content.iter().filter(|inner| media::of_block(&inner.kind).is_some());
            behind.extend(media.map(|inner| Outgoing { body: Body::Media(inner), signature: None }));
        }
    }
    parts.extend(behind);
    parts.extend(lowering.finish());
    Ok(parts)
}

fn check_result(
    block: &Block<'_>,
    result: &ToolResult<'_>,
    calls: &[(&Block<'_>, &ToolUse<'_>)],
    before: &[(&Block<'_>, &ToolResult<'_>)],
) -> Result<(), Refused> {
    if !calls.iter().any(|(_, call)| call.id == result.id) {
        let message = format!("the result \"{}\" answers no call of the turn before it", result.id);
        return Err(Refused::new(block.at, message));
    }
    if before.iter().any(|(_, known)| known.id == result.id) {
        return Err(Refused::new(block.at, format!("the call \"{}\" has two results", result.id)));
    }
    Ok(())
}
