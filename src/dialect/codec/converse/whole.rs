//! Blocks of a stream that are given out whole: gathered until they close.

use super::HERE;
use super::blocks_in::redacted;
use super::fault::nonsense;
use super::media::{BASE64, Kind};
use crate::chat::{BlockKind, Media, Raw, Source, Text};
use crate::dialect::tap::StreamFault;
use crate::framing::json::{Duplicates, JsonWriter, parse};
use base64::Engine;

/// Most that one block may gather.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// A block in the making.
pub(super) enum Gathered {
    /// Base64 of a vendor's text; several deltas are several pieces of base64.
    Redacted {
        blob: String,
    },
    /// A call of a tool that Bedrock runs: `start.toolUse` as it came, and the input's text.
    ServerCall {
        head: String,
        input: String,
    },
    /// Its result: `start.toolResult`, and the content's elements.
    ServerResult {
        head: String,
        content: String,
    },
    Image {
        format: String,
        data: String,
    },
}

impl Gathered {
    /// # Errors
    /// [`StreamFault`] where the block grows beyond its bound.
    pub(super) fn add(&mut self, piece: &str) -> Result<(), StreamFault> {
        let (held, comma) = match self {
            Gathered::ServerCall { input, .. } => (input, ""),
            Gathered::ServerResult { content, .. } => (content, ","),
            Gathered::Redacted { blob: data } | Gathered::Image { data, .. } => (data, " "),
        };
        hold(held, comma, piece)
    }

    /// The block; None where there is nothing in it.
    pub(super) fn finish(self) -> Option<BlockKind<'static>> {
        match self {
            Gathered::Redacted { blob } => {
                let joined = joined(&blob)?;
                Some(redacted(&joined).map_or_else(
                    || opaque("reasoningContent", |w| w.field_str("redactedContent", &joined)),
                    BlockKind::Redacted,
                ))
            }
            Gathered::ServerCall { head, input } => {
                let is_json = parse(&input, Duplicates::LastCounts).is_ok();
                Some(opaque("toolUse", |w| {
                    members(&head, "input", w);
                    w.field_raw("input", if is_json { &input } else { "{}" });
                }))
            }
            Gathered::ServerResult { head, content } => Some(opaque("toolResult", |w| {
                members(&head, "content", w);
                w.field_raw("content", &format!("[{content}]"));
            })),
            Gathered::Image { format, data } => Some(BlockKind::Image(Media {
                source: Source::Base64(Text::Owned(joined(&data)?)),
                mime: Kind::Image.mime_of(&format).map(Text::Borrowed),
                name: None,
                detail: None,
            })),
        }
    }
}

/// Adds to what is held, behind a separator.
///
/// # Errors
/// [`StreamFault`] beyond the bound of a block.
pub(super) fn hold(held: &mut String, separator: &str, piece: &str) -> Result<(), StreamFault> {
    if held.len() + piece.len() > BYTES_MAX {
        return Err(nonsense("a block of the stream is too long"));
    }
    if !held.is_empty() {
        held.push_str(separator);
    }
    held.push_str(piece);
    Ok(())
}

/// One piece of base64 out of several, each with a padding of its own.
fn joined(pieces: &str) -> Option<String> {
    let mut pieces_of = pieces.split(' ');
    let first = pieces_of.next().filter(|first| !first.is_empty())?;
    let rest: Vec<&str> = pieces_of.collect();
    if rest.is_empty() {
        return Some(first.to_owned());
    }
    let mut bytes = BASE64.decode(first.as_bytes()).ok()?;
    for piece in rest {
        bytes.extend(BASE64.decode(piece.as_bytes()).ok()?);
    }
    Some(BASE64.encode(bytes))
}

fn opaque(kind: &'static str, fields: impl FnOnce(&mut JsonWriter<'_>)) -> BlockKind<'static> {
    let mut out = Vec::new();
    JsonWriter::new(&mut out).object(|w| w.field_object(kind, fields));
    let json = String::from_utf8(out).unwrap_or_else(|_| "{}".to_owned());
    BlockKind::Opaque { of: HERE, kind: Text::Borrowed(kind), json: Raw(Text::Owned(json)) }
}

/// The members of an object that was read before, but `without`.
fn members(head: &str, without: &str, w: &mut JsonWriter<'_>) {
    let Ok(root) = parse(head, Duplicates::LastCounts) else { return };
    for (name, value) in root.entries().iter().filter(|(name, _)| name != without) {
        w.field_raw(name, value.raw());
    }
}
