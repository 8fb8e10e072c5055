//! What all connections of one simulator share.

use std::sync::{Arc, PoisonError, RwLock};

use super::SimOptions;
use super::capture::Capture;
use super::clock::SimClock;
use super::identity::Identity;
use super::ids::Ids;
use super::response_store::ResponseStore;
use super::scenario::{Live, Scenario};
use super::script::Scripts;
use super::stats::Stats;
use super::tokens::Tokens;

/// The state behind one listener.
pub struct Shared {
    pub stats: Stats,
    pub clock: SimClock,
    pub capture: Capture,
    pub scripts: Scripts,
    pub ids: Ids,
    pub responses: ResponseStore,
    pub tokens: Tokens,
    pub identity: Identity,
    scenario: RwLock<Arc<Live>>,
}

impl Shared {
    /// `port` keeps the ids of two simulators apart.
    pub fn new(options: SimOptions, port: u16) -> Self {
        let clock = SimClock::new();
        let live = Live::new(options.scenario, clock.started());
        Self {
            stats: Stats::default(),
            ids: Ids::new(clock.monotonic_ns() ^ (u64::from(port) << 48)),
            clock,
            capture: Capture::new(options.capture),
            scripts: Scripts::default(),
            responses: ResponseStore::default(),
            tokens: Tokens::new(options.counter),
            identity: Identity::default(),
            scenario: RwLock::new(Arc::new(live)),
        }
    }

    pub fn scenario(&self) -> Arc<Live> {
        self.scenario.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a scenario in force, its counters at nothing.
    pub fn set_scenario(&self, scenario: Scenario) {
        *self.scenario.write().unwrap_or_else(PoisonError::into_inner) =
            Arc::new(Live::new(scenario, self.clock.started()));
    }

    /// Forgets what was seen and what was scripted; the scenario stays.
    pub fn reset(&self) {
        self.stats.reset();
        self.capture.clear();
        self.scripts.clear();
    }
}
