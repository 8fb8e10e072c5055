//! Where a statement comes from: a document given with the request, or a tool's answer.

use crate::chat::{Block, BlockKind, Citation, Raw};
use crate::framing::json::{JsonWriter, Node};
use crate::types::Protocol;

use super::content_in::words;

/// Reads one citation. `offset`: characters of the answer before the text it is counted in.
pub(super) fn read<'a>(node: &Node<'a>, offset: u64) -> Option<Citation<'a>> {
    if !node.is_object() {
        return None;
    }
    let source = node.get("sources").and_then(|sources| sources.items().first());
    let document = source.and_then(|source| source.get("document").or_else(|| source.get("tool_output")));
    let field = |key: &str| document.and_then(|document| words(document, key));
    // A citation of the plan or of thinking says nothing about the answer's text.
    let is_of_text = node.get("type").is_none_or(|kind| kind.is("TEXT_CONTENT"));
    let bound = |key: &str| node.get(key).and_then(Node::as_u64);
    let span = match (bound("start"), bound("end")) {
        (Some(from), Some(to)) if is_of_text && from <= to => {
            Some((from.saturating_add(offset), to.saturating_add(offset)))
        }
        _ => None,
    };
    Some(Citation {
        url: field("url"),
        title: field("title"),
        quote: field("snippet").or_else(|| field("text")).or_else(|| field("content")),
        span,
        of: Protocol::Cohere,
        json: Raw::of(node),
    })
}

/// Gives a message's citations to the texts they are about. False where there is no text.
pub(super) fn attach<'a>(message: &Node<'a>, blocks: &mut [Block<'a>]) -> bool {
    let parts = message.get("content").map(Node::items).unwrap_or_default();
    let cited = message.get("citations").map(Node::items).unwrap_or_default();
    for node in cited {
        let index = node.get("content_index").and_then(Node::as_u64).unwrap_or(0);
        let before = parts.iter().take(usize::try_from(index).unwrap_or(usize::MAX));
        let wanted = before.filter(|part| part.get("text").is_some()).count();
        let texts = blocks.iter().filter_map(Block::as_text);
        let number = if wanted < texts.clone().count() { wanted } else { 0 };
        let offset = texts.take(number).map(|text| text.chars().count() as u64).sum();
        let mut texts = blocks.iter_mut().filter_map(|block| match &mut block.kind {
            BlockKind::Text { citations, .. } => Some(citations),
            _ => None,
        });
        let Some(citations) = texts.nth(number) else { return false };
        citations.extend(read(node, offset));
    }
    true
}

/// The text a citation stands at.
pub(super) struct Place<'t> {
    /// Its characters within the answer's text.
    pub(super) span: (u64, u64),
    /// Its number among the parts of the content.
    pub(super) index: u64,
    /// As much of it as is known.
    pub(super) text: &'t str,
}

/// Writes one citation; Cohere counts within the part.
pub(super) fn write(cited: &Citation<'_>, place: &Place<'_>, w: &mut JsonWriter<'_>) {
    if cited.of == Protocol::Cohere {
        return w.raw(cited.json.as_str());
    }
    let (from, to) = cited.span.unwrap_or(place.span);
    let (from, to) = (from.saturating_sub(place.span.0), to.saturating_sub(place.span.0));
    w.object(|w| {
        w.field_u64("start", from);
        w.field_u64("end", to);
        w.field_str("text", characters(place.text, from, to.saturating_sub(from)));
        w.field_array("sources", |w| {
            w.object(|w| {
                w.field_str("type", "document");
                w.field_str("id", cited.url.as_deref().or(cited.title.as_deref()).unwrap_or("doc"));
                w.field_object("document", |w| {
                    w.field_opt_str("title", cited.title.as_deref());
                    w.field_opt_str("url", cited.url.as_deref());
                    w.field_opt_str("snippet", cited.quote.as_deref());
                });
            });
        });
        w.field_u64("content_index", place.index);
        w.field_str("type", "TEXT_CONTENT");
    });
}

/// `take` characters of `text` behind the first `skip`.
fn characters(text: &str, skip: u64, take: u64) -> &str {
    let mut starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let nth = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let from = starts.nth(nth(skip)).unwrap_or(text.len());
    let rest = text.get(from..).unwrap_or_default();
    let end = rest.char_indices().nth(nth(take)).map_or(rest.len(), |(at, _)| at);
    rest.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_counted_not_bytes() {
        assert_eq!(characters("aé世b", 1, 2), "é世");
        assert_eq!(characters("aé世b", 3, 9), "b");
        assert_eq!(characters("aé", 5, 1), "");
    }
}
