//! A `GenerateContentRequest`, read.

use super::calls::Calls;
use super::names::{add_extra, bool_field, get, list, mismatch, text_field, want_object};
use super::part_in::Piece;
use super::{config_in, part_in, tools_in};
use crate::chat::{At, Block, Extra, Feature, Raw, Refused, Request, Role, Setting, Text, Turn};
use crate::dialect::codec::Called;
use crate::framing::json::Node;
use crate::types::Protocol;

const KNOWN: [&str; 9] = [
    "model",
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "generationConfig",
    "safetySettings",
    "serviceTier",
    "store",
];

/// Reads a body of `generateContent` or `streamGenerateContent`.
///
/// # Errors
/// [`Refused`] at the first field that is not of its type or makes no sense.
pub fn decode_request<'a>(root: &Node<'a>, called: Called<'_>) -> Result<Request<'a>, Refused> {
    want_object(root)?;
    let mut request = Request::new(Protocol::Generate, model(root, called)?);
    request.is_stream = called.is_stream.unwrap_or(false);
    request.wants_usage = true;
    if let Some(instruction) = get(root, "systemInstruction") {
        request.system = system(instruction)?;
    }
    let contents = get(root, "contents")
        .ok_or_else(|| Refused::new(At::of(root), "contents is missing: the turns of the conversation"))?;
    request.turns = turns(contents)?;
    if let Some(tools) = get(root, "tools") {
        request.tools = tools_in::tools(tools)?;
    }
    if let Some(config) = get(root, "toolConfig") {
        tools_in::config(config, &mut request)?;
    }
    if let Some(config) = get(root, "generationConfig") {
        config_in::config(config, &mut request)?;
    }
    for (name, feature) in [
        ("safetySettings", Feature::SafetySettings),
        ("serviceTier", Feature::ServiceTier),
        ("store", Feature::Store),
    ] {
        if let Some(value) = get(root, name) {
            request.settings.push(Setting { feature, at: At::of(value), value: Raw::of(value) });
        }
    }
    text_field(root, "serviceTier")?;
    bool_field(root, "store")?;
    add_extra(&mut request.extra, root, &KNOWN, "");
    Ok(request)
}

/// Reads a body of `countTokens`: the contents alone, or a whole request in `generateContentRequest`.
///
/// # Errors
/// As [`decode_request`].
pub fn decode_count<'a>(root: &Node<'a>, called: Called<'_>) -> Result<Request<'a>, Refused> {
    decode_request(get(want_object(root)?, "generateContentRequest").unwrap_or(root), called)
}

/// The path's word counts; the body's, where there is one, is Google's resource name.
fn model<'a>(root: &Node<'a>, called: Called<'_>) -> Result<Text<'a>, Refused> {
    if let Some(model) = called.model {
        return Ok(model.to_owned().into());
    }
    let named = text_field(root, "model")?
        .ok_or_else(|| Refused::new(At::of(root), "no model is named, in the path or in the body"))?;
    Ok(match named.strip_prefix("models/") {
        Some(bare) => bare.to_owned().into(),
        None => named,
    })
}

fn system<'a>(instruction: &Node<'a>) -> Result<Vec<Block<'a>>, Refused> {
    if let Some(text) = instruction.text() {
        return Ok(vec![Block::text(text).at(At::of(instruction))]);
    }
    let mut all = Vec::new();
    blocks(want_object(instruction)?, Role::User, &mut Calls::default(), &mut all)?;
    Ok(all)
}

fn turns<'a>(contents: &Node<'a>) -> Result<Vec<Turn<'a>>, Refused> {
    let all = list(contents)?;
    if all.is_empty() {
        return Err(Refused::new(At::of(contents), "contents is empty: at least one turn is needed"));
    }
    let mut calls = Calls::default();
    let mut turns: Vec<Turn<'a>> = Vec::with_capacity(all.len());
    for content in all {
        want_object(content)?;
        calls.next_content();
        let role = role(content)?;
        let mut extra = Extra::none();
        add_extra(&mut extra, content, &["role", "parts"], "");
        // Google's clients keep each chunk of a streamed answer as a content of its own.
        let goes_on = |last: &&mut Turn<'a>| last.role == Role::Assistant && role == Role::Assistant;
        if let Some(last) = turns.last_mut().filter(goes_on) {
            blocks(content, role, &mut calls, &mut last.blocks)?;
            last.extra.of = last.extra.of.or(extra.of);
            last.extra.fields.extend(extra.fields);
            continue;
        }
        let mut turn = Turn { at: At::of(content), extra, ..Turn::new(role, Vec::new()) };
        blocks(content, role, &mut calls, &mut turn.blocks)?;
        turns.push(turn);
    }
    Ok(turns)
}

fn role(content: &Node<'_>) -> Result<Role, Refused> {
    match text_field(content, "role")?.as_deref() {
        // `function` is what early clients called a turn of answers.
        None | Some("" | "user" | "function") => Ok(Role::User),
        Some("model") => Ok(Role::Assistant),
        Some(other) => {
            let at = get(content, "role").map_or(At::NOWHERE, At::of);
            let message = format!("a role is \"user\" or \"model\", not \"{}\"", shown(other));
            Err(Refused::new(at, message))
        }
    }
}

/// Adds the blocks of a content's parts.
fn blocks<'a>(
    content: &Node<'a>,
    role: Role,
    calls: &mut Calls<'a>,
    blocks: &mut Vec<Block<'a>>,
) -> Result<(), Refused> {
    let Some(parts) = get(content, "parts") else { return Ok(()) };
    let mut is_continued = !blocks.is_empty();
    for node in list(parts)? {
        if let Some(text) = node.text() {
            blocks.push(Block::text(text).at(At::of(node)));
            continue;
        }
        let part = part_in::part(node)?;
        check(&part)?;
        if role == Role::Assistant && part.goes_on_with(blocks, std::mem::take(&mut is_continued)) {
            continue;
        }
        let id = calls.id(&part.piece, part.at)?;
        part.push_to(id, blocks);
    }
    Ok(())
}

fn check(part: &part_in::Part<'_>) -> Result<(), Refused> {
    match &part.piece {
        Piece::Nothing if part.slot.is_none() => {
            let known = "a part needs text, inlineData, fileData, functionCall or the like";
            Err(Refused::new(part.at, known))
        }
        Piece::Call(call) if call.name.is_empty() => {
            Err(Refused::new(part.at, "a functionCall needs the name of its function"))
        }
        _ => Ok(()),
    }
}

/// At most so much of a client's word as a message should repeat.
fn shown(word: &str) -> &str {
    word.get(..word.floor_char_boundary(40)).unwrap_or_default()
}

/// A value's digits, of a number that the canonical form keeps as written.
pub(super) fn number<'a>(node: &Node<'a>) -> Result<Raw<'a>, Refused> {
    if node.is_number() { Ok(Raw::of(node)) } else { Err(mismatch(node, "a number")) }
}
