//! Tokens of other issuers (JWT, RFC 7519) as credentials of callers.
//!
//! On `ring`, which is in the tree for TLS, and the house's own JSON reader, which refuses members
//! that come twice. Invariants: the algorithm is the configuration's and the key's choice, never the
//! token's alone; nothing a token names is ever fetched or read; whatever is not proved is refused.

mod cache;
mod claims;
mod issuer;
mod jwk;
mod jws;

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod issuer_tests;

pub use claims::Expected;
pub use issuer::{Issuer, IssuerSpec, KeySource, Whose};
pub use jwk::{KeySet, KeySetError};
pub use jws::Algorithm;

/// A longer token is refused unread.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Why a token is not accepted. For logs at debug level and tests; the caller learns none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    #[error("not a compact JWS")]
    Form,
    #[error("longer than accepted")]
    TooLong,
    #[error("a header that is not accepted")]
    Header,
    #[error("an algorithm that is not accepted")]
    Algorithm,
    #[error("no key of that id")]
    UnknownKey,
    #[error("a signature that is not the key's")]
    Signature,
    #[error("claims that are not accepted")]
    Claims,
    #[error("not good at this time")]
    Time,
    #[error("of no app here")]
    NoApp,
}
