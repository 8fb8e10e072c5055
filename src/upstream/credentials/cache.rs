//! One credential, kept fresh.
//!
//! Invariants: at most one fetch is under way, whoever asks; a credential that still holds is given out
//! at once; it is renewed in the background before it ends; a failed renewal keeps the old one until it
//! ends; a failed fetch is not repeated for a moment, so that a thousand calls are not a thousand tries.

use super::CredentialError;
use super::source::{Fresh, Source, Watch};
use crate::types::Ticks;
use arc_swap::ArcSwapOption;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How a cache behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Tries of one fetch.
    pub attempts: u32,
    /// Before the second try; doubled before each further one.
    pub pause: Duration,
    /// After a failed fetch, nobody tries for so long; ten times as long where one is still held.
    pub cool: Duration,
    /// What that grows to, doubled with each failure in a row.
    pub cool_max: Duration,
    /// The credential is renewed when it has less than this left, or less than a quarter of its life.
    pub ahead: Duration,
    /// A new one is waited for when it has less than this left, or less than a tenth of its life: a
    /// call under way should not outlive it.
    pub margin: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            attempts: 3,
            pause: Duration::from_millis(200),
            cool: Duration::from_secs(1),
            cool_max: Duration::from_secs(30),
            ahead: Duration::from_secs(300),
            margin: Duration::from_secs(30),
        }
    }
}

/// A credential and its renewal.
pub struct Cache<T> {
    source: Box<dyn Source<T>>,
    watch: Watch,
    policy: Policy,
    /// Told how each fetch ended: whether there is a new credential.
    note: Note,
    held: ArcSwapOption<Held<T>>,
    state: Mutex<State<T>>,
}

/// Is told of the end of each fetch.
pub type Note = Arc<dyn Fn(bool) + Send + Sync>;

struct Held<T> {
    value: Arc<T>,
    /// None: for ever.
    renew_at: Option<Ticks>,
    ends_at: Option<Ticks>,
    /// When it is worth nothing any more.
    expires_at: Option<Ticks>,
}

struct State<T> {
    flight: Option<Flight<T>>,
    failed: Option<(Ticks, CredentialError)>,
    /// In a row.
    failures: u32,
}

type Outcome<T> = Result<Arc<T>, CredentialError>;
type Flight<T> = watch::Receiver<Option<Outcome<T>>>;

impl<T> fmt::Debug for Cache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cache({})", self.source.name())
    }
}

