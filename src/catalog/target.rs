//! What an encoder must know of a model, out of the facts.

use super::{Model, Provider, Quirk, Tokenizer};
use crate::chat::{Target, ThinkingEcho, ThinkingStyle};

/// The target for `name` at `provider`. `model` is the row that was found for it; without one, what
/// most models take is assumed, and the provider's quirks still hold.
///
/// A fact nobody states is no refusal: sampling and schemas are then taken to be understood, and the
/// upstream's own error tells better than a guess of ours.
pub fn target(provider: &Provider, name: &str, model: Option<Model<'_>>) -> Target {
    let thinking = |model: Model<'_>| {
        let unsaid =
            if model.has_reasoning() == Some(false) { ThinkingStyle::None } else { ThinkingStyle::Effort };
        model.thinking().unwrap_or(unsaid)
    };
    let echo = model.and_then(|model| model.echo()).filter(|echo| *echo != ThinkingEcho::None);
    Target {
        takes_sampling: model.and_then(|model| model.has_sampling()).unwrap_or(true),
        output_max: model.and_then(|model| model.output_max()).map(u64::from),
        thinking: model.map_or(ThinkingStyle::Effort, thinking),
        efforts: model.map(|model| model.efforts().collect()).unwrap_or_default(),
        takes_no_effort: model.is_some_and(|model| model.has_no_effort()),
        takes_schema: model.and_then(|model| model.has_schema()).unwrap_or(true),
        has_completion_limit: provider.has(Quirk::CompletionLimit),
        has_developer_role: provider.has(Quirk::DeveloperRole),
        // A provider that has one slot for all its models reads only that one.
        echo: if provider.echo == ThinkingEcho::None {
            echo.unwrap_or(ThinkingEcho::None)
        } else {
            provider.echo
        },
        has_short_tool_ids: provider.has(Quirk::ShortToolIds),
        says_any: provider.has(Quirk::SaysAny),
        needs_signatures: model.is_some_and(|model| model.has_signatures()),
        // Gemini's models refuse them until the generation that signs its calls.
        takes_form_beside_tools: model
            .is_none_or(|model| model.has_signatures() || model.tokenizer() != Tokenizer::Gemini),
        fetches_urls: provider.has(Quirk::FetchesUrls),
        ..Target::new(name)
    }
}
