//! A vendor's service, or a server people run themselves.

use super::{Auth, Meaning, Quirk, Quirks};
use crate::chat::ThinkingEcho;
use crate::types::Protocol;

/// How to talk to a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// What configurations and rows call it.
    pub id: Box<str>,
    /// What people call it.
    pub name: Box<str>,
    /// It makes the models it serves: a bare model name means its row.
    pub is_maker: bool,
    /// What it answers to, the one to prefer first. Never empty.
    pub protocols: Box<[Protocol]>,
    /// As the vendor's SDK takes it: with `/v1` for chat and Responses, else the bare host. May hold
    /// `{region}`, `{account}`, `{resource}`, `{project}` or `{host}`, for the user to fill in. None:
    /// all of it is the user's.
    pub base_url: Option<Box<str>>,
    /// Addresses of protocols that have one of their own.
    pub base_urls: Box<[(Protocol, Box<str>)]>,
    pub auth: Auth,
    pub quirks: Quirks,
    /// Chat: how earlier thinking goes back, where the model's row does not say.
    pub echo: ThinkingEcho,
    /// Header fields that report its rate limits, in lowercase.
    pub limits: LimitHeaders,
    /// Its error codes, types and statuses that say more than the HTTP status.
    pub errors: Box<[(Box<str>, Meaning)]>,
    /// Environment variables its SDK reads the credential from, the usual one first.
    pub env: Box<[Box<str>]>,
    pub doc: Option<Box<str>>,
    /// Which sources say so, as `models-dev+tidegate`.
    pub source: Box<str>,
}

/// Names of header fields; None where the provider has no such header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitHeaders {
    pub limit_requests: Option<Box<str>>,
    pub remaining_requests: Option<Box<str>>,
    pub reset_requests: Option<Box<str>>,
    pub limit_tokens: Option<Box<str>>,
    pub remaining_tokens: Option<Box<str>>,
    pub reset_tokens: Option<Box<str>>,
}

impl Provider {
    /// A provider of which only the name is known: what most are.
    pub fn unknown(id: &str) -> Self {
        Self {
            id: id.into(),
            name: id.into(),
            is_maker: false,
            protocols: Box::new([Protocol::Chat]),
            base_url: None,
            base_urls: Box::default(),
            auth: Auth::Bearer,
            quirks: Quirks::default().with(Quirk::FetchesUrls),
            echo: ThinkingEcho::None,
            limits: LimitHeaders::default(),
            errors: Box::default(),
            env: Box::default(),
            doc: None,
            source: "configuration".into(),
        }
    }

    /// Where `protocol` is answered.
    pub fn base_url(&self, protocol: Protocol) -> Option<&str> {
        let own = self.base_urls.iter().find(|(other, _)| *other == protocol).map(|(_, url)| url);
        own.or(self.base_url.as_ref()).map(AsRef::as_ref)
    }

    /// What an error code, type or status of this provider means.
    pub fn meaning(&self, code: &str) -> Option<Meaning> {
        self.errors.iter().find(|(known, _)| **known == *code).map(|(_, meaning)| *meaning)
    }

    pub fn has(&self, quirk: Quirk) -> bool {
        self.quirks.has(quirk)
    }
}
