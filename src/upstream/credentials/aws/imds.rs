//! The instance metadata service, version 2.

use super::super::CredentialError;
use super::super::fetch::{Ask, Fetch, NEAR, json, need};
use super::super::source::Fresh;
use super::AwsKeys;
use crate::types::utc;

const WHOSE: &str = "the instance metadata";
const ROLE_PATH: &str = "/latest/meta-data/iam/security-credentials/";
/// Seconds the session's token may live: the most there is. It is used at once.
const SESSION_S: &str = "21600";

pub(super) async fn keys(
    endpoint: &str,
    fetch: &dyn Fetch,
    unix_s: u64,
) -> Result<Fresh<AwsKeys>, CredentialError> {
    let mut ask = Ask::get(format!("{endpoint}/latest/api/token")).within(NEAR);
    ask.method = http::Method::PUT;
    let session =
        fetch.fetch(ask.with("x-aws-ec2-metadata-token-ttl-seconds", SESSION_S)).await?.ok(WHOSE)?;
    let get = |path: String| {
        let ask = Ask::get(format!("{endpoint}{path}")).within(NEAR);
        fetch.fetch(ask.with("x-aws-ec2-metadata-token", session.trim()))
    };
    let roles = get(ROLE_PATH.to_owned()).await?.ok(WHOSE)?;
    let role = roles.lines().next().unwrap_or_default().trim();
    let body = get(format!("{ROLE_PATH}{role}")).await?.ok(WHOSE)?;
    let root = json(&body, WHOSE)?;
    if let Some(code) = root.text_of("Code").filter(|code| code != "Success") {
        return Err(CredentialError::passing(format!("{WHOSE} has no keys yet: {code}")));
    }
    let keys = AwsKeys {
        access_key_id: need(&root, "AccessKeyId", WHOSE)?.expose().to_owned(),
        secret_access_key: need(&root, "SecretAccessKey", WHOSE)?,
        session_token: Some(need(&root, "Token", WHOSE)?),
    };
    let expires = root.text_of("Expiration").and_then(|date| utc::unix_s(&date));
    let missing = || CredentialError::lasting(format!("{WHOSE} answered without an `Expiration`"));
    Ok(Fresh::until(keys, expires.ok_or_else(missing)?, unix_s))
}
