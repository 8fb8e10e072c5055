//! What one request meets at one model: the losses that depend on both.

use super::family::Family;
use super::thinking::{Wire, is_forced};
use super::{HERE, NATIVE, losses};
use crate::chat::{
    At, BlockKind, Carry, Feature, Losses, OutputFormat, Refused, Request, Setting, Source, Survey, Target,
    ToolChoice, Vendor,
};
use crate::dialect::codec::schema::{Adapted, Place, Subset, adapt};
use crate::framing::json::{Duplicates, Node, parse};

/// Decided once, before anything is written; the writers ask it, so that what is reported as lost and
/// what is left out are the same.
pub(super) struct Facts {
    pub(super) family: Family,
    /// The request was written for Converse: its own words need no translation.
    pub(super) is_own: bool,
    pub(super) thinking: Wire,
    pub(super) answer: Answer,
    /// Calls or results stand in the conversation.
    pub(super) has_tool_history: bool,
    /// Bedrock's word for the service tier; None where it has none, empty where it is the default.
    tier: Option<&'static str>,
    takes_sampling: bool,
    takes_top_k: bool,
    is_temperature_in_range: bool,
    is_temperature_one: bool,
    is_top_p_wide: bool,
    is_metadata_fit: bool,
    is_choice_auto: bool,
    thinks_back: bool,
}

/// The form the answer is asked for in.
pub(super) enum Answer {
    Free,
    /// `outputConfig.textFormat`, held to this schema.
    Format(String),
    /// The input of the output tool, of this schema.
    Tool(String),
}

impl Answer {
    /// A schema that Bedrock cannot hold an answer to (recursion, or a map of free keys, which would be
    /// closed) still describes a tool's input.
    fn of(request: &Request<'_>, target: &Target, losses: &mut Losses) -> Result<Self, Refused> {
        let schema = match &request.output {
            None => return Ok(Answer::Free),
            Some(OutputFormat::Json) => return Ok(Answer::Tool(ANY_OBJECT.to_owned())),
            Some(OutputFormat::Schema { schema, .. }) => schema.as_str(),
        };
        if request.from == HERE && target.takes_schema {
            return Ok(Answer::Format(schema.to_owned()));
        }
        if target.takes_schema
            && let Ok(adapted) = adapt(schema, At::NOWHERE, Subset::BedrockStrict, Place::Output)
            && !adapted.lost.iter().any(|lost| lost.ends_with("additionalProperties"))
        {
            return Ok(Answer::Format(told(adapted, At::NOWHERE, losses)));
        }
        let adapted = adapt(schema, At::NOWHERE, Subset::Tool, Place::Parameters)?;
        Ok(Answer::Tool(told(adapted, At::NOWHERE, losses)))
    }

    pub(super) fn is_tool(&self) -> bool {
        matches!(self, Answer::Tool(_))
    }
}

/// Any object at all.
pub(super) const ANY_OBJECT: &str = r#"{"type":"object","properties":{}}"#;

/// The schema; what it had to leave out is reported.
pub(super) fn told(adapted: Adapted<'_>, at: At, losses: &mut Losses) -> String {
    for constraint in adapted.lost {
        losses.push_named(Feature::SchemaConstraint, at, &constraint.into());
    }
    adapted.json.into_owned()
}

impl Facts {
    /// # Errors
    /// [`Refused`] for a schema that cannot be brought into Bedrock's subset in any way.
    pub(super) fn new(request: &Request<'_>, target: &Target, losses: &mut Losses) -> Result<Self, Refused> {
        let family = Family::of(&target.model);
        let answer = Answer::of(request, target, losses)?;
        let is_forced = answer.is_tool() || is_forced(request.tool_choice.as_ref());
        let setting = |feature| request.setting(feature);
        let is_within = |feature, from: f64, to: f64| {
            let number = |setting: &Setting<'_>| setting.value.as_str().parse::<f64>();
            setting(feature).is_none_or(|s| number(s).is_ok_and(|value| (from..=to).contains(&value)))
        };
        Ok(Self {
            family,
            is_own: request.from == HERE,
            thinking: Wire::of(request, target, family, is_forced),
            has_tool_history: has_tool_history(request),
            tier: setting(Feature::ServiceTier).and_then(tier),
            takes_sampling: target.takes_sampling,
            takes_top_k: matches!(family, Family::Claude | Family::Nova | Family::Mistral | Family::Cohere),
            is_temperature_in_range: is_within(Feature::Temperature, 0.0, 1.0),
            is_temperature_one: is_within(Feature::Temperature, 1.0, 1.0),
            is_top_p_wide: is_within(Feature::TopP, 0.95, 1.0),
            is_metadata_fit: setting(Feature::Metadata).is_none_or(is_metadata_fit),
            is_choice_auto: matches!(request.tool_choice, None | Some(ToolChoice::Auto)) && !answer.is_tool(),
            thinks_back: family == Family::Claude || target.model.contains("deepseek.r1"),
            answer,
        })
    }

