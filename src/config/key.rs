//! `[keys.*]`: static keys of clients.

use super::budget::budgets;
use super::collector::Collector;
use super::crowd::priority;
use super::limits::limits;
use super::name::{check_name, model_name_fault};
use super::near::{self, quoted};
use super::pattern::ModelPattern;
use super::reader::Reader;
use super::secret::{self, Found};
use super::value::Value;
use crate::govern::{Budget, Limit};
use crate::types::Priority;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// SHA-256 of the key: computed from `secret`, or as written. The key itself is not kept.
    pub secret_sha256: [u8; 32],
    /// What the key may call; everything where the file does not say. Never empty.
    pub models: Vec<ModelPattern>,
    /// Without any: without limit.
    pub limits: Vec<Limit>,
    pub budgets: Vec<Budget>,
    /// The highest its calls may have, and that of those that say nothing.
    pub priority: Priority,
}

/// What a key is told apart by: its digest, or where it would come from when nothing is resolved.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Identity {
    Digest([u8; 32]),
    Source(String),
}

impl Key {
    /// All keys by name. `models` are the models of the file; None where they could not be read.
    pub(super) fn read_all(
        value: &Value<'_>,
        collector: &mut Collector<'_>,
        models: Option<&[ModelPattern]>,
    ) -> Option<BTreeMap<String, Self>> {
        let entries = Reader::open(value, collector)?.entries();
        let mut keys = BTreeMap::new();
        let mut owners: BTreeMap<Identity, &str> = BTreeMap::new();
        for (name, value) in entries {
            check_name(name, &value, collector);
            let Some((key, identity)) = Self::read(&value, collector, models) else { continue };
            if let Some(owner) = owners.insert(identity, name) {
                let message = format!("`{}` has the same secret as `{}`", quoted(name), quoted(owner));
                value.fail_head(collector, message, Some("a key must tell who calls"));
            }
            keys.insert(name.to_owned(), key);
        }
        Some(keys)
    }

    fn read(
        value: &Value<'_>,
        collector: &mut Collector<'_>,
        models: Option<&[ModelPattern]>,
    ) -> Option<(Self, Identity)> {
        let mut reader = Reader::open(value, collector)?;
        let secret = reader.take("secret", secret::secret);
        let digest = reader.take("secret_sha256", digest);
        if reader.has("secret") == reader.has("secret_sha256") {
            let message = "a key has either `secret` or `secret_sha256`";
            reader.fail(message, Some("such as secret = \"env:TIDEGATE_KEY_CI\""));
        }
        let everything = vec![ModelPattern::any()];
        let allowed = reader.or("models", everything, |v, c| allow_list(v, c, models));
        let limits = reader.or("limits", Vec::new(), limits);
        let is_model =
            |name: &str| models.is_none_or(|models| models.iter().any(|model| model.matches(name)));
        let budgets = reader.or("budget", Vec::new(), |v, c| budgets(v, c, &is_model));
        let priority = reader.or("priority", Priority::Normal, priority);
        let is_resolved = reader.collector.looks_outside();
        reader.done();
        let (secret_sha256, identity) = match (digest, secret) {
            (Some(digest), _) => (digest, Identity::Digest(digest)),
            (None, Some(Found { secret, source })) => {
                let digest: [u8; 32] = Sha256::digest(secret.expose().as_bytes()).into();
                (digest, if is_resolved { Identity::Digest(digest) } else { Identity::Source(source) })
            }
            (None, None) => return None,
        };
        Some((Self { secret_sha256, models: allowed, limits, budgets, priority }, identity))
    }
}

fn digest(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<[u8; 32]> {
    const HELP: &str = "64 hex digits, as printed by: printf %s \"$KEY\" | sha256sum";
    let text = value.string(collector, HELP)?;
    let mut digest = [0; 32];
    let digits: Option<Vec<u8>> = text.chars().map(|c| Some(c.to_digit(16)? as u8)).collect();
    let digits = digits.filter(|digits| digits.len() == 64);
    let Some(digits) = digits else {
        // It may be the key itself.
        collector.mask(value.span.clone());
        value.fail_help(collector, "this is no SHA-256", HELP);
        return None;
    };
    for (byte, pair) in digest.iter_mut().zip(digits.chunks(2)) {
        *byte = pair.iter().fold(0, |byte, digit| (byte << 4) | digit);
    }
    Some(digest)
}

/// The allow-list. An empty one is refused: whoever reads it as "no limit" would be as right as
/// whoever reads it as "nothing".
fn allow_list(
    value: &Value<'_>,
    collector: &mut Collector<'_>,
    models: Option<&[ModelPattern]>,
) -> Option<Vec<ModelPattern>> {
    let list = value.list(collector, "a list of models", |v, c| allowed(v, c, models))?;
    if matches!(value.node, toml::de::DeValue::Array(array) if array.is_empty()) {
        let help = "leave `models` out to allow all of them";
        value.fail_help(collector, "a key that may call no model", help);
    }
    Some(list)
}

/// One entry of the allow-list. An exact name must be a model here; a prefix may be for later ones.
fn allowed(
    value: &Value<'_>,
    collector: &mut Collector<'_>,
    models: Option<&[ModelPattern]>,
) -> Option<ModelPattern> {
    let name = value.string(collector, "a model's name")?;
    if let Some(fault) = model_name_fault(name) {
        value.fail_help(collector, fault, "an exact name, \"prefix*\" or \"*\"");
        return None;
    }
    let pattern = ModelPattern::new(name);
    if let (ModelPattern::Exact(name), Some(models)) = (&pattern, models)
        && !models.iter().any(|model| model.matches(name))
    {
        let names = models.iter().filter_map(|model| match model {
            ModelPattern::Exact(name) => Some(name.as_str()),
            ModelPattern::Prefix(_) => None,
        });
        let message = format!("no model `{}` here{}", quoted(name), near::suffix(name, names));
        value.fail(collector, message);
    }
    Some(pattern)
}
