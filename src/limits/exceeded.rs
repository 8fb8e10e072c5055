//! The refusal of a limit.

use crate::types::{Reason, Reject};
use std::time::Duration;

/// Which limit refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Requests,
    Tokens,
    Concurrency,
}

impl Limit {
    /// What is limited, in a client's words.
    pub fn as_str(self) -> &'static str {
        match self {
            Limit::Requests => "requests per minute",
            Limit::Tokens => "tokens per minute",
            Limit::Concurrency => "concurrent requests",
        }
    }
}

/// A call that was not let in. Nothing was taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the limit of {limit} {} is reached", which.as_str())]
pub struct LimitExceeded {
    pub which: Limit,
    pub limit: u64,
    /// How long until the same call fits, if nobody else calls; `None` when it never will, because
    /// it alone is larger than the limit. For concurrency, which no clock frees, a guess.
    pub retry_after: Option<Duration>,
}

impl From<LimitExceeded> for Reject {
    fn from(exceeded: LimitExceeded) -> Self {
        let reason = match exceeded.which {
            Limit::Requests => Reason::RateLimited,
            Limit::Tokens => Reason::TokenLimited,
            Limit::Concurrency => Reason::ConcurrencyLimited,
        };
        let (limit, what) = (exceeded.limit, exceeded.which.as_str());
        match exceeded.retry_after {
            Some(span) => Reject::new(reason, format!("this key's limit of {limit} {what} is reached"))
                .with_retry_after(span),
            None => Reject::new(
                reason,
                format!("this request alone is larger than this key's limit of {limit} {what}"),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_its_limit_and_when_to_come_back() {
        let span = Duration::from_secs(7);
        let exceeded = LimitExceeded { which: Limit::Tokens, limit: 100, retry_after: Some(span) };
        let reject = Reject::from(exceeded);
        assert_eq!(
            (reject.status, reject.reason, reject.retry_after),
            (429, Reason::TokenLimited, Some(span))
        );
        assert!(reject.message.contains("100 tokens per minute"));
    }

    #[test]
    fn a_call_that_never_fits_gets_no_time_to_come_back() {
        let exceeded = LimitExceeded { which: Limit::Tokens, limit: 100, retry_after: None };
        let reject = Reject::from(exceeded);
        assert_eq!(reject.retry_after, None);
        assert!(reject.message.contains("alone"));
    }
}
