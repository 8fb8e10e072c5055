//! `google` of a provider: the account whose tokens its calls carry.

use super::base_url;
use super::collector::Collector;
use super::plain::{plain, token_endpoint};
use super::reader::Reader;
use super::secret;
use super::value::Value;
use crate::framing::json::{Duplicates, parse};
use crate::types::Secret;

/// Where tokens come from: exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoogleAccount {
    /// A credentials file's text; `token_url` in place of the address it names.
    File { json: Secret, token_url: Option<String> },
    /// The machine's own account.
    Metadata { endpoint: String },
}

const SOURCES: [&str; 3] = ["service_account", "workload_identity", "metadata"];
const METADATA: &str = "http://metadata.google.internal";
const HELP: &str = "service_account = \"file:PATH\", workload_identity = \"PATH\", or metadata = true";
const FILE_BYTES_MAX: u64 = 64 * 1024;

impl GoogleAccount {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let written: Vec<&str> = SOURCES.into_iter().filter(|key| reader.has(key)).collect();
        let account = match *written.as_slice() {
            ["metadata"] => {
                reader.take("metadata", is_true);
                let endpoint = reader.take("endpoint", base_url::base_url);
                let endpoint = endpoint.map_or_else(|| METADATA.to_owned(), |url| url.as_str().to_owned());
                Some(Self::Metadata { endpoint })
            }
            [only] => {
                let json = match only {
                    "service_account" => reader.take("service_account", key_file),
                    _ => reader.take("workload_identity", federation_file),
                };
                let token_url = reader.take("endpoint", token_endpoint).map(|url| url.as_str().to_owned());
                json.map(|json| Self::File { json, token_url })
            }
            [] => {
                reader.fail("`google` names no account", Some(HELP));
                None
            }
            _ => {
                reader.fail("`google` names more than one account", Some(HELP));
                None
            }
        };
        SOURCES.into_iter().chain(["endpoint"]).for_each(|key| {
            let _ = reader.value(key);
        });
        reader.done();
        account
    }
}

fn is_true(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<bool> {
    let is_on = value.boolean(collector)?;
    if !is_on {
        value.fail(collector, "leave `metadata` out, or set it to true");
    }
    Some(is_on)
}

/// A key of a service account, or a person's refresh token: a secret.
fn key_file(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Secret> {
    let json = secret::document(value, collector)?;
    check(value, collector, json, &["service_account", "authorized_user"])
}

/// Says where another issuer's token lies and where to trade it: no secret itself.
fn federation_file(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Secret> {
    let path = plain(value, collector)?;
    if !collector.looks_outside() {
        return Some(Secret::new(""));
    }
    let size = std::fs::metadata(&path).map(|meta| meta.len());
    let text = match size {
        Ok(size) if size > FILE_BYTES_MAX => {
            value.fail(collector, format!("this file is longer than {FILE_BYTES_MAX} bytes"));
            return None;
        }
        Ok(_) => std::fs::read_to_string(&path),
        Err(error) => Err(error),
    };
    match text {
        Ok(text) => check(value, collector, Secret::new(text), &["external_account"]),
        Err(error) => {
            value.fail(collector, format!("the file cannot be read: {error}"));
            None
        }
    }
}

fn check(value: &Value<'_>, collector: &mut Collector<'_>, json: Secret, kinds: &[&str]) -> Option<Secret> {
    if !collector.looks_outside() {
        return Some(json);
    }
    let kind = parse(json.expose(), Duplicates::LastCounts)
        .ok()
        .and_then(|root| root.text_of("type").map(String::from));
    if kind.is_some_and(|kind| kinds.contains(&kind.as_str())) {
        return Some(json);
    }
    let kinds = kinds.join("` or `");
    value.fail(collector, format!("this is no credentials file of Google's with `type` `{kinds}`"));
    None
}
