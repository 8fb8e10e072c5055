//! A scenario: which models or credentials misbehave, how and how often. Values only in
//! [`Scenario`]; what has been counted so far is in [`Live`].

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;

use super::capacity::{CALLS_MAX, Capacity};
use super::directives::{Directives, millis};
use super::engine::{Engine, EngineOptions};
use super::faults::{Fault, Faults};
use super::identity::TokenBehaviour;
use super::text::mix;

/// Models and keys one scenario may name.
const ENTRIES_MAX: usize = 1024;

/// How models and credentials behave. `HELP` shows the file form.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// Seed of texts and of `fault_share`, where a request brings none.
    pub seed: Option<u64>,
    /// By model name as it arrives here; `*` is every model not named.
    pub models: BTreeMap<String, Behaviour>,
    /// By credential (bearer token, `x-api-key`, `api-key`, `x-goog-api-key`); looked at before `models`.
    pub keys: BTreeMap<String, Behaviour>,
    /// How token endpoints behave.
    pub tokens: TokenBehaviour,
    /// An inference server's cache and line of calls; none by default.
    pub engine: Option<EngineOptions>,
}

/// How one model or credential behaves.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behaviour {
    pub tokens: Option<usize>,
    pub delay_first_ms: Option<u64>,
    pub delay_token_ms: Option<u64>,
    /// Comma list, as in `x-sim-fault`.
    pub fault: Faults,
    pub retry_after: Option<String>,
    /// Only so many of the first requests have the fault.
    pub fault_first: Option<u64>,
    /// Only this share of requests has the fault, 0 to 1, drawn by the seed.
    pub fault_share: Option<f64>,
    pub stamp: bool,
    /// Refuses what the vendor refuses.
    pub strict: bool,
    /// Checks credentials of clouds: signatures and tokens.
    pub auth: bool,
    /// Calls worked on at once; any number where it is absent.
    pub slots: Option<usize>,
    /// More that wait for a slot.
    pub line: usize,
    /// The status of those beyond; 503.
    pub over: Option<u16>,
    /// How much longer everything takes with all slots in use, as a share.
    pub stretch: f64,
}

/// A scenario in force, with its counters.
#[derive(Debug, Default)]
pub struct Live {
    pub seed: Option<u64>,
    pub tokens: TokenBehaviour,
    pub engine: Option<Arc<Engine>>,
    models: HashMap<String, Counted>,
    keys: HashMap<String, Counted>,
}

#[derive(Debug)]
struct Counted {
    behaviour: Behaviour,
    capacity: Option<Arc<Capacity>>,
    requests: AtomicU64,
}

impl Scenario {
    /// Reads the file form; the message says what is wrong and where.
    pub fn from_toml(text: &str) -> Result<Scenario, String> {
        toml::from_str::<Scenario>(text).map_err(|e| e.to_string()).and_then(Scenario::checked)
    }

    /// Reads what `PUT /sim/scenario` takes.
    pub fn from_json(body: &[u8]) -> Result<Scenario, String> {
        serde_json::from_slice::<Scenario>(body).map_err(|e| e.to_string()).and_then(Scenario::checked)
    }

    /// Every model behaves as `behaviour`.
    pub fn all(behaviour: Behaviour) -> Scenario {
        Scenario { models: BTreeMap::from([("*".to_owned(), behaviour)]), ..Scenario::default() }
    }

    fn checked(self) -> Result<Scenario, String> {
        if self.models.len() + self.keys.len() > ENTRIES_MAX {
            return Err(format!("more than {ENTRIES_MAX} models and keys"));
        }
        for (name, behaviour) in self.models.iter().chain(&self.keys) {
            if behaviour.fault_share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
                return Err(format!("fault_share of `{name}` is not between 0 and 1"));
            }
            let is_status = behaviour.over.is_none_or(|status| (400..=599).contains(&status));
            let is_bounded = behaviour.slots.is_none_or(|slots| (1..=CALLS_MAX).contains(&slots));
            if !is_status || !is_bounded || !(0.0..=100.0).contains(&behaviour.stretch) {
                return Err(format!("slots, over or stretch of `{name}` is out of range"));
            }
        }
        Ok(self)
    }
}

impl Live {
    /// `started`: seconds since 1970.
    pub fn new(scenario: Scenario, started: f64) -> Self {
        let counted = |entries: BTreeMap<String, Behaviour>| {
            entries
                .into_iter()
                .take(ENTRIES_MAX)
                .map(|(name, behaviour)| (name, Counted::new(behaviour)))
                .collect()
        };
        Self {
            seed: scenario.seed,
            tokens: scenario.tokens,
            engine: scenario.engine.map(|options| Arc::new(Engine::new(options, started))),
            models: counted(scenario.models),
            keys: counted(scenario.keys),
        }
    }

