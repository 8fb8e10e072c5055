//! What becomes of every feature in a chat request.

use crate::chat::{Carry, Feature, Request, Setting, Target, ThinkingEcho, ThinkingStyle};
use crate::types::Protocol;

/// What a chat completions upstream of which nothing is known does with `feature`.
pub fn carry(feature: Feature) -> Carry {
    use Carry::{Drop, Kept, Reject, Renamed};
    match feature {
        Feature::Temperature
        | Feature::TopP
        | Feature::FrequencyPenalty
        | Feature::PresencePenalty
        | Feature::Seed
        | Feature::LogitBias
        | Feature::Logprobs
        | Feature::TopLogprobs
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
        | Feature::Stop
        | Feature::StrictTools
        | Feature::MidSystem
        | Feature::DocumentFile
        | Feature::ImageFile
        | Feature::RefusalBlock => Kept,
        Feature::Choices => Renamed("n"),
        Feature::MaxOutput => Renamed("max_completion_tokens or max_tokens"),
        Feature::JsonOutput | Feature::SchemaOutput => Renamed("response_format"),
        Feature::ReasoningEffort => Renamed("reasoning_effort"),
        Feature::ReasoningBudget => Renamed("reasoning_effort, by size"),
        Feature::ParallelTools => Renamed("parallel_tool_calls"),
        Feature::CustomTools => Renamed("custom, or a function with one string"),
        Feature::ToolChoiceAny => Renamed("tool_choice required"),
        Feature::ToolChoiceNone => Renamed("tool_choice none"),
        Feature::ToolChoiceTool => Renamed("tool_choice function"),
        Feature::ToolChoiceAllowed => Renamed("tool_choice allowed_tools"),
        Feature::ParticipantName => Renamed("name"),
        Feature::ImageBase64 => Renamed("image_url with a data URL"),
        Feature::ImageUrl => Renamed("image_url"),
        Feature::DocumentBase64 => Renamed("file with a data URL"),
        Feature::DocumentText => Renamed("a text part"),
        Feature::AudioInput => Renamed("input_audio"),
        Feature::VideoInput => Renamed("video_url, as vLLM and OpenRouter take it"),
        Feature::ToolResultMedia => Renamed("a user message behind the results"),
        Feature::OwnThinking => {
            Renamed("reasoning_content or reasoning_details, where the model takes it back")
        }
        Feature::TopK => Drop("OpenAI has no top_k"),
        Feature::MinP => Drop("OpenAI has no min_p"),
        Feature::RepetitionPenalty => Drop("OpenAI has no repetition_penalty"),
        Feature::SafetySettings => Drop("chat completions has no safety settings"),
        Feature::ContextManagement => Drop("chat completions has no context management"),
        Feature::ReasoningSummary => Drop("chat completions has no reasoning summaries"),
        Feature::HostedTools => Drop("chat completions runs no tools of other vendors"),
        Feature::CacheHints => Drop("the provider caches prompts by itself"),
        Feature::DocumentUrl => Reject("this provider takes documents as base64 or file id, not by URL"),
        Feature::ToolResultError => Drop("tool messages have no error flag"),
        Feature::ForeignThinking => Drop("its proof is another vendor's"),
        Feature::SchemaConstraint => Drop("strict mode has no such constraint"),
        Feature::Citations => Drop("messages hold no citations"),
        Feature::OpaqueBlock => Drop("only the protocol it was written for knows this block"),
        Feature::Unknown => Drop("a field of another protocol"),
    }
}

/// [`carry`], for one model and the protocol the request was written in.
pub(super) struct Policy<'t> {
    pub(super) target: &'t Target,
    pub(super) from: Protocol,
    /// Another protocol's client names its user by more than OpenAI takes (Claude Code does).
    pub(super) has_long_user: bool,
}

/// OpenAI: `string_above_max_length` beyond it, quotes of the JSON string included.
const USER_BYTES_MAX: usize = 66;

impl<'t> Policy<'t> {
    pub(super) fn of(request: &Request<'_>, target: &'t Target) -> Self {
        let long = |setting: &Setting<'_>| setting.value.as_str().len() > USER_BYTES_MAX;
        let has_long_user =
            request.from != Protocol::Chat && request.setting(Feature::User).is_some_and(long);
        Self { target, from: request.from, has_long_user }
    }
}

impl Policy<'_> {
    pub(super) fn carry(&self, feature: Feature) -> Carry {
        use Carry::{Drop, Kept, Reject};
        if feature == Feature::User && self.has_long_user {
            return Drop("OpenAI's ids of users are 64 characters at most");
        }
        let (target, is_own) = (self.target, self.from == Protocol::Chat);
        let is_openrouter = target.echo == ThinkingEcho::ReasoningDetails;
        match feature {
            _ if !target.takes_sampling && is_sampling(feature) => {
                Drop("this model takes no sampling parameters")
            }
            _ if target.says_any && is_unknown_to_mistral(feature) => {
                Drop("Mistral refuses fields it does not know")
            }
            // Who writes chat and these knows an upstream that takes them.
            Feature::TopK | Feature::MinP | Feature::RepetitionPenalty if is_own => Kept,
            Feature::AudioOutput | Feature::WebSearchOptions if !is_own => {
                Drop("its form is another protocol's")
            }
            Feature::ReasoningEffort | Feature::ReasoningBudget if target.thinking == ThinkingStyle::None => {
                Drop("this model cannot be told how much to think")
            }
            Feature::ImageUrl if !target.fetches_urls => {
                Reject("this model fetches no URLs: send the image as base64")
            }
            Feature::DocumentUrl if is_own || is_openrouter || target.says_any => Kept,
            Feature::CacheHints if is_own || is_openrouter => Kept,
            Feature::OwnThinking if target.echo == ThinkingEcho::None => {
                Drop("this model takes no thinking back")
            }
            // What of it is lost is known block by block: the encoder says so.
            Feature::ForeignThinking if is_openrouter => Kept,
            _ => carry(feature),
        }
    }

    pub(super) fn keeps(&self, feature: Feature) -> bool {
        matches!(self.carry(feature), Carry::Kept | Carry::Renamed(_))
    }
}

/// What OpenAI's reasoning models refuse, and with `temperature` every model that samples for itself.
fn is_sampling(feature: Feature) -> bool {
    matches!(
        feature,
        Feature::Temperature
            | Feature::TopP
            | Feature::TopK
            | Feature::MinP
            | Feature::FrequencyPenalty
            | Feature::PresencePenalty
            | Feature::RepetitionPenalty
            | Feature::LogitBias
            | Feature::Logprobs
            | Feature::TopLogprobs
    )
}

/// Mistral answers 422 `extra_forbidden` to fields outside its schema.
fn is_unknown_to_mistral(feature: Feature) -> bool {
    matches!(
        feature,
        Feature::User
            | Feature::LogitBias
            | Feature::Logprobs
            | Feature::TopLogprobs
            | Feature::ServiceTier
            | Feature::Verbosity
            | Feature::Store
            | Feature::PromptCacheRetention
            | Feature::Modalities
            | Feature::AudioOutput
            | Feature::WebSearchOptions
            | Feature::ParticipantName
            | Feature::ToolChoiceAllowed
    )
}
