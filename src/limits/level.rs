//! Where a rule is set: at a key, or at what the key belongs to.

use crate::govern;

/// The levels a call passes, from the caller outwards. A chain has at most one scope of each, and
/// locks are taken in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    Key,
    App,
    Team,
    /// The terms of the plan a model was subscribed to under.
    Subscription,
    Tenant,
}

impl From<govern::Level> for Level {
    fn from(level: govern::Level) -> Self {
        match level {
            govern::Level::Tenant => Level::Tenant,
            govern::Level::Team => Level::Team,
            govern::Level::App => Level::App,
            govern::Level::Key => Level::Key,
            govern::Level::Subscription => Level::Subscription,
        }
    }
}

impl Level {
    /// How many there are: the length of the longest chain.
    pub const COUNT: usize = 5;

    /// The word in messages, names of scopes and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Key => "key",
            Level::App => "app",
            Level::Team => "team",
            Level::Subscription => "subscription",
            Level::Tenant => "tenant",
        }
    }
}
