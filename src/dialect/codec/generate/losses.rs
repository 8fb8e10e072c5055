//! What becomes of every feature on the way to Gemini.

use crate::chat::{Carry, Feature, Request, Target, ThinkingStyle, ToolKind};
use crate::types::Protocol;
use Carry::{Drop, Kept, Renamed};

/// What Gemini does with a feature, models set aside.
pub fn carry(feature: Feature) -> Carry {
    match feature {
        Feature::Temperature | Feature::Seed | Feature::SafetySettings => Kept,
        Feature::TopP => Renamed("topP"),
        Feature::TopK => Renamed("topK"),
        Feature::FrequencyPenalty => Renamed("frequencyPenalty"),
        Feature::PresencePenalty => Renamed("presencePenalty"),
        Feature::Logprobs => Renamed("responseLogprobs"),
        Feature::TopLogprobs => Renamed("logprobs"),
        Feature::Choices => Renamed("candidateCount"),
        Feature::ServiceTier => Renamed("serviceTier"),
        Feature::Modalities => Renamed("responseModalities"),
        Feature::WebSearchOptions => Renamed("the tool googleSearch, its options left out"),
        Feature::MinP => Drop("Gemini has no min_p"),
        Feature::RepetitionPenalty => Drop("Gemini has no repetition penalty"),
        Feature::LogitBias => Drop("Gemini has no logit bias"),
        Feature::User => Drop("Gemini has no field for the end user"),
        Feature::Metadata => Drop("Gemini keeps no metadata; Vertex labels are for billing"),
        Feature::Verbosity => Drop("Gemini has no verbosity"),
        Feature::Store => Drop("Gemini stores no answers; its logging is the project's"),
        Feature::PromptCacheKey => Drop("Gemini's cache takes no key"),
        Feature::PromptCacheRetention => Drop("Gemini's implicit cache takes no lifetime"),
        Feature::Prediction => Drop("Gemini takes no predicted output"),
        Feature::AudioOutput => Drop("Gemini's voices are others"),
        Feature::ContextManagement => Drop("Gemini does not manage the context"),
        other => carry_part(other),
    }
}

/// The features that are no flat parameter.
fn carry_part(feature: Feature) -> Carry {
    match feature {
        Feature::MaxOutput => Renamed("maxOutputTokens"),
        Feature::Stop => Renamed("stopSequences, five at most"),
        Feature::JsonOutput => Renamed("responseMimeType; words beside tools before Gemini 3"),
        Feature::SchemaOutput => Renamed("responseJsonSchema; words beside tools before Gemini 3"),
        Feature::SchemaConstraint => Drop("Gemini's schemas have no word for it"),
        Feature::ReasoningEffort => Renamed("thinkingConfig"),
        Feature::ReasoningBudget => Renamed("thinkingConfig"),
        Feature::ReasoningSummary => Renamed("includeThoughts"),
        Feature::ParallelTools => Drop("Gemini may always call several tools at once"),
        Feature::ToolChoiceAny => Renamed("functionCallingConfig mode ANY"),
        Feature::ToolChoiceNone => Renamed("functionCallingConfig mode NONE"),
        Feature::ToolChoiceTool => Renamed("functionCallingConfig mode ANY with one name"),
        Feature::ToolChoiceAllowed => Renamed("allowedFunctionNames"),
        Feature::StrictTools => Renamed("functionCallingConfig mode VALIDATED or ANY"),
        Feature::CustomTools => Renamed("a function with one string"),
        Feature::HostedTools => Drop("another vendor's tool does not run at Google"),
        Feature::CacheHints => Drop("Gemini's implicit cache takes no hints"),
        Feature::MidSystem => Renamed("a user turn"),
        Feature::ParticipantName => Drop("Gemini has no names of participants"),
        Feature::ImageBase64 | Feature::DocumentBase64 => Renamed("inlineData"),
        Feature::ImageUrl | Feature::DocumentUrl => Renamed("fileData"),
        Feature::ImageFile | Feature::DocumentFile => Kept,
        Feature::DocumentText => Renamed("inlineData of text/plain"),
        Feature::AudioInput | Feature::VideoInput => Renamed("inlineData or fileData"),
        Feature::ToolResultMedia => Renamed("functionResponse.parts, or parts behind it"),
        Feature::ToolResultError => Renamed("functionResponse.response.error"),
        Feature::OwnThinking => Kept,
        Feature::ForeignThinking => Drop("another vendor's signed thinking means nothing to Gemini"),
        Feature::Citations => Drop("Gemini takes no citations back"),
        Feature::RefusalBlock => Renamed("text"),
        Feature::OpaqueBlock => Drop("only its own vendor understands it"),
        Feature::Unknown => Drop("Gemini has no such field"),
        // The flat parameters: `carry` has answered for them.
        Feature::Temperature
        | Feature::TopP
        | Feature::TopK
        | Feature::MinP
        | Feature::FrequencyPenalty
        | Feature::PresencePenalty
        | Feature::RepetitionPenalty
        | Feature::Seed
        | Feature::LogitBias
        | Feature::Logprobs
        | Feature::TopLogprobs
        | Feature::Choices
        | Feature::User
        | Feature::Metadata
        | Feature::ServiceTier
        | Feature::Verbosity
        | Feature::Store
        | Feature::PromptCacheKey
        | Feature::PromptCacheRetention
        | Feature::Prediction
        | Feature::Modalities
        | Feature::AudioOutput
        | Feature::WebSearchOptions
        | Feature::SafetySettings
        | Feature::ContextManagement => Kept,
    }
}

