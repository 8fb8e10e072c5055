//! Where configurations come from, as the control plane sees it: the file, and what the store adds.
//!
//! A trait, because who reads the file's types stands above (`assemble`). Invariant: what is in force
//! was checked as a whole; what is refused changes nothing.

use super::Edge;
use crate::govern::{Configuration, Kind, Object};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// Configurations that wait to be kept. Beyond it the oldest are dropped.
pub const CONFIGURATIONS_MAX: usize = 16;

/// Makes configurations of the file and the store.
pub trait Configure: Send + Sync {
    /// Whether the file in force would be a configuration with these beside it. Nothing changes.
    ///
    /// # Errors
    /// All that is wrong.
    fn check(&self, edge: &Edge, stored: &[Object]) -> Result<(), Vec<ConfigFault>>;

    /// Puts these beside the file, or leaves everything as it is, which `state` tells then.
    fn put(&self, edge: &Edge, stored: Vec<Object>);

    /// Reads the file again, and puts it in force with what the store has.
    fn reload(&self, edge: &Edge);

    /// The tables of the file, by name, masked.
    fn of_file(&self, kind: Kind) -> BTreeMap<String, Map<String, Value>>;

    fn state(&self) -> ConfigState;
}

/// Something that keeps a configuration from coming into force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// The provider or model of the store it is about; None for the rest.
    pub about: Option<(Kind, String)>,
    /// Within that, or in the whole configuration: `targets[0]`.
    pub path: String,
    /// Without secrets.
    pub message: String,
}

/// What became of the last changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigState {
    /// The file, as it was named at the start.
    pub name: String,
    /// The file in force, masked.
    pub file: Value,
    /// What keeps the store's providers and models, as they are now, from being in force.
    pub refused: Vec<ConfigFault>,
    /// Sections that were changed and are as they were at the start until the process is started again.
    pub restart: Vec<&'static str>,
}

/// A bounded queue of configurations that came into force, on their way to the history.
#[derive(Debug, Default)]
pub struct Configurations {
    waiting: Mutex<VecDeque<Configuration>>,
    arrived: Notify,
}

impl Configurations {
    pub fn push(&self, configuration: Configuration) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() == CONFIGURATIONS_MAX {
            waiting.pop_front();
        }
        waiting.push_back(configuration);
        drop(waiting);
        self.arrived.notify_one();
    }

    /// The oldest, where there is one.
    pub fn take(&self) -> Option<Configuration> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// The oldest, once there is one.
    pub async fn next(&self) -> Configuration {
        loop {
            let arrived = self.arrived.notified();
            if let Some(taken) = self.take() {
                return taken;
            }
            arrived.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::govern::Cause;

    #[test]
    fn at_the_bound_the_oldest_is_dropped() {
        let queue = Configurations::default();
        for at_ms in 0..=CONFIGURATIONS_MAX as u64 {
            queue.push(Configuration { at_ms, cause: Cause::File, file: Value::Null, stored: Vec::new() });
        }
        let first = queue.take().unwrap();
        assert_eq!(first.at_ms, 1);
        assert_eq!(std::iter::from_fn(|| queue.take()).count(), CONFIGURATIONS_MAX - 1);
    }
}
