//! Header fields, both ways: which of the client's go up, which of the provider's come down.

use super::downstream::Fields;
use crate::auth::CREDENTIAL_HEADERS;
use crate::dialect::front::Front;
use crate::runtime::{Provider, Way};
use crate::types::Protocol;
use crate::upstream::Head;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Hop-by-hop fields (RFC 9110 §7.6.1), framing, and what names the client or this host: never
/// sent on in either direction.
fn is_of_connection(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "proxy-connection"
            | "keep-alive"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "content-length"
    )
}

/// Client fields that stop here. Encodings: the body goes up decoded, and answers are listened to.
fn is_client_only(name: &str) -> bool {
    matches!(
        name,
        "host"
            | "expect"
            | "accept-encoding"
            | "content-encoding"
            | "cookie"
            | "forwarded"
            | "x-forwarded-for"
            | "x-forwarded-host"
            | "x-forwarded-proto"
            | "x-forwarded-port"
            | "x-real-ip"
            | "via"
            | "prefer"
            // Of a signature over the client's own request.
            | "x-amz-date"
            | "x-amz-security-token"
            | "x-amz-content-sha256"
    )
}

/// Provider fields that stop here: they name the account, or set state for another origin.
fn is_provider_only(name: &str) -> bool {
    matches!(
        name,
        "set-cookie"
            | "strict-transport-security"
            | "alt-svc"
            | "openai-organization"
            | "openai-project"
            | "anthropic-organization-id"
            | "cf-ray"
            | "cf-cache-status"
            | "server"
            | "via"
            | "date"
            | "nel"
            | "report-to"
            | "access-control-allow-origin"
    )
}

/// What a request carries besides its body: the client's fields that go up. Computed once, used by
/// every attempt.
pub fn client_fields(headers: &HeaderMap) -> Fields {
    let nominated = nominated(headers);
    let mut fields = Fields::with_capacity(headers.len() + 4);
    for (name, value) in headers {
        let name_str = name.as_str();
        let stops = is_of_connection(name_str)
            || is_client_only(name_str)
            || CREDENTIAL_HEADERS.contains(&name_str)
            || name_str.starts_with("x-tidegate-")
            || nominated.iter().any(|other| other.eq_ignore_ascii_case(name_str));
        if !stops {
            fields.push((name.clone(), value.clone()));
        }
    }
    fields
}

/// The fields of an attempt in another protocol: those that are not about the client's own.
pub fn translated_fields(client: &Fields, way: &Way, provider: &Provider) -> Fields {
    let goes_on =
        |name: &str| matches!(name, "user-agent" | "traceparent" | "tracestate" | "accept-language");
    let mut kept: Fields = client.iter().filter(|(name, _)| goes_on(name.as_str())).cloned().collect();
    kept.push((header::CONTENT_TYPE, HeaderValue::from_static("application/json")));
    attempt_fields(&kept, way, provider)
}

/// The fields of one attempt: the client's and the provider's own. The credential comes last.
pub fn attempt_fields(client: &Fields, way: &Way, provider: &Provider) -> Fields {
    let mut fields = client.clone();
    for (name, value) in &provider.headers {
        fields.retain(|(other, _)| other != name);
        fields.push((name.clone(), value.clone()));
    }
    fields.push((header::ACCEPT_ENCODING, HeaderValue::from_static("identity")));
    if way.front.has_dress(way.protocol) {
        // The host reads both in the body, if at all.
        fields.retain(|(name, _)| name != ANTHROPIC_VERSION && name != ANTHROPIC_BETA);
        if way.front == Front::Invoke {
            fields.retain(|(name, _)| name != header::ACCEPT);
            fields.push((header::ACCEPT, HeaderValue::from_static("application/json")));
        }
    } else if way.protocol == Protocol::Messages && !fields.iter().any(|(name, _)| name == ANTHROPIC_VERSION)
    {
        let version = HeaderName::from_static(ANTHROPIC_VERSION);
        fields.push((version, HeaderValue::from_static("2023-06-01")));
    }
    fields
}

const ANTHROPIC_VERSION: &str = "anthropic-version";
pub const ANTHROPIC_BETA: &str = "anthropic-beta";

/// The provider's fields that reach the client. `hides_limits` where the key has limits of its
/// own, told by the same names.
pub fn answer_fields(upstream: &Fields, hides_limits: bool, extra: usize) -> Fields {
    let mut fields = Fields::with_capacity(upstream.len() + extra);
    for (name, value) in upstream {
        let name_str = name.as_str();
        let stops = is_of_connection(name_str)
            || is_provider_only(name_str)
            || name_str.starts_with("x-tidegate-")
            || (hides_limits && is_limit(name_str));
        if !stops {
            fields.push((name.clone(), value.clone()));
        }
    }
    fields
}

/// Prompt tokens that only the head of an answer tells: Bedrock's, of models whose bodies have no usage.
pub fn head_count(head: &Head) -> Option<u64> {
    let name = HeaderName::from_static("x-amzn-bedrock-input-token-count");
    head.field(&name)?.parse().ok().filter(|count| (1..1 << 40).contains(count))
}

fn is_limit(name: &str) -> bool {
    name.starts_with("x-ratelimit-") || name.starts_with("anthropic-ratelimit-")
}

/// Names in the `connection` field: they are hop-by-hop too, by the client's word.
fn nominated(headers: &HeaderMap) -> Vec<&str> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn credentials_hops_and_our_own_fields_do_not_go_up_and_the_rest_does() {
        let headers = map(&[
            ("authorization", "Bearer tg-canary"),
            ("x-api-key", "tg-canary"),
            ("api-key", "tg-canary"),
            ("x-goog-api-key", "tg-canary"),
            ("connection", "keep-alive, x-hop"),
            ("x-hop", "1"),
            ("x-tidegate-cost-usd", "0"),
            ("cookie", "a=b"),
            ("x-amz-security-token", "canary"),
            ("x-amz-date", "20150830T123600Z"),
            ("anthropic-beta", "a,b"),
            ("user-agent", "sdk/1"),
        ]);
        let names: Vec<_> = client_fields(&headers).iter().map(|(n, _)| n.to_string()).collect();
        assert_eq!(names, ["anthropic-beta", "user-agent"]);
    }

    #[test]
    fn what_names_the_account_does_not_come_down() {
        let upstream: Fields = map(&[
            ("openai-organization", "acme"),
            ("x-ratelimit-remaining-requests", "5"),
            ("x-request-id", "r1"),
            ("transfer-encoding", "chunked"),
        ])
        .into_iter()
        .filter_map(|(n, v)| n.map(|n| (n, v)))
        .collect();
        let names =
            |hides| answer_fields(&upstream, hides, 0).iter().map(|(n, _)| n.to_string()).collect::<Vec<_>>();
        assert_eq!(names(false), ["x-ratelimit-remaining-requests", "x-request-id"]);
        assert_eq!(names(true), ["x-request-id"]);
    }
}
