//! Who asks, and what they may do: static keys of the configuration, virtual keys of the store,
//! tokens of other issuers, client certificates.
//!
//! Not here: how much a caller may use (`limits`), how a refusal looks on the wire, and reading the
//! store (`jobs`). Invariant: a missing and a wrong credential cannot be told apart, by text or by
//! time.

mod access;
pub mod certificate;
pub mod directory;
pub mod error;
pub mod globs;
pub mod hosts;
pub mod identities;
pub mod jwt;
pub mod key_ring;
pub mod mapping;
pub mod pepper;
pub mod presented;
pub mod principal;
mod rebuild;
pub mod saved;
pub mod shop;
pub mod token;

#[cfg(test)]
mod directory_tests;

pub use certificate::{Certificate, CertificateRules};
pub use directory::{Directory, Unreadable};
pub use error::AuthError;
pub use globs::ModelGlobs;
pub use hosts::Hosts;
pub use identities::Identities;
pub use key_ring::{KeyRing, KeySpec, SharedSecret, digest};
pub use mapping::{Mapping, Origin};
pub use pepper::Peppers;
pub use presented::{CREDENTIAL_HEADERS, presented, without_key};
pub use principal::{AppView, Principal};
pub use saved::SavedError;
pub use shop::Subscribed;
pub use token::TokenKind;
