//! One call, as the ledger keeps it.

use crate::types::{Money, RequestId, Usage};
use std::borrow::Cow;
use std::sync::Arc;

/// Who called what, what it used, cost and came to. Made at the end of every call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The request's id: a row is kept once, however often it is delivered.
    pub id: RequestId,
    /// When it began, milliseconds since 1970, UTC.
    pub at_ms: u64,
    /// None for static keys of the configuration.
    pub tenant: Option<Arc<str>>,
    pub team: Option<Arc<str>>,
    pub app: Option<Arc<str>>,
    pub key: Arc<str>,
    /// As the client asked for it.
    pub model: Option<Arc<str>>,
    /// As in metrics. Static where the call was made here, owned where it was read.
    pub endpoint: Cow<'static, str>,
    pub provider: Option<Arc<str>>,
    pub upstream_model: Option<Arc<str>>,
    pub attempts: u8,
    pub usage: Usage,
    /// None: not priced.
    pub cost: Option<Money>,
    /// What the caller is charged on top of the cost, by the plan it called under.
    pub margin: Money,
    pub duration_ms: u32,
    pub first_token_ms: Option<u32>,
    pub status: u16,
    pub outcome: Outcome,
    /// The reject's or failure's reason code.
    pub reason: Option<Cow<'static, str>>,
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
    pub const ALL: [Outcome; 4] = [Outcome::Ok, Outcome::Rejected, Outcome::Failed, Outcome::Aborted];

    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Rejected => "rejected",
            Outcome::Failed => "failed",
            Outcome::Aborted => "aborted",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}
