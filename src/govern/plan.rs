//! Published models, and who subscribed to them.

use super::ids::PlanId;
use super::policy::{Policy, Status};
use serde::{Deserialize, Serialize};

/// Terms that models are published under.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plan {
    pub status: Status,
    /// What a subscriber is told.
    pub description: String,
    /// The models it opens, and the limits and budgets of each subscription.
    pub policy: Policy,
    /// Added to the provider's price, in hundredths of a percent: 1500 is 15 %.
    pub margin_bp: u32,
    /// Whether a subscription waits for somebody's approval.
    pub needs_approval: bool,
}

/// An app's use of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    pub plan: PlanId,
    #[serde(default)]
    pub state: SubscriptionState,
    /// Why it was refused or revoked, or what the app said when it asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
}

/// Requested → approved or refused; approved → revoked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
    #[default]
    Requested,
    Approved,
    Refused,
    Revoked,
}
