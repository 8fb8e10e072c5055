//! What becomes of each feature in a Converse request, whatever the model. What depends on the model
//! is decided in `facts`, by the same words.

use crate::chat::{Carry, Feature};

/// What Converse does with `feature`.
pub fn carry(feature: Feature) -> Carry {
    match feature {
        Feature::Temperature | Feature::StrictTools | Feature::ToolChoiceAny => Carry::Kept,
        Feature::TopP => Carry::Renamed("inferenceConfig.topP"),
        Feature::TopK => Carry::Renamed("additionalModelRequestFields.top_k"),
        Feature::MinP => Carry::Drop("Bedrock has no min_p"),
        Feature::FrequencyPenalty | Feature::PresencePenalty | Feature::RepetitionPenalty => {
            Carry::Drop("Bedrock has no penalties")
        }
        Feature::Seed => Carry::Drop("Bedrock has no seed"),
        Feature::LogitBias => Carry::Drop("Bedrock has no logit bias"),
        Feature::Logprobs | Feature::TopLogprobs => Carry::Drop("Bedrock gives no log probabilities"),
        Feature::Choices => Carry::Drop("Bedrock gives one answer"),
        Feature::User => Carry::Drop("Bedrock has no end user field"),
        Feature::Metadata => Carry::Renamed("requestMetadata"),
        Feature::ServiceTier => Carry::Renamed("serviceTier.type"),
        Feature::Verbosity => Carry::Drop("Bedrock has no verbosity"),
        Feature::Store => Carry::Drop("Bedrock stores no answers"),
        Feature::PromptCacheKey | Feature::PromptCacheRetention => {
            Carry::Drop("Bedrock caches by cache points only")
        }
        Feature::Prediction => Carry::Drop("Bedrock has no predicted output"),
        Feature::Modalities | Feature::AudioOutput => Carry::Drop("Converse answers in text"),
        Feature::WebSearchOptions => Carry::Drop("Bedrock has no web search"),
        Feature::SafetySettings => Carry::Drop("Bedrock filters by guardrails"),
        Feature::ContextManagement => Carry::Drop("Bedrock does not manage the context"),
        Feature::MaxOutput => Carry::Renamed("inferenceConfig.maxTokens"),
        Feature::Stop => Carry::Renamed("inferenceConfig.stopSequences"),
        Feature::JsonOutput => Carry::Renamed("a forced tool call"),
        Feature::SchemaOutput => Carry::Renamed("outputConfig.textFormat, or a forced tool call"),
        Feature::SchemaConstraint => Carry::Drop("Bedrock's schema subset has no such constraint"),
        Feature::ReasoningEffort => Carry::Renamed("additionalModelRequestFields, by the model's maker"),
        Feature::ReasoningBudget => Carry::Renamed("additionalModelRequestFields.thinking.budget_tokens"),
        Feature::ReasoningSummary => Carry::Drop("Bedrock makes no summaries"),
        Feature::ParallelTools => Carry::Renamed("additionalModelRequestFields.tool_choice"),
        Feature::ToolChoiceNone => Carry::Renamed("no toolConfig"),
        Feature::ToolChoiceTool => Carry::Renamed("toolConfig.toolChoice.tool"),
        Feature::ToolChoiceAllowed => Carry::Renamed("only the allowed tools are offered"),
        Feature::CustomTools => Carry::Renamed("a function with one text field `input`"),
        Feature::HostedTools => Carry::Drop("Bedrock does not run this tool"),
        Feature::CacheHints => Carry::Renamed("cachePoint"),
        Feature::MidSystem => Carry::Renamed("text of the user's turn"),
        Feature::ParticipantName => Carry::Drop("Bedrock has no participant names"),
        Feature::ImageUrl => {
            Carry::Reject("Bedrock does not fetch images: send the image itself, as base64 or a data URL")
        }
        Feature::DocumentUrl => {
            Carry::Reject("Bedrock does not fetch documents: send the document itself, as base64")
        }
        Feature::ImageBase64 | Feature::ImageFile | Feature::DocumentBase64 | Feature::DocumentFile => {
            Carry::Kept
        }
        Feature::DocumentText | Feature::AudioInput | Feature::VideoInput => Carry::Kept,
        Feature::ToolResultMedia => Carry::Kept,
        Feature::ToolResultError => Carry::Renamed("toolResult.status"),
        Feature::OwnThinking => Carry::Renamed("reasoningContent"),
        Feature::ForeignThinking => Carry::Drop("only thinking that Claude signed goes back to Bedrock"),
        Feature::Citations => Carry::Drop("Bedrock takes back no other vendor's citations"),
        Feature::RefusalBlock => Carry::Renamed("text"),
        Feature::OpaqueBlock => Carry::Drop("Bedrock has no such block"),
        Feature::Unknown => Carry::Drop("Bedrock has no such field"),
    }
}
