//! What could not be carried: told, never silent.

use super::carry::Feature;
use super::text::{At, Text};

/// Something left out of an upstream's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    pub feature: Feature,
    pub at: At,
    /// The field's own name, where the place cannot say it; of a schema's word its path in the schema.
    pub name: Option<String>,
}

/// What one encoding left out, in the order it was met. Bounded: a client that sends a thousand
/// unknown fields is told of the first [`LOSSES_MAX`], and how many more there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    told: Vec<Loss>,
    more: usize,
}

pub const LOSSES_MAX: usize = 32;

/// A request that this target cannot serve, or that is no valid request at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    pub at: At,
    /// Of a schema at fault: where in it, as a path of its own.
    pub in_schema: Option<String>,
    /// For the client: what is wrong and, where there is one, the way out. No path: `at` gives it.
    pub message: String,
}

impl Losses {
    pub fn push(&mut self, feature: Feature, at: At) {
        self.add(Loss { feature, at, name: None });
    }

    pub fn push_named(&mut self, feature: Feature, at: At, name: &Text<'_>) {
        self.add(Loss { feature, at, name: Some(name.to_string()) });
    }

    fn add(&mut self, loss: Loss) {
        // Places are equal to any other by rule: here it counts which one it was.
        let is_it = |known: &Loss| *known == loss && known.at.offset() == loss.at.offset();
        match self.told.iter().any(is_it) {
            true => {}
            false if self.told.len() < LOSSES_MAX => self.told.push(loss),
            false => self.more = self.more.saturating_add(1),
        }
    }

    /// The first of them.
    pub fn all(&self) -> &[Loss] {
        &self.told
    }

    /// How many there are beyond [`Losses::all`]; one that is met twice may count twice.
    pub fn more(&self) -> usize {
        self.more
    }

    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }
}

impl Refused {
    pub fn new(at: At, message: impl Into<String>) -> Self {
        Self { at, in_schema: None, message: message.into() }
    }

    /// Says where in a schema the fault is; empty for its root.
    pub fn in_schema(mut self, path: String) -> Self {
        self.in_schema = Some(path);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::json::{Duplicates, parse};

    #[test]
    fn the_same_loss_in_two_places_is_two_and_in_one_place_one() {
        let root = parse("[1,2]", Duplicates::Refuse).unwrap();
        let places: Vec<At> = root.items().iter().map(At::of).collect();
        let mut losses = Losses::default();
        for at in [places[0], places[1], places[0]] {
            losses.push(Feature::StrictTools, at);
        }
        let told: Vec<_> = losses.all().iter().map(|loss| loss.at.offset()).collect();
        assert_eq!((told, losses.more()), (vec![Some(1), Some(3)], 0));
    }

    #[test]
    fn beyond_the_bound_losses_are_counted() {
        let mut losses = Losses::default();
        for number in 0..LOSSES_MAX + 5 {
            losses.push_named(Feature::Unknown, At::NOWHERE, &number.to_string().into());
        }
        assert_eq!((losses.all().len(), losses.more()), (LOSSES_MAX, 5));
    }
}
