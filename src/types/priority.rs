//! Who goes first where not all can.

use serde::{Deserialize, Serialize};

/// The sooner the smaller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    High,
    #[default]
    Normal,
    /// What can wait: served after all others, and refused first.
    Low,
}

impl Priority {
    pub const ALL: [Priority; 3] = [Priority::High, Priority::Normal, Priority::Low];

    pub const fn as_str(self) -> &'static str {
        match self {
            Priority::High => "high",
            Priority::Normal => "normal",
            Priority::Low => "low",
        }
    }

    /// The priority of this name, in any case.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.as_str().eq_ignore_ascii_case(name.trim()))
    }

    /// What a caller that may have this one gets where it asks for `wish`: never a sooner one.
    pub fn lowered_to(self, wish: Option<Self>) -> Self {
        wish.map_or(self, |wish| wish.max(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_lowers_and_never_raises() {
        let of = |name| Priority::of(name);
        assert_eq!(Priority::Normal.lowered_to(of("LOW")), Priority::Low);
        assert_eq!(Priority::Normal.lowered_to(of("high")), Priority::Normal);
        assert_eq!(Priority::High.lowered_to(of("urgent")), Priority::High);
        assert_eq!(Priority::ALL.map(|priority| Priority::of(priority.as_str())), Priority::ALL.map(Some));
    }
}