    /// What is carried of `feature`, for this request and this model.
    pub(super) fn carry(&self, feature: Feature) -> Carry {
        let is_claude = self.family == Family::Claude;
        match feature {
            Feature::Temperature | Feature::TopP | Feature::TopK if !self.takes_sampling => {
                Carry::Drop("this model takes no sampling parameters")
            }
            Feature::Temperature if !self.is_temperature_in_range => {
                Carry::Drop("Bedrock takes a temperature from 0 to 1")
            }
            Feature::TopK if !self.takes_top_k => Carry::Drop("this model has no top_k"),
            Feature::Temperature if self.thinks_as_claude() && !self.is_temperature_one => {
                Carry::Drop("Claude thinks at temperature 1 only")
            }
            Feature::TopP if self.thinks_as_claude() && !self.is_top_p_wide => {
                Carry::Drop("Claude thinks with a top_p from 0.95 only")
            }
            Feature::TopK if self.thinks_as_claude() => Carry::Drop("Claude does not think with top_k"),
            Feature::Metadata if !self.is_metadata_fit => {
                Carry::Drop("requestMetadata takes up to 16 short plain texts")
            }
            Feature::ServiceTier if self.tier.is_none() => Carry::Drop("Bedrock has no such service tier"),
            Feature::ReasoningEffort | Feature::ReasoningBudget => match self.thinking {
                Wire::Silent { why: Some(why) } => Carry::Drop(why),
                _ => losses::carry(feature),
            },
            Feature::ParallelTools if !is_claude => {
                Carry::Drop("this model cannot be kept from parallel tool calls")
            }
            Feature::ParallelTools if !self.is_choice_auto => {
                Carry::Drop("Bedrock limits parallel tool calls only where no tool is forced")
            }
            Feature::ToolChoiceNone if self.has_tool_history => {
                Carry::Drop("Bedrock wants the tools of earlier calls offered")
            }
            Feature::CacheHints if !self.family.caches() => Carry::Drop("this model keeps no prompt cache"),
            Feature::OwnThinking | Feature::ForeignThinking if !self.thinks_back => {
                Carry::Drop("this model takes no thinking back")
            }
            Feature::Citations if self.is_own => Carry::Kept,
            _ => losses::carry(feature),
        }
    }

    pub(super) fn keeps(&self, feature: Feature) -> bool {
        matches!(self.carry(feature), Carry::Kept | Carry::Renamed(_))
    }

    fn thinks_as_claude(&self) -> bool {
        self.family == Family::Claude && self.thinking.is_on()
    }

    /// The service tier to ask for, where it is not the default anyway.
    pub(super) fn tier(&self) -> Option<&'static str> {
        self.tier.filter(|tier| !tier.is_empty())
    }

    /// Whose proof thinking must carry to be taken back.
    pub(super) fn vendor(&self) -> Vendor {
        if self.family == Family::DeepSeek { Vendor::Unsigned } else { NATIVE }
    }

    /// Whether thinking with this proof goes back.
    pub(super) fn takes_back(&self, vendor: Option<Vendor>) -> bool {
        self.thinks_back && vendor.unwrap_or(Vendor::Unsigned) == self.vendor()
    }

    pub(super) fn survey<'s>(&self, carry: &'s dyn Fn(Feature) -> Carry) -> Survey<'s> {
        Survey { to: HERE, vendor: self.vendor(), signs_calls: false, carry }
    }
}

fn has_tool_history(request: &Request<'_>) -> bool {
    let blocks = request.turns.iter().flat_map(|turn| &turn.blocks);
    blocks.into_iter().any(|block| matches!(block.kind, BlockKind::ToolUse(_) | BlockKind::ToolResult(_)))
}

/// Bedrock's word for a tier of OpenAI, Anthropic or itself; empty for what is the default.
fn tier(setting: &Setting<'_>) -> Option<&'static str> {
    match setting.value.as_str().trim_matches('"') {
        "auto" | "standard" => Some(""),
        "default" | "standard_only" => Some("default"),
        "priority" => Some("priority"),
        "flex" => Some("flex"),
        "reserved" => Some("reserved"),
        _ => None,
    }
}

/// Source: the service's API model of `RequestMetadata`.
fn is_metadata_fit(setting: &Setting<'_>) -> bool {
    const ENTRIES_MAX: usize = 16;
    const BYTES_MAX: usize = 256;
    let is_plain = |text: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c.is_whitespace() || ":_@$#=/+,-.".contains(c);
        text.len() <= BYTES_MAX && text.chars().all(plain)
    };
    let Ok(root) = parse(setting.value.as_str(), Duplicates::LastCounts) else { return false };
    let fits = |name: &str, value: &Node<'_>| {
        !name.is_empty() && is_plain(name) && value.text().is_some_and(|text| is_plain(&text))
    };
    root.is_object()
        && (1..=ENTRIES_MAX).contains(&root.entries().len())
        && root.entries().iter().all(|(name, value)| fits(name, value))
}

/// A file at the vendor that is Bedrock's: an object in S3.
pub(super) fn s3_uri<'s>(source: &'s Source<'_>) -> Option<&'s str> {
    match source {
        Source::File { of, id } if *of == HERE => Some(id),
        _ => None,
    }
}
