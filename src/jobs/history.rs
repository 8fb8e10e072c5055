//! Keeps each configuration that came into force, in the store.
//!
//! What cannot be kept now is tried again; of many that wait the oldest are dropped.

use crate::runtime::Edge;
use pingora_core::server::ShutdownWatch;
use std::time::Duration;

/// Between two tries while the store is away.
const RETRY: Duration = Duration::from_secs(5);

/// Runs until the process ends. Does nothing without a store.
pub async fn keep(edge: &Edge, mut shutdown: ShutdownWatch) {
    let Some(store) = edge.store() else { return };
    loop {
        let configuration = tokio::select! {
            configuration = edge.configurations.next() => configuration,
            _ = shutdown.changed() => return,
        };
        while let Err(error) = store.keep_configuration(&configuration).await {
            log::error!("a configuration is not in the history yet: {}", error.told());
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                _ = shutdown.changed() => return,
            }
        }
    }
}
