//! How late the threads that serve calls come to their work: one probe a thread, which sleeps for a known
//! time and looks how much longer that took.
//!
//! Not here: what follows (`jobs/pressure.rs`). Runs only where the configuration asks.

use crate::runtime::Edge;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

const EVERY: Duration = Duration::from_millis(50);

thread_local! {
    static IS_WATCHED: Cell<bool> = const { Cell::new(false) };
}

/// Makes sure that this thread's work is watched. Called from within its runtime, which owns the probe.
pub fn watch(edge: &Arc<Edge>) {
    if IS_WATCHED.get() || edge.runtime().edge.shed.is_none() {
        return;
    }
    IS_WATCHED.set(true);
    let edge = edge.clone();
    Handle::current().spawn(async move {
        while edge.runtime().edge.shed.is_some() {
            let due = edge.now().plus(EVERY);
            tokio::time::sleep(EVERY).await;
            edge.overload.note_lag(edge.now().since(due));
        }
        IS_WATCHED.set(false);
    });
}
