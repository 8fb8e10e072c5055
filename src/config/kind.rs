//! What a provider is: a vendor of the catalogue, or anything that speaks like one.

use super::collector::Collector;
use super::near::{self, quoted};
use super::value::Value;
use crate::catalog::{self, Auth, Catalog};
use crate::types::{Dialect, Protocol};
use std::sync::Arc;

/// A provider's kind: facts of the catalogue, or of a family of servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderKind {
    word: Box<str>,
    facts: Arc<catalog::Provider>,
    is_vendor: bool,
}

/// Servers people run themselves, by the dialect they speak: word, protocols, credential.
const COMPATIBLE: &[(&str, &[Protocol], CompatibleAuth)] = &[
    ("openai-compatible", &[Protocol::Chat, Protocol::Responses], CompatibleAuth::Bearer),
    ("anthropic-compatible", &[Protocol::Messages], CompatibleAuth::Header("x-api-key")),
    ("gemini-compatible", &[Protocol::Generate], CompatibleAuth::Header("x-goog-api-key")),
    ("bedrock-compatible", &[Protocol::Converse], CompatibleAuth::Bearer),
    ("cohere-compatible", &[Protocol::Cohere], CompatibleAuth::Bearer),
    ("ollama-compatible", &[Protocol::Ollama], CompatibleAuth::Bearer),
];

#[derive(Clone, Copy)]
enum CompatibleAuth {
    Bearer,
    Header(&'static str),
}

/// Short words for rows of the catalogue.
const ALIASES: &[(&str, &str)] = &[
    ("gemini", "google"),
    ("vertex", "google-vertex"),
    ("bedrock", "amazon-bedrock"),
    ("azure-openai", "azure"),
];

/// Hosts of several makers' models: each model has one of these protocols, by its name
/// (`dialect::front`). The catalogue states the first one.
const HOSTS: &[(&str, &[Protocol])] = &[
    ("google-vertex", &[Protocol::Generate, Protocol::Messages, Protocol::Chat]),
    ("amazon-bedrock", &[Protocol::Converse, Protocol::Messages]),
];

impl ProviderKind {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let word = value.string(collector, "the kind of a provider")?;
        if let Some(kind) = Self::of(word) {
            return Some(kind);
        }
        let catalog = Catalog::builtin();
        let ids = catalog.providers().iter().map(|provider| &*provider.id);
        let words = COMPATIBLE.iter().map(|(word, ..)| *word).chain(ALIASES.iter().map(|(word, _)| *word));
        let near = near::suffix(word, words.chain(ids));
        let help =
            "\"openai-compatible\", another \"…-compatible\", or an id that `tidegate providers` lists";
        value.fail_help(collector, format!("unknown kind `{}`{near}", quoted(word)), help);
        None
    }

    /// The kind of a word.
    pub fn of(word: &str) -> Option<Self> {
        if let Some((_, protocols, auth)) = COMPATIBLE.iter().find(|(known, ..)| *known == word) {
            let auth = match auth {
                CompatibleAuth::Bearer => Auth::Bearer,
                CompatibleAuth::Header(name) => Auth::Header((*name).into()),
            };
            let facts = catalog::Provider {
                protocols: (*protocols).into(),
                auth,
                ..catalog::Provider::unknown(word)
            };
            return Some(Self { word: word.into(), facts: Arc::new(facts), is_vendor: false });
        }
        let id = ALIASES.iter().find(|(alias, _)| *alias == word).map_or(word, |(_, id)| id);
        let mut facts = Catalog::builtin().provider(id).cloned()?;
        if let Some((_, protocols)) = HOSTS.iter().find(|(known, _)| *known == id) {
            facts.protocols = (*protocols).into();
        }
        Some(Self { word: word.into(), facts: Arc::new(facts), is_vendor: true })
    }

    /// The word in the file.
    pub fn as_str(&self) -> &str {
        &self.word
    }

    /// How to talk to it.
    pub fn facts(&self) -> &Arc<catalog::Provider> {
        &self.facts
    }

    /// What it answers to, the one to prefer first.
    pub fn protocols(&self) -> &[Protocol] {
        &self.facts.protocols
    }

    /// Whether it speaks a dialect at all.
    pub fn speaks(&self, dialect: Dialect) -> bool {
        self.protocols().iter().any(|protocol| protocol.dialect() == dialect)
    }

    /// Whether it is a vendor's own service: the catalogue knows it.
    pub fn is_vendor(&self) -> bool {
        self.is_vendor
    }

    /// Whether the file must hold a credential for it.
    pub fn needs_key(&self) -> bool {
        self.is_vendor && self.facts.auth != Auth::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_a_kind_and_every_alias_a_row() {
        for (word, protocols, _) in COMPATIBLE {
            let kind = ProviderKind::of(word).unwrap();
            assert_eq!((kind.protocols(), kind.is_vendor()), (*protocols, false));
        }
        for (alias, id) in ALIASES {
            let kind = ProviderKind::of(alias).unwrap();
            assert_eq!((kind.as_str(), &*kind.facts().id), (*alias, *id));
        }
        assert!(ProviderKind::of("groq").is_some_and(|kind| kind.needs_key()));
        assert_eq!(ProviderKind::of("nobody"), None);
    }

    #[test]
    fn who_asks_for_nothing_needs_no_key_and_all_other_vendors_do() {
        for provider in Catalog::builtin().providers() {
            let kind = ProviderKind::of(&provider.id).unwrap();
            assert_eq!(kind.needs_key(), provider.auth != Auth::None, "{}", provider.id);
        }
        assert!(!ProviderKind::of("ollama-compatible").unwrap().needs_key());
    }
}
