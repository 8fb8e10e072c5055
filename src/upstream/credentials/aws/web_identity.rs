//! `AssumeRoleWithWebIdentity` of STS. The call is not signed: the token is the proof.

use super::super::CredentialError;
use super::super::fetch::{Ask, Fetch};
use super::super::source::Fresh;
use super::AwsKeys;
use crate::framing::json::{Duplicates, Node, parse};
use crate::types::{Secret, utc};

const WHOSE: &str = "STS";

pub(super) struct Exchange<'e> {
    pub(super) endpoint: &'e str,
    pub(super) role_arn: &'e str,
    pub(super) session_name: &'e str,
    pub(super) token: &'e Secret,
}

impl Exchange<'_> {
    pub(super) async fn keys(
        &self,
        fetch: &dyn Fetch,
        unix_s: u64,
    ) -> Result<Fresh<AwsKeys>, CredentialError> {
        let ask = Ask::form(
            format!("{}/", self.endpoint.trim_end_matches('/')),
            &[
                ("Action", "AssumeRoleWithWebIdentity"),
                ("Version", "2011-06-15"),
                ("RoleArn", self.role_arn),
                ("RoleSessionName", self.session_name),
                ("WebIdentityToken", self.token.expose()),
            ],
        );
        let body = fetch.fetch(ask).await?.ok(WHOSE)?;
        let read = of_json(&body).or_else(|| of_xml(&body));
        let (keys, expires) =
            read.ok_or_else(|| CredentialError::lasting("STS answered without credentials"))?;
        Ok(Fresh::until(keys, expires, unix_s))
    }
}

/// With `accept: application/json` STS answers JSON, the date as seconds since 1970.
fn of_json(body: &str) -> Option<(AwsKeys, u64)> {
    let root = parse(body, Duplicates::LastCounts).ok()?;
    let outer = root.get("AssumeRoleWithWebIdentityResponse").unwrap_or(&root);
    let credentials = outer.get("AssumeRoleWithWebIdentityResult")?.get("Credentials")?;
    let text = |key: &str| credentials.text_of(key).map(String::from);
    let expires = credentials.get("Expiration")?;
    let by_number = expires.as_f64().filter(|seconds| *seconds >= 0.0).map(|seconds| seconds as u64);
    let expires = by_number.or_else(|| utc::unix_s(&Node::text(expires)?))?;
    Some((keys(text)?, expires))
}

fn of_xml(body: &str) -> Option<(AwsKeys, u64)> {
    let credentials = element(body, "Credentials")?;
    let text = |key: &str| element(credentials, key).map(unescaped);
    let expires = utc::unix_s(element(credentials, "Expiration")?.trim())?;
    Some((keys(text)?, expires))
}

fn keys(text: impl Fn(&str) -> Option<String>) -> Option<AwsKeys> {
    Some(AwsKeys {
        access_key_id: text("AccessKeyId")?,
        secret_access_key: Secret::new(text("SecretAccessKey")?),
        session_token: Some(Secret::new(text("SessionToken")?)),
    })
}

/// What stands between the tags of the first element of a name. STS writes none with attributes.
fn element<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    let (_, after) = xml.split_once(&format!("<{name}>"))?;
    after.split_once(&format!("</{name}>")).map(|(inner, _)| inner)
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}
