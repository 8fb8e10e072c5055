//! What a vendor refuses, refused here too: for tests that ask whether a request would have passed.
//!
//! Not a validator: only the refusals that a translation is likely to run into. Each is the vendor's
//! documented rule; messages are close to the vendor's own. Off unless `x-sim-strict` or a
//! scenario's `strict` says so.

mod anthropic;
mod bedrock;
mod gemini;
mod hosted;
mod openai;
mod schema;
mod small;
#[cfg(test)]
mod tests;
mod vectors;

use serde_json::{Map, Value};

use super::embeddings;
use super::request::Head;
use super::route::{Route, is_claude};

/// The message of a refusal with 400; `None`: the vendor would take it.
pub fn refused(route: Route<'_>, model: &str, head: &Head, body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    match route {
        Route::Chat => openai::chat(model, &body),
        Route::Responses => openai::responses(&body),
        Route::Messages if head.path().contains("/projects/") => hosted::vertex(model, head, &body),
        Route::InvokeStream => hosted::bedrock(model, head, &body),
        Route::Invoke if is_claude(model) => hosted::bedrock(model, head, &body),
        Route::CountTokens if head.path().contains("/projects/") => hosted::vertex_count(&body),
        Route::BedrockCount => hosted::bedrock_count(&body),
        Route::Messages => anthropic::messages(model, head.header("anthropic-beta").as_deref(), &body),
        Route::Gemini(_, "generateContent" | "streamGenerateContent") => gemini::generate(model, &body),
        Route::Converse | Route::ConverseStream => bedrock::converse(&body),
        Route::CohereChat => small::cohere(&body),
        Route::OllamaChat => small::ollama(&body),
        Route::Embeddings => vectors::openai(embeddings::is_voyage(model), &body),
        Route::Gemini(_, "embedContent" | "batchEmbedContents") => vectors::gemini(model, &body),
        Route::Gemini(_, "predict") => vectors::vertex(model, &body),
        Route::CohereEmbed => vectors::cohere(&body),
        Route::OllamaEmbed => vectors::ollama(&body),
        Route::Invoke => vectors::invoke(model, &body),
        Route::Rerank => {
            let is_cohere = head.path().starts_with("/v2/");
            vectors::rerank(is_cohere, embeddings::is_voyage(model), &body)
        }
        _ => None,
    }
}

/// The list at a field; empty where there is none.
fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn is_set(value: &Value, name: &str) -> bool {
    value.get(name).is_some_and(|value| !value.is_null())
}

/// The first field outside `known`.
fn unknown<'a>(object: &'a Value, known: &[&str]) -> Option<&'a str> {
    let fields: &Map<String, Value> = object.as_object()?;
    fields.keys().map(String::as_str).find(|name| !known.contains(name))
}

/// The first of `wanted` that is not among `given`.
fn missing<'a>(wanted: &[&'a str], given: &[&str]) -> Option<&'a str> {
    wanted.iter().find(|id| !given.contains(id)).copied()
}
