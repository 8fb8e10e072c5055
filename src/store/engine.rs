//! What both engines run on: a runtime of the store's own, and a time within which each verb ends.
//!
//! Connections belong to the runtime they were opened on; the store is asked from the runtimes of the
//! admin listener, the jobs and tests, some of which end before it. Invariant: work that was begun is
//! carried to its end or its deadline even if whoever asked has gone.

use super::StoreError;
use super::error::TooSlow;
use std::future::Future;
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};

/// A runtime and a deadline. Ends what runs on it when dropped.
#[derive(Debug)]
pub(super) struct Side {
    runtime: Option<Runtime>,
    handle: Handle,
    timeout: Duration,
}

/// How much longer than a verb a batch may take.
pub(super) const BATCH_TIMES: u32 = 4;

impl Side {
    pub fn new(timeout: Duration) -> Result<Self, StoreError> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("store").enable_all().build();
        let runtime = runtime.map_err(StoreError::unavailable)?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime), timeout })
    }

    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Does `work` there, for at most `times` the timeout.
    pub async fn run<T: Send + 'static>(
        &self,
        times: u32,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let within = self.timeout.saturating_mul(times);
        match self.handle.spawn(tokio::time::timeout(within, work)).await {
            Ok(Ok(done)) => done,
            Ok(Err(_elapsed)) => Err(StoreError::unavailable(TooSlow(within))),
            Err(ended) => Err(StoreError::unavailable(ended)),
        }
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // Waiting for it is not allowed inside another runtime, where the store may well be dropped.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
