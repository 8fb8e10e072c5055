//! The verbs in SQL, for both engines: the folder is read once inside `sqlite` and once inside
//! `postgres`, whose `Db`, `BEGIN` and so on it uses. What is written here must be understood by both.
//!
//! Invariant: every text that comes from outside is a bound parameter, never a part of a statement.

mod audit;
mod bank;
mod calls;
mod changes;
mod commit;
mod configurations;
mod dims;
mod kept;
mod ledger;
mod migrate;
mod objects;
mod prune;
mod sums;
mod usage;
mod write;

use super::{BEGIN, Db, Places, hear_others};
use crate::govern::{AuditRecord, Call, Configuration, Kept, Kind, Object};
use crate::store::engine::{BATCH_TIMES, Side};
use crate::store::{
    AuditVerdict, Bank, CALLS_MAX, CallPage, CallQuery, Changes, Commit, Committed, Grant, KEPT_CHANGES_MAX,
    Keep, KeptBounds, KeptChange, KeptEntry, ListQuery, PAGE_MAX, Pruned, Retention, Store, StoreError,
    UsagePage, UsageQuery, Withdrawal,
};
use async_trait::async_trait;
use sqlx::{Pool, Transaction};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OnceCell, watch};

/// After a failed start the next one is not tried before.
const START_AGAIN: Duration = Duration::from_secs(1);

/// A store in this engine.
#[derive(Debug)]
pub struct Engine {
    inner: Arc<Inner>,
    side: Side,
}

/// What work on the store's runtime holds.
#[derive(Debug)]
struct Inner {
    places: Places,
    reads: Pool<Db>,
    writes: Pool<Db>,
    /// Set once the schema is as it must be.
    started: OnceCell<()>,
    /// What the last attempt to start failed with, and when.
    refused: Mutex<Option<(tokio::time::Instant, Refusal)>>,
    /// The newest change heard of.
    news: watch::Sender<u64>,
    dims: dims::Cache,
}

/// Why it did not start: a [`StoreError`] that can be told more than once.
#[derive(Clone, Debug)]
enum Refusal {
    Unusable(String),
    Unavailable(String),
}

// === impl Engine ===

impl Engine {
    pub fn new(side: Side, places: Places) -> Self {
        let _inside = side.handle().enter();
        let (reads, writes) = places.pools();
        let inner = Inner {
            places,
            reads,
            writes,
            started: OnceCell::new(),
            refused: Mutex::new(None),
            news: watch::Sender::new(0),
            dims: dims::Cache::default(),
        };
        Self { inner: Arc::new(inner), side }
    }

    /// Reaches the store and brings its schema up to date.
    pub async fn start(&self, may_be_away: bool) -> Result<(), StoreError> {
        let listening = self.inner.clone();
        self.side.handle().spawn(async move { listening.listen().await });
        match self.run(1, |_| async { Ok(()) }).await {
            Err(StoreError::Unavailable(_)) if may_be_away => Ok(()),
            other => other,
        }
    }

    /// Does `work` within `times` the timeout, once the store has started.
    async fn run<T, W>(
        &self,
        times: u32,
        work: impl FnOnce(Arc<Inner>) -> W + Send + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, StoreError>> + Send,
    {
        let inner = self.inner.clone();
        // Apart from the deadline of whoever asks: a step of the schema may take longer than a verb.
        let starting = self.side.handle().clone();
        let work = async move {
            if !inner.started.initialized() {
                let starter = inner.clone();
                let started = starting.spawn(async move { starter.start().await });
                started.await.map_err(StoreError::unavailable)??;
            }
            work(inner).await
        };
        self.side.run(times, work).await
    }
}

// === impl Inner ===

impl Inner {
    async fn start(&self) -> Result<(), StoreError> {
        let started = self.started.get_or_try_init(|| async {
            if let Some(refusal) = self.refused_lately() {
                return Err(refusal.told());
            }
            let outcome = self.prepare().await;
            let refusal = outcome.as_ref().err().map(Refusal::of);
            let at = tokio::time::Instant::now();
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) =
                refusal.map(|refusal| (at, refusal));
            outcome
        });
        started.await.map(|_| ())
    }

    async fn prepare(&self) -> Result<(), StoreError> {
        self.places.prepare()?;
        migrate::migrate(&self.writes).await?;
        self.hear(changes::newest(&self.reads).await?);
        Ok(())
    }

    fn refused_lately(&self) -> Option<Refusal> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.as_ref().filter(|(at, _)| at.elapsed() < START_AGAIN).map(|(_, refusal)| refusal.clone())
    }

    async fn begin(&self) -> Result<Transaction<'static, Db>, StoreError> {
        Ok(self.writes.begin_with(BEGIN).await?)
    }

    /// Wakes those who wait for `change`.
    fn hear(&self, change: u64) {
        self.news.send_if_modified(|known| {
            let is_news = change > *known;
            *known = change.max(*known);
            is_news
        });
    }

    /// For as long as the store lives.
    async fn listen(self: Arc<Self>) {
        let (again, mut asked) = watch::channel(());
        let heard = |change: Option<i64>| match change {
            Some(change) => self.hear(u64::try_from(change).unwrap_or(0)),
            None => again.send_modify(|()| {}),
        };
        let look = async {
            while asked.changed().await.is_ok() {
                if let Ok(newest) = changes::newest(&self.reads).await {
                    self.hear(newest);
                }
            }
        };
        tokio::join!(hear_others(self.reads.clone(), heard), look);
    }
}

// === impl Refusal ===