impl<T: Send + Sync + 'static> Cache<T> {
    pub fn new(source: impl Source<T> + 'static, watch: Watch, policy: Policy) -> Arc<Self> {
        Self::noted(source, watch, policy, Arc::new(|_| ()))
    }

    /// Likewise; `note` is told how each fetch ended, its tries taken together.
    pub fn noted(source: impl Source<T> + 'static, watch: Watch, policy: Policy, note: Note) -> Arc<Self> {
        Arc::new(Self {
            source: Box::new(source),
            watch,
            policy,
            note,
            held: ArcSwapOption::empty(),
            state: Mutex::new(State { flight: None, failed: None, failures: 0 }),
        })
    }

    /// The credential: at once where there is one that holds, else when it has been fetched. Must be
    /// called inside of a tokio runtime.
    ///
    /// # Errors
    /// [`CredentialError`] where it cannot be had.
    pub async fn get(self: &Arc<Self>) -> Outcome<T> {
        let now = self.watch.clock.now();
        let held = self.held.load_full();
        if let Some(held) = held.as_ref().filter(|held| held.holds(now)) {
            if held.renew_at.is_some_and(|at| now >= at) {
                // Whoever asks does not wait for it, and its failure is in the log.
                let _ = self.flight(now);
            }
            return Ok(held.value.clone());
        }
        let fetched = self.fetched(now).await;
        // Better the last moments of the old one than none.
        let last = held.filter(|held| held.expires_at.is_none_or(|at| self.watch.clock.now() < at));
        fetched.or_else(|error| last.map(|held| held.value.clone()).ok_or(error))
    }

    async fn fetched(self: &Arc<Self>, now: Ticks) -> Outcome<T> {
        let mut flight = self.flight(now)?;
        let landed = flight.wait_for(Option::is_some).await;
        let landed = landed.map_err(|_| CredentialError::passing("the fetch was given up"))?;
        landed.clone().unwrap_or_else(|| Err(CredentialError::passing("the fetch was given up")))
    }

    /// Renews what will soon end, without anybody waiting. For a job that runs now and then, so that
    /// calls after a silence find a credential that holds. Does nothing before the first call.
    pub fn keep_fresh(self: &Arc<Self>) {
        let now = self.watch.clock.now();
        let is_due = |held: &Held<T>| held.renew_at.is_some_and(|at| now >= at);
        if self.held.load().as_ref().is_some_and(|held| is_due(held)) {
            let _ = self.flight(now);
        }
    }

    /// Gives up what is held: who was shown it refused it, long before its end. The next call fetches.
    pub fn forget(&self) {
        self.held.store(None);
    }

    /// What was fetched last, whether it still holds or not.
    pub fn held(&self) -> Option<Arc<T>> {
        self.held.load().as_ref().map(|held| held.value.clone())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the fetch under way, or starts one.
    fn flight(self: &Arc<Self>, now: Ticks) -> Result<Flight<T>, CredentialError> {
        let mut state = self.state();
        // One whose task is gone (it panicked, its runtime ended) will never land.
        if let Some(flight) = state.flight.as_ref().filter(|flight| flight.has_changed().is_ok()) {
            return Ok(flight.clone());
        }
        // It may have landed between the look at what is held and the lock.
        let landed = self.held.load_full().filter(|held| held.renew_at.is_none_or(|at| now < at));
        if let Some(held) = landed {
            return Ok(watch::channel(Some(Ok(held.value.clone()))).1);
        }
        // Who still has one can wait longer.
        let is_held = self.held.load().as_ref().is_some_and(|held| held.holds(now));
        let cool = if is_held { self.policy.cool * 10 } else { self.policy.cool };
        let grown = cool.saturating_mul(1 << state.failures.saturating_sub(1).min(16));
        let cool = grown.min(self.policy.cool_max);
        if let Some((when, error)) = &state.failed
            && now.since(*when) < cool
        {
            return Err(error.clone());
        }
        let (land, flight) = watch::channel(None);
        state.flight = Some(flight.clone());
        drop(state);
        let cache = self.clone();
        // A task of its own: the call that started it may be cancelled, those that wait may not be. It
        // ends by itself, after a bounded number of bounded tries.
        tokio::runtime::Handle::current().spawn(async move {
            let outcome = cache.renew().await;
            (cache.note)(outcome.is_ok());
            let mut state = cache.state();
            state.flight = None;
            state.failures = if outcome.is_ok() { 0 } else { state.failures.saturating_add(1) };
            state.failed = outcome.as_ref().err().map(|error| (cache.watch.clock.now(), error.clone()));
            drop(state);
            let _ = land.send(Some(outcome));
        });
        Ok(flight)
    }

    async fn renew(&self) -> Outcome<T> {
        let mut pause = self.policy.pause;
        let mut tries = 1;
        loop {
            match self.source.fetch((self.watch.unix_s)()).await {
                Ok(fresh) => return Ok(self.hold(fresh)),
                Err(error) if error.is_passing && tries < self.policy.attempts => {
                    tries += 1;
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2);
                }
                Err(error) => {
                    log::warn!("no new credential of {}: {error}", self.source.name());
                    return Err(error);
                }
            }
        }
    }

    fn hold(&self, fresh: Fresh<T>) -> Arc<T> {
        let now = self.watch.clock.now();
        let value = Arc::new(fresh.value);
        let end = |before: Duration| fresh.lifetime.map(|lifetime| now.plus(lifetime.saturating_sub(before)));
        let of = |bound: Duration, part: u32| fresh.lifetime.map_or(bound, |life| bound.min(life / part));
        self.held.store(Some(Arc::new(Held {
            value: value.clone(),
            renew_at: end(of(self.policy.ahead, 4)),
            ends_at: end(of(self.policy.margin, 10)),
            expires_at: end(Duration::ZERO),
        })));
        value
    }
}

