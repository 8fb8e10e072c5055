//! Signature Version 4.
//!
//! Source: AWS, "Create a signed AWS API request". Own code on `ring`, which TLS brings along: the crate
//! `aws-sigv4` would add twenty crates and a second SHA-2 for what is this file. Paths are signed as
//! they go on the wire, encoded once more; they are not normalised, so none may hold `.` or empty
//! segments.

use super::AwsKeys;
use crate::types::{hex, percent, utc};
use crate::upstream::UpstreamRequest;
use http::{HeaderName, HeaderValue};
use ring::{digest, hmac};
use std::fmt::Write;

/// What a signature holds for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// `us-east-1`.
    pub region: String,
    /// `bedrock`, also for `bedrock-runtime` hosts.
    pub service: String,
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
/// Not signed: what the HTTP layer or a proxy on the way may write anew.
const UNSIGNED: [&str; 8] = [
    "authorization",
    "user-agent",
    "expect",
    "connection",
    "transfer-encoding",
    "content-length",
    "accept-encoding",
    "x-amzn-trace-id",
];

/// Signs a request that is ready to be sent to `authority`: adds `x-amz-date`, `x-amz-security-token`
/// and `authorization`, in place of any that are there. None where a value cannot stand in a field.
pub fn sign(
    request: &mut UpstreamRequest,
    authority: &str,
    keys: &AwsKeys,
    scope: &Scope,
    unix_s: u64,
) -> Option<()> {
    let date = utc::basic(unix_s);
    request
        .fields
        .retain(|(name, _)| *name != DATE && *name != TOKEN && *name != http::header::AUTHORIZATION);
    request.fields.push((DATE, HeaderValue::from_str(&date).ok()?));
    if let Some(token) = &keys.session_token {
        let mut value = HeaderValue::from_str(token.expose()).ok()?;
        value.set_sensitive(true);
        request.fields.push((TOKEN, value));
    }
    let (canonical, names) = canonical(request, authority);
    let day = date.get(..8)?;
    let credential_scope = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
    let to_sign = format!("{ALGORITHM}\n{date}\n{credential_scope}\n{}", sha256_hex(canonical.as_bytes()));
    let mut key = hmac_of(format!("AWS4{}", keys.secret_access_key.expose()).as_bytes(), day.as_bytes());
    for part in [scope.region.as_bytes(), scope.service.as_bytes(), b"aws4_request"] {
        key = hmac_of(key.as_ref(), part);
    }
    let signature = hex(hmac_of(key.as_ref(), to_sign.as_bytes()).as_ref());
    let value = format!(
        "{ALGORITHM} Credential={}/{credential_scope}, SignedHeaders={names}, Signature={signature}",
        keys.access_key_id
    );
    let mut value = HeaderValue::from_str(&value).ok()?;
    value.set_sensitive(true);
    request.fields.push((http::header::AUTHORIZATION, value));
    Some(())
}

/// The canonical request, and the names of the signed fields.
fn canonical(request: &UpstreamRequest, authority: &str) -> (String, String) {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let mut fields: Vec<(&str, Vec<String>)> = vec![("host", vec![authority.to_owned()])];
    for (name, value) in &request.fields {
        let name = name.as_str();
        if UNSIGNED.contains(&name) {
            continue;
        }
        let value = trimmed(&String::from_utf8_lossy(value.as_bytes()));
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => fields.push((name, vec![value])),
        }
    }
    fields.sort_by_key(|(name, _)| *name);
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let mut out = format!("{}\n", request.method);
    percent::encode(
        if path.is_empty() { "/" } else { path },
        |byte| byte == b'/' || percent::is_unreserved(byte),
        &mut out,
    );
    let _ = writeln!(out, "\n{}", canonical_query(query));
    for (name, values) in &fields {
        let _ = writeln!(out, "{name}:{}", values.join(","));
    }
    let _ = write!(out, "\n{names}\n{}", sha256_hex(&request.body));
    (out, names)
}