    /// Whether credentials matter, so that callers look for one only then.
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// What the next request of this credential and model is to get; counts it.
    pub fn directives(&self, credential: Option<&str>, model: &str) -> Directives {
        if self.models.is_empty() && self.keys.is_empty() {
            return Directives::default();
        }
        let by_key = credential.and_then(|credential| self.keys.get(credential));
        let by_model = || self.models.get(model).or_else(|| self.models.get("*"));
        by_key.or_else(by_model).map_or_else(Directives::default, |counted| counted.next(self.seed))
    }

    /// Whether every connection is to be reset as soon as it is accepted.
    pub fn refuses_all(&self) -> bool {
        self.models.get("*").is_some_and(|Counted { behaviour, .. }| {
            behaviour.fault.has(Fault::Refuse)
                && behaviour.fault_first.is_none()
                && behaviour.fault_share.is_none()
                && self.models.len() == 1
                && self.keys.is_empty()
        })
    }
}

impl Counted {
    fn new(behaviour: Behaviour) -> Self {
        let status = behaviour.over.unwrap_or(503);
        let of = |slots| Arc::new(Capacity::new(slots, behaviour.line, status, behaviour.stretch));
        Self { capacity: behaviour.slots.map(of), requests: AtomicU64::new(0), behaviour }
    }

    fn next(&self, seed: Option<u64>) -> Directives {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let behaviour = &self.behaviour;
        let first = behaviour.fault_first.map(|first| number < first);
        let share = behaviour.fault_share.map(|share| draw(seed.unwrap_or(0), number) < share);
        let has_fault = match (first, share) {
            (None, None) => true,
            (first, share) => first.unwrap_or(false) || share.unwrap_or(false),
        };
        Directives {
            faults: if has_fault { behaviour.fault.clone() } else { Faults::default() },
            tokens: behaviour.tokens,
            delay_first: behaviour.delay_first_ms.map(millis),
            delay_token: behaviour.delay_token_ms.map(millis),
            retry_after: behaviour.retry_after.clone(),
            is_stamped: behaviour.stamp,
            is_strict: behaviour.strict,
            checks_auth: behaviour.auth,
            capacity: self.capacity.clone(),
        }
    }
}

/// A number in 0..1 that depends on the seed and the request's number only.
fn draw(seed: u64, number: u64) -> f64 {
    (mix(seed ^ mix(number.wrapping_add(1))) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faulty(live: &Live, model: &str, requests: usize) -> usize {
        (0..requests).filter(|_| !live.directives(None, model).faults.is_empty()).count()
    }

    #[test]
    fn a_file_names_models_keys_and_faults() {
        let scenario = Scenario::from_toml(
            "seed = 7\n[models.\"*\"]\ntokens = 3\n[models.\"gpt-4o\"]\nfault = \"status:503\"\nfault_first = 2\n\
             [keys.\"sk-dead\"]\nfault = \"status:401\"\n",
        )
        .unwrap();
        let live = Live::new(scenario, 0.0);
        assert_eq!(live.directives(None, "other").tokens, Some(3));
        assert_eq!(live.directives(Some("sk-dead"), "gpt-4o").faults.status(), Some(401));
        assert_eq!(faulty(&live, "gpt-4o", 5), 2);
    }

    #[test]
    fn a_share_of_requests_fails_and_always_the_same_ones() {
        let scenario = Scenario::all(Behaviour {
            fault: "empty".parse().unwrap(),
            fault_share: Some(0.1),
            ..Behaviour::default()
        });
        let (one, two) = (Live::new(scenario.clone(), 0.0), Live::new(scenario, 0.0));
        let failed = faulty(&one, "m", 2000);
        assert!((120..280).contains(&failed), "{failed}");
        assert_eq!(faulty(&two, "m", 2000), failed);
    }

    #[test]
    fn mistakes_are_told_and_change_nothing() {
        assert!(
            Scenario::from_toml("[models.\"*\"]\nfault = \"explode\"\n").unwrap_err().contains("explode")
        );
        assert!(Scenario::from_toml("[models.\"*\"]\nfault_share = 2.0\n").is_err());
        for wrong in ["slots = 0", "over = 200", "stretch = -1.0"] {
            assert!(Scenario::from_toml(&format!("[models.x]\n{wrong}\n")).is_err(), "{wrong}");
        }
        assert!(Scenario::from_json(br#"{"colour":"red"}"#).is_err());
        assert!(Scenario::from_json(br#"{"models":{"*":{"fault":"hold"}}}"#).is_ok());
    }
}
