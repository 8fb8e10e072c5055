//! What becomes of every feature on the way to Claude.

use super::format::Format;
use super::host::Host;
use super::plan::Plan;
use super::thinking::Mode;
use crate::chat::{BlockKind, Carry, Feature, Request, Survey, Vendor};
use crate::chat::{Losses, Refused};
use crate::types::Protocol;

/// What Claude's protocol does with a feature, as a rule; the model, the host and the value itself may
/// say otherwise.
pub fn carry(feature: Feature) -> Carry {
    use Carry::{Drop, Kept, Reject, Renamed};
    match feature {
        Feature::Temperature | Feature::TopP | Feature::TopK => Kept,
        Feature::MinP => Drop("Anthropic has no min_p"),
        Feature::FrequencyPenalty => Drop("Anthropic has no frequency penalty"),
        Feature::PresencePenalty => Drop("Anthropic has no presence penalty"),
        Feature::RepetitionPenalty => Drop("Anthropic has no repetition penalty"),
        Feature::Seed => Drop("Anthropic has no seed"),
        Feature::LogitBias => Drop("Anthropic has no logit bias"),
        Feature::Logprobs | Feature::TopLogprobs => Drop("Anthropic gives no log probabilities"),
        Feature::Choices => Drop("Anthropic gives one answer"),
        Feature::User => Renamed("metadata.user_id"),
        Feature::Metadata => Drop("Anthropic's metadata is the user's id alone"),
        Feature::ServiceTier => Drop("only auto and default have a counterpart"),
        Feature::Verbosity => Drop("Anthropic has no verbosity"),
        Feature::Store => Drop("Anthropic stores no answers"),
        Feature::PromptCacheKey => Drop("Anthropic caches by prefix, without a key"),
        Feature::PromptCacheRetention => Drop("Anthropic caches where a breakpoint says so"),
        Feature::Prediction => Drop("Anthropic takes no prediction"),
        Feature::Modalities => Reject("Claude answers in text only"),
        Feature::AudioOutput => Reject("Claude does not speak"),
        Feature::WebSearchOptions => Drop("another vendor's web search"),
        Feature::SafetySettings => Drop("Anthropic has no safety settings"),
        Feature::ContextManagement => Drop("another vendor's context management"),
        Feature::MaxOutput | Feature::Stop => Kept,
        Feature::JsonOutput => Renamed("an instruction in the system prompt"),
        Feature::SchemaOutput => Renamed("output_config.format, or a forced tool where the model has none"),
        Feature::SchemaConstraint => Drop("Claude's schema subset has no such constraint"),
        Feature::ReasoningEffort => {
            Renamed("output_config.effort, or thinking.budget_tokens on older models")
        }
        Feature::ReasoningBudget => {
            Renamed("thinking.budget_tokens, or output_config.effort on newer models")
        }
        Feature::ReasoningSummary => Renamed("thinking.display"),
        Feature::ParallelTools => Renamed("tool_choice.disable_parallel_tool_use"),
        Feature::ToolChoiceAny | Feature::ToolChoiceNone | Feature::ToolChoiceTool => Kept,
        Feature::ToolChoiceAllowed => Renamed("only the allowed tools are offered"),
        Feature::StrictTools => Kept,
        Feature::CustomTools => Renamed("a tool with one string field"),
        Feature::HostedTools => Drop("only its own vendor runs the tool"),
        Feature::CacheHints => Kept,
        Feature::MidSystem => Renamed("a <system> text in the user's turn"),
        Feature::ParticipantName => Drop("Anthropic's turns have no names"),
        Feature::ImageBase64 | Feature::ImageUrl | Feature::ImageFile => Kept,
        Feature::DocumentBase64 | Feature::DocumentUrl | Feature::DocumentFile | Feature::DocumentText => {
            Kept
        }
        Feature::AudioInput => Reject("Claude hears no sound: send text"),
        Feature::VideoInput => Reject("Claude sees no films: send images"),
        Feature::ToolResultMedia | Feature::ToolResultError | Feature::OwnThinking => Kept,
        Feature::ForeignThinking => Drop("another vendor's thinking, or unsigned"),
        Feature::Citations => Drop("only Anthropic's own citations are taken back"),
        Feature::RefusalBlock => Renamed("text"),
        Feature::OpaqueBlock => Drop("a block of another protocol"),
        Feature::Unknown => Drop("a field of another protocol"),
    }
}

/// Notes what is lost, and refuses what cannot be.
pub(super) fn survey(plan: &Plan<'_>, losses: &mut Losses) -> Result<(), Refused> {
    let carry = |feature| of_plan(plan, feature).unwrap_or_else(|| carry(feature));
    let survey =
        Survey { to: Protocol::Messages, vendor: Vendor::Anthropic, signs_calls: false, carry: &carry };
    survey.run(plan.request, losses)
}

/// What the rule does not say.
fn of_plan(plan: &Plan<'_>, feature: Feature) -> Option<Carry> {
    let says = |value: &str| plan.request.setting(feature).is_some_and(|s| s.value.as_str() == value);
    let kept_if = |is_kept: bool| is_kept.then_some(Carry::Kept);
    match feature {
        Feature::Temperature | Feature::TopP | Feature::TopK => plan.sampling(feature).err().map(Carry::Drop),
        Feature::ServiceTier if plan.host != Host::Anthropic => {
            Some(Carry::Drop("this host has no service tiers"))
        }
        Feature::ServiceTier => kept_if(plan.is_own || says("\"auto\"") || says("\"default\"")),
        Feature::Modalities => kept_if(says_text_only(plan.request)),
        Feature::Citations => kept_if(has_own_citations_only(plan.request)),
        Feature::MidSystem => kept_if(plan.keeps_system),
        Feature::ReasoningEffort | Feature::ReasoningBudget => plan.thinking.lost.map(Carry::Drop),
        Feature::ReasoningSummary => (plan.thinking.mode != Mode::Adaptive)
            .then_some(Carry::Drop("this Claude model shows its thinking or it does not")),
        Feature::SchemaOutput => kept_if(matches!(plan.format, Format::Native(_))),
        Feature::ToolChoiceAny | Feature::ToolChoiceTool | Feature::ToolChoiceNone => {
            // A choice among tools that are not there.
            (plan.tools.is_empty() && !plan.is_own).then_some(Carry::Drop("no tool is left to choose"))
        }
        Feature::ImageUrl | Feature::DocumentUrl => (!plan.target.fetches_urls)
            .then_some(Carry::Reject("this target does not fetch URLs: send the content as base64")),
        Feature::ImageFile | Feature::DocumentFile => (plan.host != Host::Anthropic).then_some(
            Carry::Reject("files live at Anthropic, not at this host: send the content as base64"),
        ),
        _ => None,
    }
}

fn says_text_only(request: &Request<'_>) -> bool {
    let Some(setting) = request.setting(Feature::Modalities) else { return true };
    crate::framing::json::parse(setting.value.as_str(), crate::framing::json::Duplicates::LastCounts)
        .is_ok_and(|node| {
            node.items().iter().all(|kind| kind.text().is_some_and(|k| k.eq_ignore_ascii_case("text")))
        })
}

fn has_own_citations_only(request: &Request<'_>) -> bool {
    let blocks = request.system.iter().chain(request.turns.iter().flat_map(|turn| &turn.blocks));
    blocks.into_iter().all(|block| match &block.kind {
        BlockKind::Text { citations, .. } => citations.iter().all(super::client_block::is_own),
        _ => true,
    })
}
