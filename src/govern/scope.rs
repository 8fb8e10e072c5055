//! The levels a call is judged at.

use super::policy::Policy;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A level with rules of its own, the outermost first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Tenant,
    Team,
    App,
    Key,
    /// An app's use of a plan: for calls of the plan's models only.
    Subscription,
}

/// One level of one caller, and its rules.
#[derive(Clone, Debug)]
pub struct Scope {
    pub level: Level,
    /// Level and id, `key/key_7Qx`: unique among all scopes: what is in use is kept under it.
    pub name: Arc<str>,
    pub policy: Arc<Policy>,
}

impl Scope {
    pub fn new(level: Level, id: &str, policy: Arc<Policy>) -> Self {
        let name = format!("{}/{id}", level.as_str()).into();
        Self { level, name, policy }
    }

    /// Of the tenant, team, app, key or subscription.
    pub fn id(&self) -> &str {
        self.name.split_once('/').map_or(&*self.name, |(_, id)| id)
    }

    /// Whether there is anything to count.
    pub fn has_limits(&self) -> bool {
        !self.policy.limits.is_empty() || !self.policy.budgets.is_empty()
    }
}

impl Level {
    /// As in answers, budgets' names and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Tenant => "tenant",
            Level::Team => "team",
            Level::App => "app",
            Level::Key => "key",
            Level::Subscription => "subscription",
        }
    }
}
