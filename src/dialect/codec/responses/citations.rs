//! Annotations of a text.

use crate::chat::{Citation, Raw};
use crate::framing::json::{JsonWriter, Node};
use crate::types::Protocol;

/// Those of an `output_text` part.
pub(super) fn read<'a>(part: &Node<'a>) -> Vec<Citation<'a>> {
    let annotations = part.get("annotations").map(Node::items).unwrap_or_default();
    annotations.iter().filter(|node| node.is_object()).map(one).collect()
}

/// `url_citation{url,title,start_index,end_index}`, `file_citation{file_id,filename,index}`,
/// `container_file_citation`, `file_path`; OpenRouter and xAI leave indexes or the title out.
pub(super) fn one<'a>(node: &Node<'a>) -> Citation<'a> {
    let place = |key: &str| node.get(key).and_then(Node::as_u64);
    Citation {
        url: node.text_of("url"),
        title: node.text_of("title").or_else(|| node.text_of("filename")),
        quote: None,
        span: place("start_index").zip(place("end_index")),
        of: Protocol::Responses,
        json: Raw::of(node),
    }
}

/// Writes the elements of `annotations`; citations that name no URL have no form here.
pub(super) fn write(w: &mut JsonWriter<'_>, citations: &[Citation<'_>]) {
    for citation in citations {
        write_one(w, citation);
    }
}

/// Whether it was written.
pub(super) fn write_one(w: &mut JsonWriter<'_>, citation: &Citation<'_>) -> bool {
    if citation.of == Protocol::Responses {
        w.raw(citation.json.as_str());
        return true;
    }
    let Some(url) = &citation.url else { return false };
    let (from, to) = citation.span.unwrap_or_default();
    w.object(|w| {
        w.field_str("type", "url_citation");
        w.field_str("url", url);
        w.field_str("title", citation.title.as_deref().unwrap_or_default());
        w.field_u64("start_index", from);
        w.field_u64("end_index", to);
    });
    true
}
