//! What can go wrong with one attempt at one target.

/// Why an attempt failed. Closed: it is a metric label and an input of the retry decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// The name did not resolve.
    Dns,
    /// Refused, unreachable, or the connect deadline passed. Nothing was sent.
    Connect,
    /// The TLS handshake failed. Nothing was sent.
    Tls,
    /// The gateway could not get its own credential for the target. Nothing was sent.
    Credential,
    /// The response head did not come in time, or the total deadline passed before it.
    HeaderTimeout,
    /// No content event came in time.
    FirstTokenTimeout,
    /// A stream fell silent between two events.
    IdleTimeout,
    /// The whole call took longer than `timeouts.total`.
    TotalTimeout,
    /// The upstream broke the connection or the framing of HTTP.
    Protocol,
    /// The upstream answered this status (always 4xx or 5xx).
    Status(u16),
    /// The stream said so itself: an error event in a 200.
    StreamError,
    /// The stream or body ended before its end.
    Truncated,
    /// A 200 whose body is not what the endpoint promises (empty, HTML, not JSON).
    BadBody,
}

impl FailureClass {
    /// Whether there was a connection at all: before that, an upstream has had no load of the call.
    pub fn has_met_the_upstream(self) -> bool {
        !matches!(self, Self::Dns | Self::Connect | Self::Tls | Self::Credential)
    }

    /// The closed label used in metrics and logs; a status is labelled by its class or, for the
    /// ones operators act on, by number.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureClass::Dns => "dns",
            FailureClass::Connect => "connect",
            FailureClass::Tls => "tls",
            FailureClass::Credential => "credential",
            FailureClass::HeaderTimeout => "header_timeout",
            FailureClass::FirstTokenTimeout => "first_token_timeout",
            FailureClass::IdleTimeout => "idle_timeout",
            FailureClass::TotalTimeout => "total_timeout",
            FailureClass::Protocol => "protocol",
            FailureClass::Status(401 | 403) => "status_auth",
            FailureClass::Status(408) => "status_408",
            FailureClass::Status(429) => "status_429",
            FailureClass::Status(529) => "status_529",
            FailureClass::Status(400..=499) => "status_4xx",
            FailureClass::Status(_) => "status_5xx",
            FailureClass::StreamError => "stream_error",
            FailureClass::Truncated => "truncated",
            FailureClass::BadBody => "bad_body",
        }
    }
}
