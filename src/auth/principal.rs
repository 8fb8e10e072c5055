//! Who a credential proved to be.

use super::ModelGlobs;

/// The holder of a key. Immutable; shared by every request the key makes.
#[derive(Debug)]
pub struct Principal {
    /// The key's name in the configuration. Safe to log; the secret is not in here.
    pub key_id: Box<str>,
    /// Place of the key in the list the ring was made from: the index `limits` knows it by.
    pub index: usize,
    pub(super) models: ModelGlobs,
}

impl Principal {
    /// Whether the key may name `model`, as the client wrote it.
    pub fn may_use(&self, model: &str) -> bool {
        self.models.contains(model)
    }
}
