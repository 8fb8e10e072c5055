//! JSON schemas cut to what a vendor takes.
//!
//! Every vendor has a subset of its own and answers 400 to the rest. Not here: validation of values,
//! or of schemas. Invariants: the source is never changed, and given back as it is where nothing had
//! to change; what a subset has no word for is named in [`Adapted::lost`] unless it only annotates;
//! what cannot be said at all is refused with its path within the schema.

mod adapter;
mod json_style;
mod merge;
mod openapi_in;
mod openapi_out;
mod rules;
mod tree;

#[cfg(test)]
mod tests;

use crate::chat::{At, Refused};
use crate::framing::json::{Duplicates, parse};
use adapter::Adapter;
use std::borrow::Cow;

pub use openapi_in::from_openapi;

/// Whose subset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subset {
    /// Gemini's `parameters` and `responseSchema`: OpenAPI 3.0, upper-case types, no references.
    GeminiOpenApi,
    /// Gemini's `parametersJsonSchema` and `responseJsonSchema`.
    GeminiJson,
    /// OpenAI with `strict`: objects closed, every property required.
    OpenAiStrict,
    /// Anthropic's `output_config.format` and strict tools: objects closed, no recursion.
    AnthropicStrict,
    /// Bedrock's `outputConfig.textFormat` and strict tools: the same at this time.
    BedrockStrict,
    /// Tools that are not strict, of anybody who takes JSON Schema: the root is an object and no
    /// choice between several, what is below it may be anything.
    Tool,
}

/// What the schema is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A function's parameters: an object, whoever serves it.
    Parameters,
    /// The form of an answer.
    Output,
}

/// A schema a vendor takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapted<'s> {
    /// Borrowed where nothing had to change.
    pub json: Cow<'s, str>,
    /// Constraints that were left out, by path within the schema (`properties.age.multipleOf`), at
    /// most 32. Answers may break them.
    pub lost: Vec<String>,
    /// An object without a single property: functions without parameters, which some vendors want
    /// told by leaving the schema out.
    pub is_empty: bool,
}

/// Cuts `schema` to `subset`.
///
/// # Errors
/// [`Refused`] at `at`, with the path within the schema: for what is no schema, for a
/// reference to nowhere, for recursion where the subset has none, for a root that must be an object
/// and cannot be made one.
pub fn adapt(schema: &str, at: At, subset: Subset, place: Place) -> Result<Adapted<'_>, Refused> {
    let root = parse(schema, Duplicates::LastCounts)
        .map_err(|e| Refused::new(at, format!("the schema is no JSON: {e}")).in_schema(String::new()))?;
    Adapter::new(&root, at, subset, place).run(schema)
}
