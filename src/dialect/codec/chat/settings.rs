//! Flat parameters, by name.

use crate::chat::{At, Extra, Feature, Field, Raw, Refused, Setting, Text};
use crate::framing::json::{Duplicates, JsonWriter, Node, parse};
use crate::types::Protocol;

use super::losses::Policy;

/// What a parameter's value must be.
#[derive(Clone, Copy)]
enum Shape {
    Number,
    Whole,
    Flag,
    Words,
    Object,
    List,
}

/// In the order they are written.
const FIELDS: [(&str, Feature, Shape); 25] = [
    ("temperature", Feature::Temperature, Shape::Number),
    ("top_p", Feature::TopP, Shape::Number),
    ("top_k", Feature::TopK, Shape::Number),
    ("min_p", Feature::MinP, Shape::Number),
    ("frequency_penalty", Feature::FrequencyPenalty, Shape::Number),
    ("presence_penalty", Feature::PresencePenalty, Shape::Number),
    ("repetition_penalty", Feature::RepetitionPenalty, Shape::Number),
    ("seed", Feature::Seed, Shape::Number),
    ("random_seed", Feature::Seed, Shape::Number),
    ("logit_bias", Feature::LogitBias, Shape::Object),
    ("logprobs", Feature::Logprobs, Shape::Flag),
    ("top_logprobs", Feature::TopLogprobs, Shape::Whole),
    ("n", Feature::Choices, Shape::Whole),
    ("user", Feature::User, Shape::Words),
    ("safety_identifier", Feature::User, Shape::Words),
    ("metadata", Feature::Metadata, Shape::Object),
    ("service_tier", Feature::ServiceTier, Shape::Words),
    ("verbosity", Feature::Verbosity, Shape::Words),
    ("store", Feature::Store, Shape::Flag),
    ("prompt_cache_key", Feature::PromptCacheKey, Shape::Words),
    ("prompt_cache_retention", Feature::PromptCacheRetention, Shape::Words),
    ("prediction", Feature::Prediction, Shape::Object),
    ("modalities", Feature::Modalities, Shape::List),
    ("audio", Feature::AudioOutput, Shape::Object),
    ("web_search_options", Feature::WebSearchOptions, Shape::Object),
];

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().map(|(name, _, _)| *name)
}

/// Reads the parameters of a request. A second name for one that was read already goes to `extra`.
pub(super) fn read<'a>(root: &Node<'a>, extra: &mut Extra<'a>) -> Result<Vec<Setting<'a>>, Refused> {
    let mut settings: Vec<Setting<'a>> = Vec::new();
    for (name, feature, shape) in FIELDS {
        let Some(node) = root.get(name) else { continue };
        check(node, shape)?;
        if is_default(feature, node) {
            continue;
        }
        if settings.iter().any(|setting| setting.feature == feature) {
            super::extra::add(extra, name, node);
            continue;
        }
        settings.push(Setting { feature, at: At::of(node), value: Raw::of(node) });
    }
    Ok(settings)
}

fn check(node: &Node<'_>, shape: Shape) -> Result<(), Refused> {
    let (is_right, wanted) = match shape {
        Shape::Number => (node.is_number(), "a number"),
        Shape::Whole => (node.as_u64().is_some(), "a whole number"),
        Shape::Flag => (node.as_bool().is_some(), "true or false"),
        Shape::Words => (node.is_string(), "a string"),
        Shape::Object => (node.is_object(), "an object"),
        Shape::List => (node.is_array(), "a list"),
    };
    if is_right {
        return Ok(());
    }
    Err(Refused::new(At::of(node), format!("this must be {wanted}, not {}", node.kind())))
}

/// What asks for nothing that is not done anyway.
fn is_default(feature: Feature, node: &Node<'_>) -> bool {
    match feature {
        Feature::Choices => node.as_u64() == Some(1),
        Feature::Logprobs => node.as_bool() == Some(false),
        Feature::Modalities => matches!(node.items(), [only] if only.is("text")),
        _ => false,
    }
}

/// Writes what `policy` keeps.
pub(super) fn write(settings: &[Setting<'_>], policy: &Policy<'_>, w: &mut JsonWriter<'_>) {
    let kept = settings.iter().filter(|setting| policy.keeps(setting.feature));
    for setting in kept {
        let Some(value) = value(setting, policy.from) else { continue };
        if setting.feature == Feature::TopLogprobs
            && !settings.iter().any(|other| other.feature == Feature::Logprobs)
        {
            w.field_bool("logprobs", true);
        }
        if let Some(name) = name(setting.feature, policy) {
            w.field_raw(name, &value);
        }
    }
}

fn name(feature: Feature, policy: &Policy<'_>) -> Option<&'static str> {
    if feature == Feature::Seed && policy.target.says_any {
        return Some("random_seed");
    }
    FIELDS.iter().find(|(_, of, _)| *of == feature).map(|(name, _, _)| *name)
}

/// The value in chat's own words.
fn value<'s>(setting: &'s Setting<'_>, from: Protocol) -> Option<Text<'s>> {
    let value = setting.value.as_str();
    if from == Protocol::Chat {
        return Some(Text::Borrowed(value));
    }
    match setting.feature {
        // Gemini shouts: ["TEXT","IMAGE"].
        Feature::Modalities => Some(Text::Owned(value.to_ascii_lowercase())),
        Feature::ServiceTier => {
            let word = parse(value, Duplicates::LastCounts).ok()?.text()?.to_ascii_lowercase();
            Some(Text::Borrowed(match word.as_str() {
                "standard" | "standard_only" => "\"default\"",
                _ => value,
            }))
        }
        _ => Some(Text::Borrowed(value)),
    }
}

/// Fields of `stream_options` that ask for something this gateway does not do itself.
pub(super) fn stream_options<'a>(root: &Node<'a>) -> Option<Field<'a>> {
    const OWN: [&str; 2] = ["include_usage", "include_obfuscation"];
    let node = root.get("stream_options")?;
    let is_foreign = node.entries().iter().any(|(name, _)| !OWN.contains(&name.as_ref()));
    is_foreign.then(|| Field {
        name: Text::Borrowed("stream_options"),
        at: At::of(node),
        value: Raw::of(node),
    })
}
