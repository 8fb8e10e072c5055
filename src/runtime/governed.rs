//! The limits of those the store knows, made anew with each snapshot of them.

use crate::auth::Identities;
use crate::limits::{Limits, ScopeSpec, Till, ZoneError};
use std::collections::HashSet;
use std::sync::Arc;

/// What is in use of `previous` goes on.
///
/// # Errors
/// Where a budget names no time zone.
pub fn limits(identities: &Identities, previous: &Limits, till: Arc<Till>) -> Result<Limits, ZoneError> {
    let mut seen = HashSet::new();
    let specs: Vec<ScopeSpec> = identities
        .limited()
        .filter(|scope| seen.insert(scope.name.clone()))
        .map(|scope| ScopeSpec {
            name: scope.name.clone(),
            level: scope.level.into(),
            policy: scope.policy.clone(),
        })
        .collect();
    Limits::new(&specs, std::iter::empty::<[&str; 0]>(), Some(previous), till)
}
