//! Configuration as it may be shown and kept: structure and plain values, no secret.
//!
//! A valid configuration names its secrets (`env:NAME`, `file:PATH`) instead of holding them. What it
//! may hold all the same is taken out here: values of headers, digests of keys, what stands in an
//! address beside its host and path. Invariant: masking twice is masking once.

use serde_json::{Map, Value};

/// Stands where something was taken out.
pub const MASK: &str = "***";

/// A whole configuration file, as JSON.
pub fn mask_file(file: &mut Value) {
    let Some(sections) = file.as_object_mut() else { return };
    if let Some(providers) = sections.get_mut("providers").and_then(Value::as_object_mut) {
        providers.values_mut().filter_map(Value::as_object_mut).for_each(mask_table);
    }
    if let Some(hooks) = sections.get_mut("admin").and_then(|admin| admin.get_mut("webhooks")) {
        hooks.as_array_mut().into_iter().flatten().for_each(mask_hook);
    }
    walk(file);
}

/// The table of one provider or model.
pub fn mask_table(table: &mut Map<String, Value>) {
    if let Some(headers) = table.get_mut("headers").and_then(Value::as_object_mut) {
        let plain = headers.values_mut().filter(|value| !value.as_str().is_some_and(is_reference));
        plain.for_each(|value| *value = MASK.into());
    }
    table.values_mut().for_each(walk);
}

/// Whether a text names a secret rather than being one.
fn is_reference(text: &str) -> bool {
    text.starts_with("env:") || text.starts_with("file:")
}

/// Addresses of hooks hold their credential in the path as often as not.
fn mask_hook(hook: &mut Value) {
    let Some(Value::String(url)) = hook.get_mut("url") else { return };
    if let Some((scheme, rest)) = url.split_once("://") {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        *url = format!("{scheme}://{host}/{MASK}");
    }
}

fn walk(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "secret_sha256" {
                    *value = MASK.into();
                }
                walk(value);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(walk),
        Value::String(text) => mask_address(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Without user information and query.
fn mask_address(text: &mut String) {
    let Some((scheme, rest)) = text.split_once("://") else { return };
    let (authority, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
    let user = authority.rsplit_once('@');
    let query = path.find(['?', '#']).and_then(|at| path.split_at_checked(at));
    if user.is_none() && query.is_none() {
        return;
    }
    let user = user.map_or_else(|| authority.to_owned(), |(_, host)| format!("{MASK}@{host}"));
    let path = query.map_or_else(|| path.to_owned(), |(path, _)| format!("{path}?{MASK}"));
    *text = format!("{scheme}://{user}{path}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_could_be_a_secret_is_taken_out_and_the_rest_stays() {
        let mut file = json!({
            "admin": { "token": "env:ADMIN", "webhooks": [{ "url": "https://hooks.test/T0/canary", "secret": "env:S" }] },
            "store": { "url": "postgres://tg:canary@db:5433/t?password=canary" },
            "providers": { "p": {
                "base_url": "https://api.test/v1", "api_key": "env:K",
                "headers": { "x-org": "canary", "x-key": "file:/run/k" }
            } },
            "keys": { "ci": { "secret_sha256": "canary", "models": ["a"] } }
        });
        mask_file(&mut file);
        assert!(!file.to_string().contains("canary"), "{file}");
        assert_eq!(file["providers"]["p"]["headers"], json!({ "x-org": "***", "x-key": "file:/run/k" }));
        assert_eq!(file["providers"]["p"]["base_url"], "https://api.test/v1");
        assert_eq!(file["admin"]["webhooks"][0]["url"], "https://hooks.test/***");
        assert_eq!(file["store"]["url"], "postgres://***@db:5433/t?***");
        let once = file.clone();
        mask_file(&mut file);
        assert_eq!(file, once);
    }
}
