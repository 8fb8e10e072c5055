//! `api_key` and `api_keys` of a provider.

use super::cloud;
use super::collector::Collector;
use super::kind::ProviderKind;
use super::reader::Reader;
use super::secret::{self, Found};
use super::value::Value;
use crate::types::Secret;

/// Credentials one provider rotates over.
const KEYS_MAX: usize = 64;

/// The credentials of a provider, in the order of the file.
pub(super) fn credentials(reader: &mut Reader<'_, '_, '_>, kind: Option<&ProviderKind>) -> Vec<Secret> {
    let one = reader.take("api_key", secret::secret);
    let many = reader.take("api_keys", list);
    let (has_one, has_many) = (reader.has("api_key"), reader.has("api_keys"));
    if has_one && has_many {
        reader.fail("`api_key` and `api_keys` exclude each other", Some("put all of them into `api_keys`"));
    }
    if let Some(kind) = kind {
        check_kind(reader, kind, has_one || has_many);
    }
    one.into_iter().chain(many.unwrap_or_default()).map(|found| found.secret).collect()
}

/// A kind that needs a credential has exactly one sort of it.
fn check_kind(reader: &mut Reader<'_, '_, '_>, kind: &ProviderKind, has_key: bool) {
    let word = kind.as_str();
    let table = cloud::table_of(kind);
    let has_table = table.is_some_and(|table| reader.has(table));
    let takes_key = cloud::takes_key(kind);
    match table {
        Some(table) if has_key && has_table => {
            reader.fail(format!("`api_key` and `{table}` exclude each other"), None);
        }
        Some(table) if has_key && !takes_key => {
            reader.fail(format!("kind `{word}` takes no `api_key`, but `{table}`"), None);
        }
        Some(table) if !has_key && !has_table && kind.needs_key() => {
            let or = if takes_key { "an `api_key` or " } else { "" };
            reader.fail(format!("kind `{word}` needs {or}`{table}`"), Some(HELP));
        }
        None if !has_key && kind.needs_key() => {
            let help = "such as api_key = \"env:PROVIDER_API_KEY\"";
            reader.fail(format!("kind `{word}` needs an `api_key`"), Some(help));
        }
        _ => {}
    }
}

const HELP: &str = "docs/credentials.md shows the tables `aws`, `google` and `azure`";

fn list(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Vec<Found>> {
    let mut keys: Vec<Found> = Vec::new();
    let elements = value.elements(collector, "a list of secrets")?;
    if elements.is_empty() || elements.len() > KEYS_MAX {
        value.fail(collector, format!("`api_keys` has 1 to {KEYS_MAX} entries"));
    }
    for element in elements.iter().take(KEYS_MAX) {
        let Some(found) = secret::secret(element, collector) else { continue };
        let is_known = keys.iter().any(|key| key.source == found.source)
            || (collector.looks_outside() && keys.iter().any(|key| key.secret == found.secret));
        if is_known {
            element.fail(collector, "this credential is in the list already");
        }
        keys.push(found);
    }
    Some(keys)
}
