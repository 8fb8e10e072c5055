//! The model list, answered here: in OpenAI's, Anthropic's or Gemini's shape.
//!
//! Not here: which models a key may use; the caller passes only those. Invariant: names are shown
//! in the order given and no name is shown that was not.

use std::borrow::Cow;

use serde::Serialize;

use super::paths::query;
use crate::types::{Dialect, Reason, Reject, utc};

#[cfg(test)]
mod tests;

/// A model as it is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelInfo<'a> {
    pub id: &'a str,
    /// Seconds since 1970.
    pub created: u64,
}

/// The shape of `/v1/models`, which three APIs share: the headers of the client decide.
pub fn shape(path: Dialect, has_anthropic_version: bool, has_goog_api_key: bool) -> Dialect {
    match path {
        Dialect::OpenAi if has_anthropic_version => Dialect::Anthropic,
        Dialect::OpenAi if has_goog_api_key => Dialect::Gemini,
        shape => shape,
    }
}

/// The list. Anthropic's is paged by `?limit&after_id&before_id` as its API is (20 unless told, at
/// most 1000); the others come whole, as OpenAI's does.
pub fn render_list(
    dialect: Dialect,
    models: &[ModelInfo<'_>],
    query: Option<&str>,
) -> Result<Vec<u8>, Reject> {
    Ok(match dialect {
        Dialect::OpenAi | Dialect::Bedrock | Dialect::Cohere | Dialect::Ollama => {
            to_json(&OpenAiList { object: "list", data: models.iter().map(OpenAiModel::new).collect() })
        }
        Dialect::Anthropic => to_json(&AnthropicList::page(models, query.unwrap_or_default())?),
        Dialect::Gemini => to_json(&GeminiList { models: models.iter().map(GeminiModel::new).collect() }),
    })
}

/// One model.
pub fn render_one(dialect: Dialect, model: &ModelInfo<'_>) -> Vec<u8> {
    match dialect {
        Dialect::OpenAi | Dialect::Bedrock | Dialect::Cohere | Dialect::Ollama => {
            to_json(&OpenAiModel::new(model))
        }
        Dialect::Anthropic => to_json(&AnthropicModel::new(model)),
        Dialect::Gemini => to_json(&GeminiModel::new(model)),
    }
}

/// The refusal of a name that is not among `names`, with up to three that are near it. `names` must
/// be those the key may use: the message shows them.
pub fn model_not_found<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Reject {
    let near = near_names(wanted, names, 3);
    let shown: String = wanted.chars().filter(|character| !character.is_control()).take(256).collect();
    let mut message = format!("the model `{shown}` does not exist or this key may not use it");
    if !near.is_empty() {
        let quoted: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
        message.push_str(&format!("; near it: {}", quoted.join(", ")));
    }
    Reject::new(Reason::ModelNotFound, message).with_param("model")
}

/// Names like `wanted`, the likest first: at most `max`, and none that is merely a name.
pub fn near_names<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>, max: usize) -> Vec<&'a str> {
    /// Below this, two names share no more than any two model names do.
    const LIKENESS_MIN: f64 = 0.8;
    let wanted = wanted.to_ascii_lowercase();
    let mut scored: Vec<(f64, &str)> = names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&wanted, &name.to_ascii_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .collect();
    scored.sort_by(|(a, first), (b, second)| b.total_cmp(a).then(first.cmp(second)));
    scored.truncate(max);
    scored.into_iter().map(|(_, name)| name).collect()
}

fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    // Structs of strings, numbers and lists cannot fail to be serialised.
    serde_json::to_vec(value).unwrap_or_else(|_| b"{}".to_vec())
}

#[derive(Serialize)]
struct OpenAiList<'a> {
    object: &'static str,
    data: Vec<OpenAiModel<'a>>,
}

#[derive(Serialize)]
struct OpenAiModel<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
}

impl<'a> OpenAiModel<'a> {
    fn new(model: &ModelInfo<'a>) -> Self {
        Self { id: model.id, object: "model", created: model.created, owned_by: "tidegate" }
    }
}

#[derive(Serialize)]
struct AnthropicList<'a> {
    data: Vec<AnthropicModel<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

#[derive(Serialize)]
struct AnthropicModel<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    display_name: &'a str,
    created_at: String,
}

impl<'a> AnthropicModel<'a> {
    fn new(model: &ModelInfo<'a>) -> Self {
        Self { kind: "model", id: model.id, display_name: model.id, created_at: utc::rfc3339(model.created) }
    }
}

impl<'a> AnthropicList<'a> {
    fn page(models: &[ModelInfo<'a>], query: &str) -> Result<Self, Reject> {
        let limit = limit(query)?;
        let place = |name: &'static str| -> Result<Option<usize>, Reject> {
            let Some(id) = query::value(query, name) else { return Ok(None) };
            let unknown =
                || Reject::new(Reason::InvalidRequest, format!("`{name}` names no model")).with_param(name);
            models.iter().position(|model| model.id == id).map(Some).ok_or_else(unknown)
        };
        let (after, before) = (place("after_id")?, place("before_id")?);
        let rest =
            models.get(after.map_or(0, |at| at + 1)..before.unwrap_or(models.len())).unwrap_or_default();
        let has_more = rest.len() > limit;
        // A page before a model is the one that ends at it.
        let skipped = if before.is_some() && after.is_none() { rest.len().saturating_sub(limit) } else { 0 };
        let page: Vec<&ModelInfo<'a>> = rest.iter().skip(skipped).take(limit).collect();
        let (first_id, last_id) = (page.first().map(|model| model.id), page.last().map(|model| model.id));
        let data = page.into_iter().map(AnthropicModel::new).collect();
        Ok(Self { data, has_more, first_id, last_id })
    }
}

/// Anthropic's page size.
fn limit(query: &str) -> Result<usize, Reject> {
    let Some(limit) = query::value(query, "limit") else { return Ok(20) };
    let wrong =
        || Reject::new(Reason::InvalidRequest, "`limit` must be a number from 1 to 1000").with_param("limit");
    limit.parse().ok().filter(|limit| (1..=1000).contains(limit)).ok_or_else(wrong)
}

#[derive(Serialize)]
struct GeminiList<'a> {
    models: Vec<GeminiModel<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GeminiModel<'a> {
    name: Cow<'a, str>,
    version: &'static str,
    display_name: &'a str,
    supported_generation_methods: [&'static str; 4],
}

impl<'a> GeminiModel<'a> {
    fn new(model: &ModelInfo<'a>) -> Self {
        Self {
            name: Cow::Owned(format!("models/{}", model.id)),
            version: "001",
            display_name: model.id,
            supported_generation_methods: [
                "generateContent",
                "streamGenerateContent",
                "countTokens",
                "embedContent",
            ],
        }
    }
}
