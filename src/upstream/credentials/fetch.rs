//! Small HTTP calls to token endpoints, behind a trait.

use super::CredentialError;
use crate::framing::json::{Duplicates, Node, parse};
use crate::types::Secret;
use async_trait::async_trait;
use std::time::Duration;

/// A call. Its fields and body hold secrets: it is never printed.
pub struct Ask {
    pub method: http::Method,
    /// `http(s)://host[:port]/path?query`.
    pub url: String,
    pub fields: Vec<(&'static str, String)>,
    /// Fields whose names a file gave.
    pub more: Vec<(String, String)>,
    pub body: String,
    /// For everything, from the name look-up to the last byte.
    pub timeout: Duration,
}

/// Its answer.
pub struct Answer {
    pub status: u16,
    /// At most 256 KiB. May hold a secret.
    pub body: String,
}

/// Makes such calls. Redirects are answers like others.
#[async_trait]
pub trait Fetch: Send + Sync {
    /// # Errors
    /// A passing [`CredentialError`] where there is no answer.
    async fn fetch(&self, ask: Ask) -> Result<Answer, CredentialError>;
}

/// For token endpoints in the network.
const FAR: Duration = Duration::from_secs(10);
/// For metadata services of the machine.
pub(super) const NEAR: Duration = Duration::from_secs(3);

impl Ask {
    pub(super) fn get(url: impl Into<String>) -> Self {
        Self {
            method: http::Method::GET,
            url: url.into(),
            fields: Vec::new(),
            more: Vec::new(),
            body: String::new(),
            timeout: FAR,
        }
    }

    pub(super) fn post(url: impl Into<String>, content_type: &str, body: String) -> Self {
        let fields =
            vec![("content-type", content_type.to_owned()), ("accept", "application/json".to_owned())];
        Self { method: http::Method::POST, fields, body, ..Self::get(url) }
    }

    pub(super) fn form(url: impl Into<String>, fields: &[(&str, &str)]) -> Self {
        Self::post(url, "application/x-www-form-urlencoded", super::form::form(fields))
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    pub(super) fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl Answer {
    /// The body of a 2xx.
    ///
    /// # Errors
    /// [`CredentialError`] for any other status, with the vendor's code where it gives one.
    pub(super) fn ok(self, whose: &str) -> Result<String, CredentialError> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        let what = format!("{whose} answered {}{}", self.status, code(&self.body));
        let is_passing = matches!(self.status, 408 | 429 | 500..);
        Err(CredentialError { what, is_passing })
    }
}

/// The error's code: a word or two, never the message, which may repeat what was sent.
fn code(body: &str) -> String {
    let root = parse(body, Duplicates::LastCounts).ok();
    let field = |node: &Node<'_>, key: &str| node.get(key).and_then(Node::text).map(String::from);
    let of_json = root.as_ref().and_then(|root| {
        let inner = root.get("error").or_else(|| root.get("Error")).unwrap_or(root);
        inner
            .text()
            .map(String::from)
            .or_else(|| ["status", "Code", "code", "type"].iter().find_map(|key| field(inner, key)))
    });
    let of_xml = || Some(body.split_once("<Code>")?.1.split_once("</Code>")?.0.to_owned());
    let word = of_json.or_else(of_xml).unwrap_or_default();
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if word.is_empty() || word.len() > 64 || !word.chars().all(is_word) {
        String::new()
    } else {
        format!(" ({word})")
    }
}

/// Reads a JSON answer.
pub(super) fn json<'b>(body: &'b str, whose: &str) -> Result<Node<'b>, CredentialError> {
    parse(body, Duplicates::LastCounts)
        .map_err(|_| CredentialError::passing(format!("{whose} answered something that is no JSON")))
}

/// A field of it that must be there.
pub(super) fn need(node: &Node<'_>, key: &str, whose: &str) -> Result<Secret, CredentialError> {
    let text = node.text_of(key).filter(|text| !text.is_empty());
    let missing = || CredentialError::lasting(format!("{whose} answered without `{key}`"));
    text.map(|text| Secret::new(text.into_owned())).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_tells_its_code_and_nothing_of_what_was_sent() {
        let refusal =
            |status: u16, body: &str| Answer { status, body: body.to_owned() }.ok("STS").unwrap_err();
        for (status, body, what, is_passing) in [
            (
                400,
                r#"{"error":"invalid_grant","error_description":"assertion eyJhb"}"#,
                "STS answered 400 (invalid_grant)",
                false,
            ),
            (
                403,
                r#"{"Error":{"Code":"AccessDenied","Message":"key AKIA"}}"#,
                "STS answered 403 (AccessDenied)",
                false,
            ),
            (
                403,
                "<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>",
                "STS answered 403 (ExpiredToken)",
                false,
            ),
            (500, "<html>eyJhb</html>", "STS answered 500", true),
            (
                429,
                r#"{"error":{"status":"RESOURCE_EXHAUSTED"}}"#,
                "STS answered 429 (RESOURCE_EXHAUSTED)",
                true,
            ),
            (302, r#"{"error":"see https://evil/?token=x"}"#, "STS answered 302", false),
        ] {
            assert_eq!(refusal(status, body), CredentialError { what: what.into(), is_passing });
        }
    }
}
