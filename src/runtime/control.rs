//! What the control plane needs of a configuration, and tells of itself.

use crate::auth::Hosts;
use crate::types::Secret;

/// Who may use the admin API.
#[derive(Debug, Default)]
pub struct AdminPolicy {
    /// SHA-256 of the installation owner's token; None where there is none.
    pub token: Option<[u8; 32]>,
    pub hosts: Hosts,
}

/// Somebody who is told what happened.
#[derive(Clone, Debug)]
pub struct Hook {
    pub url: String,
    /// Signs what is sent.
    pub secret: Secret,
    /// Kinds of events, or beginnings of them with `*`; empty for all.
    pub events: Vec<String>,
    /// Whether its address may be a private one.
    pub allow_private: bool,
}

/// Where what is known of virtual keys comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentitySource {
    /// There is no store, and no virtual key.
    Nothing,
    /// The store, and it answers.
    Store,
    /// The store, which has stopped answering.
    Stale,
    /// The copy on disk: the store has not answered since the start.
    Disk,
    /// Neither the store nor a copy, so far.
    Missing,
}

impl Hook {
    pub fn wants(&self, kind: &str) -> bool {
        let fits = |event: &String| match event.strip_suffix('*') {
            Some(beginning) => kind.starts_with(beginning),
            None => event == kind,
        };
        self.events.is_empty() || self.events.iter().any(fits)
    }
}

impl IdentitySource {
    pub const ALL: [IdentitySource; 5] = [
        IdentitySource::Nothing,
        IdentitySource::Store,
        IdentitySource::Stale,
        IdentitySource::Disk,
        IdentitySource::Missing,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            IdentitySource::Nothing => "none",
            IdentitySource::Store => "store",
            IdentitySource::Stale => "stale",
            IdentitySource::Disk => "disk",
            IdentitySource::Missing => "missing",
        }
    }

    /// What readiness tells; None where all is well.
    pub const fn degraded(self) -> Option<&'static str> {
        match self {
            IdentitySource::Nothing | IdentitySource::Store => None,
            IdentitySource::Stale => Some("the store does not answer; keys known so far keep working"),
            IdentitySource::Disk => Some("the store does not answer; keys are from the copy on disk"),
            IdentitySource::Missing => {
                Some("nothing is known of virtual keys: the store has not answered yet")
            }
        }
    }
}
