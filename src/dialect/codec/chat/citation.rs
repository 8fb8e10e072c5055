//! Where a statement comes from: `annotations`, and the lists Perplexity puts beside the choices.

use crate::chat::{Block, BlockKind, Citation, Raw};
use crate::framing::json::{Duplicates, JsonWriter, Node, parse};
use crate::types::Protocol;

/// Reads one element of `annotations`. None for what cites nothing.
pub(super) fn read<'a>(node: &Node<'a>) -> Option<Citation<'a>> {
    let inner = node.get("url_citation").unwrap_or(node);
    let url = inner.text_of("url");
    url.as_ref()?;
    let place = |key: &str| inner.get(key).and_then(Node::as_u64);
    let span = place("start_index").zip(place("end_index")).filter(|(from, to)| from < to);
    Some(Citation {
        url,
        title: inner.text_of("title").filter(|title| !title.is_empty()),
        quote: inner.text_of("content").filter(|quote| !quote.is_empty()),
        span,
        of: Protocol::Chat,
        json: Raw::of(node),
    })
}

/// Perplexity's lists: `search_results` of objects, or `citations` of bare URLs.
pub(super) fn list<'n, 'a>(root: &'n Node<'a>) -> &'n [Node<'a>] {
    let results = root.get("search_results").map(Node::items).unwrap_or_default();
    if results.is_empty() { root.get("citations").map(Node::items).unwrap_or_default() } else { results }
}

/// One element of such a list.
pub(super) fn of_list<'a>(node: &Node<'a>) -> Option<Citation<'a>> {
    let url = node.text().or_else(|| node.text_of("url"))?;
    Some(Citation {
        url: Some(url),
        title: node.text_of("title"),
        quote: node.text_of("snippet"),
        span: None,
        of: Protocol::Chat,
        json: Raw::of(node),
    })
}

/// Writes one element of `annotations`. `span` where the citation itself does not say: the words of
/// its block, in characters of the whole text.
pub(super) fn write(citation: &Citation<'_>, span: (u64, u64), w: &mut JsonWriter<'_>) {
    if is_annotation(citation) {
        return w.raw(citation.json.as_str());
    }
    let (from, to) = citation.span.unwrap_or(span);
    w.object(|w| {
        w.field_str("type", "url_citation");
        w.field_object("url_citation", |w| {
            w.field_u64("start_index", from);
            w.field_u64("end_index", to);
            w.field_str("url", citation.url.as_deref().unwrap_or_default());
            w.field_str("title", citation.title.as_deref().unwrap_or_default());
            w.field_opt_str("content", citation.quote.as_deref());
        });
    });
}

/// Whether it is an annotation as it stands.
fn is_annotation(citation: &Citation<'_>) -> bool {
    citation.of == Protocol::Chat
        && parse(citation.json.as_str(), Duplicates::LastCounts)
            .is_ok_and(|node| node.get("url_citation").is_some())
}

/// Adds what was cited to the last text of an answer. False where there is none.
pub(super) fn attach<'a>(blocks: &mut [Block<'a>], cited: Vec<Citation<'a>>) -> bool {
    let last = blocks.iter_mut().rev().find_map(|block| match &mut block.kind {
        BlockKind::Text { citations, .. } => Some(citations),
        _ => None,
    });
    let Some(citations) = last else { return cited.is_empty() };
    citations.extend(cited);
    true
}
