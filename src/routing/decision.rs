//! Whether a failed attempt is followed by another.
//!
//! One pure function for every endpoint. What the failure means for the target's future is
//! `cooldown`'s.

use super::FailoverPolicy;
use crate::types::FailureClass;

/// What happens after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Another attempt, on whatever target is next.
    TryNext,
    /// Another attempt, but never again on this target, which may have processed the call: a POST
    /// must not be processed twice for a broken connection.
    TryOther,
    /// This failure is the client's answer.
    GiveUp,
}

/// Decides after `failure`.
///
/// `attempts_left` counts attempts still allowed. `is_committed`: content has gone to the client,
/// so a second answer would be glued to the first. `may_have_been_processed`: the request was sent
/// in part or whole, and the upstream has neither answered nor said that it did nothing (a refused
/// HTTP/2 stream, a GOAWAY below the stream's number).
pub fn decide(
    failure: FailureClass,
    policy: &FailoverPolicy,
    attempts_left: u8,
    is_committed: bool,
    may_have_been_processed: bool,
) -> Decision {
    if is_committed || attempts_left == 0 || !moves_on(failure, policy) {
        return Decision::GiveUp;
    }
    // Timeouts and statuses are opted into by name, and the target has been told or has spoken.
    // A connection that just broke is neither.
    if failure == FailureClass::Protocol && may_have_been_processed {
        return Decision::TryOther;
    }
    Decision::TryNext
}

fn moves_on(failure: FailureClass, policy: &FailoverPolicy) -> bool {
    match failure {
        FailureClass::Dns
        | FailureClass::Connect
        | FailureClass::Tls
        | FailureClass::Credential
        | FailureClass::Protocol => policy.connect,
        FailureClass::HeaderTimeout | FailureClass::FirstTokenTimeout | FailureClass::IdleTimeout => {
            policy.timeout
        }
        // The client's whole time is used up: no other target can give it back.
        FailureClass::TotalTimeout => false,
        FailureClass::Status(status) => policy.statuses.contains(status),
        FailureClass::StreamError | FailureClass::Truncated | FailureClass::BadBody => policy.stream_error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::StatusSet;

    const GOES_ON: [FailureClass; 21] = [
        FailureClass::Credential,
        FailureClass::Dns,
        FailureClass::Connect,
        FailureClass::Tls,
        FailureClass::Protocol,
        FailureClass::HeaderTimeout,
        FailureClass::FirstTokenTimeout,
        FailureClass::IdleTimeout,
        FailureClass::StreamError,
        FailureClass::Truncated,
        FailureClass::BadBody,
        FailureClass::Status(401),
        FailureClass::Status(403),
        FailureClass::Status(408),
        FailureClass::Status(429),
        FailureClass::Status(500),
        FailureClass::Status(502),
        FailureClass::Status(503),
        FailureClass::Status(504),
        FailureClass::Status(529),
        FailureClass::Status(599),
    ];
    const STAYS: [FailureClass; 9] = [
        FailureClass::TotalTimeout,
        FailureClass::Status(400),
        FailureClass::Status(402),
        FailureClass::Status(404),
        FailureClass::Status(405),
        FailureClass::Status(409),
        FailureClass::Status(413),
        FailureClass::Status(422),
        FailureClass::Status(451),
    ];

    fn decide_default(failure: FailureClass) -> Decision {
        decide(failure, &FailoverPolicy::default(), 1, false, false)
    }

    #[test]
    fn the_documented_table_holds() {
        for failure in GOES_ON {
            assert_eq!(decide_default(failure), Decision::TryNext, "{failure:?}");
        }
        for failure in STAYS {
            assert_eq!(decide_default(failure), Decision::GiveUp, "{failure:?}");
        }
    }

    #[test]
    fn nothing_goes_on_after_content_or_without_attempts() {
        let policy = FailoverPolicy::default();
        for failure in GOES_ON {
            assert_eq!(decide(failure, &policy, 9, true, false), Decision::GiveUp, "{failure:?}");
            assert_eq!(decide(failure, &policy, 0, false, false), Decision::GiveUp, "{failure:?}");
        }
    }

    #[test]
    fn nothing_goes_on_that_is_not_configured() {
        for failure in GOES_ON {
            assert_eq!(
                decide(failure, &FailoverPolicy::none(), 9, false, false),
                Decision::GiveUp,
                "{failure:?}"
            );
        }
    }

    #[test]
    fn a_400_goes_on_where_it_is_configured() {
        let statuses = StatusSet::default().with(400);
        let policy = FailoverPolicy { statuses, ..FailoverPolicy::none() };
        assert_eq!(decide(FailureClass::Status(400), &policy, 1, false, false), Decision::TryNext);
        assert_eq!(decide(FailureClass::Status(422), &policy, 1, false, false), Decision::GiveUp);
    }

    #[test]
    fn a_broken_connection_that_may_have_delivered_goes_to_another_target_only() {
        let policy = FailoverPolicy::default();
        let broken = |processed| decide(FailureClass::Protocol, &policy, 1, false, processed);
        assert_eq!((broken(true), broken(false)), (Decision::TryOther, Decision::TryNext));
        assert_eq!(decide(FailureClass::HeaderTimeout, &policy, 1, false, true), Decision::TryNext);
    }
}
