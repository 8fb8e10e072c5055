//! What becomes of each feature in a Responses request.

use crate::chat::{Carry, Feature, Losses, Refused, Request, Survey, Target, ThinkingStyle, Vendor};
use crate::types::Protocol;

const NO_SAMPLING: Carry = Carry::Drop("this model takes no sampling parameters");
const NO_THINKING: Carry = Carry::Drop("this model does not think");

/// What becomes of `feature` when another protocol's request is written as a Responses request.
pub fn carry(feature: Feature) -> Carry {
    use Carry::{Drop, Kept, Reject, Renamed};
    use Feature as F;
    match feature {
        F::Temperature | F::TopP | F::TopLogprobs | F::Metadata | F::ServiceTier | F::Store => Kept,
        F::PromptCacheKey | F::PromptCacheRetention => Kept,
        F::TopK => Drop("Responses has no top_k"),
        F::MinP => Drop("Responses has no min_p"),
        F::FrequencyPenalty | F::PresencePenalty | F::RepetitionPenalty => Drop("Responses has no penalties"),
        F::Seed => Drop("Responses has no seed"),
        F::LogitBias => Drop("Responses has no logit bias"),
        F::Logprobs => Renamed("include: message.output_text.logprobs"),
        F::Choices => Drop("Responses gives one answer"),
        F::User => Renamed("safety_identifier"),
        F::Verbosity => Renamed("text.verbosity"),
        F::Prediction => Drop("Responses has no predicted output"),
        F::Modalities => Drop("Responses answers in text"),
        F::AudioOutput => Drop("Responses speaks no audio"),
        F::WebSearchOptions => Drop("Responses searches by its web_search tool"),
        F::SafetySettings => Drop("Responses has no safety settings"),
        F::ContextManagement => Drop("each protocol has its own context management"),
        F::MaxOutput => Renamed("max_output_tokens"),
        F::Stop => Drop("Responses has no stop sequences"),
        F::JsonOutput | F::SchemaOutput => Renamed("text.format"),
        F::SchemaConstraint => Drop("OpenAI's schemas have no such constraint"),
        F::ReasoningEffort | F::ReasoningBudget => Renamed("reasoning.effort"),
        F::ReasoningSummary => Renamed("reasoning.summary"),
        F::ParallelTools => Renamed("parallel_tool_calls"),
        F::ToolChoiceAny => Renamed("tool_choice: required"),
        F::ToolChoiceNone | F::ToolChoiceTool => Kept,
        F::ToolChoiceAllowed => Renamed("tool_choice: allowed_tools"),
        F::StrictTools | F::CustomTools => Kept,
        F::HostedTools => Drop("another vendor runs this tool"),
        F::CacheHints => Renamed("OpenAI caches prompts by itself"),
        F::MidSystem => Kept,
        F::ParticipantName => Drop("Responses messages have no name"),
        F::ImageBase64 | F::ImageUrl | F::ImageFile => Renamed("input_image"),
        F::DocumentBase64 | F::DocumentUrl | F::DocumentFile => Renamed("input_file"),
        F::DocumentText => Renamed("input_text"),
        F::AudioInput => Renamed("input_audio"),
        F::VideoInput => Reject("Responses takes no video"),
        F::ToolResultMedia => Kept,
        F::ToolResultError => Drop("Responses has no error flag on tool outputs"),
        F::OwnThinking => Renamed("reasoning item"),
        F::ForeignThinking => Drop("OpenAI takes back its own reasoning only"),
        F::Citations => Renamed("annotations"),
        F::RefusalBlock => Kept,
        F::OpaqueBlock => Drop("a block of another protocol only"),
        F::Unknown => Drop("a field of another protocol"),
    }
}

/// As [`carry`], for this request and this model.
pub(super) fn fate(feature: Feature, request: &Request<'_>, target: &Target) -> Carry {
    use Feature as F;
    let is_own = request.from == Protocol::Responses;
    match feature {
        // The encoder decides block by block and tells the losses itself: earlier reasoning that its
        // own client wrote without a proof goes back, a stranger's does not.
        F::OwnThinking | F::ForeignThinking => Carry::Kept,
        F::Temperature | F::TopP | F::TopLogprobs | F::Logprobs if !target.takes_sampling => NO_SAMPLING,
        F::ReasoningEffort | F::ReasoningBudget | F::ReasoningSummary
            if target.thinking == ThinkingStyle::None =>
        {
            NO_THINKING
        }
        // Not OpenAI's, but some who copy the protocol take them (OpenRouter, LM Studio).
        F::FrequencyPenalty | F::PresencePenalty | F::RepetitionPenalty | F::TopK | F::MinP | F::Seed
            if is_own && target.takes_sampling =>
        {
            Carry::Kept
        }
        F::LogitBias | F::ContextManagement if is_own => Carry::Kept,
        _ => carry(feature),
    }
}

/// Notes what is lost on the way to `target`.
///
/// # Errors
/// [`Refused`] where it cannot be answered without.
pub(super) fn survey(request: &Request<'_>, target: &Target, losses: &mut Losses) -> Result<(), Refused> {
    let carry = |feature| fate(feature, request, target);
    Survey { to: Protocol::Responses, vendor: Vendor::OpenAi, signs_calls: false, carry: &carry }
        .run(request, losses)
}

/// Whether `feature` is written.
pub(super) fn is_carried(feature: Feature, request: &Request<'_>, target: &Target) -> bool {
    matches!(fate(feature, request, target), Carry::Kept | Carry::Renamed(_))
}
