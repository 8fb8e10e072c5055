//! What becomes of every feature in a request to Cohere.

use crate::chat::{Carry, Feature, Target, ThinkingStyle};
use crate::types::Protocol;

/// What a Cohere model of which nothing is known does with `feature`.
pub fn carry(feature: Feature) -> Carry {
    use Carry::{Drop, Kept, Reject, Renamed};
    match feature {
        Feature::Temperature
        | Feature::FrequencyPenalty
        | Feature::PresencePenalty
        | Feature::Seed
        | Feature::MidSystem
        | Feature::ImageUrl
        | Feature::OwnThinking => Kept,
        Feature::TopP => Renamed("p"),
        Feature::TopK => Renamed("k"),
        Feature::MaxOutput => Renamed("max_tokens"),
        Feature::Stop => Renamed("stop_sequences"),
        Feature::JsonOutput | Feature::SchemaOutput => {
            Renamed("response_format json_object; an instruction beside tools or documents")
        }
        Feature::ReasoningEffort => Renamed("thinking.token_budget, by size"),
        Feature::ReasoningBudget => Renamed("thinking.token_budget"),
        Feature::ToolChoiceAny => Renamed("tool_choice REQUIRED"),
        Feature::ToolChoiceNone => Renamed("tool_choice NONE"),
        Feature::ToolChoiceTool => Renamed("tool_choice REQUIRED, that tool alone offered"),
        Feature::ToolChoiceAllowed => Renamed("only these tools offered"),
        Feature::StrictTools => Renamed("strict_tools, where every tool is strict"),
        Feature::CustomTools => Renamed("a function with one text"),
        Feature::ImageBase64 => Renamed("image_url with a data URL"),
        Feature::DocumentText => Renamed("documents"),
        Feature::ToolResultMedia => Renamed("a document of the result, or a user message behind it"),
        Feature::RefusalBlock => Renamed("text"),
        Feature::MinP => Drop("Cohere has no min_p"),
        Feature::RepetitionPenalty => Drop("Cohere has no repetition penalty"),
        Feature::LogitBias => Drop("Cohere has no logit bias"),
        Feature::Logprobs | Feature::TopLogprobs => Drop("Cohere's log probabilities have another form"),
        Feature::Choices => Drop("Cohere gives one answer"),
        Feature::User => Drop("Cohere has no field for the end user"),
        Feature::Metadata => Drop("Cohere has no metadata"),
        Feature::ServiceTier => Drop("Cohere has no service tiers"),
        Feature::Verbosity => Drop("Cohere has no verbosity"),
        Feature::Store => Drop("Cohere keeps no answers"),
        Feature::PromptCacheKey | Feature::PromptCacheRetention | Feature::CacheHints => {
            Drop("Cohere caches prompts by itself")
        }
        Feature::Prediction => Drop("Cohere takes no predicted output"),
        Feature::Modalities | Feature::AudioOutput => Drop("Cohere answers in text only"),
        Feature::WebSearchOptions => Drop("Cohere's chat does not search"),
        Feature::SafetySettings => Drop("Cohere's safety mode has another form"),
        Feature::ContextManagement => Drop("Cohere has no context management"),
        Feature::SchemaConstraint => Drop("the model's schema subset has no such constraint"),
        Feature::ReasoningSummary => Drop("Cohere has no reasoning summaries"),
        Feature::ParallelTools => Drop("Cohere cannot be kept to one tool call"),
        Feature::HostedTools => Drop("Cohere runs no tools of other vendors"),
        Feature::ParticipantName => Drop("messages have no names"),
        Feature::ToolResultError => Drop("tool messages have no error flag"),
        Feature::ForeignThinking => Drop("its proof is another vendor's"),
        Feature::Citations => Drop("its form is another protocol's"),
        Feature::OpaqueBlock => Drop("only the protocol it was written for knows this block"),
        Feature::Unknown => Drop("a field of another protocol"),
        Feature::ImageFile => Reject("Cohere has no files: send the image as base64 or URL"),
        Feature::DocumentBase64 | Feature::DocumentUrl | Feature::DocumentFile => {
            Reject("Cohere takes documents as text only")
        }
        Feature::AudioInput => Reject("Cohere takes no audio"),
        Feature::VideoInput => Reject("Cohere takes no video"),
    }
}

/// [`carry`], for one model and the protocol the request was written in.
pub(super) struct Policy<'t> {
    pub(super) target: &'t Target,
    pub(super) from: Protocol,
}

impl Policy<'_> {
    pub(super) fn carry(&self, feature: Feature) -> Carry {
        use Carry::{Drop, Kept, Reject};
        match feature {
            Feature::Citations if self.from == Protocol::Cohere => Kept,
            Feature::ReasoningEffort | Feature::ReasoningBudget
                if self.target.thinking == ThinkingStyle::None =>
            {
                Drop("this model cannot be told how much to think")
            }
            Feature::ImageUrl if !self.target.fetches_urls => {
                Reject("this model fetches no URLs: send the image as base64")
            }
            _ if !self.target.takes_sampling && is_sampling(feature) => {
                Drop("this model takes no sampling parameters")
            }
            _ => carry(feature),
        }
    }

    pub(super) fn keeps(&self, feature: Feature) -> bool {
        matches!(self.carry(feature), Carry::Kept | Carry::Renamed(_))
    }
}

fn is_sampling(feature: Feature) -> bool {
    matches!(
        feature,
        Feature::Temperature
            | Feature::TopP
            | Feature::TopK
            | Feature::FrequencyPenalty
            | Feature::PresencePenalty
    )
}
