//! How a model of some maker is told to think.

use super::family::Family;
use crate::chat::{BlockKind, Effort, Reasoning, Request, Role, Target, ThinkingStyle, ToolChoice};
use crate::framing::json::JsonWriter;

/// Claude's least budget.
const BUDGET_MIN: u64 = 1024;

/// What `additionalModelRequestFields` says about thinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// Nothing: nothing was asked for, or `why` it cannot be said.
    Silent { why: Option<&'static str> },
    /// Claude, thinking off.
    ClaudeOff,
    /// Claude with a number of tokens.
    ClaudeBudget(u64),
    /// Claude as it sees fit, `output_config.effort` deep.
    ClaudeAdaptive(Option<Effort>),
    /// Nova 2: off, or low, medium, high.
    Nova(Option<Effort>),
    /// gpt-oss: `reasoning_effort`.
    GptOss(Effort),
    /// Other OpenAI models: `reasoning.effort`.
    OpenAi(Effort),
    /// Qwen: `reasoning_config`, low or high.
    Qwen(Effort),
}

const CANNOT: Wire = Wire::Silent { why: Some("this model cannot be told how much to think") };

impl Wire {
    pub(super) fn of(request: &Request<'_>, target: &Target, family: Family, is_forced: bool) -> Self {
        let Some(asked) = &request.reasoning else { return Wire::Silent { why: None } };
        if target.thinking == ThinkingStyle::None {
            return CANNOT;
        }
        let effort = asked.effort.or(asked.budget.map(Effort::of_budget)).map(|effort| target.effort(effort));
        let Some(effort) = effort else { return unmeasured(asked, target, family, is_forced) };
        if asked.is_off {
            return off(family);
        }
        match family {
            Family::Claude => claude(request, asked, target, Some(effort), is_forced),
            Family::Nova => Wire::Nova(Some(effort.clamp(Effort::Low, Effort::High))),
            Family::GptOss => Wire::GptOss(effort.clamp(Effort::Low, Effort::High)),
            Family::OpenAi => Wire::OpenAi(effort),
            Family::Qwen if effort <= Effort::Low => Wire::Qwen(Effort::Low),
            Family::Qwen => Wire::Qwen(Effort::High),
            _ => CANNOT,
        }
    }

    /// Whether the model will think because of this.
    pub(super) fn is_on(self) -> bool {
        !matches!(self, Wire::Silent { .. } | Wire::ClaudeOff | Wire::Nova(None))
    }

    /// The members of `additionalModelRequestFields`; with those of the thinking object that its
    /// writer added (`display` …).
    pub(super) fn write(self, asked: Option<&Reasoning<'_>>, w: &mut JsonWriter<'_>) {
        let extra = |w: &mut JsonWriter<'_>| {
            for field in asked.map(|asked| asked.extra.for_protocol(super::HERE)).unwrap_or_default() {
                w.field_raw(&field.name, field.value.as_str());
            }
        };
        match self {
            Wire::Silent { .. } => {}
            Wire::ClaudeOff => w.field_object("thinking", |w| w.field_str("type", "disabled")),
            Wire::ClaudeBudget(tokens) => w.field_object("thinking", |w| {
                w.field_str("type", "enabled");
                w.field_u64("budget_tokens", tokens);
                extra(w);
            }),
            Wire::ClaudeAdaptive(effort) => {
                w.field_object("thinking", |w| {
                    w.field_str("type", "adaptive");
                    extra(w);
                });
                if let Some(effort) = effort {
                    w.field_object("output_config", |w| w.field_str("effort", effort.as_str()));
                }
            }
            Wire::Nova(None) => w.field_object("reasoningConfig", |w| w.field_str("type", "disabled")),
            Wire::Nova(Some(effort)) => w.field_object("reasoningConfig", |w| {
                w.field_str("type", "enabled");
                w.field_str("maxReasoningEffort", effort.as_str());
            }),
            Wire::GptOss(effort) => w.field_str("reasoning_effort", effort.as_str()),
            Wire::OpenAi(effort) => {
                w.field_object("reasoning", |w| w.field_str("effort", effort.as_str()));
            }
            Wire::Qwen(effort) => w.field_str("reasoning_config", effort.as_str()),
        }
    }
}

/// Thinking that is off, adaptive, or only to be shown.
fn unmeasured(asked: &Reasoning<'_>, target: &Target, family: Family, is_forced: bool) -> Wire {
    match (asked.is_off, asked.is_adaptive, family) {
        (true, ..) => off(family),
        (false, true, Family::Claude) if is_forced => FORCED,
        (false, true, Family::Claude) if target.thinking == ThinkingStyle::Effort => {
            Wire::ClaudeAdaptive(None)
        }
        (false, true, Family::Claude) => fitting(Effort::Medium.budget(), None),
        _ => Wire::Silent { why: None },
    }
}

const FORCED: Wire = Wire::Silent { why: Some("Claude does not think where a tool is forced") };

fn off(family: Family) -> Wire {
    match family {
        Family::Claude => Wire::ClaudeOff,
        Family::Nova => Wire::Nova(None),
        _ => Wire::Silent { why: Some("this model's thinking cannot be switched off") },
    }
}

fn claude(
    request: &Request<'_>,
    asked: &Reasoning<'_>,
    target: &Target,
    effort: Option<Effort>,
    is_forced: bool,
) -> Wire {
    if is_forced {
        return FORCED;
    }
    if target.thinking == ThinkingStyle::Effort {
        return Wire::ClaudeAdaptive(effort);
    }
    if lacks_thinking(request) {
        return Wire::Silent {
            why: Some("Claude thinks on only where the last tool call's thinking comes back"),
        };
    }
    let wanted = asked.budget.or(effort.map(Effort::budget)).unwrap_or(BUDGET_MIN);
    fitting(wanted.max(BUDGET_MIN), request.max_output.or(target.output_max))
}

/// A budget must be less than the limit of the output, which holds the answer too.
fn fitting(budget: u64, limit: Option<u64>) -> Wire {
    match limit {
        Some(limit) if budget >= limit && limit * 3 / 4 >= BUDGET_MIN => Wire::ClaudeBudget(limit * 3 / 4),
        Some(limit) if budget >= limit => {
            Wire::Silent { why: Some("the output limit leaves no room for thinking") }
        }
        _ => Wire::ClaudeBudget(budget),
    }
}

/// With a budget, Claude refuses to go on from a tool call whose turn does not begin with signed
/// thinking.
fn lacks_thinking(request: &Request<'_>) -> bool {
    let last = request.turns.iter().rev().find(|turn| turn.role == Role::Assistant);
    let Some(turn) = last else { return false };
    let ends_in_results = request
        .turns
        .last()
        .is_some_and(|turn| turn.blocks.iter().any(|block| matches!(block.kind, BlockKind::ToolResult(_))));
    let is_signed = turn.blocks.iter().any(|block| match &block.kind {
        BlockKind::Thinking(thinking) => {
            thinking.signature.as_ref().is_some_and(|signature| signature.vendor == super::NATIVE)
        }
        BlockKind::Redacted(signature) => signature.vendor == super::NATIVE,
        _ => false,
    });
    ends_in_results && !is_signed
}

/// Whether the model must call a tool.
pub(super) fn is_forced(choice: Option<&ToolChoice<'_>>) -> bool {
    matches!(
        choice,
        Some(ToolChoice::Any | ToolChoice::Tool(_) | ToolChoice::Allowed { must_call: true, .. })
    )
}
