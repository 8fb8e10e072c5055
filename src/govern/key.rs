//! A virtual key: the credential of an app, `tg-<public id>-<secret>`.

use super::ids::UserId;
use super::policy::{Policy, Status};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All that is kept of a key. The secret is shown once, when the key is made or rotated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Key {
    pub status: Status,
    /// HMAC-SHA-256 of the whole key under the installation's pepper, 64 hex digits.
    pub hash: String,
    /// The hash before the last rotation, good until `previous_until_ms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_until_ms: Option<u64>,
    /// Milliseconds since 1970, UTC; None: does not expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<UserId>,
    pub policy: Policy,
    pub tags: BTreeMap<String, String>,
}
