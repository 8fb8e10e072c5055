//! `providers.*.headers`: fields sent with every call to a provider.

use super::collector::Collector;
use super::near::quoted;
use super::reader::Reader;
use super::secret;
use super::value::Value;
use crate::types::Secret;
use std::collections::BTreeMap;

/// Fields a provider can be given.
const HEADERS_MAX: usize = 32;

/// Fields that the gateway writes itself: a second one would break the framing or the routing.
const OWN: [&str; 12] = [
    "host",
    "connection",
    "content-length",
    "content-encoding",
    "content-type",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "keep-alive",
    "proxy-connection",
];

/// Names by lowercase field name; all values are treated as secrets, so none is ever printed.
pub(super) fn headers(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<BTreeMap<String, Secret>> {
    let reader = Reader::open(value, collector)?;
    let entries = reader.entries();
    if entries.len() > HEADERS_MAX {
        value.fail(collector, format!("at most {HEADERS_MAX} headers"));
    }
    let mut headers = BTreeMap::new();
    for (name, value) in entries {
        let Ok(field) = http::HeaderName::from_bytes(name.as_bytes()) else {
            value.hide(collector);
            value.fail_head(collector, format!("`{}` is no header name", quoted(name)), None);
            continue;
        };
        if OWN.contains(&field.as_str()) {
            value.fail_head(collector, format!("`{field}` is written by the gateway itself"), None);
        }
        if let Some(text) = header_value(field.as_str(), &value, collector)
            && headers.insert(field.as_str().to_owned(), text).is_some()
        {
            value.fail_head(collector, format!("`{field}` is given twice"), None);
        }
    }
    Some(headers)
}

fn header_value(field: &str, value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Secret> {
    if is_sensitive(field) && !is_amount(value) {
        return secret::secret(value, collector).map(|found| found.secret);
    }
    let text = value.string(collector, "a string")?;
    if secret::is_reference(text) {
        return secret::secret(value, collector).map(|found| found.secret);
    }
    if http::HeaderValue::from_str(text).is_err() {
        value.hide(collector);
        value.fail(collector, "this cannot be sent in a header");
        return None;
    }
    Some(Secret::new(text))
}

/// Whether the value is a number that is no credential: `x-max-tokens` is a limit.
fn is_amount(value: &Value<'_>) -> bool {
    const DIGITS_MAX: usize = 8;
    let is_amount =
        |text: &str| (1..=DIGITS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    matches!(value.node, toml::de::DeValue::String(text) if is_amount(text))
}

/// Whether a field of this name carries a credential: then its value must not stand in the file.
fn is_sensitive(field: &str) -> bool {
    const PARTS: [&str; 7] = ["auth", "key", "token", "secret", "cookie", "password", "credential"];
    PARTS.iter().any(|part| field.contains(part))
}