/// Runs of spaces are one space.
fn trimmed(value: &str) -> String {
    value.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Sorted by name, then value. The query is encoded already, as it goes on the wire.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(&str, &str)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

fn hmac_of(key: &[u8], message: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message)
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Secret;
    use bytes::Bytes;
    use http::Method;

    /// 2015-08-30T12:36:00Z.
    const NOW: u64 = 1_440_938_160;

    fn keys(token: Option<&str>) -> AwsKeys {
        AwsKeys {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: token.map(Secret::new),
        }
    }

    fn request(method: Method, path: &str, fields: &[(&'static str, &str)], body: &str) -> UpstreamRequest {
        UpstreamRequest {
            method,
            path: path.to_owned(),
            fields: fields
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
                .collect(),
            body: Bytes::from(body.to_owned()),
        }
    }

    fn signed(mut request: UpstreamRequest, host: &str, service: &str, token: Option<&str>) -> String {
        let scope = Scope { region: "us-east-1".into(), service: service.into() };
        sign(&mut request, host, &keys(token), &scope, NOW).unwrap();
        let (_, value) =
            request.fields.iter().find(|(name, _)| *name == http::header::AUTHORIZATION).unwrap();
        value.to_str().unwrap().to_owned()
    }

    fn example(request: UpstreamRequest) -> (String, String) {
        let value = signed(request, "example.amazonaws.com", "service", None);
        let head =
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=";
        let (names, signature) = value.strip_prefix(head).unwrap().split_once(", Signature=").unwrap();
        (names.to_owned(), signature.to_owned())
    }

    /// AWS's published suite (`aws-sig-v4-test-suite`), by the names of its cases.
    #[test]
    fn the_published_examples_have_the_published_signatures() {
        let unreserved = "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let form = [("content-type", "application/x-www-form-urlencoded")];
        for (name, request, names, signature) in [
            (
                "get-vanilla",
                request(Method::GET, "/", &[], ""),
                "host;x-amz-date",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "post-vanilla",
                request(Method::POST, "/", &[], ""),
                "host;x-amz-date",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "get-vanilla-query-order-key-case",
                request(Method::GET, "/?Param2=value2&Param1=value1", &[], ""),
                "host;x-amz-date",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "get-unreserved",
                request(Method::GET, unreserved, &[], ""),
                "host;x-amz-date",
                "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
            ),
            (
                "post-x-www-form-urlencoded",
                request(Method::POST, "/", &form, "Param1=value1"),
                "content-type;host;x-amz-date",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
            (
                "post-header-key-sort",
                request(Method::POST, "/", &[("my-header1", "value1")], ""),
                "host;my-header1;x-amz-date",
                "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
            ),
            (
                "get-header-value-trim",
                request(Method::GET, "/", &[("my-header1", " value1"), ("my-header2", " \"a   b   c\"")], ""),
                "host;my-header1;my-header2;x-amz-date",
                "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
            ),
        ] {
            assert_eq!(example(request), (names.to_owned(), signature.to_owned()), "{name}");
        }
    }

    /// Worked out with botocore, which signs for AWS's own command line.
    #[test]
    fn a_models_id_is_encoded_once_on_the_wire_and_twice_in_the_signature() {
        let host = "bedrock-runtime.us-east-1.amazonaws.com";
        let json = [("content-type", "application/json")];
        let token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
        let path = "/model/anthropic.claude-3-sonnet-20240229-v1%3A0/converse";
        let value =
            signed(request(Method::POST, path, &json, r#"{"messages":[]}"#), host, "bedrock", Some(token));
        assert_eq!(
            value,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=4e736f151a0fcbbcefe64808650f020bcf7c45d4833b14d4577365d249cf8b3b"
        );
        let path = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A012345678901%3Aapplication-inference-profile%2Fx1/converse-stream";
        let value = signed(request(Method::POST, path, &json, "{}"), host, "bedrock", None);
        assert!(
            value.ends_with("3f775f609f3fc647857d90eabb1d89cf23a6beac678a6ba4b7abc4241bf852d6"),
            "{value}"
        );
        let (canonical, _) = canonical(&request(Method::POST, path, &json, "{}"), host);
        assert!(canonical.contains("/model/arn%253Aaws%253Abedrock"), "{canonical}");
    }

    /// By botocore 1.44.5: `tests/sdk/sigv4_vectors.py`, which anybody can run again.
    #[test]
    fn botocores_signatures_are_ours() {
        let host = "bedrock-runtime.us-east-1.amazonaws.com";
        let json = [("content-type", "application/json")];
        let model = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0";
        let invoke = format!("{model}/invoke-with-response-stream");
        let body = r#"{"anthropic_version":"bedrock-2023-05-31"}"#;
        let token = Some("AQoDYXdzEPT//wEXAMPLE==");
        let value = signed(request(Method::POST, &invoke, &json, body), host, "bedrock", token);
        assert!(
            value.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,"),
            "{value}"
        );
        assert!(
            value.ends_with("8aa6516f457bbfb1d7216dd4a666f6b5025fbb88419141e9238e7b7003ab7f2b"),
            "{value}"
        );
        let queried = format!("{model}/converse?b=2&a=%20x");
        let value = signed(request(Method::POST, &queried, &json, "{}"), host, "bedrock", None);
        assert!(
            value.ends_with("7ecd196bb588811a416846486d474cb4e4a11367c31fa5068a3932debc07cddd"),
            "{value}"
        );
    }

    #[test]
    fn a_retry_is_signed_anew_and_fields_that_proxies_change_are_not_signed() {
        let fields = [
            ("authorization", "Bearer old"),
            ("x-amz-date", "old"),
            ("user-agent", "x"),
            ("accept-encoding", "gzip"),
        ];
        let mut once = request(Method::POST, "/", &fields, "");
        let scope = Scope { region: "eu-west-1".into(), service: "bedrock".into() };
        sign(&mut once, "h", &keys(None), &scope, NOW).unwrap();
        let mut twice = once.clone();
        sign(&mut twice, "h", &keys(None), &scope, NOW).unwrap();
        assert_eq!(once.fields, twice.fields);
        assert_eq!(once.fields.iter().filter(|(name, _)| *name == http::header::AUTHORIZATION).count(), 1);
        let (_, names) = canonical(&once, "h");
        assert_eq!(names, "host;x-amz-date");
        let mut odd = request(Method::GET, "/", &[], "");
        let broken = AwsKeys { session_token: Some(Secret::new("a\nb")), ..keys(None) };
        assert_eq!(sign(&mut odd, "h", &broken, &scope, NOW), None);
    }
}
