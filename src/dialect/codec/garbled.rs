//! An upstream's answer that makes no sense.

/// Why it cannot be understood: for the log, and for the client as a 502.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Garbled(pub String);
