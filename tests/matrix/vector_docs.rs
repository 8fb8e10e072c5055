//! The tables of embeddings and rerank in `docs/translation.md` are what the codecs do: each request
//! is written for every provider's shape, and what becomes of it is the table's cell.

use super::docs::section;
use std::fmt::Write;
use tidegate::chat::{Losses, Refused};
use tidegate::dialect::codec::Called;
use tidegate::dialect::codec::embed::{self, rerank};
use tidegate::framing::json::{Duplicates, parse};

const CALLED: Called<'_> = Called { model: Some("m"), is_stream: Some(false) };

/// What is asked for, by whom, in a request that asks for nothing else.
const EMBED: [(&str, embed::Shape, &str); 14] = [
    ("several texts", embed::Shape::OpenAi, r#"{"input":["a","b"]}"#),
    ("lists of tokens", embed::Shape::OpenAi, r#"{"input":[[1,2],[3]]}"#),
    ("an image, base64", embed::Shape::Cohere, r#"{"images":["data:image/png;base64,iVBO"]}"#),
    ("an image, URL", embed::Shape::Cohere, r#"{"images":["https://a.example/b.png"]}"#),
    ("`dimensions`", embed::Shape::OpenAi, r#"{"input":"a","dimensions":256}"#),
    ("base64 of floats", embed::Shape::OpenAi, r#"{"input":"a","encoding_format":"base64"}"#),
    ("whole or binary numbers", embed::Shape::Voyage, r#"{"input":"a","output_dtype":"int8"}"#),
    (
        "purpose: query, document",
        embed::Shape::GeminiOne,
        r#"{"content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY"}"#,
    ),
    (
        "purpose: classification, clustering",
        embed::Shape::GeminiOne,
        r#"{"content":{"parts":[{"text":"a"}]},"taskType":"CLUSTERING"}"#,
    ),
    (
        "purpose: similarity",
        embed::Shape::GeminiOne,
        r#"{"content":{"parts":[{"text":"a"}]},"taskType":"SEMANTIC_SIMILARITY"}"#,
    ),
    ("title of a document", embed::Shape::GeminiOne, r#"{"content":{"parts":[{"text":"a"}]},"title":"t"}"#),
    ("never truncated", embed::Shape::Voyage, r#"{"input":"a","truncation":false}"#),
    (
        "truncated at the start",
        embed::Shape::BedrockCohere,
        r#"{"texts":["a"],"input_type":"search_document","truncate":"START"}"#,
    ),
    ("`user`", embed::Shape::OpenAi, r#"{"input":"a","user":"u"}"#),
];
const EMBED_TO: [embed::Shape; 8] = [
    embed::Shape::OpenAi,
    embed::Shape::Voyage,
    embed::Shape::GeminiMany,
    embed::Shape::Cohere,
    embed::Shape::Ollama,
    embed::Shape::BedrockTitan,
    embed::Shape::BedrockCohere,
    embed::Shape::VertexPredict,
];
const RERANK: [(&str, rerank::Shape, &str); 4] = [
    ("how many results", rerank::Shape::Cohere, r#"{"query":"q","documents":["a"],"top_n":1}"#),
    (
        "documents in the answer",
        rerank::Shape::Jina,
        r#"{"query":"q","documents":["a"],"return_documents":true}"#,
    ),
    (
        "documents of several fields",
        rerank::Shape::Jina,
        r#"{"query":"q","documents":[{"title":"t","text":"a"}]}"#,
    ),
    ("another vendor's field", rerank::Shape::Voyage, r#"{"query":"q","documents":["a"],"truncation":true}"#),
];
const RERANK_TO: [rerank::Shape; 4] =
    [rerank::Shape::Jina, rerank::Shape::Voyage, rerank::Shape::Cohere, rerank::Shape::BedrockCohere];

fn cell(written: Result<(), Refused>, losses: &Losses) -> String {
    match written {
        Err(refused) => format!("**refused**: {}", refused.message),
        Ok(()) if losses.is_empty() => "kept".to_owned(),
        Ok(()) => "**dropped**".to_owned(),
    }
}

fn embed_cell(from: embed::Shape, json: &str, to: embed::Shape) -> String {
    let root = parse(json, Duplicates::Refuse).unwrap();
    let request = embed::decode_request(&root, from, CALLED).unwrap();
    let (mut losses, mut out) = (Losses::default(), Vec::new());
    let mut parts = request.parts(to.inputs_max()).into_iter();
    let written = parts.try_for_each(|part| embed::encode_request(&part, to, "m", &mut losses, &mut out));
    cell(written, &losses)
}

fn rerank_cell(from: rerank::Shape, json: &str, to: rerank::Shape) -> String {
    let root = parse(json, Duplicates::Refuse).unwrap();
    let request = rerank::decode_request(&root, from, CALLED).unwrap();
    let (mut losses, mut out) = (Losses::default(), Vec::new());
    cell(rerank::encode_request(&request, to, "m", &mut losses, &mut out), &losses)
}

fn head(table: &mut String, names: impl Iterator<Item = &'static str>) {
    let names: Vec<&str> = names.collect();
    writeln!(table, "| to | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len())).unwrap();
}

fn embed_table() -> String {
    let mut table = String::new();
    let name =
        |shape: embed::Shape| if shape == embed::Shape::GeminiMany { "gemini" } else { shape.as_str() };
    head(&mut table, EMBED_TO.into_iter().map(name));
    let limit = |to: embed::Shape| match to.inputs_max() {
        usize::MAX => "any".to_owned(),
        most => most.to_string(),
    };
    writeln!(table, "| inputs a call | {} |", EMBED_TO.map(limit).join(" | ")).unwrap();
    for (what, from, json) in EMBED {
        writeln!(table, "| {what} | {} |", EMBED_TO.map(|to| embed_cell(from, json, to)).join(" | "))
            .unwrap();
    }
    table
}

fn rerank_table() -> String {
    let mut table = String::new();
    head(&mut table, RERANK_TO.into_iter().map(rerank::Shape::as_str));
    for (what, from, json) in RERANK {
        writeln!(table, "| {what} | {} |", RERANK_TO.map(|to| rerank_cell(from, json, to)).join(" | "))
            .unwrap();
    }
    table
}

#[test]
fn the_documented_losses_of_embeddings_and_rerank_are_what_the_codecs_do() {
    section("embed losses", &embed_table());
    section("rerank losses", &rerank_table());
}
