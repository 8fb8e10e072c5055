//! What a provider is: a vendor of the catalogue, or anything that speaks like one.

use super::collector::Collector;
use super::near::{self, quoted};
use super::value::Value;
use crate::catalog::{self, Auth, Catalog, Quirk};
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
    (VOYAGE, &[Protocol::Chat], CompatibleAuth::Bearer),
];

/// Embeddings and rerank only, by OpenAI's paths with fields of its own.
const VOYAGE: &str = "voyage-compatible";

/// Where words are looked up besides the families of servers.
pub(super) struct Kinds<'c> {
    /// The catalogue of the configuration: a newer file than the binary's may know more.
    pub(super) facts: &'c Catalog,
    /// There is such a file, and it was not read.
    pub(super) is_unread: bool,
}

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
    /// Reads a word of `known`.
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>, known: &Kinds<'_>) -> Option<Self> {
        let word = value.string(collector, "the kind of a provider")?;
        // The newer facts first; a file that lacks a provider of the binary's breaks nothing.
        let newer = || Self::in_catalog(word, known.facts);
        let is_family = COMPATIBLE.iter().any(|(family, ..)| *family == word);
        if let Some(kind) = if is_family { Self::of(word) } else { newer().or_else(|| Self::of(word)) } {
            return Some(kind);
        }
        if known.is_unread {
            // The file that may have it is not looked at here.
            return None;
        }
        let catalog = Catalog::builtin();
        let ids = catalog.providers().iter().chain(known.facts.providers()).map(|provider| &*provider.id);
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
            let mut facts = catalog::Provider {
                protocols: (*protocols).into(),
                auth,
                ..catalog::Provider::unknown(word)
            };
            if word == VOYAGE {
                facts.quirks = facts.quirks.with(Quirk::NoChat).with(Quirk::VoyageFields);
            }
            return Some(Self { word: word.into(), facts: Arc::new(facts), is_vendor: false });
        }
        Self::in_catalog(word, &Catalog::builtin())
    }

    /// The kind of a word that is a row of `catalog`, or short for one.
    fn in_catalog(word: &str, catalog: &Catalog) -> Option<Self> {
        let id = ALIASES.iter().find(|(alias, _)| *alias == word).map_or(word, |(_, id)| id);
        // Of its file: a row the configuration wrote for a name of its own makes no vendor.
        let mut facts = catalog.providers().iter().find(|provider| *provider.id == *id).cloned()?;
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

    #[test]
    fn a_newer_file_of_facts_has_kinds_of_its_own_and_takes_none_away() {
        let folder = std::env::temp_dir().join(format!("tidegate-kinds-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (facts, file) = (folder.join("facts.json"), folder.join("tidegate.toml"));
        std::fs::write(
            &facts,
            "{\"format\":1,\"made\":\"2026-11-22\",\"sources\":[],\"providers\":1,\"models\":1}\n\
             {\"provider\":\"newcomer\",\"protocols\":[\"messages\"],\"base_url\":\"https://new.example\",\"auth\":\"bearer\",\"source\":\"x\"}\n\
             {\"id\":\"n-1\",\"source\":\"x\",\"prices\":[{\"input\":\"7\"}]}\n",
        )
        .unwrap();
        let text = |kind: &str| {
            format!(
                "[catalog]\nfile = {facts:?}\n[catalog.models.\"lab/m\"]\nlike = \"newcomer/n-1\"\n\
                 [providers.p]\nkind = \"{kind}\"\napi_key = \"env:K\"\n\
                 [models.m]\ntargets = [{{ provider = \"p\" }}]\n[keys.k]\nsecret = \"env:K\"\n"
            )
        };
        let env = |_: &str| Some("sk-0123456789abcdef0123456789".to_owned());
        let read = |kind: &str| crate::config::parse("f", &text(kind), &env);
        let newcomer = read("newcomer").unwrap();
        let provider = &newcomer.providers["p"];
        assert_eq!(provider.base_url.as_str(), "https://new.example");
        assert_eq!(provider.protocols, [Protocol::Messages]);
        assert_eq!(read("groq").unwrap().providers["p"].kind.as_str(), "groq");
        // A name of the configuration's own rows is no vendor.
        for unknown in ["lab", "newcome"] {
            let report = read(unknown).unwrap_err();
            assert!(report.problems.iter().any(|told| told.message.contains("unknown kind")), "{unknown}");
        }
        // Where nothing outside the file is looked at, such a kind cannot be judged.
        let checked = |kind: &str| {
            std::fs::write(&file, text(kind)).unwrap();
            crate::config::check(&file, &env, crate::config::SecretPolicy::Syntax)
        };
        assert!(checked("newcomer").is_ok());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
