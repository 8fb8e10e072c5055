//! `api_key` and `api_keys` of a provider.

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
    if let Some(kind) = kind.filter(|kind| kind.needs_key())
        && !has_one
        && !has_many
    {
        let help = "such as api_key = \"env:PROVIDER_API_KEY\"";
        reader.fail(format!("kind `{}` needs an `api_key`", kind.as_str()), Some(help));
    }
    one.into_iter().chain(many.unwrap_or_default()).map(|found| found.secret).collect()
}

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
