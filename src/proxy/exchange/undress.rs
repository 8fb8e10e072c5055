//! Clients that speak to Claude as Bedrock or Vertex have it: their call as it is at Anthropic.
//!
//! Not here: the answer's way back (`dialect::invoke::Wrapper`, on the client's side of things).
//! Invariant: from here on nobody but the writer of answers knows that the client had a dress.

use super::downstream::Fields;
use super::heads::ANTHROPIC_BETA;
use super::unserved::malformed;
use crate::dialect::codec::messages::betas::{self, Undressed};
use crate::dialect::paths::Hit;
use crate::framing::json::{Duplicates, parse_bytes};
use crate::types::{Endpoint, Reason, Reject};
use bytes::Bytes;
use http::{HeaderName, HeaderValue};

/// Names of betas in one body, together.
const BETAS_BYTES_MAX: usize = 8 * 1024;

/// What of a request the dress is a part of.
pub struct Naked<'u> {
    pub hit: Hit<'u>,
    pub body: Bytes,
    pub fields: Fields,
}

/// Takes the dress off, where there is one: Bedrock's `invoke` takes bodies of other makers too, which
/// stay as they are.
///
/// # Errors
/// 400: no JSON, or no body of Anthropic's where only such a one can be served.
pub fn undress(naked: Naked<'_>) -> Result<Naked<'_>, Reject> {
    let Naked { mut hit, body, mut fields } = naked;
    let Some(dress) = hit.dress else { return Ok(Naked { hit, body, fields }) };
    let may_be_others = hit.endpoint == Endpoint::Invoke;
    if may_be_others && memchr::memmem::find(&body, b"\"anthropic_version\"").is_none() {
        hit.dress = None;
        return Ok(Naked { hit, body, fields });
    }
    let root = parse_bytes(&body, Duplicates::Refuse).map_err(|error| malformed(&body, error))?;
    if !betas::is_dressed(&root) {
        if may_be_others {
            hit.dress = None;
            return Ok(Naked { hit, body, fields });
        }
        let message = "`anthropic_version` is missing: this path takes Anthropic's bodies only";
        return Err(Reject::new(Reason::InvalidRequest, message).with_param("anthropic_version"));
    }
    let model = hit.model.as_deref();
    let Undressed { body, betas } = betas::undress(&root, model, dress.is_stream);
    if !betas.is_empty() {
        fields.push((HeaderName::from_static(ANTHROPIC_BETA), named(&betas)?));
    }
    Ok(Naked { hit: hit.undressed(), body: Bytes::from(body), fields })
}

/// The betas as Anthropic reads them.
fn named(betas: &[String]) -> Result<HeaderValue, Reject> {
    let line = betas.join(",");
    let value = HeaderValue::from_str(&line).ok().filter(|_| line.len() <= BETAS_BYTES_MAX);
    value.ok_or_else(|| {
        let message = "`anthropic_beta` holds what is no name of a beta, or too many";
        Reject::new(Reason::InvalidRequest, message).with_param("anthropic_beta")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::paths;

    fn undressed(path: &str, body: &str) -> Result<(Endpoint, String, Option<String>), Reject> {
        let hit = paths::parse(&http::Method::POST, path, None).unwrap();
        let naked = Naked { hit, body: Bytes::from(body.to_owned()), fields: Fields::new() };
        undress(naked).map(|naked| {
            let betas = naked.fields.first().map(|(_, value)| value.to_str().unwrap().to_owned());
            (naked.hit.endpoint, String::from_utf8(naked.body.to_vec()).unwrap(), betas)
        })
    }

    #[test]
    fn a_dressed_call_is_anthropics_own_and_another_makers_stays() {
        let body = r#"{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["a","b"],"max_tokens":1}"#;
        let (endpoint, plain, betas) = undressed("/model/x/invoke", body).unwrap();
        assert_eq!(
            (endpoint, plain.as_str(), betas.as_deref()),
            (Endpoint::Messages, r#"{"model":"x","max_tokens":1}"#, Some("a,b"))
        );
        let (endpoint, plain, _) = undressed("/model/x/invoke-with-response-stream", body).unwrap();
        assert_eq!(
            (endpoint, plain.as_str()),
            (Endpoint::Messages, r#"{"model":"x","stream":true,"max_tokens":1}"#)
        );
        for other in [r#"{"inputText":"a"}"#, r#"{"inputText":"\"anthropic_version\""}"#] {
            let (endpoint, plain, _) = undressed("/model/x/invoke", other).unwrap();
            assert_eq!((endpoint, plain.as_str()), (Endpoint::Invoke, other));
        }
    }

    #[test]
    fn what_has_no_dress_where_one_is_needed_and_odd_betas_are_refused() {
        let stream = "/model/x/invoke-with-response-stream";
        let vertex = "/v1/projects/p/locations/l/publishers/anthropic/models/x:rawPredict";
        for (path, body, place) in [
            (stream, r#"{"messages":[]}"#, Some("anthropic_version")),
            (vertex, "[]", Some("anthropic_version")),
            (vertex, "{", None),
            (stream, "{\"anthropic_version\":\"v\",\"anthropic_beta\":[\"a\\n\"]}", Some("anthropic_beta")),
        ] {
            let reject = undressed(path, body).unwrap_err();
            assert_eq!(reject.status, 400, "{body}");
            assert!(place.is_none() || reject.param.as_deref() == place, "{body}: {reject:?}");
        }
        let names = vec!["beta-name"; BETAS_BYTES_MAX / 10 + 1];
        let body = serde_json::json!({"anthropic_version": "v", "anthropic_beta": names}).to_string();
        assert!(undressed(stream, &body).is_err());
        let body = serde_json::json!({"anthropic_version": "v", "anthropic_beta": names[1..]}).to_string();
        assert!(undressed(stream, &body).is_ok());
    }
}
