//! The one type in which a request is refused, from the policy that refuses to the edge that
//! renders it in the client's dialect.

use std::borrow::Cow;
use std::time::Duration;

/// Who speaks in an error: the gateway itself, or a provider through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Gateway,
    Provider,
}

impl Origin {
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Gateway => "gateway",
            Origin::Provider => "provider",
        }
    }
}

/// Why a request was refused or failed. Closed: it is the metric label, the
/// `x-tidegate-reason` header and the dialect's error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    // The request itself.
    InvalidRequest,
    InvalidJson,
    DuplicateField,
    BodyTooLarge,
    BodyTimeout,
    HeadersTooLarge,
    UnsupportedEncoding,
    UnsupportedMethod,
    UnsupportedUpgrade,
    NotFound,
    ModelNotFound,
    PreviousResponseNotFound,
    // Who asks.
    InvalidKey,
    ModelNotAllowed,
    EndpointNotAllowed,
    AddressNotAllowed,
    SubscriptionRequired,
    // How much.
    RateLimited,
    TokenLimited,
    ConcurrencyLimited,
    ConnectionFlood,
    /// A budget has not enough left.
    BudgetExceeded,
    /// A budget in money is for the call, and its price is not known.
    Unpriced,
    /// What limits and budgets are shared through cannot be reached.
    SharingUnavailable,
    // The way up.
    NoTarget,
    AllCooling,
    /// All targets have as many calls as they take at once.
    AllFull,
    /// So they have, and as many wait for them as may.
    QueueFull,
    /// So they had, for as long as the call could wait.
    QueueTimeout,
    UpstreamConnect,
    UpstreamCredential,
    UpstreamTimeout,
    UpstreamProtocol,
    UpstreamError,
    UpstreamTruncated,
    StreamFailed,
    // Us.
    /// The gateway has more to do than it can do well.
    Overloaded,
    Draining,
    StoreUnavailable,
    Internal,
}

impl Reason {
    /// Every reason, for tests and for documentation.
    pub const ALL: [Reason; 40] = [
        Reason::InvalidRequest,
        Reason::InvalidJson,
        Reason::DuplicateField,
        Reason::BodyTooLarge,
        Reason::BodyTimeout,
        Reason::HeadersTooLarge,
        Reason::UnsupportedEncoding,
        Reason::UnsupportedMethod,
        Reason::UnsupportedUpgrade,
        Reason::NotFound,
        Reason::ModelNotFound,
        Reason::PreviousResponseNotFound,
        Reason::InvalidKey,
        Reason::ModelNotAllowed,
        Reason::EndpointNotAllowed,
        Reason::AddressNotAllowed,
        Reason::SubscriptionRequired,
        Reason::RateLimited,
        Reason::TokenLimited,
        Reason::ConcurrencyLimited,
        Reason::ConnectionFlood,
        Reason::BudgetExceeded,
        Reason::Unpriced,
        Reason::SharingUnavailable,
        Reason::NoTarget,
        Reason::AllCooling,
        Reason::AllFull,
        Reason::QueueFull,
        Reason::QueueTimeout,
        Reason::UpstreamConnect,
        Reason::UpstreamCredential,
        Reason::UpstreamTimeout,
        Reason::UpstreamProtocol,
        Reason::UpstreamError,
        Reason::UpstreamTruncated,
        Reason::StreamFailed,
        Reason::Overloaded,
        Reason::Draining,
        Reason::StoreUnavailable,
        Reason::Internal,
    ];