impl<T> Held<T> {
    fn holds(&self, now: Ticks) -> bool {
        self.ends_at.is_none_or(|at| now < at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ManualClock;
    use async_trait::async_trait;
    use std::collections::VecDeque;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Semaphore;

    /// Gives out numbers; each fetch waits for a permit.
    struct Numbers {
        fetches: Arc<AtomicUsize>,
        gate: Arc<Semaphore>,
        failures: Arc<Mutex<VecDeque<CredentialError>>>,
        lifetime_s: u64,
    }

    #[async_trait]
    impl Source<usize> for Numbers {
        async fn fetch(&self, unix_s: u64) -> Result<Fresh<usize>, CredentialError> {
            assert_eq!(unix_s, 1_000);
            let number = self.fetches.fetch_add(1, Ordering::SeqCst) + 1;
            self.gate.acquire().await.unwrap().forget();
            match self.failures.lock().unwrap().pop_front() {
                Some(error) => Err(error),
                None => Ok(Fresh::seconds(number, self.lifetime_s)),
            }
        }

        fn name(&self) -> String {
            "numbers".into()
        }
    }

    struct Bench {
        cache: Arc<Cache<usize>>,
        clock: Arc<ManualClock>,
        fetches: Arc<AtomicUsize>,
        gate: Arc<Semaphore>,
        failures: Arc<Mutex<VecDeque<CredentialError>>>,
    }

    fn bench(lifetime_s: u64, failures: Vec<CredentialError>) -> Bench {
        let (clock, fetches, gate) =
            (Arc::new(ManualClock::default()), Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let failures = Arc::new(Mutex::new(VecDeque::from(failures)));
        let source =
            Numbers { fetches: fetches.clone(), gate: gate.clone(), failures: failures.clone(), lifetime_s };
        let watch = Watch { clock: clock.clone(), unix_s: Arc::new(|| 1_000) };
        let policy = Policy { pause: Duration::ZERO, ..Policy::default() };
        Bench { cache: Cache::new(source, watch, policy), clock, fetches, gate, failures }
    }

    impl Bench {
        fn fetches(&self) -> usize {
            self.fetches.load(Ordering::SeqCst)
        }

        /// Until no fetch is under way.
        async fn settle(&self) {
            let flight = self.cache.state().flight.clone();
            if let Some(mut flight) = flight {
                flight.wait_for(Option::is_some).await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn a_thousand_calls_at_once_are_one_fetch() {
        let bench = bench(3600, vec![]);
        let calls: Vec<_> = (0..1000)
            .map(|_| {
                let cache = bench.cache.clone();
                tokio::runtime::Handle::current().spawn(async move { cache.get().await })
            })
            .collect();
        tokio::task::yield_now().await;
        bench.gate.add_permits(1000);
        for call in calls {
            assert_eq!(*call.await.unwrap().unwrap(), 1);
        }
        assert_eq!(bench.fetches(), 1);
        assert_eq!(*bench.cache.get().await.unwrap(), 1);
        assert_eq!(bench.fetches(), 1);
    }

    #[tokio::test]
    async fn it_is_renewed_in_the_background_before_it_ends() {
        let bench = bench(3600, vec![]);
        bench.gate.add_permits(1);
        assert_eq!(*bench.cache.get().await.unwrap(), 1);
        bench.clock.advance(Duration::from_secs(3299));
        bench.cache.get().await.unwrap();
        assert_eq!(bench.fetches(), 1);
        bench.clock.advance(Duration::from_secs(1));
        // The fetch waits for its permit; whoever asks does not.
        for _ in 0..10 {
            assert_eq!(*bench.cache.get().await.unwrap(), 1);
            tokio::task::yield_now().await;
        }
        assert_eq!(bench.fetches(), 2);
        bench.gate.add_permits(1);
        bench.settle().await;
        assert_eq!(*bench.cache.get().await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_job_renews_it_without_any_call() {
        let bench = bench(3600, vec![]);
        bench.gate.add_permits(2);
        bench.cache.keep_fresh();
        assert_eq!(bench.fetches(), 0, "nobody has asked yet");
        bench.cache.get().await.unwrap();
        bench.cache.keep_fresh();
        bench.settle().await;
        assert_eq!(bench.fetches(), 1);
        bench.clock.advance(Duration::from_secs(3400));
        bench.cache.keep_fresh();
        bench.settle().await;
        assert_eq!(bench.fetches(), 2);
    }

    #[tokio::test]
    async fn a_failed_renewal_keeps_the_old_one_until_it_ends() {
        let bench = bench(1000, vec![]);
        bench.gate.add_permits(100);
        bench.cache.get().await.unwrap();
        bench.failures.lock().unwrap().extend(vec![CredentialError::lasting("down"); 100]);
        bench.clock.advance(Duration::from_secs(760));
        for _ in 0..3 {
            assert_eq!(*bench.cache.get().await.unwrap(), 1);
            bench.settle().await;
        }
        assert_eq!(bench.fetches(), 2, "and it is not tried again at once");
        bench.clock.advance(Duration::from_secs(209));
        assert_eq!(*bench.cache.get().await.unwrap(), 1);
        bench.settle().await;
        bench.clock.advance(Duration::from_secs(1));
        assert_eq!(*bench.cache.get().await.unwrap(), 1, "its last half minute is better than nothing");
        bench.clock.advance(Duration::from_secs(30));
        assert_eq!(bench.cache.get().await.unwrap_err().what, "down");
    }

    #[tokio::test]
    async fn tries_come_ever_slower_up_to_a_bound_and_success_forgets_it() {
        let bench = bench(3600, vec![CredentialError::lasting("down"); 8]);
        bench.gate.add_permits(100);
        // 1, 2, 4, 8, 16, 30, 30 seconds between two tries, and not a moment less.
        let mut fetches = 0;
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            assert!(bench.cache.get().await.is_err());
            fetches += 1;
            bench.clock.advance(Duration::from_secs(pause) - Duration::from_millis(1));
            assert!(bench.cache.get().await.is_err());
            assert_eq!(bench.fetches(), fetches, "{pause}");
            bench.clock.advance(Duration::from_millis(1));
        }
        assert!(bench.cache.get().await.is_err());
        bench.clock.advance(Duration::from_secs(30));
        assert_eq!(*bench.cache.get().await.unwrap(), 9);
        assert_eq!(bench.cache.state().failures, 0);
    }

    #[tokio::test]
    async fn passing_failures_are_tried_again_and_lasting_ones_are_not() {
        let passing = CredentialError::passing("busy");
        let twice = bench(3600, vec![passing.clone(), passing.clone()]);
        twice.gate.add_permits(10);
        assert_eq!(*twice.cache.get().await.unwrap(), 3);
        let always = bench(3600, vec![passing.clone(); 10]);
        always.gate.add_permits(10);
        assert_eq!(always.cache.get().await.unwrap_err(), passing);
        assert_eq!(always.fetches(), 3, "three tries and no more");
        let lasting = bench(3600, vec![CredentialError::lasting("wrong key")]);
        lasting.gate.add_permits(10);
        assert_eq!(lasting.cache.get().await.unwrap_err().what, "wrong key");
        assert_eq!(lasting.fetches(), 1);
    }

    #[tokio::test]
    async fn after_a_failure_nobody_tries_for_a_moment() {
        let bench = bench(3600, vec![CredentialError::lasting("down")]);
        bench.gate.add_permits(10);
        for _ in 0..100 {
            assert_eq!(bench.cache.get().await.unwrap_err().what, "down");
        }
        assert_eq!(bench.fetches(), 1);
        bench.clock.advance(Duration::from_secs(1));
        assert_eq!(*bench.cache.get().await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_call_that_is_cancelled_does_not_cancel_the_fetch() {
        let bench = bench(3600, vec![]);
        let (first, second) = (bench.cache.clone(), bench.cache.clone());
        let cancelled = tokio::runtime::Handle::current().spawn(async move { first.get().await });
        tokio::task::yield_now().await;
        let waiting = tokio::runtime::Handle::current().spawn(async move { second.get().await });
        tokio::task::yield_now().await;
        cancelled.abort();
        bench.gate.add_permits(1);
        assert_eq!(*waiting.await.unwrap().unwrap(), 1);
        assert_eq!(bench.fetches(), 1);
    }

    #[tokio::test]
    async fn a_fetch_that_panics_fails_its_calls_and_not_the_next_ones() {
        struct Panics(AtomicUsize);
        #[async_trait]
        impl Source<usize> for Panics {
            async fn fetch(&self, _: u64) -> Result<Fresh<usize>, CredentialError> {
                let number = self.0.fetch_add(1, Ordering::SeqCst);
                assert!(number > 0, "on purpose");
                Ok(Fresh::forever(number))
            }
            fn name(&self) -> String {
                "panics".into()
            }
        }
        let watch = Watch { clock: Arc::new(ManualClock::default()), unix_s: Arc::new(|| 0) };
        let cache = Cache::new(Panics(AtomicUsize::new(0)), watch, Policy::default());
        assert!(cache.get().await.unwrap_err().is_passing);
        assert_eq!(*cache.get().await.unwrap(), 1);
    }

    #[tokio::test]
    async fn each_fetch_is_noted_once_whatever_it_took() {
        struct Failing(AtomicUsize);
        #[async_trait]
        impl Source<usize> for Failing {
            async fn fetch(&self, _: u64) -> Result<Fresh<usize>, CredentialError> {
                let number = self.0.fetch_add(1, Ordering::SeqCst);
                if number < 4 { Err(CredentialError::passing("busy")) } else { Ok(Fresh::forever(number)) }
            }
            fn name(&self) -> String {
                "failing".into()
            }
        }
        let clock = Arc::new(ManualClock::default());
        let watch = Watch { clock: clock.clone(), unix_s: Arc::new(|| 0) };
        let policy = Policy { pause: Duration::ZERO, ..Policy::default() };
        let noted = Arc::new(Mutex::new(Vec::new()));
        let note: Note = {
            let noted = noted.clone();
            Arc::new(move |is_new| noted.lock().unwrap().push(is_new))
        };
        let cache = Cache::noted(Failing(AtomicUsize::new(0)), watch, policy, note);
        assert!(cache.get().await.is_err() && cache.held().is_none());
        clock.advance(Duration::from_secs(1));
        assert_eq!((*cache.get().await.unwrap(), *cache.held().unwrap()), (4, 4));
        assert_eq!(*noted.lock().unwrap(), [false, true]);
        cache.forget();
        assert!(cache.held().is_none());
        assert_eq!(*cache.get().await.unwrap(), 5, "what was refused is not shown again");
    }

    #[tokio::test]
    async fn what_holds_for_ever_is_fetched_once() {
        struct Fixed;
        #[async_trait]
        impl Source<u8> for Fixed {
            async fn fetch(&self, _: u64) -> Result<Fresh<u8>, CredentialError> {
                Ok(Fresh::forever(7))
            }
            fn name(&self) -> String {
                "fixed".into()
            }
        }
        let clock = Arc::new(ManualClock::default());
        let watch = Watch { clock: clock.clone(), unix_s: Arc::new(|| 0) };
        let cache = Cache::new(Fixed, watch, Policy::default());
        cache.get().await.unwrap();
        clock.advance(Duration::from_secs(1 << 40));
        assert_eq!(*cache.get().await.unwrap(), 7);
        assert!(cache.held.load().as_ref().unwrap().renew_at.is_none());
    }
}
