//! Requests of one query and a list of documents: Cohere, Jina, Voyage.

use super::super::fields::{self, flag, number, text, wrong};
use super::{Document, Request, Shape};
use crate::chat::{At, Losses, Refused, Text};
use crate::dialect::codec::Called;
use crate::framing::json::{JsonWriter, Node};

pub(super) fn decode_request<'a>(
    root: &Node<'a>,
    shape: Shape,
    called: Called<'_>,
) -> Result<Request<'a>, Refused> {
    let top = if shape == Shape::Voyage { "top_k" } else { "top_n" };
    let missing = |key: &str| Refused::new(At::of(root), format!("`{key}` is missing"));
    let list = root.get("documents").ok_or_else(|| missing("documents"))?;
    if !list.is_array() {
        return Err(wrong(list, "documents", "a list"));
    }
    let mut known = vec!["model", "query", "documents", "return_documents", top];
    if shape == Shape::BedrockCohere {
        known.push("api_version");
    }
    Ok(Request {
        from: shape,
        model: fields::model(root, called)?,
        query: text(root, "query")?.ok_or_else(|| missing("query"))?,
        documents: list.items().iter().map(document).collect::<Result<_, _>>()?,
        top: number(root, top)?,
        returns_documents: flag(root, "return_documents")?,
        extra: fields::rest(root, &known),
    })
}

/// A string, an object of nothing but a text, or any object.
fn document<'a>(node: &Node<'a>) -> Result<Document<'a>, Refused> {
    let at = At::of(node);
    let only = match node.entries() {
        [(key, value)] if key == "text" => value.text(),
        _ => node.text(),
    };
    match only {
        Some(text) => Ok(Document { at, text, is_json: false }),
        None if node.is_object() => Ok(Document { at, text: Text::Borrowed(node.raw()), is_json: true }),
        None => Err(wrong(node, "documents", "made of strings or objects")),
    }
}

pub(super) fn encode_request(
    request: &Request<'_>,
    shape: Shape,
    model: &str,
    losses: &mut Losses,
    w: &mut JsonWriter<'_>,
) {
    w.object(|w| {
        if shape == Shape::BedrockCohere {
            w.field_u64("api_version", 2);
        } else {
            w.field_str("model", model);
        }
        w.field_str("query", &request.query);
        w.field_array("documents", |w| {
            for document in &request.documents {
                // Jina reads objects; the others take the JSON as a text, as they ask for it.
                match document.is_json && shape == Shape::Jina {
                    true => w.raw(&document.text),
                    false => w.string(&document.text),
                }
            }
        });
        if let Some(top) = request.top {
            w.field_u64(if shape == Shape::Voyage { "top_k" } else { "top_n" }, top);
        }
        if let Some(returns) =
            request.returns_documents.filter(|_| matches!(shape, Shape::Jina | Shape::Voyage))
        {
            w.field_bool("return_documents", returns);
        }
        request.write_extra(shape, losses, w);
    });
}
