//! `content`: a string or a list of parts.

use crate::chat::{At, Block, BlockKind, Raw, Refused, Text};
use crate::framing::json::Node;
use crate::types::Protocol;

use super::{documents, extra, media, thinking};

/// Reads `content`. Empty texts say nothing and are left out.
pub(super) fn read<'a>(content: Option<&Node<'a>>) -> Result<Vec<Block<'a>>, Refused> {
    let Some(content) = content else { return Ok(Vec::new()) };
    if let Some(text) = content.text() {
        return Ok(if text.is_empty() { Vec::new() } else { vec![Block::text(text).at(At::of(content))] });
    }
    if !content.is_array() {
        let message = format!("`content` must be a string or a list of parts, not {}", content.kind());
        return Err(Refused::new(At::of(content), message));
    }
    let mut blocks = Vec::with_capacity(content.items().len());
    for part in content.items() {
        let block = self::part(part)?;
        if block.as_text() != Some("") {
            blocks.push(block);
        }
    }
    Ok(blocks)
}

fn part<'a>(part: &Node<'a>) -> Result<Block<'a>, Refused> {
    let at = At::of(part);
    if let Some(text) = part.text() {
        return Ok(Block::text(text).at(at));
    }
    let Some(kind) = part.text_of("type") else {
        return Err(Refused::new(at, "a part must be an object with a `type`"));
    };
    let inner = |key: &str| part.get(key).ok_or_else(|| Refused::new(at, format!("this part needs `{key}`")));
    let (kind, known) = match kind.as_ref() {
        "text" => {
            let node = inner("text")?;
            let Some(text) = node.text() else {
                return Err(Refused::new(
                    At::of(node),
                    format!("`text` must be a string, not {}", node.kind()),
                ));
            };
            (BlockKind::Text { text, citations: Vec::new() }, ["type", "text"].as_slice())
        }
        "thinking" => (thinking::read(part), ["type", "thinking", "signature", "redacted"].as_slice()),
        "image_url" => {
            (BlockKind::Image(media::read(inner("image_url")?)?), ["type", "image_url"].as_slice())
        }
        "document" => {
            let block = documents::read(inner("document")?)?;
            return Ok(block.at(at));
        }
        _ => {
            let kind = BlockKind::Opaque { of: Protocol::Cohere, kind, json: Raw::of(part) };
            return Ok(Block::new(kind).at(at));
        }
    };
    Ok(Block { at, kind, cache: None, extra: extra::of(part, known) })
}

/// The text of a field, or nothing where it is empty.
pub(super) fn words<'a>(node: &Node<'a>, key: &str) -> Option<Text<'a>> {
    node.text_of(key).filter(|text| !text.is_empty())
}
