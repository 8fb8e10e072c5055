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
    /// For the log, never for a client: it can name hosts.
    pub detail: String,
}

impl UpstreamError {
    /// Nothing, or not everything, of the request was sent.
    pub fn before_sent(class: FailureClass, detail: impl fmt::Display) -> Self {
        Self { class, may_have_been_processed: false, detail: detail.to_string() }
    }

    /// The request was sent whole.
    pub fn after_sent(class: FailureClass, detail: impl fmt::Display) -> Self {
        Self { class, may_have_been_processed: true, detail: detail.to_string() }
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class.as_str(), self.detail)
    }
}

impl std::error::Error for UpstreamError {}
