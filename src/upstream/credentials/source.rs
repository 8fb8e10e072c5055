//! What a cache is filled from.

use super::CredentialError;
use crate::types::{Clock, Secret};
use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A bearer token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token(pub Secret);

/// A credential just fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh<T> {
    pub value: T,
    /// How long it holds from now on; None for ever.
    pub lifetime: Option<Duration>,
}

/// Where credentials of one kind come from.
#[async_trait]
pub trait Source<T>: Send + Sync {
    /// Fetches one. `unix_s`: the time, for what must be dated.
    ///
    /// # Errors
    /// [`CredentialError`]; a passing one is tried again.
    async fn fetch(&self, unix_s: u64) -> Result<Fresh<T>, CredentialError>;

    /// What it is, for the log.
    fn name(&self) -> String;
}

/// The two clocks: one for spans, one for dates.
#[derive(Clone)]
pub struct Watch {
    pub clock: Arc<dyn Clock>,
    /// Seconds since 1970.
    pub unix_s: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

impl<T> Fresh<T> {
    pub fn forever(value: T) -> Self {
        Self { value, lifetime: None }
    }

    pub fn seconds(value: T, seconds: u64) -> Self {
        Self { value, lifetime: Some(Duration::from_secs(seconds)) }
    }

    /// Until a date.
    pub fn until(value: T, expires_unix_s: u64, now_unix_s: u64) -> Self {
        Self::seconds(value, expires_unix_s.saturating_sub(now_unix_s))
    }
}
