//! Pushing calls to ClickHouse over HTTP, for those whose calls outgrow a database of rows.
//!
//! Each flush's calls are one insert of JSON rows, sent again until it is taken, under a token by which
//! the server knows it. Documented in `docs/store.md`. Invariant: what waits is bounded; beyond that the
//! oldest goes, and is counted.

use super::counters::Counters;
use super::line;
use super::post::{Post, PostError, post};
use crate::govern::Call;
use crate::types::Secret;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Calls that wait at most.
const WAITING_MAX: usize = 200_000;
/// Calls in one insert.
const BATCH: usize = 10_000;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// For one insert, from connecting to its answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where to push to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClickHouse {
    pub url: ClickHouseUrl,
    /// `table` or `database.table`: letters, digits and underscores.
    pub table: String,
    pub user: Option<String>,
    pub password: Option<Secret>,
}

/// `http://HOST[:PORT]` or `https://HOST[:PORT]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClickHouseUrl {
    pub is_tls: bool,
    pub host: String,
    pub port: u16,
}

/// A text is no address of a ClickHouse server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be \"http://HOST:PORT\" or \"https://HOST:PORT\", without a path")]
pub struct ClickHouseUrlError;

/// Sends what is added to it.
#[derive(Clone, Debug)]
pub(super) struct Pusher(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    to: ClickHouse,
    counters: Counters,
    waiting: Mutex<Waiting>,
    added: Notify,
    sent: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    inserts: VecDeque<Arc<Insert>>,
    calls: usize,
    /// The first one is under way.
    is_sending: bool,
}

/// Rows and their token: both stay as they are however often they are sent.
#[derive(Debug)]
struct Insert {
    calls: usize,
    body: Vec<u8>,
    token: String,
}

// === impl ClickHouseUrl ===

impl ClickHouseUrl {
    /// # Errors
    /// For anything but scheme, host and port.
    pub fn parse(text: &str) -> Result<Self, ClickHouseUrlError> {
        let uri: http::Uri = text.parse().map_err(|_| ClickHouseUrlError)?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(ClickHouseUrlError),
        };
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        if host.is_empty() || has_user || uri.path() != "/" || uri.query().is_some() {
            return Err(ClickHouseUrlError);
        }
        let port = uri.port_u16().unwrap_or(if is_tls { 8443 } else { 8123 });
        Ok(Self { is_tls, host: host.to_owned(), port })
    }
}

// === impl Pusher ===

impl Pusher {
    pub fn new(to: ClickHouse, counters: Counters) -> Self {
        let waiting = Mutex::default();
        Self(Arc::new(Inner { to, counters, waiting, added: Notify::new(), sent: Notify::new() }))
    }

    pub fn add(&self, calls: &[Call]) {
        let mut waiting = self.waiting();
        for batch in calls.chunks(BATCH) {
            waiting.calls += batch.len();
            waiting.inserts.push_back(Arc::new(Insert::of(batch)));
        }
        while waiting.calls > WAITING_MAX {
            // The one under way may have been taken already: the next goes.
            let oldest = usize::from(waiting.is_sending);
            let Some(insert) = waiting.inserts.remove(oldest) else { break };
            waiting.calls -= insert.calls;
            self.0.counters.push_dropped.inc_by(insert.calls as u64);
        }
        drop(waiting);
        self.0.added.notify_one();
    }

