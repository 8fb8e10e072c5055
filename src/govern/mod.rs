//! The nouns of governance: who owns, who works, what calls, how much it may use, and what it cost.
//!
//! Plain values with their JSON form, which is at once the form of the admin API and of the store.
//! Not here: deciding (`auth`, `limits`), keeping (`store`), serving (`admin`). Invariant: no value
//! in this folder holds a secret; of a key's secret it knows a keyed hash.

pub mod actor;
pub mod audit;
pub mod configuration;
pub mod ids;
pub mod key;
pub mod ledger;
pub mod mask;
pub mod object;
pub mod plan;
pub mod policy;
pub mod role;
pub mod scope;
pub mod tenancy;
pub mod user;
pub mod within;

pub use actor::{Actor, Denied, Place};
pub use audit::{AuditEntry, AuditRecord};
pub use configuration::{Cause, Configuration, Kept};
pub use ids::{AppId, KeyId, PlanId, SubscriptionId, TeamId, TenantId, UserId};
pub use key::Key;
pub use ledger::{Call, Outcome};
pub use object::{Kind, Object};
pub use plan::{Plan, Subscription, SubscriptionState};
pub use policy::{Budget, BudgetUnit, Limit, LimitUnit, OnExhausted, OnUnpriced, Policy, Status, Window};
pub use role::{Permission, Role};
pub use scope::{Level, Scope};
pub use tenancy::{App, Team, Tenant};
pub use user::{Identity, User};
