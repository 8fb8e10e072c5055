//! Why there is no credential.

/// For the log and for a 502 or 503: it names hosts and vendors' codes, never a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct CredentialError {
    pub what: String,
    /// Another try may help: the network, a busy server. Not: a wrong key.
    pub is_passing: bool,
}

impl CredentialError {
    /// It will be the same next time.
    pub fn lasting(what: impl Into<String>) -> Self {
        Self { what: what.into(), is_passing: false }
    }

    /// It may be better next time.
    pub fn passing(what: impl Into<String>) -> Self {
        Self { what: what.into(), is_passing: true }
    }
}
