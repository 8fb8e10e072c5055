//! Credentials that must be fetched, renewed or computed: AWS keys and their signatures, tokens of
//! Google and Microsoft.
//!
//! A [`Source`] fetches one kind of credential; a [`Cache`] keeps it: fetched once, however many calls
//! want it, and renewed in the background before it ends. [`Credential`] puts it on a request. Not
//! here: reading the environment or the configuration (values are handed in), choosing between
//! accounts. Invariant: no secret stands in an error, a log line or a `Debug` print.

mod authorize;
mod aws;
mod azure;
mod cache;
mod error;
mod fetch;
mod form;
mod gcp;
mod link_fetch;
mod source;

#[cfg(test)]
mod loopback;
#[cfg(test)]
pub(super) use loopback::Scratch;

pub use authorize::Credential;
pub use aws::{AwsKeys, AwsSource, Scope, sign};
pub use azure::{EntraProof, EntraSource};
pub use cache::{Cache, Note, Policy};
pub use error::CredentialError;
pub use fetch::{Answer, Ask, Fetch};
pub use gcp::GcpSource;
pub use link_fetch::LinkFetch;
pub use source::{Fresh, Source, Token, Watch};
