//! One call, as the ledger keeps it.

use crate::types::{Money, Usage};
use std::sync::Arc;

/// Who called what, what it used, cost and came to. Made at the end of every call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The request's id: a row is kept once, however often it is delivered.
    pub id: String,
    /// When it began, milliseconds since 1970, UTC.
    pub at_ms: u64,
    /// None for static keys of the configuration.
    pub tenant: Option<Arc<str>>,
    pub team: Option<Arc<str>>,
    pub app: Option<Arc<str>>,
    pub key: Arc<str>,
    /// As the client asked for it.
    pub model: Option<Arc<str>>,
    pub endpoint: &'static str,
    pub provider: Option<Arc<str>>,
    pub upstream_model: Option<Arc<str>>,
    pub attempts: u8,
    pub usage: Usage,
    /// None: not priced.
    pub cost: Option<Money>,
    pub duration_ms: u32,
    pub first_token_ms: Option<u32>,
    pub status: u16,
    pub outcome: Outcome,
    /// The reject's or failure's reason code.
    pub reason: Option<&'static str>,
    pub is_stream: bool,
    /// Generation of the configuration that served it.
    pub generation: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered in full.
    Ok,
    /// Refused by the gateway.
    Rejected,
    /// An upstream or the wire broke.
    Failed,
    /// The client left.
    Aborted,
}

impl Outcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Rejected => "rejected",
            Outcome::Failed => "failed",
            Outcome::Aborted => "aborted",
        }
    }
}
