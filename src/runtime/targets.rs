//! What encoders know of one provider's models, each found once.
//!
//! The catalogue is searched by several rules, and a name that no provider states is looked for at all
//! makers: that is dear for every call. Lives as long as its configuration, so nothing goes stale.
//!
//! Invariant: at most [`KNOWN_MAX`] names, none longer than [`NAME_MAX`]: names may be a client's.

use crate::chat::Target;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Models of one provider that are kept; when there are more, all are found anew.
const KNOWN_MAX: usize = 256;
/// Bytes of a name that is kept.
const NAME_MAX: usize = 256;

#[derive(Debug, Default)]
pub struct Targets {
    known: RwLock<HashMap<Box<str>, Arc<Target>>>,
}

impl Targets {
    /// What is known of `model`, from `find` where it was not asked for before.
    pub fn of(&self, model: &str, find: impl FnOnce() -> Target) -> Arc<Target> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(target) = known.get(model) {
            return target.clone();
        }
        drop(known);
        let target = Arc::new(find());
        if model.len() <= NAME_MAX {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
            known.insert(model.into(), target.clone());
        }
        target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_looked_for_once() {
        let targets = Targets::default();
        let first = targets.of("a", || Target::new("a"));
        let again = targets.of("a", || Target::new("looked for twice"));
        assert_eq!((first.model.as_str(), &*again), ("a", &*first));
    }

    #[test]
    fn names_of_clients_take_no_more_room_than_there_is() {
        let targets = Targets::default();
        for number in 0..3 * KNOWN_MAX {
            let name = number.to_string();
            assert_eq!(targets.of(&name, || Target::new(&name)).model, name);
            assert!(targets.known.read().unwrap().len() <= KNOWN_MAX);
        }
        let long = "n".repeat(NAME_MAX + 1);
        let before = targets.known.read().unwrap().len();
        targets.of(&long, || Target::new(&long));
        assert_eq!(targets.known.read().unwrap().len(), before);
    }
}
