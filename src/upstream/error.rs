//! What broke on the way to or from a provider.

use crate::types::FailureClass;
use std::fmt;

/// A failed step of a call.
#[derive(Debug)]
pub struct UpstreamError {
    pub class: FailureClass,
    /// False only where the upstream provably did not get the whole request: it may be sent again
    /// to the same place without being processed twice.
    pub may_have_been_processed: bool,
    /// A connection that had waited to be used again ended before any byte of an answer: as a rule its
    /// other end had closed it, which says nothing about how it is.
    pub is_stale: bool,
    /// For the log, never for a client: it can name hosts.
    pub detail: String,
}

impl UpstreamError {
    /// Nothing, or not everything, of the request was sent.
    pub fn before_sent(class: FailureClass, detail: impl fmt::Display) -> Self {
        Self { class, may_have_been_processed: false, is_stale: false, detail: detail.to_string() }
    }

    /// The request was sent whole.
    pub fn after_sent(class: FailureClass, detail: impl fmt::Display) -> Self {
        Self { class, may_have_been_processed: true, is_stale: false, detail: detail.to_string() }
    }
}

impl UpstreamError {
    /// The same of a connection that was `reused`.
    #[must_use]
    pub fn on(self, is_reused: bool) -> Self {
        Self { is_stale: is_reused, ..self }
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class.as_str(), self.detail)
    }
}

impl std::error::Error for UpstreamError {}