    /// Until it is dropped.
    pub async fn run(&self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let Some(insert) = self.first() else {
                self.0.sent.notify_waiters();
                self.0.added.notified().await;
                continue;
            };
            let sent = tokio::time::timeout(TIMEOUT, self.send(&insert)).await;
            match sent.unwrap_or(Err(PostError::TooSlow)) {
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    self.remove_first(&insert);
                    self.0.counters.pushed.inc_by(insert.calls as u64);
                }
                Err(error) => {
                    log::warn!(
                        "ClickHouse has not taken {} calls, again in {pause:?}: {error}",
                        insert.calls
                    );
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Ends when nothing waits.
    pub async fn empty(&self) {
        loop {
            let sent = self.0.sent.notified();
            tokio::pin!(sent);
            sent.as_mut().enable();
            if self.waiting().inserts.is_empty() {
                return;
            }
            sent.await;
        }
    }

    async fn send(&self, insert: &Insert) -> Result<(), PostError> {
        let to = &self.0.to;
        let mut fields = Vec::new();
        if let Some(user) = &to.user {
            fields.push(("x-clickhouse-user", user.as_str()));
        }
        if let Some(password) = &to.password {
            fields.push(("x-clickhouse-key", password.expose()));
        }
        // Waited for: an answer that came before the rows are on disk would be no answer.
        let target = format!(
            "/?query=INSERT%20INTO%20{}%20FORMAT%20JSONEachRow&async_insert=1&wait_for_async_insert=1\
            &async_insert_deduplicate=1&insert_deduplication_token={}",
            to.table, insert.token
        );
        post(&to.url, &Post { target: &target, fields: &fields, body: &insert.body }).await
    }

    fn first(&self) -> Option<Arc<Insert>> {
        let mut waiting = self.waiting();
        let first = waiting.inserts.front().cloned();
        waiting.is_sending = first.is_some();
        first
    }

    fn remove_first(&self, sent: &Arc<Insert>) {
        let mut waiting = self.waiting();
        waiting.is_sending = false;
        if waiting.inserts.front().is_some_and(|first| Arc::ptr_eq(first, sent)) {
            waiting.inserts.pop_front();
            waiting.calls -= sent.calls;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Insert ===

impl Insert {
    fn of(calls: &[Call]) -> Self {
        let mut body = Vec::with_capacity(calls.len() * 512);
        for call in calls {
            line::write(call, &mut body);
            body.push(b'\n');
        }
        let token = Sha256::digest(&body).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Self { calls: calls.len(), body, token }
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::tests::calls;
    use super::*;

    fn pusher() -> Pusher {
        let to = ClickHouse {
            url: ClickHouseUrl::parse("http://127.0.0.1:1").unwrap(),
            table: "calls".to_owned(),
            user: None,
            password: None,
        };
        Pusher::new(to, Counters::unregistered().unwrap())
    }

    #[test]
    fn an_address_is_scheme_host_and_port() {
        let url = |is_tls, host: &str, port| Ok(ClickHouseUrl { is_tls, host: host.to_owned(), port });
        assert_eq!(ClickHouseUrl::parse("http://ch:9000"), url(false, "ch", 9000));
        assert_eq!(ClickHouseUrl::parse("https://ch.example/"), url(true, "ch.example", 8443));
        assert_eq!(ClickHouseUrl::parse("http://[::1]"), url(false, "::1", 8123));
        for wrong in ["ch:8123", "ftp://ch", "http://u:p@ch", "http://ch/x", "http://ch?x=1", "http://", ""] {
            assert_eq!(ClickHouseUrl::parse(wrong), Err(ClickHouseUrlError), "{wrong}");
        }
    }

    #[test]
    fn beyond_its_bound_the_oldest_that_wait_go_and_are_counted() {
        let pusher = pusher();
        let made = calls(BATCH);
        pusher.add(&made);
        let first = pusher.first().unwrap();
        for _ in 0..WAITING_MAX / BATCH + 1 {
            pusher.add(&made);
            assert!(pusher.waiting().calls <= WAITING_MAX);
        }
        assert_eq!(pusher.0.counters.push_dropped.get(), 2 * BATCH as u64);
        // The one under way stayed.
        assert!(Arc::ptr_eq(pusher.waiting().inserts.front().unwrap(), &first));
        pusher.remove_first(&first);
        assert_eq!(pusher.waiting().calls, WAITING_MAX - BATCH);
    }

    #[test]
    fn the_same_calls_have_the_same_token() {
        let made = calls(3);
        assert_eq!(Insert::of(&made).token, Insert::of(&made).token);
        assert_ne!(Insert::of(&made).token, Insert::of(&made[1..]).token);
    }
}
