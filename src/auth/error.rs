//! Why a caller is not let in.

use crate::types::{Reason, Reject};

/// A refusal by [`KeyRing`](super::KeyRing) or [`presented`](super::presented()).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No credential, an unknown one or an unreadable one: on purpose one case, so that an answer
    /// teaches nothing about which keys exist.
    #[error("missing or invalid api key")]
    Invalid,
    /// Two places of the request carry different credentials. Choosing one would let another
    /// reader of the same request see somebody else.
    #[error("the credentials in this request disagree: send one api key")]
    Ambiguous,
}

impl From<AuthError> for Reject {
    fn from(error: AuthError) -> Self {
        let message = match error {
            AuthError::Invalid => "missing or invalid api key",
            AuthError::Ambiguous => "the credentials in this request disagree: send one api key",
        };
        Reject::new(Reason::InvalidKey, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_a_401_that_says_what_its_error_says() {
        for error in [AuthError::Invalid, AuthError::Ambiguous] {
            let reject = Reject::from(error);
            assert_eq!((reject.status, reject.reason), (401, Reason::InvalidKey));
            assert_eq!(reject.message, error.to_string());
        }
    }
}