/// The same for one request to one model.
pub(super) fn carry_for(feature: Feature, request: &Request<'_>, target: &Target) -> Carry {
    let is_own = request.from == Protocol::Generate;
    let has_functions = request.tools.iter().any(|tool| !matches!(tool.kind, ToolKind::Hosted { .. }));
    match feature {
        Feature::Temperature | Feature::TopP | Feature::TopK if !target.takes_sampling => {
            Drop("this model takes no sampling parameters")
        }
        Feature::ReasoningEffort | Feature::ReasoningBudget if target.thinking == ThinkingStyle::None => {
            Drop("this model's thinking cannot be told")
        }
        // A voice or logging as Gemini's own clients ask for it.
        Feature::AudioOutput | Feature::Store if is_own => Kept,
        // Nothing is stored anyway.
        Feature::Store if request.setting(feature).is_some_and(|set| set.value.as_str() == "false") => Kept,
        // Models before Gemini 3 refuse search and functions together.
        Feature::WebSearchOptions if has_functions && !target.needs_signatures => {
            Drop("this model takes either functions or a search")
        }
        Feature::StrictTools if !is_validated(request, target) => {
            Drop("this model is not held to the schema unless a call is forced")
        }
        // What is not signed is carried; what another vendor signed is noted where it is left out.
        Feature::ForeignThinking => Kept,
        other => carry(other),
    }
}

/// Whether the mode of function calling holds the model to the schemas.
fn is_validated(request: &Request<'_>, target: &Target) -> bool {
    use crate::chat::ToolChoice;
    match &request.tool_choice {
        Some(ToolChoice::Any | ToolChoice::Tool(_) | ToolChoice::Allowed { .. }) => true,
        None | Some(ToolChoice::Auto) => target.needs_signatures,
        Some(ToolChoice::None | ToolChoice::Opaque { .. }) => false,
    }
}

/// Whether `VALIDATED` stands where `AUTO` would: a tool is strict and the model knows the mode.
pub(super) fn wants_validated(request: &Request<'_>, target: &Target) -> bool {
    let is_strict = |kind: &ToolKind<'_>| matches!(kind, ToolKind::Function { strict: Some(true), .. });
    target.needs_signatures && request.tools.iter().any(|tool| is_strict(&tool.kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_short_and_no_flat_parameter_falls_through() {
        for feature in Feature::ALL {
            match carry(feature) {
                Kept => {}
                Renamed(to) => assert!(!to.is_empty() && to.len() < 60, "{to}"),
                Drop(why) | Carry::Reject(why) => assert!(why.len() < 70 && !why.ends_with('.'), "{why}"),
            }
        }
        assert_eq!(carry(Feature::TopK), Renamed("topK"));
        assert!(matches!(carry(Feature::MinP), Drop(_)));
    }
}
