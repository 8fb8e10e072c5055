//! Images and documents as Messages writes them.

use super::fields::{cache, extra, extra_of_part, text, wrong};
use crate::chat::{At, Block, BlockKind, Media, Refused, Source, Text};
use crate::framing::json::Node;
use crate::types::Protocol;

/// An `image` block; None where its source is of a kind not known here.
pub(super) fn image<'a>(node: &Node<'a>) -> Result<Option<Block<'a>>, Refused> {
    let source = source_node(node)?;
    let Some((from, mime)) = read_source(source)? else { return Ok(None) };
    let media = Media { source: from, mime, name: None, detail: None };
    block(node, source, BlockKind::Image(media), &["type", "source", "cache_control"]).map(Some)
}

/// A `document` block, likewise. One made of blocks (`content`) has no counterpart elsewhere.
pub(super) fn document<'a>(node: &Node<'a>) -> Result<Option<Block<'a>>, Refused> {
    let source = source_node(node)?;
    let Some((from, mime)) = read_source(source)? else { return Ok(None) };
    let media = Media { source: from, mime, name: super::fields::opt_text(node, "title")?, detail: None };
    block(node, source, BlockKind::Document(media), &["type", "source", "title", "cache_control"]).map(Some)
}

fn block<'a>(
    node: &Node<'a>,
    source: &Node<'a>,
    kind: BlockKind<'a>,
    known: &[&str],
) -> Result<Block<'a>, Refused> {
    let mut extra = extra(node, known);
    extra_of_part(&mut extra, source, "source", &["type", "media_type", "data", "url", "file_id"]);
    Ok(Block { at: At::of(node), kind, cache: cache(node)?, extra })
}

fn source_node<'n, 'a>(node: &'n Node<'a>) -> Result<&'n Node<'a>, Refused> {
    let source = node
        .get("source")
        .ok_or_else(|| Refused::new(At::of(node), "`source` is missing: an object with a `type`"))?;
    if source.is_object() { Ok(source) } else { Err(wrong(source, "source", "an object")) }
}

type Read<'a> = (Source<'a>, Option<Text<'a>>);

fn read_source<'a>(node: &Node<'a>) -> Result<Option<Read<'a>>, Refused> {
    let mime = || super::fields::opt_text(node, "media_type");
    let kind = text(node, "type")?;
    Ok(Some(match kind.as_ref() {
        "base64" => (Source::Base64(text(node, "data")?), mime()?),
        "url" => (Source::Url(text(node, "url")?), mime()?),
        "file" => (Source::File { of: Protocol::Messages, id: text(node, "file_id")? }, mime()?),
        "text" => (Source::Text(text(node, "data")?), mime()?),
        _ => return Ok(None),
    }))
}
