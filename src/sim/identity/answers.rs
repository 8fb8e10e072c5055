//! Token endpoints: Google's (`/token`, `/v1/token`, the metadata server), Entra's, AWS's instance
//! metadata (version 2) and STS (`/sts/`).

use super::super::reply::Whole;
use super::super::request::Head;
use super::super::shared::Shared;
use super::issued::Keys;

const METADATA: &str = "/computeMetadata/v1/instance/service-accounts/default/token";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
const IMDS_SESSION: &str = "sim-imds-session";

/// The answer of a token endpoint; None for every other path.
pub fn answer(shared: &Shared, head: &Head, body: &[u8]) -> Option<Whole> {
    let path = head.path();
    let is_entra = path.ends_with("/oauth2/v2.0/token");
    let is_sts = path.trim_end_matches('/') == "/sts";
    let is_aws = path.starts_with("/latest/");
    if !is_entra && !is_sts && !is_aws && !matches!(path, "/token" | "/v1/token" | METADATA) {
        return None;
    }
    let behaviour = shared.scenario().tokens.clone();
    if let Some(status) = behaviour.status {
        return Some(refusal(status, "temporarily_unavailable"));
    }
    let now = shared.clock.unix_secs();
    if is_aws {
        return Some(instance(shared, head, path));
    }
    let form = String::from_utf8_lossy(body).into_owned();
    let field = |name: &str| {
        form.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
    };
    if is_sts {
        let has_token = field("WebIdentityToken").is_some_and(|token| !token.is_empty());
        if field("Action").as_deref() != Some("AssumeRoleWithWebIdentity") || !has_token {
            return Some(refusal(400, "InvalidIdentityToken"));
        }
        let keys = shared.identity.new_keys(&behaviour, now);
        return Some(Whole::json(sts(&keys)));
    }
    let (kind, is_good) = match path {
        METADATA => ("metadata", head.header("metadata-flavor").as_deref() == Some("Google")),
        "/token" => {
            let has_proof = field("assertion").is_some_and(|jwt| jwt.split('.').count() == 3);
            ("google", has_proof || field("refresh_token").is_some())
        }
        "/v1/token" => ("federated", field("subject_token").is_some_and(|token| !token.is_empty())),
        _ => {
            let secret = field("client_secret").or_else(|| field("client_assertion"));
            ("entra", secret.is_some_and(|secret| !secret.contains("wrong")))
        }
    };
    if !is_good {
        return Some(refusal(401, "invalid_client"));
    }
    let (token, seconds) = shared.identity.token(kind, &behaviour, now);
    let json = serde_json::json!({"access_token": token, "expires_in": seconds, "token_type": "Bearer"});
    Some(Whole::json(json.to_string()))
}

fn refusal(status: u16, code: &str) -> Whole {
    let json = serde_json::json!({"error": code, "error_description": "The simulator refuses this."});
    Whole::json_with(status, json.to_string())
}

fn instance(shared: &Shared, head: &Head, path: &str) -> Whole {
    let plain = |text: &str| Whole { content_type: "text/plain", ..Whole::json(text.to_owned()) };
    if path == "/latest/api/token" {
        let asks = head.method == "PUT" && head.header("x-aws-ec2-metadata-token-ttl-seconds").is_some();
        return if asks { plain(IMDS_SESSION) } else { refusal(400, "BadRequest") };
    }
    if head.header("x-aws-ec2-metadata-token").as_deref() != Some(IMDS_SESSION) {
        return refusal(401, "Unauthorized");
    }
    match path.strip_prefix(ROLES) {
        Some("") => plain("sim-role"),
        Some("sim-role") => {
            let behaviour = shared.scenario().tokens.clone();
            let keys = shared.identity.new_keys(&behaviour, shared.clock.unix_secs());
            let json = serde_json::json!({
                "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": keys.id, "SecretAccessKey": keys.secret,
                "Token": keys.session, "Expiration": date(keys.expires_s),
            });
            Whole::json(json.to_string())
        }
        _ => refusal(404, "NotFound"),
    }
}

fn sts(keys: &Keys) -> String {
    serde_json::json!({"AssumeRoleWithWebIdentityResponse": {"AssumeRoleWithWebIdentityResult": {"Credentials": {
        "AccessKeyId": keys.id, "SecretAccessKey": keys.secret, "SessionToken": keys.session,
        "Expiration": keys.expires_s,
    }}}})
    .to_string()
}

/// `2026-11-21T10:00:00Z`.
fn date(unix_s: u64) -> String {
    let (mut days, seconds) = (unix_s / 86_400, unix_s % 86_400);
    let mut year = 1970;
    let length = |year: u64| if is_leap(year) { 366 } else { 365 };
    while days >= length(year) {
        days -= length(year);
        year += 1;
    }
    let months = [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in months {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", days + 1)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_they_are() {
        assert_eq!(date(0), "1970-01-01T00:00:00Z");
        assert_eq!(date(1_709_251_199), "2024-02-29T23:59:59Z");
        assert_eq!(date(1_440_938_160), "2015-08-30T12:36:00Z");
    }
}
