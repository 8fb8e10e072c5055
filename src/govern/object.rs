//! What the store keeps one row of: any governed thing, told apart by its kind.
//!
//! One shape for all kinds, so that listing, versions, change notices, audit and history are written
//! once. The typed form is in `body`; the fields beside it are what the store must find it by.

use serde::{Deserialize, Serialize};

/// The kinds of things governed. The text is their name in URLs, audit and permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Tenant,
    Team,
    App,
    Key,
    User,
    Plan,
    Subscription,
    /// A provider kept in the store, beside those of the configuration file.
    Provider,
    /// A model kept in the store, beside those of the configuration file.
    Model,
}

impl Kind {
    pub const ALL: [Kind; 9] = [
        Kind::Tenant,
        Kind::Team,
        Kind::App,
        Kind::Key,
        Kind::User,
        Kind::Plan,
        Kind::Subscription,
        Kind::Provider,
        Kind::Model,
    ];

    /// As in the store's column and in URLs (there in the plural).
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Tenant => "tenant",
            Kind::Team => "team",
            Kind::App => "app",
            Kind::Key => "key",
            Kind::User => "user",
            Kind::Plan => "plan",
            Kind::Subscription => "subscription",
            Kind::Provider => "provider",
            Kind::Model => "model",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The kind of the thing one of this kind lies in; None for what lies in nothing. A user, plan,
    /// provider or model may lie in a tenant, or belong to the installation as a whole.
    pub const fn parent(self) -> Option<Kind> {
        match self {
            Kind::Tenant => None,
            Kind::Team | Kind::User | Kind::Plan | Kind::Provider | Kind::Model => Some(Kind::Tenant),
            Kind::App => Some(Kind::Team),
            Kind::Key | Kind::Subscription => Some(Kind::App),
        }
    }
}

/// A governed thing as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    pub kind: Kind,
    pub id: String,
    /// The tenant it belongs to, itself for a tenant; None for what belongs to the installation.
    pub tenant: Option<String>,
    /// Id of what it lies in, see [`Kind::parent`].
    pub parent: Option<String>,
    /// Unique among the things of its kind in its parent.
    pub name: String,
    /// 1 when created, one more with each change: the ETag.
    pub version: u64,
    /// Milliseconds since 1970, UTC.
    pub created_ms: u64,
    pub updated_ms: u64,
    /// The typed form, such as [`Tenant`](super::Tenant), without the fields above.
    pub body: serde_json::Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_from_its_own_name() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        assert_eq!(Kind::parse("tenants"), None);
    }

    #[test]
    fn following_parents_ends_at_a_tenant() {
        for mut kind in Kind::ALL {
            let mut steps = 0;
            while let Some(parent) = kind.parent() {
                kind = parent;
                steps += 1;
                assert!(steps < Kind::ALL.len());
            }
            assert_eq!(kind, Kind::Tenant);
        }
    }
}
