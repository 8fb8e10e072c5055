//! A ranking, both ways.

use super::{Shape, Wanted};
use crate::chat::{Raw, Text};
use crate::framing::json::{JsonWriter, Node};

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    pub from: Shape,
    /// Empty where the provider gives none.
    pub id: Text<'a>,
    /// The model in the provider's words; empty where it does not say.
    pub model: Text<'a>,
    /// Best first, as the provider ordered them.
    pub results: Vec<Ranked<'a>>,
    pub tokens: Option<u64>,
    /// What Cohere bills: one a query of up to a hundred documents.
    pub search_units: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranked<'a> {
    /// The document's place in the request.
    pub index: u64,
    /// The score's digits as written.
    pub score: Raw<'a>,
    pub document: Option<Text<'a>>,
}

const TOKENS_MAX: u64 = 1 << 40;

pub(super) fn read<'a>(root: &Node<'a>, shape: Shape) -> Option<Response<'a>> {
    let list = root.get("results").or_else(|| root.get("data")).filter(|list| list.is_array())?;
    let count = |node: Option<&Node<'_>>| node.and_then(Node::as_u64).filter(|count| *count <= TOKENS_MAX);
    let usage = root.get("usage");
    let meta = root.get("meta");
    let billed = |key: &str| count(meta.and_then(|meta| meta.get("billed_units")?.get(key)));
    Some(Response {
        from: shape,
        id: root.text_of("id").unwrap_or_default(),
        model: root.text_of("model").unwrap_or_default(),
        results: list.items().iter().map(ranked).collect::<Option<_>>()?,
        tokens: count(usage.and_then(|usage| usage.get("total_tokens"))).or_else(|| billed("input_tokens")),
        search_units: billed("search_units"),
    })
}

fn ranked<'a>(node: &Node<'a>) -> Option<Ranked<'a>> {
    let score = ["relevance_score", "relevanceScore", "score"].iter().find_map(|key| node.get(key))?;
    let document = node.get("document");
    let text = document.and_then(|document| {
        let inner = document.get("textDocument").unwrap_or(document);
        inner.text().or_else(|| inner.text_of("text"))
    });
    score.is_number().then_some(())?;
    Some(Ranked { index: node.get("index")?.as_u64()?, score: Raw::of(score), document: text })
}

pub(super) fn write(response: &Response<'_>, shape: Shape, wanted: &Wanted, w: &mut JsonWriter<'_>) {
    let id = if response.id.is_empty() { wanted.token.as_str() } else { &response.id };
    let model = if response.model.is_empty() { wanted.model.as_str() } else { &response.model };
    w.object(|w| match shape {
        Shape::Cohere | Shape::BedrockCohere => {
            w.field_str("id", id);
            results("results", response, shape, wanted, w);
            w.field_object("meta", |w| {
                w.field_object("api_version", |w| w.field_str("version", "2"));
                w.field_object("billed_units", |w| match (response.search_units, response.tokens) {
                    (Some(units), _) => w.field_u64("search_units", units),
                    (None, Some(tokens)) => w.field_u64("input_tokens", tokens),
                    (None, None) => {}
                });
            });
        }
        Shape::Jina => {
            w.field_str("id", id);
            w.field_str("model", model);
            results("results", response, shape, wanted, w);
            usage(response, w);
        }
        Shape::Voyage => {
            w.field_str("object", "list");
            results("data", response, shape, wanted, w);
            w.field_str("model", model);
            usage(response, w);
        }
        Shape::Bedrock => results("results", response, shape, wanted, w),
    });
}

fn usage(response: &Response<'_>, w: &mut JsonWriter<'_>) {
    if let Some(tokens) = response.tokens {
        w.field_object("usage", |w| w.field_u64("total_tokens", tokens));
    }
}

fn results(key: &str, response: &Response<'_>, shape: Shape, wanted: &Wanted, w: &mut JsonWriter<'_>) {
    w.field_array(key, |w| {
        for ranked in &response.results {
            let sent = usize::try_from(ranked.index).ok().and_then(|index| wanted.documents.get(index));
            let document = sent.map(String::as_str).or(ranked.document.as_deref());
            w.object(|w| {
                w.field_u64("index", ranked.index);
                let name = if shape == Shape::Bedrock { "relevanceScore" } else { "relevance_score" };
                w.field_raw(name, ranked.score.as_str());
                match (shape, document) {
                    (Shape::Voyage, Some(text)) => w.field_str("document", text),
                    (Shape::Bedrock, Some(text)) => w.field_object("document", |w| {
                        w.field_str("type", "TEXT");
                        w.field_object("textDocument", |w| w.field_str("text", text));
                    }),
                    (_, Some(text)) => w.field_object("document", |w| w.field_str("text", text)),
                    (_, None) => {}
                }
            });
        }
    });
}
