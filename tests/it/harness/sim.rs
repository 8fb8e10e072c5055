//! The upstream simulator, with what tests ask of it most.

use super::own_ip;
use std::net::SocketAddr;
use std::ops::Deref;
use tidegate::sim::{Behaviour, Captured, Scenario, ScriptedReply, SimHandle, SimOptions};

/// A simulator in the test's process. Everything of [`SimHandle`] can be asked of it.
pub struct Sim(SimHandle);

impl Sim {
    /// One that behaves.
    pub fn start() -> Self {
        let options = SimOptions { listen: SocketAddr::new(own_ip(), 0), ..SimOptions::default() };
        Self(tidegate::sim::start(options).unwrap())
    }

    /// One with this fault for every model, as `x-sim-fault` writes it.
    pub fn with_fault(faults: &str) -> Self {
        let sim = Self::start();
        sim.fault(faults);
        sim
    }

    /// From now on this fault for every model.
    pub fn fault(&self, faults: &str) {
        self.behave(Behaviour { fault: faults.parse().unwrap(), ..Behaviour::default() });
    }

    /// From now on every model does so.
    pub fn behave(&self, behaviour: Behaviour) {
        self.set_scenario(Scenario::all(behaviour));
    }

    /// The answer to the next call, after those scripted before.
    pub fn answer_next(&self, reply: ScriptedReply) {
        self.script(vec![reply]);
    }

    /// Calls it saw.
    pub fn calls(&self) -> u64 {
        self.stats().requests
    }

    /// The last request it read whole.
    #[track_caller]
    pub fn last_request(&self) -> Captured {
        self.requests().pop().expect("a request")
    }
}

impl Deref for Sim {
    type Target = SimHandle;

    fn deref(&self) -> &SimHandle {
        &self.0
    }
}
