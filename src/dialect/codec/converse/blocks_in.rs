//! Content blocks, of requests and of answers.
//!
//! What this form has no word for stays whole as [`BlockKind::Opaque`], and is written back as it was.

use super::media::{self, BASE64, Kind};
use super::{HERE, NATIVE, read};
use crate::chat::{
    At, Block, BlockKind, CacheHint, Citation, Extra, Raw, Refused, Signature, Text, Thinking, ToolResult,
    ToolUse, unpack_id,
};
use crate::framing::json::Node;
use base64::Engine;

/// The elements of a `content` or `system` array. A cache point marks the block before it.
pub(super) fn blocks<'a>(nodes: &[Node<'a>]) -> Result<Vec<Block<'a>>, Refused> {
    let mut blocks: Vec<Block<'a>> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let (member, value) = read::member(node, "content block")?;
        match (member, blocks.last_mut()) {
            ("cachePoint", Some(last)) if last.cache.is_none() => last.cache = Some(cache_hint(value)?),
            _ => blocks.push(block(node, member, value)?),
        }
    }
    Ok(blocks)
}

/// `{"type":"default","ttl":"5m"|"1h"}`.
pub(super) fn cache_hint<'a>(node: &Node<'a>) -> Result<CacheHint<'a>, Refused> {
    if !node.is_object() {
        return Err(read::wrong(node, "cachePoint", "an object"));
    }
    let ttl_s = match read::text(node, "ttl")?.as_deref() {
        Some("5m") => Some(CacheHint::FIVE_MINUTES),
        Some("1h") => Some(CacheHint::ONE_HOUR),
        _ => None,
    };
    let known: &[&str] = if ttl_s.is_some() { &["type", "ttl"] } else { &["type"] };
    Ok(CacheHint { ttl_s, extra: Extra::of(HERE, node, known) })
}

fn block<'a>(node: &Node<'a>, member: &str, value: &Node<'a>) -> Result<Block<'a>, Refused> {
    let plain = |kind| Ok(Block::new(kind).at(At::of(node)));
    match member {
        "text" => {
            let text = value.text().ok_or_else(|| read::wrong(value, "text", "a string"))?;
            plain(BlockKind::Text { text, citations: Vec::new() })
        }
        "toolUse" => tool_use(node, value),
        "toolResult" => tool_result(node, value),
        "reasoningContent" => plain(reasoning(node, value)?),
        "citationsContent" => plain(cited(value)?),
        "image" => medium(node, value, Kind::Image),
        "document" => medium(node, value, Kind::Document),
        "audio" => medium(node, value, Kind::Audio),
        "video" => medium(node, value, Kind::Video),
        GUARDED => Ok(guarded(node, value)),
        _ => plain(opaque(node, member)),
    }
}

/// What is marked for a guardrail.
pub(super) const GUARDED: &str = "guardContent";

/// The words and pictures are the client's own and said to every model; the mark is Bedrock's, and
/// stands as it was among the fields only Bedrock knows.
fn guarded<'a>(node: &Node<'a>, value: &Node<'a>) -> Block<'a> {
    let text = value.get("text").and_then(|inner| inner.text_of("text"));
    let image = || media::decode(value.get("image")?, Kind::Image).ok().flatten();
    let kind = match text {
        Some(text) => BlockKind::Text { text, citations: Vec::new() },
        None => match image() {
            Some(media) => BlockKind::Image(media),
            None => return Block::new(opaque(node, GUARDED)).at(At::of(node)),
        },
    };
    Block { extra: Extra::of(HERE, node, &[]), ..Block::new(kind).at(At::of(node)) }
}

pub(super) fn opaque<'a>(node: &Node<'a>, kind: &str) -> BlockKind<'a> {
    BlockKind::Opaque { of: HERE, kind: Text::Owned(kind.to_owned()), json: Raw::of(node) }
}

fn medium<'a>(node: &Node<'a>, value: &Node<'a>, kind: Kind) -> Result<Block<'a>, Refused> {
    if !value.is_object() {
        return Err(read::wrong(value, kind.key(), "an object"));
    }
    let Some(media) = media::decode(value, kind)? else {
        return Ok(Block::new(opaque(node, kind.key())).at(At::of(node)));
    };
    let kind = match kind {
        Kind::Image => BlockKind::Image(media),
        Kind::Document => BlockKind::Document(media),
        Kind::Audio => BlockKind::Audio(media),
        Kind::Video => BlockKind::Video(media),
    };
    let extra = Extra::of(HERE, value, &["format", "name", "source"]);
    Ok(Block { extra, ..Block::new(kind).at(At::of(node)) })
}

