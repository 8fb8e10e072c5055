//! What could not be carried: told, never silent.

use super::carry::Feature;
use super::text::{At, Text};

/// Something left out of an upstream's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    pub feature: Feature,
    pub at: At,
    /// The field's own name, where the place cannot say it.
    pub name: Option<String>,
}

/// What one encoding left out, in the order it was met. Bounded: a client that sends a thousand
/// unknown fields is told of the first [`LOSSES_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses(Vec<Loss>);

pub const LOSSES_MAX: usize = 32;

/// A request that this target cannot serve, or that is no valid request at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    pub at: At,
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
        if self.0.len() < LOSSES_MAX && !self.0.contains(&loss) {
            self.0.push(loss);
        }
    }

    pub fn all(&self) -> &[Loss] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Refused {
    pub fn new(at: At, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}
