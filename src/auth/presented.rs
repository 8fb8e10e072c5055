//! The credential a request carries, wherever its SDK puts it.
//!
//! Reads only; whether the credential is worth anything is the key ring's to say. Invariant: every
//! place read here is also stripped before an upstream sees the request.

use super::AuthError;
use crate::types::percent;
use std::borrow::Cow;

/// Header fields that carry a client's credential. Strip them all before an upstream, also those
/// that were not the one used.
pub const CREDENTIAL_HEADERS: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];

/// The query parameter Gemini clients use.
const QUERY_KEY: &str = "key";

/// Finds the credential in the header fields ([`CREDENTIAL_HEADERS`], asked by lower-case name) and
/// in the raw query (`?key=`, percent-decoded). Empty values and other schemes than Bearer count as
/// absent. A caller whose fields repeat a name must refuse that itself: `headers` gives one value.
///
/// # Errors
/// [`AuthError::Ambiguous`] when two places disagree, [`AuthError::Invalid`] when `?key=` does not
/// decode to UTF-8.
pub fn presented<'a>(
    headers: impl Fn(&str) -> Option<&'a str>,
    query: Option<&'a str>,
) -> Result<Option<Cow<'a, str>>, AuthError> {
    let mut found = None;
    for name in CREDENTIAL_HEADERS {
        let Some(value) = headers(name) else { continue };
        let value = if name == "authorization" { bearer(value) } else { Some(value.trim()) };
        agree(&mut found, value.map(Cow::Borrowed))?;
    }
    for pair in query.into_iter().flat_map(|query| query.split('&')).filter(|pair| is_key(pair)) {
        let (_, value) = pair.split_once('=').unwrap_or((pair, ""));
        agree(&mut found, Some(percent::decoded(value).ok_or(AuthError::Invalid)?))?;
    }
    Ok(found)
}

/// The query without its `key` parameters, the rest byte for byte; `None` when nothing is left.
pub fn without_key(query: &str) -> Option<Cow<'_, str>> {
    if !query.split('&').any(is_key) {
        return (!query.is_empty()).then_some(Cow::Borrowed(query));
    }
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_key(pair)).collect();
    (!kept.is_empty()).then(|| Cow::Owned(kept.join("&")))
}

fn agree<'a>(found: &mut Option<Cow<'a, str>>, next: Option<Cow<'a, str>>) -> Result<(), AuthError> {
    let Some(next) = next.filter(|value| !value.is_empty()) else { return Ok(()) };
    match found {
        Some(first) if *first != next => Err(AuthError::Ambiguous),
        _ => {
            *found = Some(next);
            Ok(())
        }
    }
}

/// The token of `Bearer <token>`; the scheme in any case (RFC 9110 §11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once([' ', '\t'])?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether a `name=value` pair is the credential. The name is decoded, or `k%65y=` would slip by
/// here and be understood upstream.
fn is_key(pair: &str) -> bool {
    let (name, _) = pair.split_once('=').unwrap_or((pair, ""));
    percent::decoded(name).is_some_and(|name| name == QUERY_KEY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(fields: &'a [(&str, &'a str)], query: Option<&'a str>) -> Result<Option<String>, AuthError> {
        let headers = |name: &str| fields.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
        presented(headers, query).map(|found| found.map(Cow::into_owned))
    }

    #[test]
    fn every_place_an_sdk_uses_is_read() {
        type Place<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>);
        let places: [Place; 7] = [
            (&[("authorization", "Bearer tg-1")], None),
            (&[("authorization", "bEARER   tg-1 ")], None),
            (&[("x-api-key", "tg-1")], None),
            (&[("api-key", " tg-1")], None),
            (&[("x-goog-api-key", "tg-1")], None),
            (&[], Some("alt=sse&key=tg-1")),
            (&[], Some("key=t%67%2D1&x=y")),
        ];
        for (fields, query) in places {
            assert_eq!(read(fields, query), Ok(Some("tg-1".into())), "{fields:?} {query:?}");
        }
    }

    #[test]
    fn equal_credentials_in_two_places_are_one() {
        let fields = [("authorization", "Bearer tg-1"), ("x-api-key", "tg-1")];
        assert_eq!(read(&fields, Some("key=tg-1")), Ok(Some("tg-1".into())));
    }

    #[test]
    fn credentials_that_disagree_are_refused() {
        let fields = [("authorization", "Bearer tg-1"), ("x-api-key", "tg-2")];
        assert_eq!(read(&fields, None), Err(AuthError::Ambiguous));
        assert_eq!(read(&fields[..1], Some("key=tg-2")), Err(AuthError::Ambiguous));
        assert_eq!(read(&[], Some("key=a&key=b")), Err(AuthError::Ambiguous));
    }

    #[test]
    fn empty_values_and_other_schemes_count_as_absent() {
        let fields = [("authorization", "Basic dGc6MQ=="), ("x-api-key", " "), ("api-key", "")];
        assert_eq!(read(&fields, Some("key=&monkey=1&key")), Ok(None));
        assert_eq!(read(&[("authorization", "Bearer")], None), Ok(None));
        assert_eq!(read(&[("authorization", "Bearer "), ("x-api-key", "k")], None), Ok(Some("k".into())));
    }

    #[test]
    fn a_query_key_that_does_not_decode_is_refused() {
        for query in ["key=%zz", "key=%4", "key=%ff"] {
            assert_eq!(read(&[], Some(query)), Err(AuthError::Invalid), "{query}");
        }
    }

    #[test]
    fn the_query_goes_up_without_the_key_and_otherwise_untouched() {
        assert_eq!(without_key("alt=sse&key=s&x=%20").as_deref(), Some("alt=sse&x=%20"));
        assert_eq!(without_key("k%65y=s&a=1").as_deref(), Some("a=1"));
        assert_eq!(without_key("key=s"), None);
        assert_eq!(without_key(""), None);
        assert!(matches!(without_key("monkey=1"), Some(Cow::Borrowed("monkey=1"))));
    }
}
