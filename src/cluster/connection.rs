//! One connection to Redis, made anew when it fails, not all at once and not in a storm.
//!
//! The client library has no timeouts of its own to rely on: each step here has one. Invariant: a
//! caller waits at most two timeouts, and not at all while the next try is not due.

use crate::store::StoreError;
use crate::types::mix::GOLDEN;
use crate::types::{Clock, Secret, Ticks, mix};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Before the second try; doubled for each further one, with full jitter, so that many nodes do not
/// come back together.
const BACKOFF: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// Replies that may be outstanding; one round has a few.
const PIPELINE: usize = 64;

pub(super) struct Connection {
    client: Client,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    failures: u32,
    retry_at: Ticks,
    dice: u64,
}

/// The next try is not due.
#[derive(Debug, thiserror::Error)]
#[error("the next try to reach Redis is not due")]
struct NotDue;

#[derive(Debug, thiserror::Error)]
#[error("Redis did not answer within {0:?}")]
struct TooSlow(Duration);

impl Connection {
    /// `seed`: any number that differs between nodes.
    ///
    /// # Errors
    /// Where the address is none.
    pub(super) fn new(
        url: &Secret,
        timeout: Duration,
        clock: Arc<dyn Clock>,
        seed: u64,
    ) -> Result<Self, StoreError> {
        // Its text could hold the address, and the address a password.
        let client = Client::open(url.expose())
            .map_err(|_| StoreError::Unusable("the address of Redis cannot be used".to_owned()))?;
        let state = Mutex::new(State { dice: seed, ..State::default() });
        Ok(Self { client, clock, timeout, state })
    }

    /// Runs `work` on the connection, which is made where there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where Redis cannot be reached in time, [`StoreError::Unusable`] where
    /// what it holds is not ours.
    pub(super) async fn run<T, F>(
        &self,
        work: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let connection = self.connection().await?;
        match tokio::time::timeout(self.timeout, work(connection)).await {
            Ok(Ok(value)) => {
                self.lock().failures = 0;
                Ok(value)
            }
            Ok(Err(error)) => {
                if error.is_io_error() || error.is_timeout() || error.is_unrecoverable_error() {
                    self.failed();
                    return Err(StoreError::Unavailable(Box::new(error)));
                }
                // It answers, and refuses: out of memory, loading, wrong type, read only.
                Err(StoreError::Unusable(format!(
                    "{:?} {}",
                    error.kind(),
                    error.detail().unwrap_or_default()
                )))
            }
            Err(_) => {
                // What comes late must not be taken for the answer to something newer.
                self.failed();
                Err(StoreError::Unavailable(Box::new(TooSlow(self.timeout))))
            }
        }
    }

    async fn connection(&self) -> Result<MultiplexedConnection, StoreError> {
        {
            let state = self.lock();
            if let Some(connection) = &state.connection {
                return Ok(connection.clone());
            }
            if self.clock.now() < state.retry_at {
                return Err(StoreError::Unavailable(Box::new(NotDue)));
            }
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout))
            .set_concurrency_limit(PIPELINE);
        let opening = self.client.get_multiplexed_async_connection_with_config(&config);
        match tokio::time::timeout(self.timeout, opening).await {
            Ok(Ok(connection)) => {
                self.lock().connection = Some(connection.clone());
                Ok(connection)
            }
            Ok(Err(error)) => {
                self.failed();
                Err(StoreError::Unavailable(Box::new(error)))
            }
            Err(_) => {
                self.failed();
                Err(StoreError::Unavailable(Box::new(TooSlow(self.timeout))))
            }
        }
    }

    fn failed(&self) {
        let now = self.clock.now();
        let mut state = self.lock();
        state.connection = None;
        let ceiling = BACKOFF.saturating_mul(1 << state.failures.min(8)).min(BACKOFF_MAX);
        state.failures = state.failures.saturating_add(1);
        state.dice = state.dice.wrapping_add(GOLDEN);
        let share = (mix(state.dice) >> 48) as u32;
        state.retry_at = now.plus(ceiling / 4 + ceiling.mul_f64(f64::from(share) / 65536.0 * 0.75));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
