//! Who asks: static keys, stored as SHA-256 digests.
//!
//! Not here: how much a key may use (`limits`), and how a refusal looks on the wire. Invariant: a
//! missing and a wrong credential cannot be told apart, by text or by time.

pub mod error;
pub mod globs;
pub mod key_ring;
pub mod presented;
pub mod principal;

pub use error::AuthError;
pub use globs::ModelGlobs;
pub use key_ring::{KeyRing, KeySpec, SharedSecret, digest};
pub use presented::{CREDENTIAL_HEADERS, presented, without_key};
pub use principal::Principal;
