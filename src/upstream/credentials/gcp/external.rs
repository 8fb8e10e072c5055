//! Workload identity federation: the token of another issuer, exchanged at Google's STS. Source:
//! RFC 8693; Google, AIP-4117. Not here: AWS and certificate subject tokens.

use super::super::CredentialError;
use super::super::fetch::{Ask, Fetch, NEAR, json, need};
use super::super::source::{Fresh, Token};
use super::key_file::{text, token_of};
use super::source::CLOUD_SCOPE;
use crate::framing::json::{Duplicates, Node, parse};
use crate::types::{Secret, utc};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const WANTED: &str = "urn:ietf:params:oauth:token-type:access_token";
const WHOSE: &str = "Google's STS";

/// `type: external_account`.
pub(super) struct External {
    audience: String,
    subject_type: String,
    url: String,
    /// Where the exchanged token is traded for a service account's.
    impersonation_url: Option<String>,
    subject: Subject,
    /// The field of a JSON subject; None: the whole text is the token.
    field: Option<String>,
}

enum Subject {
    File(std::path::PathBuf),
    Url { url: String, fields: Vec<(String, String)> },
}

impl External {
    pub(super) fn of(root: &Node<'_>, url: Option<&str>) -> Result<Self, CredentialError> {
        let (audience, subject_type) = (text(root, "audience")?, text(root, "subject_token_type")?);
        let url = url.map_or_else(|| text(root, "token_url"), |url| Ok(url.to_owned()))?;
        let unknown = || {
            CredentialError::lasting(
                "the `credential_source` of a Google credentials file needs a `file` or a `url`",
            )
        };
        let source = root.get("credential_source").ok_or_else(unknown)?;
        let subject = match (source.text_of("file"), source.text_of("url")) {
            (Some(file), _) => Subject::File(file.as_ref().into()),
            (None, Some(url)) => Subject::Url { url: url.into_owned(), fields: fields(source) },
            (None, None) => return Err(unknown()),
        };
        let format =
            source.get("format").filter(|format| format.get("type").is_some_and(|kind| kind.is("json")));
        let field = format.and_then(|format| format.text_of("subject_token_field_name")).map(String::from);
        let impersonation_url = root.text_of("service_account_impersonation_url").map(String::from);
        Ok(Self { audience, subject_type, url, impersonation_url, subject, field })
    }

    pub(super) async fn token(
        &self,
        fetch: &dyn Fetch,
        unix_s: u64,
    ) -> Result<Fresh<Token>, CredentialError> {
        let subject = self.subject_token(fetch).await?;
        let ask = Ask::form(
            self.url.clone(),
            &[
                ("grant_type", GRANT),
                ("audience", &self.audience),
                ("scope", CLOUD_SCOPE),
                ("requested_token_type", WANTED),
                ("subject_token_type", &self.subject_type),
                ("subject_token", subject.expose()),
            ],
        );
        let exchanged = token_of(&fetch.fetch(ask).await?.ok(WHOSE)?)?;
        match &self.impersonation_url {
            None => Ok(exchanged),
            Some(url) => impersonate(url, &exchanged.value, fetch, unix_s).await,
        }
    }

    /// Read at each exchange: whoever writes it renews it.
    async fn subject_token(&self, fetch: &dyn Fetch) -> Result<Secret, CredentialError> {
        let text = match &self.subject {
            Subject::File(file) => tokio::fs::read_to_string(file).await.map_err(|error| {
                CredentialError::passing(format!("cannot read the subject token {}: {error}", file.display()))
            })?,
            Subject::Url { url, fields } => {
                let mut ask = Ask::get(url.clone()).within(NEAR);
                ask.more = fields.clone();
                fetch.fetch(ask).await?.ok("the subject token's URL")?
            }
        };
        let Some(field) = &self.field else { return Ok(Secret::new(text.trim())) };
        let found =
            parse(&text, Duplicates::LastCounts).ok().and_then(|root| root.text_of(field).map(String::from));
        let missing = || CredentialError::lasting(format!("the subject token's JSON has no `{field}`"));
        found.map(Secret::new).ok_or_else(missing)
    }
}

fn fields(source: &Node<'_>) -> Vec<(String, String)> {
    let fields = source.get("headers").map(Node::entries).unwrap_or_default();
    fields.iter().filter_map(|(name, value)| Some((name.to_string(), value.text()?.into_owned()))).collect()
}

async fn impersonate(
    url: &str,
    token: &Token,
    fetch: &dyn Fetch,
    unix_s: u64,
) -> Result<Fresh<Token>, CredentialError> {
    const WHOSE: &str = "Google's IAM";
    let body = format!(r#"{{"scope":["{CLOUD_SCOPE}"],"lifetime":"3600s"}}"#);
    let ask = Ask::post(url, "application/json", body);
    let ask = ask.with("authorization", format!("Bearer {}", token.0.expose()));
    let body = fetch.fetch(ask).await?.ok(WHOSE)?;
    let root = json(&body, WHOSE)?;
    let value = Token(need(&root, "accessToken", WHOSE)?);
    let expires = root.text_of("expireTime").and_then(|date| utc::unix_s(&date));
    Ok(Fresh::until(value, expires.unwrap_or(unix_s.saturating_add(1800)), unix_s))
}
