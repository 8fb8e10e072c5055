//! Writes responses and conversations into the store as they change, soon but not at once: what is said
//! in one moment goes in one write.

use crate::runtime::Edge;
use pingora_core::server::ShutdownWatch;
use std::sync::Arc;
use std::time::Duration;

/// What is gathered before a write.
const GATHER: Duration = Duration::from_millis(100);
/// Before a store that was away is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Runs until the process leaves; what comes after is written at its end.
pub async fn keep(edge: Arc<Edge>, mut shutdown: ShutdownWatch) {
    let Some(keeping) = &edge.keeping else { return };
    let keepsakes = &keeping.keepsakes;
    loop {
        tokio::select! {
            () = keepsakes.has_news() => {}
            _ = shutdown.changed() => return,
        }
        tokio::time::sleep(GATHER).await;
        let bounds = edge.runtime().kept_in_store;
        if let Err(error) = keepsakes.write(&bounds).await {
            log::warn!("what clients left here is not in the store yet: {error}");
            tokio::time::sleep(AGAIN).await;
        }
    }
}
