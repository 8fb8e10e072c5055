//! A person or a service account of the admin API.

use super::ids::TeamId;
use super::policy::Status;
use super::role::Role;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    #[serde(default)]
    pub status: Status,
    /// In its tenant, or in the installation where it belongs to none.
    pub role: Role,
    /// Where a developer works; empty for all teams of the tenant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<TeamId>,
    /// A program: it signs in by token only.
    #[serde(default)]
    pub is_service: bool,
    /// HMAC-SHA-256 of its admin token under the installation's pepper, 64 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_hash: Option<String>,
    /// `issuer` and `subject` of the identity it signs in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    pub issuer: String,
    pub subject: String,
}
