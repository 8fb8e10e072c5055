//! Documents to answer from: `documents` beside the messages, and parts of tool results.
//!
//! Elsewhere they are text documents in the user's turn. A document whose data is more than a text and
//! a title is its data's JSON.

use crate::chat::{At, Block, BlockKind, Media, Refused, Role, Source, Text, Turn};
use crate::framing::json::{Duplicates, JsonWriter, Node, parse};

use super::extra;

const PLAIN: &str = "text/plain";
const JSON: &str = "application/json";

/// Reads one document: a string, or an object with `data`.
pub(super) fn read<'a>(node: &Node<'a>) -> Result<Block<'a>, Refused> {
    let (text, mime, name) = if let Some(text) = node.text() {
        (text, None, None)
    } else {
        let Some(data) = node.get("data").filter(|data| data.is_object() || data.is_string()) else {
            return Err(Refused::new(At::of(node), "a document must be a string or an object with `data`"));
        };
        let is_plain = |(key, value): &(Text<'_>, Node<'_>)| {
            matches!(key.as_ref(), "text" | "title") && value.is_string()
        };
        match data.text_of("text").filter(|_| data.entries().iter().all(is_plain)).or_else(|| data.text()) {
            Some(text) => (text, Some(PLAIN), data.text_of("title")),
            None => (Text::Borrowed(data.raw()), Some(JSON), None),
        }
    };
    let media = Media { source: Source::Text(text), mime: mime.map(Text::Borrowed), name, detail: None };
    let block = Block::new(BlockKind::Document(media)).at(At::of(node));
    Ok(Block { extra: extra::of(node, &["data"]), ..block })
}

/// Reads `documents` into the turn that asks about them: the last one in which the user speaks.
pub(super) fn add<'a>(root: &Node<'a>, turns: &mut Vec<Turn<'a>>) -> Result<(), Refused> {
    let Some(list) = root.get("documents") else { return Ok(()) };
    if !list.is_array() {
        return Err(Refused::new(At::of(list), format!("`documents` must be a list, not {}", list.kind())));
    }
    let documents = list.items().iter().map(read).collect::<Result<Vec<_>, _>>()?;
    if documents.is_empty() {
        return Ok(());
    }
    let speaks = |turn: &Turn<'_>| {
        turn.role == Role::User
            && turn.blocks.iter().any(|block| !matches!(block.kind, BlockKind::ToolResult(_)))
    };
    match turns.iter_mut().rfind(|turn| speaks(turn)) {
        Some(turn) => {
            let is_result = |block: &Block<'_>| matches!(block.kind, BlockKind::ToolResult(_));
            let place = turn.blocks.iter().take_while(|block| is_result(block)).count();
            turn.blocks.splice(place..place, documents);
        }
        None => turns.insert(0, Turn::new(Role::User, documents)),
    }
    Ok(())
}

/// Whether a block goes to `documents`.
pub(super) fn is_document(block: &Block<'_>) -> bool {
    matches!(&block.kind, BlockKind::Document(Media { source: Source::Text(_), .. }))
}

/// Writes one document; `is_object`: where a bare string is not taken.
pub(super) fn write(block: &Block<'_>, is_object: bool, w: &mut JsonWriter<'_>) {
    let BlockKind::Document(media) = &block.kind else { return };
    let Source::Text(text) = &media.source else { return };
    if !is_object && media.mime.is_none() && media.name.is_none() && block.extra.is_empty() {
        return w.string(text);
    }
    w.object(|w| {
        let is_json = media.mime.as_deref() == Some(JSON)
            && parse(text, Duplicates::LastCounts).is_ok_and(|node| node.is_object());
        if is_json && media.name.is_none() {
            w.field_raw("data", text);
        } else {
            w.field_object("data", |w| {
                w.field_opt_str("title", media.name.as_deref());
                w.field_str("text", text);
            });
        }
        extra::write(&block.extra, &[], w);
    });
}
