//! The flat parameters, by name.

use super::read::wrong;
use crate::chat::{At, Feature, Raw, Refused, Setting};
use crate::framing::json::Node;

/// The type a parameter must have.
#[derive(Clone, Copy)]
enum Form {
    Number,
    String,
    Flag,
    Object,
}

/// Where two names stand for one feature the first that is there counts; the other is left over.
const TABLE: [(&str, Feature, Form); 17] = [
    ("temperature", Feature::Temperature, Form::Number),
    ("top_p", Feature::TopP, Form::Number),
    ("top_k", Feature::TopK, Form::Number),
    ("min_p", Feature::MinP, Form::Number),
    ("frequency_penalty", Feature::FrequencyPenalty, Form::Number),
    ("presence_penalty", Feature::PresencePenalty, Form::Number),
    ("repetition_penalty", Feature::RepetitionPenalty, Form::Number),
    ("seed", Feature::Seed, Form::Number),
    ("logit_bias", Feature::LogitBias, Form::Object),
    ("top_logprobs", Feature::TopLogprobs, Form::Number),
    ("metadata", Feature::Metadata, Form::Object),
    ("service_tier", Feature::ServiceTier, Form::String),
    ("store", Feature::Store, Form::Flag),
    ("prompt_cache_key", Feature::PromptCacheKey, Form::String),
    ("prompt_cache_retention", Feature::PromptCacheRetention, Form::String),
    ("safety_identifier", Feature::User, Form::String),
    ("user", Feature::User, Form::String),
];

/// What was read of a request.
pub(super) struct Settings<'a> {
    pub(super) read: Vec<Setting<'a>>,
    /// Names in the table whose feature another name had said already.
    pub(super) left: Vec<&'static str>,
}

/// Whether the table has `name`.
pub(super) fn is_known(name: &str) -> bool {
    TABLE.iter().any(|(known, ..)| *known == name)
}

/// The name a feature is written under, where it is a flat parameter.
pub(super) fn name(feature: Feature) -> Option<&'static str> {
    TABLE.iter().find(|(_, of, _)| *of == feature).map(|(name, ..)| *name)
}

/// # Errors
/// [`Refused`] at the first value of a wrong type.
pub(super) fn read<'a>(root: &Node<'a>) -> Result<Settings<'a>, Refused> {
    let mut settings = Settings { read: Vec::new(), left: Vec::new() };
    for (name, feature, form) in TABLE {
        let Some(node) = root.get(name) else { continue };
        form.check(node)?;
        if settings.read.iter().any(|setting| setting.feature == feature) {
            settings.left.push(name);
        } else if says_something(feature, node) {
            settings.read.push(Setting { feature, at: At::of(node), value: Raw::of(node) });
        }
    }
    Ok(settings)
}

/// Empty metadata and the automatic tier are what nobody asked for.
fn says_something(feature: Feature, node: &Node<'_>) -> bool {
    match feature {
        Feature::Metadata | Feature::LogitBias => !node.entries().is_empty(),
        Feature::ServiceTier => !node.is("auto"),
        Feature::TopLogprobs => node.as_u64() != Some(0),
        _ => true,
    }
}

impl Form {
    fn check(self, node: &Node<'_>) -> Result<(), Refused> {
        let (is_right, wanted) = match self {
            Form::Number => (node.is_number(), "a number"),
            Form::String => (node.is_string(), "a string"),
            Form::Flag => (node.as_bool().is_some(), "true or false"),
            Form::Object => (node.is_object(), "an object"),
        };
        if is_right { Ok(()) } else { Err(wrong(node, wanted)) }
    }
}
