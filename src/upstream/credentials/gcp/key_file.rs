//! Google's credentials files, and the token of a person.

use super::super::CredentialError;
use super::super::fetch::{Ask, Fetch, json, need};
use super::super::source::{Fresh, Token};
use crate::framing::json::{Duplicates, Node, parse};
use crate::types::Secret;

pub(super) const WHOSE: &str = "Google's token endpoint";
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";

pub(super) fn read(text: &str) -> Result<Node<'_>, CredentialError> {
    parse(text, Duplicates::LastCounts)
        .map_err(|_| CredentialError::lasting("a Google credentials file is no JSON"))
}

/// A field that must be there.
pub(super) fn text(root: &Node<'_>, key: &str) -> Result<String, CredentialError> {
    let found = root.text_of(key).filter(|text| !text.is_empty());
    let missing = || CredentialError::lasting(format!("a Google credentials file lacks `{key}`"));
    found.map(String::from).ok_or_else(missing)
}

/// Where tokens are asked for: where the configuration says, else the file, else Google's own.
pub(super) fn token_url(root: &Node<'_>, configured: Option<&str>) -> String {
    let of_file = || root.text_of("token_uri").map_or_else(|| TOKEN_URL.to_owned(), String::from);
    configured.map_or_else(of_file, str::to_owned)
}

/// `access_token` and `expires_in` of an answer.
pub(super) fn token_of(body: &str) -> Result<Fresh<Token>, CredentialError> {
    let root = json(body, WHOSE)?;
    let token = Token(need(&root, "access_token", WHOSE)?);
    // Google's tokens last an hour; where the answer does not say, the half of it is safe.
    let seconds = root.get("expires_in").and_then(Node::as_u64).unwrap_or(1800);
    Ok(Fresh::seconds(token, seconds))
}

/// `type: authorized_user`.
pub(super) struct AuthorizedUser {
    client_id: String,
    client_secret: Secret,
    refresh_token: Secret,
    url: String,
}

impl AuthorizedUser {
    pub(super) fn of(root: &Node<'_>, url: Option<&str>) -> Result<Self, CredentialError> {
        Ok(Self {
            client_id: text(root, "client_id")?,
            client_secret: Secret::new(text(root, "client_secret")?),
            refresh_token: Secret::new(text(root, "refresh_token")?),
            url: token_url(root, url),
        })
    }

    pub(super) async fn token(&self, fetch: &dyn Fetch) -> Result<Fresh<Token>, CredentialError> {
        let ask = Ask::form(
            self.url.clone(),
            &[
                ("grant_type", "refresh_token"),
                ("client_id", &self.client_id),
                ("client_secret", self.client_secret.expose()),
                ("refresh_token", self.refresh_token.expose()),
            ],
        );
        token_of(&fetch.fetch(ask).await?.ok(WHOSE)?)
    }
}
