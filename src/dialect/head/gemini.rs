//! Heads of Gemini's bodies. The model and the wish to stream are in the URL; a model in the body
//! only repeats it, and is found so that it can be made to repeat the upstream's.
//!
//! Invariant: every `model` that the API gives a meaning to is either found here or refused.

use super::error::{HeadError, HeadErrorKind};
use super::fields::{Fields, names};
use super::value::Value;
use super::{BodyForm, PromptSpans, RequestHead, model};
use crate::types::Endpoint;

/// Requests in one batch.
const REQUESTS_MAX: usize = 1024;

names!(Known {
    Model = "model",
    Config = "generationConfig",
    ConfigSnake = "generation_config",
    Inner = "generateContentRequest",
    InnerSnake = "generate_content_request",
    Requests = "requests",
    Instances = "instances",
    System = "systemInstruction",
    SystemSnake = "system_instruction",
    // Read by others (counting, guarding): they too may stand only once.
    Contents = "contents",
    Content = "content",
    Tools = "tools",
});

names!(Config in "generationConfig." {
    MaxOutput = "maxOutputTokens",
    MaxOutputSnake = "max_output_tokens",
    Candidates = "candidateCount",
    CandidatesSnake = "candidate_count",
});

pub(super) fn parse(endpoint: Endpoint, text: &str) -> Result<RequestHead, HeadError> {
    let fields = Fields::<Known>::read(text)?;
    let mut head = RequestHead::new(endpoint, BodyForm::Json);
    head.stream = endpoint == Endpoint::StreamGenerateContent;
    head.insert_at = super::opening_brace_end(text);
    head.is_empty_object = fields.is_empty;
    head.model = fields.get(Known::Model).map(|value| model(value, "model")).transpose()?;
    read_request(&fields, &mut head)?;
    let system = fields.either(Known::System, Known::SystemSnake)?;
    head.prompt = PromptSpans::of([fields.get(Known::Tools), system, fields.get(Known::Contents)]);
    if let Some(value) = fields.either(Known::Inner, Known::InnerSnake)? {
        read_inner(value, "generateContentRequest", &mut head)?;
    }
    if let Some(value) = fields.get(Known::Requests).filter(|value| !value.is_null()) {
        if !value.is_array() {
            return Err(value.error(HeadErrorKind::WrongType("requests")));
        }
        let too_many = || value.error(HeadErrorKind::TooMany("requests"));
        for request in value.elements(REQUESTS_MAX).ok_or_else(too_many)? {
            read_inner(request, "requests", &mut head)?;
        }
    }
    Ok(head)
}

/// What one request says, at the top of a body or inside it.
fn read_request(fields: &Fields<'_, Known>, head: &mut RequestHead) -> Result<(), HeadError> {
    fields.either(Known::System, Known::SystemSnake)?;
    let config = fields.either(Known::Config, Known::ConfigSnake)?;
    let Some(config) = config.filter(|value| !value.is_null()) else { return Ok(()) };
    if !config.is_object() {
        return Err(config.error(HeadErrorKind::WrongType("generationConfig")));
    }
    let config = Fields::<Config>::inside(config)?;
    let max_output = config.either(Config::MaxOutput, Config::MaxOutputSnake)?;
    head.max_output = head.max_output.max(max_output.and_then(|value| value.number()));
    let candidates = config.either(Config::Candidates, Config::CandidatesSnake)?;
    head.n = candidates.and_then(|value| value.number()).unwrap_or(1).max(head.n);
    Ok(())
}

/// A request inside the body, and the model it names.
fn read_inner(value: Value<'_>, field: &'static str, head: &mut RequestHead) -> Result<(), HeadError> {
    if !value.is_object() {
        return Err(value.error(HeadErrorKind::WrongType(field)));
    }
    let fields = Fields::<Known>::inside(value)?;
    if let Some(name) = fields.get(Known::Model) {
        head.inner_models.push(model(name, "model")?);
    }
    read_request(&fields, head)
}
