//! Tenant → team → app: who owns, who works, what calls.

use super::policy::{Policy, Status};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tenant {
    pub status: Status,
    pub policy: Policy,
    pub tags: BTreeMap<String, String>,
}

/// People who work together, within a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Team {
    pub status: Status,
    pub policy: Policy,
    pub tags: BTreeMap<String, String>,
}

/// What calls: a service, an agent, a person's tools.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct App {
    pub status: Status,
    pub policy: Policy,
    pub tags: BTreeMap<String, String>,
}