/// A tool that Bedrock runs itself has its calls and results in the model's own turn: they are opaque.
fn tool_use<'a>(node: &Node<'a>, value: &Node<'a>) -> Result<Block<'a>, Refused> {
    if value.get("type").is_some_and(|kind| kind.is("server_tool_use")) {
        return Ok(Block::new(opaque(node, "toolUse")).at(At::of(node)));
    }
    let (id, signature) = unpack_id(read::need_text(value, "toolUseId")?);
    let arguments = value.get("input").map_or(Text::Borrowed(""), |input| Text::Borrowed(input.raw()));
    let name = read::need_text(value, "name")?;
    let kind = BlockKind::ToolUse(ToolUse { id, name, arguments, is_custom: false, signature });
    let extra = Extra::of(HERE, value, &["toolUseId", "name", "input", "type"]);
    Ok(Block { extra, ..Block::new(kind).at(At::of(node)) })
}

fn tool_result<'a>(node: &Node<'a>, value: &Node<'a>) -> Result<Block<'a>, Refused> {
    if value.get("type").is_some() {
        return Ok(Block::new(opaque(node, "toolResult")).at(At::of(node)));
    }
    let mut content = Vec::new();
    for part in read::array(value, "content")? {
        let (member, inner) = read::member(part, "content")?;
        content.push(match member {
            "json" => Block::text(inner.raw()).at(At::of(part)),
            _ => block(part, member, inner)?,
        });
    }
    let kind = BlockKind::ToolResult(ToolResult {
        id: unpack_id(read::need_text(value, "toolUseId")?).0,
        name: None,
        content,
        is_error: read::text(value, "status")?.as_deref() == Some("error"),
        is_custom: false,
    });
    let extra = Extra::of(HERE, value, &["toolUseId", "content", "status"]);
    Ok(Block { extra, ..Block::new(kind).at(At::of(node)) })
}

fn reasoning<'a>(node: &Node<'a>, value: &Node<'a>) -> Result<BlockKind<'a>, Refused> {
    let (member, inner) = read::member(value, "reasoningContent")?;
    match member {
        "reasoningText" => Ok(BlockKind::Thinking(Thinking {
            text: read::text(inner, "text")?.unwrap_or_default(),
            signature: read::text(inner, "signature")?.map(|slot| Signature::from_slot(slot, NATIVE)),
            is_summary: false,
            item_id: None,
        })),
        "redactedContent" => {
            let blob = inner.text().ok_or_else(|| read::wrong(inner, "redactedContent", "base64"))?;
            Ok(redacted(&blob).map_or_else(|| opaque(node, "reasoningContent"), BlockKind::Redacted))
        }
        _ => Ok(opaque(node, "reasoningContent")),
    }
}

/// Bedrock's blob is the vendor's text in base64: Claude's is what Anthropic calls `data`.
pub(super) fn redacted(blob: &str) -> Option<Signature<'static>> {
    let text = String::from_utf8(BASE64.decode(blob.as_bytes()).ok()?).ok()?;
    Some(Signature::from_slot(Text::Owned(text), NATIVE))
}

fn cited<'a>(value: &Node<'a>) -> Result<BlockKind<'a>, Refused> {
    let mut text = Text::Borrowed("");
    for part in read::array(value, "content")? {
        let more = read::need_text(part, "text")?;
        if text.is_empty() { text = more } else { text.to_mut().push_str(&more) }
    }
    let citations = read::array(value, "citations")?.iter().map(citation).collect();
    Ok(BlockKind::Text { text, citations })
}

pub(super) fn citation<'a>(node: &Node<'a>) -> Citation<'a> {
    let quotes = node.get("sourceContent").map(Node::items).unwrap_or_default();
    Citation {
        url: node.get("location").and_then(|place| place.get("web")).and_then(|web| web.text_of("url")),
        title: node.text_of("title"),
        quote: quotes.first().and_then(|quote| quote.text_of("text")),
        span: None,
        of: HERE,
        json: Raw::of(node),
    }
}
