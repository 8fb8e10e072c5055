//! Roles, and the verbs they permit on kinds of things. Deny by default: what is not listed is not
//! allowed.

use super::object::Kind;
use serde::{Deserialize, Serialize};

/// What a user is to a tenant, or to the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, roles of others included.
    Owner,
    /// Everything but owners and the audit log's retention.
    Admin,
    /// Own apps, keys and subscriptions.
    Developer,
    /// Reads everything, secrets never.
    Auditor,
    /// Reads usage and cost; sets budgets and plans.
    Billing,
}

/// A verb on a kind of thing, or on what is no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    Read(Kind),
    Create(Kind),
    Update(Kind),
    Delete(Kind),
    /// Sees or replaces a key's secret: rotation.
    RotateKey,
    /// Approves, refuses or revokes a subscription.
    DecideSubscription,
    ReadUsage,
    ReadAudit,
    ReadConfig,
    WriteConfig,
    /// Health and targets: state, drain, enable.
    ReadHealth,
}
