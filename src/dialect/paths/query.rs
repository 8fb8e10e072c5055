//! Query strings: what is looked up in them and what of them goes up.
//!
//! Invariant: a pair that goes up goes up byte for byte.

use std::borrow::Cow;

use super::encode_model;
use super::segment::decode;

/// Parameters that are a client's credential. Never forwarded, however they are spelled.
const CREDENTIALS: [&str; 2] = ["key", "access_token"];

/// Whether the query can stand in a request line.
pub(super) fn is_safe(query: &str) -> bool {
    query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

/// The first value of `name`, decoded once. A value that does not decode is absent.
pub fn value<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    pairs(query).find(|(_, key, _)| key == name).and_then(|(_, _, value)| decode(value))
}

/// Whether a Gemini stream was asked for as server-sent events (otherwise it is a JSON array).
pub fn wants_sse(query: Option<&str>) -> bool {
    query.is_some_and(|query| {
        ["alt", "$alt"].iter().any(|name| value(query, name).is_some_and(|value| value == "sse"))
    })
}

/// What of `query` goes up, see `Hit::upstream_query`. `model` replaces the client's.
pub(super) fn forwarded(query: &str, is_azure_shape: bool, model: Option<&str>) -> Option<String> {
    let kept = pairs(query).filter(|(pair, key, _)| {
        let is_credential = CREDENTIALS.iter().any(|name| key.eq_ignore_ascii_case(name));
        let is_azure = is_azure_shape && key.eq_ignore_ascii_case("api-version");
        let is_replaced = model.is_some() && key == "model";
        !pair.is_empty() && !is_credential && !is_azure && !is_replaced
    });
    let mut up: Vec<Cow<'_, str>> = kept.map(|(pair, _, _)| Cow::Borrowed(pair)).collect();
    if let Some(model) = model {
        up.insert(0, Cow::Owned(format!("model={}", encode_model(model))));
    }
    (!up.is_empty()).then(|| up.join("&"))
}

/// The pair as it stands, its decoded key (as it stands where it does not decode), its raw value.
fn pairs(query: &str) -> impl Iterator<Item = (&str, Cow<'_, str>, &str)> {
    query.split('&').map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (pair, decode(key).unwrap_or(Cow::Borrowed(key)), value)
    })
}
