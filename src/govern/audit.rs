//! Who did what to which thing.

use super::object::Kind;
use serde::{Deserialize, Serialize};

/// A change or an access to a secret, as it is reported. Secrets are masked before it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Milliseconds since 1970, UTC.
    pub at_ms: u64,
    /// A user's id, `token` for the configuration's admin token, `system` for the gateway itself.
    pub actor: String,
    /// Such as `key.create`, `key.rotate`, `subscription.approve`.
    pub action: String,
    pub kind: Option<Kind>,
    pub id: Option<String>,
    pub tenant: Option<String>,
    pub before: Option<serde_json::Value>,
    pub after: Option<serde_json::Value>,
    /// Of the admin request.
    pub request_id: String,
    pub client: Option<String>,
}

/// An entry in the log's chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Without gaps, from 1.
    pub sequence: u64,
    pub entry: AuditEntry,
    /// SHA-256 over the previous hash and this entry's canonical bytes, 64 hex digits: nothing can be
    /// changed or taken out without breaking all that follows.
    pub hash: String,
}
