//! What callers of the admin API may set of each kind of thing. Nothing else of it can be set: hashes,
//! states, versions, owners and places are not in here.

use crate::govern::user::Identity;
use crate::govern::{
    App, Key, Kind, Object, Plan, PlanId, Policy, Role, Status, Team, TeamId, Tenant, User, UserId,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Of a tenant, team or app.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeFields {
    /// Unique in what it lies in.
    #[schema(min_length = 1, max_length = 128)]
    pub name: String,
    #[serde(default)]
    pub status: Status,
    #[serde(default)]
    pub policy: Policy,
    /// Free words of the owner's own.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyFields {
    /// Unique in its app.
    #[schema(min_length = 1, max_length = 128)]
    pub name: String,
    #[serde(default)]
    pub status: Status,
    /// Milliseconds since 1970, UTC; absent: does not expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
    /// The user it was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub owner: Option<UserId>,
    #[serde(default)]
    pub policy: Policy,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserFields {
    #[schema(min_length = 1, max_length = 128)]
    pub name: String,
    #[serde(default)]
    pub status: Status,
    pub role: Role,
    /// Where a developer works; empty for all teams of the tenant.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub teams: Vec<TeamId>,
    #[serde(default)]
    pub is_service: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanFields {
    #[schema(min_length = 1, max_length = 128)]
    pub name: String,
    #[serde(default)]
    pub status: Status,
    #[serde(default)]
    #[schema(max_length = 4096)]
    pub description: String,
    /// Must list the models it opens.
    #[serde(default)]
    pub policy: Policy,
    /// Added to the provider's price, in hundredths of a percent.
    #[serde(default)]
    #[schema(maximum = 1_000_000)]
    pub margin_bp: u32,
    #[serde(default)]
    pub needs_approval: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionFields {
    #[schema(value_type = String)]
    pub plan: PlanId,
    /// What the app says when it asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    pub reason: Option<String>,
}

/// Which target: `provider/model`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetFields {
    pub target: String,
}

/// Why a subscription is decided as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionFields {
    /// Needed to refuse and to revoke.
    #[serde(default)]
    #[schema(max_length = 1024)]
    pub reason: Option<String>,
}

/// How a key is rotated.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateFields {
    /// How long the old secret stays good; 0 ends it at once.
    #[serde(default)]
    #[schema(maximum = 2_592_000)]
    pub grace_seconds: u64,
}

/// The name of a kind's parent in requests and answers.
pub const fn parent_field(kind: Kind) -> Option<&'static str> {
    match (kind, kind.parent()) {
        // Here they are the installation's alone.
        (Kind::Provider | Kind::Model, _) | (_, None) => None,
        (_, Some(parent)) => Some(parent.as_str()),
    }
}

/// Whether a thing of this kind may lie in nothing: in the installation.
pub const fn may_be_global(kind: Kind) -> bool {
    matches!(kind, Kind::User | Kind::Plan | Kind::Provider | Kind::Model)
}

/// The settable fields of an object, as they are now.
pub fn settable(object: &Object) -> Map<String, Value> {
    let mut fields = match &object.body {
        Value::Object(body) => body.clone(),
        _ => Map::new(),
    };
    let own: &[&str] = match object.kind {
        Kind::Tenant | Kind::Team | Kind::App => &["status", "policy", "tags"],
        Kind::Key => &["status", "expires_ms", "owner", "policy", "tags"],
        Kind::User => &["status", "role", "teams", "is_service", "identity"],
        Kind::Plan => &["status", "description", "policy", "margin_bp", "needs_approval"],
        Kind::Subscription | Kind::Provider | Kind::Model => &[],
    };
    fields.retain(|name, _| own.contains(&name.as_str()));
    fields.insert("name".to_owned(), Value::String(object.name.clone()));
    fields
}

impl NodeFields {
    pub fn body(self, kind: Kind) -> Value {
        let Self { status, policy, tags, .. } = self;
        match kind {
            Kind::Tenant => json(Tenant { status, policy, tags }),
            Kind::Team => json(Team { status, policy, tags }),
            _ => json(App { status, policy, tags }),
        }
    }
}

impl KeyFields {
    /// `before`: the hashes stay.
    pub fn body(self, before: Key) -> Value {
        let Self { status, expires_ms, owner, policy, tags, .. } = self;
        json(Key { status, expires_ms, owner, policy, tags, ..before })
    }
}

impl UserFields {
    pub fn body(self, token_hash: Option<String>) -> Value {
        let Self { status, role, teams, is_service, identity, .. } = self;
        json(User { status, role, teams, is_service, token_hash, identity })
    }
}

impl PlanFields {
    pub fn body(self) -> Value {
        let Self { status, description, policy, margin_bp, needs_approval, .. } = self;
        json(Plan { status, description, policy, margin_bp, needs_approval })
    }
}

/// A body as it is kept; these types always have one.
pub fn json(body: impl Serialize) -> Value {
    serde_json::to_value(body).unwrap_or_default()
}
