//! Requests of Bedrock's agent runtime.

use super::super::fields::{self, number, text};
use super::{Document, Request, Shape};
use crate::chat::{At, Losses, Refused, Text};
use crate::dialect::codec::Called;
use crate::framing::json::{JsonWriter, Node};

pub(super) fn decode_request<'a>(root: &Node<'a>, called: Called<'_>) -> Result<Request<'a>, Refused> {
    let config =
        root.get("rerankingConfiguration").and_then(|outer| outer.get("bedrockRerankingConfiguration"));
    let Some(config) = config else {
        return Err(Refused::new(At::of(root), "`bedrockRerankingConfiguration` is missing"));
    };
    let arn = config.get("modelConfiguration").map(|inner| text(inner, "modelArn")).transpose()?.flatten();
    let model = match (called.model, arn) {
        (Some(model), _) => Text::Owned(model.to_owned()),
        (None, Some(arn)) => arn,
        (None, None) => return Err(Refused::new(At::of(config), "`modelArn` is missing")),
    };
    let queries = root.get("queries").map(Node::items).unwrap_or_default();
    let query = match queries {
        [only] => only.get("textQuery").and_then(|query| query.text_of("text")),
        _ => None,
    };
    let sources = root.get("sources").map(Node::items).unwrap_or_default();
    Ok(Request {
        from: Shape::Bedrock,
        model,
        query: query
            .ok_or_else(|| Refused::new(At::of(root), "`queries` must hold one query with a text"))?,
        documents: sources.iter().map(document).collect::<Result<_, _>>()?,
        top: number(config, "numberOfResults")?,
        returns_documents: None,
        extra: fields::rest(root, &["queries", "sources", "rerankingConfiguration"]),
    })
}

fn document<'a>(node: &Node<'a>) -> Result<Document<'a>, Refused> {
    let at = At::of(node);
    let inline = node.get("inlineDocumentSource");
    if let Some(text) = inline.and_then(|inline| inline.get("textDocument")?.text_of("text")) {
        return Ok(Document { at, text, is_json: false });
    }
    match inline.and_then(|inline| inline.get("jsonDocument")) {
        Some(json) => Ok(Document { at, text: Text::Borrowed(json.raw()), is_json: true }),
        None => Err(Refused::new(at, "a source must have a `textDocument` or a `jsonDocument`")),
    }
}

pub(super) fn encode_request(
    request: &Request<'_>,
    model: &str,
    losses: &mut Losses,
    w: &mut JsonWriter<'_>,
) {
    w.object(|w| {
        w.field_array("queries", |w| {
            w.object(|w| {
                w.field_str("type", "TEXT");
                w.field_object("textQuery", |w| w.field_str("text", &request.query));
            });
        });
        w.field_array("sources", |w| request.documents.iter().for_each(|document| source(document, w)));
        w.field_object("rerankingConfiguration", |w| {
            w.field_str("type", "BEDROCK_RERANKING_MODEL");
            w.field_object("bedrockRerankingConfiguration", |w| {
                w.field_object("modelConfiguration", |w| w.field_str("modelArn", model));
                if let Some(top) = request.top {
                    w.field_u64("numberOfResults", top);
                }
            });
        });
        request.write_extra(Shape::Bedrock, losses, w);
    });
}

fn source(document: &Document<'_>, w: &mut JsonWriter<'_>) {
    w.object(|w| {
        w.field_str("type", "INLINE");
        w.field_object("inlineDocumentSource", |w| {
            if document.is_json {
                w.field_str("type", "JSON");
                w.field_raw("jsonDocument", &document.text);
            } else {
                w.field_str("type", "TEXT");
                w.field_object("textDocument", |w| w.field_str("text", &document.text));
            }
        });
    });
}
