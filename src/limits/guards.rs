//! The locks of all scopes of a chain, held at once.

use super::Level;
use super::limits::Chain;
use super::scope::Scope;
use super::state::Inner;
use super::till::Till;
use std::array;
use std::sync::{Arc, MutexGuard};

/// Locks in the order of levels, in which everybody takes them.
pub(super) struct Guards<'c> {
    scopes: &'c [Arc<Scope>],
    inners: [Option<MutexGuard<'c, Inner>>; Level::COUNT],
}

impl<'c> Guards<'c> {
    pub(super) fn lock(chain: &'c Chain) -> Self {
        let scopes = chain.scopes();
        let mut open = scopes.iter();
        Self { scopes, inners: array::from_fn(|_| open.next().map(|scope| scope.state.lock())) }
    }

    /// Has the planner look after what is in use from now on.
    pub(super) fn list(&mut self, till: &Till) {
        if !till.sharing().has_bank && !till.sharing().has_leases {
            return;
        }
        for (scope, inner) in self.scopes.iter().zip(self.inners.iter_mut().flatten()) {
            if !inner.is_listed {
                inner.is_listed = true;
                till.list(&scope.state);
            }
        }
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u8, &'c Scope, &mut Inner)> {
        let inners = self.inners.iter_mut().flatten();
        (0..)
            .zip(self.scopes.iter().zip(inners))
            .map(|(place, (scope, inner))| (place, &**scope, &mut **inner))
    }

    pub(super) fn inner(&mut self, place: u8) -> Option<&mut Inner> {
        self.inners.get_mut(usize::from(place))?.as_deref_mut()
    }

    pub(super) fn scope(&self, place: u8) -> Option<&'c Scope> {
        self.scopes.get(usize::from(place)).map(|scope| &**scope)
    }
}
