//! What a provider is: a vendor known by name, or anything that speaks like one.

use super::base_url::{self, BaseUrl};
use super::choice::choice;
use super::collector::Collector;
use super::value::Value;
use crate::types::Dialect;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderKind {
    OpenAi,
    Anthropic,
    Gemini,
    OpenAiCompatible,
    AnthropicCompatible,
    GeminiCompatible,
}

const KINDS: &[(&str, ProviderKind)] = &[
    ("openai", ProviderKind::OpenAi),
    ("anthropic", ProviderKind::Anthropic),
    ("gemini", ProviderKind::Gemini),
    ("openai-compatible", ProviderKind::OpenAiCompatible),
    ("anthropic-compatible", ProviderKind::AnthropicCompatible),
    ("gemini-compatible", ProviderKind::GeminiCompatible),
];

const LATER: &[(&str, &str)] = &[
    (
        "azure-openai",
        "comes with a later release; until then \"openai-compatible\" with base_url = \
         \"https://RESOURCE.openai.azure.com/openai/v1\" does",
    ),
    ("bedrock", "comes with a later release"),
    ("vertex", "comes with a later release"),
    ("cohere", "comes with a later release"),
];

impl ProviderKind {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        choice(KINDS, LATER)(value, collector)
    }

    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }

    pub fn dialect(self) -> Dialect {
        match self {
            Self::OpenAi | Self::OpenAiCompatible => Dialect::OpenAi,
            Self::Anthropic | Self::AnthropicCompatible => Dialect::Anthropic,
            Self::Gemini | Self::GeminiCompatible => Dialect::Gemini,
        }
    }

    /// Whether it is a vendor's own service: its address is known and it wants a key.
    pub fn is_vendor(self) -> bool {
        matches!(self, Self::OpenAi | Self::Anthropic | Self::Gemini)
    }

    /// The vendor's own address.
    pub(super) fn base_url(self) -> Option<BaseUrl> {
        let text = match self {
            Self::OpenAi => "https://api.openai.com/v1",
            Self::Anthropic => "https://api.anthropic.com",
            Self::Gemini => "https://generativelanguage.googleapis.com",
            _ => return None,
        };
        base_url::checked(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vendor_has_an_address_and_only_vendors_have() {
        for (word, kind) in KINDS {
            assert_eq!(kind.base_url().is_some(), kind.is_vendor(), "{word}");
            assert_eq!(kind.as_str(), *word);
        }
    }
}
