//! How the targets of a model hang together: groups of targets and of groups, each with a balance of
//! its own. Fallback is priority, so a fallback of balances of conditions is three groups.
//!
//! A flat arena: the root is group 0, and a member names a target or a group by index.

use crate::types::bounds::TARGETS_MAX;

/// Groups inside of groups, the root included.
pub const DEPTH_MAX: usize = 4;
/// Groups of one model.
pub const GROUPS_MAX: usize = 32;

/// How members of one priority share the load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// By weight, evenly spread over time.
    #[default]
    Weighted,
    /// Each in turn; weights other than zero do not matter.
    RoundRobin,
    /// The one with the fewest calls under way for its weight.
    LeastBusy,
    /// The one that has been the fastest, of two that are drawn.
    Fastest,
    /// The one where the call costs least.
    Cheapest,
    /// The one that has the session, unless it is overloaded.
    Sticky,
    /// The one that has the session, by weight: a split that does not change for a session.
    Split,
    /// By what is left of the provider's rate limits.
    UsageAware,
    /// The one that has most of the prompt in its cache, for its load.
    Prefix,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    Target(u8),
    Group(u8),
}

/// A member in its group.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub member: Member,
    /// Share inside its priority; zero takes no calls at all.
    pub weight: u32,
    /// 1 is tried first; a higher number when nothing of the lower ones is left.
    pub priority: u32,
    /// Index of the condition that must hold.
    pub when: Option<u8>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// For those who read an explanation; empty for the root.
    pub name: Box<str>,
    pub balance: Balance,
    pub places: Vec<Place>,
}

/// All groups of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tree {
    pub(super) groups: Vec<Group>,
}

/// What no tree can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    #[error("more than {GROUPS_MAX} groups")]
    TooManyGroups,
    #[error("groups inside of groups more than {DEPTH_MAX} deep")]
    TooDeep,
    #[error("a group that does not come after the one it lies in")]
    NotATree,
}

pub const BALANCES: [(&str, Balance); 9] = [
    ("weighted", Balance::Weighted),
    ("round-robin", Balance::RoundRobin),
    ("least-busy", Balance::LeastBusy),
    ("fastest", Balance::Fastest),
    ("cheapest", Balance::Cheapest),
    ("sticky", Balance::Sticky),
    ("split", Balance::Split),
    ("usage-aware", Balance::UsageAware),
    ("prefix", Balance::Prefix),
];

impl Balance {
    pub fn as_str(self) -> &'static str {
        BALANCES.iter().find(|(_, balance)| *balance == self).map_or("", |(word, _)| word)
    }

    /// Whether it needs to know the session.
    pub fn is_by_session(self) -> bool {
        matches!(self, Balance::Sticky | Balance::Split)
    }
}

impl Tree {
    /// # Errors
    /// [`TreeError`]: bounds, and a group that would hold itself.
    pub fn new(groups: Vec<Group>) -> Result<Self, TreeError> {
        if groups.len() > GROUPS_MAX {
            return Err(TreeError::TooManyGroups);
        }
        let mut depths = vec![0_usize; groups.len()];
        let mut is_held = vec![false; groups.len()];
        for (index, group) in groups.iter().enumerate() {
            let depth = depths.get(index).copied().unwrap_or_default() + 1;
            if depth > DEPTH_MAX {
                return Err(TreeError::TooDeep);
            }
            for place in &group.places {
                let Member::Group(inner) = place.member else { continue };
                let inner = usize::from(inner);
                let held = is_held.get_mut(inner).filter(|held| inner > index && !**held);
                *held.ok_or(TreeError::NotATree)? = true;
                if let Some(place) = depths.get_mut(inner) {
                    *place = depth;
                }
            }
        }
        Ok(Self { groups })
    }

    /// Targets that all lie in the root, in order: (weight, priority).
    pub fn flat(balance: Balance, targets: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let place = |(index, (weight, priority))| Place {
            member: Member::Target(index as u8),
            weight,
            priority,
            when: None,
        };
        let places = targets.into_iter().take(TARGETS_MAX).enumerate().map(place).collect();
        Self { groups: vec![Group { name: "".into(), balance, places }] }
    }

    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Whether any group is balanced so.
    pub fn uses(&self, test: impl Fn(Balance) -> bool) -> bool {
        self.groups.iter().any(|group| test(group.balance))
    }

    pub(super) fn places(&self, group: usize) -> &[Place] {
        self.groups.get(group).map_or(&[], |group| &group.places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(members: &[Member]) -> Group {
        let place = |member: &Member| Place { member: *member, weight: 1, priority: 1, when: None };
        Group { places: members.iter().map(place).collect(), ..Group::default() }
    }

    fn chain(depth: usize) -> Vec<Group> {
        let inner = (1..depth).map(|next| group(&[Member::Group(next as u8)]));
        inner.chain([group(&[Member::Target(0)])]).collect()
    }

    #[test]
    fn trees_are_bounded_and_hold_nothing_twice() {
        assert!(Tree::new(chain(DEPTH_MAX)).is_ok());
        assert_eq!(Tree::new(chain(DEPTH_MAX + 1)), Err(TreeError::TooDeep));
        assert_eq!(Tree::new(vec![Group::default(); GROUPS_MAX + 1]), Err(TreeError::TooManyGroups));
        assert_eq!(Tree::new(vec![group(&[Member::Group(0)])]), Err(TreeError::NotATree));
        assert_eq!(Tree::new(vec![group(&[Member::Group(7)])]), Err(TreeError::NotATree));
        let twice = vec![group(&[Member::Group(1), Member::Group(1)]), group(&[])];
        assert_eq!(Tree::new(twice), Err(TreeError::NotATree));
    }

    #[test]
    fn every_balance_has_a_word() {
        assert!(BALANCES.iter().all(|(word, balance)| balance.as_str() == *word));
    }
}