    /// The code clients, dashboards and log queries see.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::InvalidRequest => "invalid_request",
            Reason::InvalidJson => "invalid_json",
            Reason::DuplicateField => "duplicate_field",
            Reason::BodyTooLarge => "body_too_large",
            Reason::BodyTimeout => "body_timeout",
            Reason::HeadersTooLarge => "headers_too_large",
            Reason::UnsupportedEncoding => "unsupported_encoding",
            Reason::UnsupportedMethod => "unsupported_method",
            Reason::UnsupportedUpgrade => "unsupported_upgrade",
            Reason::NotFound => "not_found",
            Reason::ModelNotFound => "model_not_found",
            Reason::PreviousResponseNotFound => "previous_response_not_found",
            Reason::InvalidKey => "invalid_api_key",
            Reason::ModelNotAllowed => "model_not_allowed",
            Reason::EndpointNotAllowed => "endpoint_not_allowed",
            Reason::AddressNotAllowed => "address_not_allowed",
            Reason::SubscriptionRequired => "subscription_required",
            Reason::RateLimited => "rate_limit_exceeded",
            Reason::TokenLimited => "token_limit_exceeded",
            Reason::ConcurrencyLimited => "concurrency_limit_exceeded",
            Reason::ConnectionFlood => "connection_flood",
            Reason::BudgetExceeded => "budget_exceeded",
            Reason::Unpriced => "unpriced",
            Reason::SharingUnavailable => "sharing_unavailable",
            Reason::NoTarget => "no_target",
            Reason::AllCooling => "all_targets_cooling",
            Reason::AllFull => "all_targets_full",
            Reason::QueueFull => "queue_full",
            Reason::QueueTimeout => "queue_timeout",
            Reason::UpstreamConnect => "upstream_connect",
            Reason::UpstreamCredential => "upstream_credential",
            Reason::UpstreamTimeout => "upstream_timeout",
            Reason::UpstreamProtocol => "upstream_protocol",
            Reason::UpstreamError => "upstream_error",
            Reason::UpstreamTruncated => "upstream_truncated",
            Reason::StreamFailed => "stream_failed",
            Reason::Overloaded => "overloaded",
            Reason::Draining => "draining",
            Reason::StoreUnavailable => "store_unavailable",
            Reason::Internal => "internal_error",
        }
    }

    /// The HTTP status a reject with this reason has unless it says otherwise.
    pub fn status(self) -> u16 {
        match self {
            Reason::InvalidRequest
            | Reason::InvalidJson
            | Reason::DuplicateField
            | Reason::PreviousResponseNotFound => 400,
            Reason::InvalidKey => 401,
            Reason::ModelNotAllowed
            | Reason::EndpointNotAllowed
            | Reason::AddressNotAllowed
            | Reason::SubscriptionRequired
            | Reason::Unpriced => 403,
            Reason::NotFound | Reason::ModelNotFound => 404,
            Reason::UnsupportedMethod => 405,
            Reason::BodyTimeout => 408,
            Reason::BodyTooLarge => 413,
            Reason::UnsupportedEncoding => 415,
            Reason::UnsupportedUpgrade => 426,
            Reason::HeadersTooLarge => 431,
            Reason::RateLimited
            | Reason::TokenLimited
            | Reason::ConcurrencyLimited
            | Reason::ConnectionFlood
            | Reason::BudgetExceeded => 429,
            Reason::UpstreamConnect
            | Reason::UpstreamProtocol
            | Reason::UpstreamError
            | Reason::UpstreamTruncated
            | Reason::StreamFailed => 502,
            Reason::NoTarget
            | Reason::AllCooling
            | Reason::AllFull
            | Reason::QueueFull
            | Reason::QueueTimeout
            | Reason::UpstreamCredential
            | Reason::Overloaded
            | Reason::Draining
            | Reason::StoreUnavailable
            | Reason::SharingUnavailable => 503,
            Reason::UpstreamTimeout => 504,
            Reason::Internal => 500,
        }
    }
}

/// A request refused or failed. `message` is for the client: it never holds a cause, an
/// upstream's URL or anything secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    pub reason: Reason,
    pub status: u16,
    pub origin: Origin,
    pub message: Cow<'static, str>,
    /// The request field at fault (`model`, `messages[3]`), where there is one.
    pub param: Option<Cow<'static, str>>,
    pub retry_after: Option<Duration>,
    /// The header field that HTTP asks for with this status: `allow` with 405, `upgrade` with 426.
    pub field: Option<(&'static str, &'static str)>,
}

impl Reject {
    /// A refusal by the gateway, with the reason's usual status.
    pub fn new(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason,
            status: reason.status(),
            origin: Origin::Gateway,
            message: message.into(),
            param: None,
            retry_after: None,
            field: None,
        }
    }

    pub fn with_param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub fn with_retry_after(mut self, span: Duration) -> Self {
        self.retry_after = Some(span);
        self
    }

    /// `name` in lower case.
    pub fn with_field(mut self, name: &'static str, value: &'static str) -> Self {
        self.field = Some((name, value));
        self
    }

    pub fn from_provider(mut self) -> Self {
        self.origin = Origin::Provider;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_code_and_an_error_status() {
        let codes: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|r| r.as_str()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        assert!(Reason::ALL.iter().all(|r| (400..=599).contains(&r.status())));
    }
}
