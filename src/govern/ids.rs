//! Names of governed things: a prefix that tells the kind, and a random part.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Bytes of an id at most; the admin API and the store refuse longer ones.
pub const ID_BYTES_MAX: usize = 64;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// What every id of this kind made here begins with.
            pub const PREFIX: &'static str = $prefix;

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

ids! {
    /// An organisation: the outermost owner.
    TenantId = "ten_";
    /// People who work together, within a tenant.
    TeamId = "team_";
    /// What calls, within a team.
    AppId = "app_";
    /// A virtual key of an app. The public part of `tg-<public id>-<secret>` without the prefix.
    KeyId = "key_";
    /// A person or a service account.
    UserId = "usr_";
    /// Terms a model is published under.
    PlanId = "plan_";
    /// An app's use of a plan.
    SubscriptionId = "sub_";
}
