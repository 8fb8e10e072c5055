//! Flat parameters, by name.

use crate::chat::{At, Feature, Raw, Refused, Setting};
use crate::framing::json::{JsonWriter, Node};

use super::losses::Policy;

/// In the order they are written. All are numbers.
const FIELDS: [(&str, Feature); 6] = [
    ("temperature", Feature::Temperature),
    ("p", Feature::TopP),
    ("k", Feature::TopK),
    ("frequency_penalty", Feature::FrequencyPenalty),
    ("presence_penalty", Feature::PresencePenalty),
    ("seed", Feature::Seed),
];

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().map(|(name, _)| *name)
}

pub(super) fn read<'a>(root: &Node<'a>) -> Result<Vec<Setting<'a>>, Refused> {
    let mut settings = Vec::new();
    for (name, feature) in FIELDS {
        let Some(node) = root.get(name) else { continue };
        if !node.is_number() {
            let message = format!("`{name}` must be a number, not {}", node.kind());
            return Err(Refused::new(At::of(node), message));
        }
        settings.push(Setting { feature, at: At::of(node), value: Raw::of(node) });
    }
    Ok(settings)
}

pub(super) fn write(settings: &[Setting<'_>], policy: &Policy<'_>, w: &mut JsonWriter<'_>) {
    for setting in settings.iter().filter(|setting| policy.keeps(setting.feature)) {
        if let Some((name, _)) = FIELDS.iter().find(|(_, feature)| *feature == setting.feature) {
            w.field_raw(name, setting.value.as_str());
        }
    }
}
