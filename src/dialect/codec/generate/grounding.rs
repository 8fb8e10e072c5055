//! Where statements come from: `groundingMetadata` and `citationMetadata`.
//!
//! Gemini counts bytes of a part's text; the canonical span counts characters.

use super::names::{get, text};
use crate::chat::{Block, BlockKind, Citation, Raw, Text};
use crate::framing::json::{JsonWriter, Node};
use crate::types::Protocol;

/// More sources than an answer has; what is past them is left to the metadata itself.
const CITATIONS_MAX: usize = 256;

/// A citation, its span in bytes of the part `part`.
pub(super) struct Found<'a> {
    pub part: usize,
    pub bytes: Option<(u64, u64)>,
    pub citation: Citation<'a>,
}

/// All citations of a candidate.
pub(super) fn citations<'a>(candidate: &Node<'a>) -> Vec<Found<'a>> {
    let mut all = Vec::new();
    if let Some(metadata) = get(candidate, "groundingMetadata") {
        grounded(metadata, &mut all);
    }
    if let Some(metadata) = get(candidate, "citationMetadata") {
        let sources = get(metadata, "citationSources").or_else(|| get(metadata, "citations"));
        for source in sources.map(Node::items).unwrap_or_default() {
            let citation = cite(text(source, "uri"), text(source, "title"), None, source);
            all.push(Found { part: 0, bytes: span(source), citation });
        }
    }
    all.truncate(CITATIONS_MAX);
    all
}

fn grounded<'a>(metadata: &Node<'a>, all: &mut Vec<Found<'a>>) {
    let chunks = get(metadata, "groundingChunks").map(Node::items).unwrap_or_default();
    let supports = get(metadata, "groundingSupports").map(Node::items).unwrap_or_default();
    for support in supports {
        let segment = get(support, "segment");
        let part = segment.and_then(|segment| get(segment, "partIndex")).and_then(Node::as_u64);
        let quote = segment.and_then(|segment| text(segment, "text"));
        let indices = get(support, "groundingChunkIndices").map(Node::items).unwrap_or_default();
        for index in indices {
            let chunk = index.as_u64().and_then(|at| chunks.get(usize::try_from(at).ok()?));
            // `web`, `retrievedContext`, `maps`: each has a uri and a title, or some of it.
            let Some(source) = chunk.and_then(|chunk| chunk.entries().first()).map(|(_, source)| source)
            else {
                continue;
            };
            let citation = cite(text(source, "uri"), text(source, "title"), quote.clone(), support);
            let part = part.and_then(|part| usize::try_from(part).ok()).unwrap_or(0);
            all.push(Found { part, bytes: segment.and_then(span), citation });
        }
        if all.len() > CITATIONS_MAX {
            return;
        }
    }
}

fn cite<'a>(
    url: Option<Text<'a>>,
    title: Option<Text<'a>>,
    quote: Option<Text<'a>>,
    json: &Node<'a>,
) -> Citation<'a> {
    Citation { url, title, quote, span: None, of: Protocol::Generate, json: Raw::of(json) }
}

fn span(node: &Node<'_>) -> Option<(u64, u64)> {
    let from = get(node, "startIndex").and_then(Node::as_u64).unwrap_or(0);
    let to = get(node, "endIndex").and_then(Node::as_u64)?;
    (from <= to).then_some((from, to))
}

/// The span in characters of `text`; None where it does not fall between characters of it.
pub(super) fn characters(text: &str, (from, to): (u64, u64)) -> Option<(u64, u64)> {
    let (from, to) = (usize::try_from(from).ok()?, usize::try_from(to).ok()?);
    let before = text.get(..from)?.chars().count() as u64;
    Some((before, before + text.get(from..to)?.chars().count() as u64))
}

/// Puts each citation on its text. `places`: the block that each part of the answer became.
pub(super) fn attach<'a>(found: Vec<Found<'a>>, places: &[Option<usize>], blocks: &mut [Block<'a>]) {
    let first = blocks.iter().position(|block| block.as_text().is_some());
    for Found { part, bytes, mut citation } in found {
        let is_text = |at: &usize| blocks.get(*at).is_some_and(|block| block.as_text().is_some());
        let own = places.get(part).copied().flatten().filter(is_text);
        let Some(block) = own.or(first).and_then(|at| blocks.get_mut(at)) else { continue };
        if let BlockKind::Text { text, citations } = &mut block.kind {
            citation.span = bytes.and_then(|bytes| characters(text, bytes));
            citations.push(citation);
        }
    }
}

/// Writes the member `groundingMetadata` of other vendors' citations. `text_of` gives the text that a
/// citation's span counts in.
pub(super) fn write<'c>(
    w: &mut JsonWriter<'_>,
    citations: impl Iterator<Item = (&'c Citation<'c>, &'c str)> + Clone,
) {
    let cited = citations.filter(|(citation, _)| citation.url.is_some());
    if cited.clone().next().is_none() {
        return;
    }
    w.field_object("groundingMetadata", |w| {
        w.field_array("groundingChunks", |w| {
            for (citation, _) in cited.clone() {
                w.object(|w| {
                    w.field_object("web", |w| {
                        w.field_opt_str("uri", citation.url.as_deref());
                        w.field_opt_str("title", citation.title.as_deref());
                    });
                });
            }
        });
        w.field_array("groundingSupports", |w| {
            for (at, (citation, text)) in cited.clone().enumerate() {
                w.object(|w| {
                    w.field_object("segment", |w| segment(w, citation, text));
                    w.field_array("groundingChunkIndices", |w| w.number(at as u64));
                });
            }
        });
    });
}

fn segment(w: &mut JsonWriter<'_>, citation: &Citation<'_>, text: &str) {
    let byte_at = |character: u64| {
        let nth = usize::try_from(character).ok()?;
        text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(nth)
    };
    if let Some((from, to)) = citation.span
        && let (Some(from), Some(to)) = (byte_at(from), byte_at(to))
    {
        w.field_u64("startIndex", from as u64);
        w.field_u64("endIndex", to as u64);
    }
    w.field_opt_str("text", citation.quote.as_deref());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_characters_only_between_characters() {
        assert_eq!(characters("aé😀b", (1, 7)), Some((1, 3)));
        assert_eq!(characters("aé😀b", (0, 8)), Some((0, 4)));
        assert_eq!(characters("aé😀b", (2, 7)), None);
        assert_eq!(characters("ab", (0, 3)), None);
    }
}
