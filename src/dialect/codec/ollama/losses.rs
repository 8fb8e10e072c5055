//! What becomes of every feature in a request to Ollama.

use crate::chat::{Carry, Feature, Target, ThinkingStyle};

/// What an Ollama model of which nothing is known does with `feature`.
pub fn carry(feature: Feature) -> Carry {
    use Carry::{Drop, Kept, Reject, Renamed};
    match feature {
        Feature::Temperature
        | Feature::TopP
        | Feature::TopK
        | Feature::MinP
        | Feature::Seed
        | Feature::FrequencyPenalty
        | Feature::PresencePenalty => Renamed("options"),
        Feature::RepetitionPenalty => Renamed("options.repeat_penalty"),
        Feature::MaxOutput => Renamed("options.num_predict"),
        Feature::Stop => Renamed("options.stop"),
        Feature::Logprobs | Feature::TopLogprobs | Feature::MidSystem | Feature::OwnThinking => Kept,
        Feature::JsonOutput => Renamed("format json"),
        Feature::SchemaOutput => Renamed("format, the schema"),
        Feature::ReasoningEffort => Renamed("think, as low, medium or high"),
        Feature::ReasoningBudget => Renamed("think, by size"),
        Feature::ToolChoiceNone => Renamed("no tools offered"),
        Feature::CustomTools => Renamed("a function with one text"),
        Feature::ImageBase64 => Renamed("images"),
        Feature::DocumentText => Renamed("text of the message"),
        Feature::ToolResultMedia => Renamed("a user message behind the results"),
        Feature::RefusalBlock => Renamed("text"),
        Feature::ToolChoiceAny => Drop("Ollama cannot be made to call a tool"),
        Feature::ToolChoiceTool => Drop("Ollama cannot be made to call a tool; only this one is offered"),
        Feature::ToolChoiceAllowed => Drop("Ollama cannot be made to call a tool; only these are offered"),
        Feature::LogitBias => Drop("Ollama has no logit bias"),
        Feature::Choices => Drop("Ollama gives one answer"),
        Feature::User => Drop("Ollama has no field for the end user"),
        Feature::Metadata => Drop("Ollama has no metadata"),
        Feature::ServiceTier => Drop("Ollama has no service tiers"),
        Feature::Verbosity => Drop("Ollama has no verbosity"),
        Feature::Store => Drop("Ollama keeps no answers"),
        Feature::PromptCacheKey | Feature::PromptCacheRetention | Feature::CacheHints => {
            Drop("Ollama caches prompts by itself")
        }
        Feature::Prediction => Drop("Ollama takes no predicted output"),
        Feature::Modalities | Feature::AudioOutput => Drop("Ollama answers in text only"),
        Feature::WebSearchOptions => Drop("Ollama's chat does not search"),
        Feature::SafetySettings => Drop("Ollama has no safety settings"),
        Feature::ContextManagement => Drop("Ollama has no context management"),
        Feature::SchemaConstraint => Drop("the model's schema subset has no such constraint"),
        Feature::ReasoningSummary => Drop("Ollama has no reasoning summaries"),
        Feature::ParallelTools => Drop("Ollama cannot be kept to one tool call"),
        Feature::StrictTools => Drop("Ollama has no strict tools"),
        Feature::HostedTools => Drop("Ollama runs no tools of other vendors"),
        Feature::ParticipantName => Drop("messages have no names"),
        Feature::ToolResultError => Drop("tool messages have no error flag"),
        Feature::ForeignThinking => Drop("its proof is another vendor's"),
        Feature::Citations => Drop("messages hold no citations"),
        Feature::OpaqueBlock => Drop("only the protocol it was written for knows this block"),
        Feature::Unknown => Drop("a field of another protocol"),
        Feature::ImageUrl => Reject("Ollama fetches no URLs: send the image as base64"),
        Feature::ImageFile => Reject("Ollama has no files: send the image as base64"),
        Feature::DocumentBase64 | Feature::DocumentUrl | Feature::DocumentFile => {
            Reject("Ollama takes documents as text only")
        }
        Feature::AudioInput => Reject("Ollama takes no audio"),
        Feature::VideoInput => Reject("Ollama takes no video"),
    }
}

/// [`carry`], for one model.
pub(super) fn for_target(feature: Feature, target: &Target) -> Carry {
    match feature {
        Feature::ReasoningEffort | Feature::ReasoningBudget if target.thinking == ThinkingStyle::None => {
            Carry::Drop("this model cannot be told how much to think")
        }
        Feature::Temperature | Feature::TopP | Feature::TopK | Feature::MinP if !target.takes_sampling => {
            Carry::Drop("this model takes no sampling parameters")
        }
        _ => carry(feature),
    }
}

pub(super) fn keeps(feature: Feature, target: &Target) -> bool {
    matches!(for_target(feature, target), Carry::Kept | Carry::Renamed(_))
}