impl Refusal {
    fn of(error: &StoreError) -> Self {
        match error {
            StoreError::Unusable(what) => Self::Unusable(what.clone()),
            other => Self::Unavailable(other.told()),
        }
    }

    fn told(self) -> StoreError {
        match self {
            Self::Unusable(what) => StoreError::Unusable(what),
            Self::Unavailable(what) => StoreError::Unavailable(what.into()),
        }
    }
}

// === impl Store ===

#[async_trait]
impl Store for Engine {
    async fn ping(&self) -> Result<(), StoreError> {
        self.run(1, |inner| async move { changes::newest(&inner.reads).await.map(|_| ()) }).await
    }

    async fn get(&self, kind: Kind, id: &str) -> Result<Option<Object>, StoreError> {
        let id = id.to_owned();
        self.run(1, move |inner| async move { objects::get(&inner.reads, kind, &id).await }).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<Object>, StoreError> {
        if query.limit == 0 || query.limit > PAGE_MAX {
            return Err(StoreError::TooMuch("objects in one page"));
        }
        let query = query.clone();
        self.run(1, move |inner| async move { objects::list(&inner.reads, &query).await }).await
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        self.run(1, move |inner| async move {
            let done = commit::commit(&inner, commit).await?;
            if let Committed::Done { sequence, .. } = &done {
                inner.hear(*sequence);
            }
            Ok(done)
        })
        .await
    }

    async fn changes(&self, since: u64) -> Result<Changes, StoreError> {
        self.run(1, move |inner| async move { changes::since(&inner.reads, since).await }).await
    }

    async fn changed(&self, since: u64, poll: Duration) {
        let mut news = self.inner.news.subscribe();
        let _ = tokio::time::timeout(poll, news.wait_for(|newest| *newest > since)).await;
    }

    async fn audit(
        &self,
        tenant: Option<&str>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        if limit == 0 || limit > PAGE_MAX {
            return Err(StoreError::TooMuch("audit entries in one page"));
        }
        let tenant = tenant.map(str::to_owned);
        self.run(1, move |inner| async move { audit::page(&inner.reads, tenant, before, limit).await }).await
    }

    async fn verify_audit(&self) -> Result<AuditVerdict, StoreError> {
        let mut walk = audit::Walk::default();
        loop {
            let (next, is_over) =
                self.run(1, move |inner| async move { audit::step(&inner.reads, walk).await }).await?;
            walk = next;
            if is_over {
                return Ok(walk.verdict());
            }
        }
    }

    async fn keep_configuration(&self, configuration: &Configuration) -> Result<u64, StoreError> {
        let configuration = configuration.clone();
        self.run(1, move |inner| async move { configurations::keep(&inner, &configuration).await }).await
    }

    async fn configurations(&self) -> Result<Vec<Kept>, StoreError> {
        self.run(1, |inner| async move { configurations::list(&inner.reads).await }).await
    }

    async fn configuration(&self, number: u64) -> Result<Option<Configuration>, StoreError> {
        self.run(1, move |inner| async move { configurations::get(&inner.reads, number).await }).await
    }

    async fn append_calls(&self, calls: &[Call]) -> Result<(), StoreError> {
        if calls.len() > CALLS_MAX {
            return Err(StoreError::TooMuch("calls in one addition"));
        }
        if calls.is_empty() {
            return Ok(());
        }
        let calls = calls.to_vec();
        self.run(BATCH_TIMES, move |inner| async move { ledger::append(&inner, calls).await }).await
    }

    async fn usage(&self, query: &UsageQuery) -> Result<UsagePage, StoreError> {
        query.check()?;
        let query = query.clone();
        self.run(1, move |inner| async move { usage::page(&inner.reads, &query).await }).await
    }

    async fn calls(&self, query: &CallQuery) -> Result<CallPage, StoreError> {
        query.check()?;
        let query = query.clone();
        self.run(1, move |inner| async move { calls::page(&inner.reads, &query).await }).await
    }

    async fn prune(&self, retention: &Retention, now_ms: u64) -> Result<Pruned, StoreError> {
        let retention = *retention;
        self.run(BATCH_TIMES, move |inner| async move { prune::step(&inner, retention, now_ms).await }).await
    }
}

#[async_trait]
impl Bank for Engine {
    async fn withdraw(&self, node: &str, asks: &[Withdrawal]) -> Result<Vec<Grant>, StoreError> {
        if asks.len() > crate::store::ASKS_MAX {
            return Err(StoreError::TooMuch("asks in one step"));
        }
        if asks.is_empty() {
            return Ok(Vec::new());
        }
        let (node, asks) = (node.to_owned(), asks.to_vec());
        self.run(1, move |inner| async move { bank::withdraw(&inner, &node, asks).await }).await
    }
}

#[async_trait]
impl Keep for Engine {
    async fn keep(&self, changes: &[KeptChange], bounds: &KeptBounds, now_ms: u64) -> Result<(), StoreError> {
        if changes.len() > KEPT_CHANGES_MAX {
            return Err(StoreError::TooMuch("changes of what is kept in one write"));
        }
        let (changes, bounds) = (changes.to_vec(), *bounds);
        self.run(BATCH_TIMES, move |inner| async move { kept::keep(&inner, changes, bounds, now_ms).await })
            .await
    }

    async fn kept(&self, owner: &str, id: &str, now_ms: u64) -> Result<Vec<KeptEntry>, StoreError> {
        let (owner, id) = (owner.to_owned(), id.to_owned());
        self.run(1, move |inner| async move { kept::find(&inner.reads, &owner, &id, now_ms).await }).await
    }
}
