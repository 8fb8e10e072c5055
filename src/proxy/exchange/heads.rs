//! Header fields, both ways: which of the client's go up, which of the provider's come down.

use super::downstream::Fields;
use crate::auth::CREDENTIAL_HEADERS;
use crate::dialect::front::Front;
use crate::framing::{ClientHead, FieldLines};
use crate::runtime::{Provider, Way};
use crate::types::Protocol;
use crate::upstream::Head;
use http::header::{self, HeaderName, HeaderValue};

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
/// every attempt. Values share the head's memory.
pub fn client_fields(head: &ClientHead) -> Fields {
    let nominated = nominated(head);
    let mut fields = Fields::with_capacity(head.fields_len() + 4);
    for (name, value) in head.shared_fields() {
        // A name the strict reader passed is one.
        let Ok(name) = HeaderName::from_bytes(name) else { continue };
        let name_str = name.as_str();
        let stops = is_of_connection(name_str)
            || is_client_only(name_str)
            || CREDENTIAL_HEADERS.contains(&name_str)
            || name_str.starts_with("x-tidegate-")
            || nominated.iter().any(|other| other.eq_ignore_ascii_case(name_str.as_bytes()));
        if !stops && let Ok(value) = HeaderValue::from_maybe_shared(value) {
            fields.push((name, value));
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

/// The provider's fields that reach the client, with room for `extra` bytes of others. `hides_limits`
/// where the key has limits of its own, told by the same names.
pub fn answer_fields(upstream: &Fields, hides_limits: bool, extra: usize) -> FieldLines {
    let held: usize = upstream.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let mut fields = FieldLines::with_capacity(held + extra);
    for (name, value) in upstream {
        let name_str = name.as_str();
        let stops = is_of_connection(name_str)
            || is_provider_only(name_str)
            || name_str.starts_with("x-tidegate-")
            || (hides_limits && is_limit(name_str));
        if !stops {
            fields.push(name_str, value.as_bytes());
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
fn nominated(head: &ClientHead) -> Vec<&[u8]> {
    head.values("connection")
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|name| !name.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_hops_and_our_own_fields_do_not_go_up_and_the_rest_does() {
        let fields = [
            ("Authorization", "Bearer tg-canary"),
            ("x-api-key", "tg-canary"),
            ("api-key", "tg-canary"),
            ("x-goog-api-key", "tg-canary"),
            ("connection", "keep-alive, X-Hop"),
            ("x-hop", "1"),
            ("X-Tidegate-Cost-Usd", "0"),
            ("cookie", "a=b"),
            ("x-amz-security-token", "canary"),
            ("x-amz-date", "20150830T123600Z"),
            ("anthropic-beta", "a,b"),
            ("User-Agent", "sdk/1"),
        ];
        let values = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
        let head = ClientHead::of_values(http::Method::POST, http::Version::HTTP_11, b"/", values);
        let names: Vec<_> = client_fields(&head).iter().map(|(n, _)| n.to_string()).collect();
        assert_eq!(names, ["anthropic-beta", "user-agent"]);
    }

    #[test]
    fn what_names_the_account_does_not_come_down() {
        let upstream: Fields = [
            ("openai-organization", "acme"),
            ("x-ratelimit-remaining-requests", "5"),
            ("x-request-id", "r1"),
            ("transfer-encoding", "chunked"),
        ]
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
        let lines =
            |hides| String::from_utf8(answer_fields(&upstream, hides, 0).as_bytes().to_vec()).unwrap();
        assert_eq!(lines(false), "x-ratelimit-remaining-requests: 5\r\nx-request-id: r1\r\n");
        assert_eq!(lines(true), "x-request-id: r1\r\n");
    }
}
