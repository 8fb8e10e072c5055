//! How a provider is asked whether it is well, and what it said.
//!
//! Not here: the asking (`jobs::probes`). What was learned goes on over reloads as long as the provider
//! stays at its address.

use super::{Provider, Runtime};
use crate::routing::{Load, ScrapeKind, Verdict, Vital, VitalRules};
use crate::types::Ticks;
use std::sync::Arc;
use std::time::Duration;

/// Periods after which a load is no longer believed.
const FRESH_PERIODS: u32 = 3;

/// The questions to one provider, and its answers.
#[derive(Clone, Debug)]
pub struct ProviderHealth {
    pub probe: Option<Probe>,
    pub scrape: Option<ScrapeKind>,
    pub every: Duration,
    pub timeout: Duration,
    pub rules: VitalRules,
    /// Calls waiting there above which it gets no more.
    pub queue_max: Option<u32>,
    pub vital: Arc<Vital>,
}

/// A question that costs no tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Whether a connection is taken.
    Tcp,
    Get {
        /// From the host on.
        path: String,
        /// Whether only 2xx and 3xx are well; else every answer is that a server at work gives: what is wrong
        /// with the credential is the credential's.
        is_strict: bool,
    },
}

impl Probe {
    /// Whether an answer of this status says that the server is well.
    pub fn is_well(&self, status: u16) -> bool {
        match self {
            Probe::Get { is_strict: true, .. } => (200..400).contains(&status),
            _ => (200..500).contains(&status),
        }
    }
}

impl ProviderHealth {
    /// What it said of its load, where that is not too old.
    pub fn load(&self, now: Ticks) -> Option<Load> {
        self.scrape?;
        self.vital.load(now, self.every.saturating_mul(FRESH_PERIODS))
    }

    /// Why its targets are left alone, and when that may have changed.
    pub fn verdict(&self, now: Ticks) -> Option<(Verdict, Ticks)> {
        let next = now.plus(self.every);
        // Without a probe nobody would ever find it well again.
        if self.probe.is_some() && self.vital.is_down() {
            return Some((Verdict::Unhealthy, next));
        }
        let most = self.queue_max?;
        self.load(now).filter(|load| load.waiting > most).map(|_| (Verdict::Crowded, next))
    }
}

impl Runtime {
    /// The provider of a target, by the name of its cell: `provider/model`.
    pub fn provider_of(&self, target: &str) -> Option<&Provider> {
        let (name, _) = target.split_once('/')?;
        self.providers.iter().find(|provider| provider.name == name)
    }

    /// Calls of ours under way at a provider.
    pub fn busy_at(&self, provider: &Provider) -> u32 {
        let is_its = |name: &str| name.split_once('/').is_some_and(|(owner, _)| owner == provider.name);
        let all = self.target_live.all().into_iter().filter(|(name, _)| is_its(name));
        all.fold(0, |busy, (_, live)| busy.saturating_add(live.busy()))
    }

    /// A provider's servers have lost what they had cached, or may have: no prompt is there any more.
    pub fn forget_prompts_of(&self, provider: &Provider) {
        self.each_target_of(provider, |route, target, _| {
            if let Some(slot) = route.slots.get(target) {
                route.learned.prefix.forget(*slot);
            }
        });
    }

    /// A provider is back: its targets warm up.
    pub fn warm_up(&self, provider: &Provider, now: Ticks) {
        self.each_target_of(provider, |_, _, cell| self.target_cooldowns.recovered(cell, now));
    }

    fn each_target_of(&self, provider: &Provider, mut visit: impl FnMut(&super::Route, usize, usize)) {
        for model in &self.models {
            for (target, _) in model.targets.iter().enumerate().filter(|(_, target)| {
                self.providers.get(target.provider).is_some_and(|held| held.name == provider.name)
            }) {
                visit(&model.route, target, model.first_cell + target);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::Gauges;

    fn at(seconds: u64) -> Ticks {
        Ticks::from_start(Duration::from_secs(seconds))
    }

    fn health(queue_max: Option<u32>) -> ProviderHealth {
        ProviderHealth {
            probe: Some(Probe::Tcp),
            scrape: Some(ScrapeKind::Vllm),
            every: Duration::from_secs(5),
            timeout: Duration::from_secs(1),
            rules: VitalRules { unhealthy_after: 1, healthy_after: 1 },
            queue_max,
            vital: Arc::default(),
        }
    }

    #[test]
    fn a_queue_over_its_bound_counts_for_three_periods() {
        let (bounded, open) = (health(Some(4)), health(None));
        for health in [&bounded, &open] {
            health.vital.note_load(&Gauges { waiting: 5, ..Gauges::default() }, 0, at(100));
        }
        assert_eq!(bounded.verdict(at(115)), Some((Verdict::Crowded, at(120))));
        assert_eq!(bounded.verdict(at(116)), None, "too old to be believed");
        assert_eq!(open.verdict(at(101)), None);
        bounded.vital.note_load(&Gauges { waiting: 4, ..Gauges::default() }, 0, at(117));
        assert_eq!(bounded.verdict(at(117)), None);
        bounded.vital.note(false, bounded.rules);
        assert_eq!(bounded.verdict(at(117)), Some((Verdict::Unhealthy, at(122))));
    }

    #[test]
    fn a_path_of_the_operators_must_be_well_and_a_list_only_be_answered() {
        let path = |is_strict| Probe::Get { path: "/x".to_owned(), is_strict };
        let well = |probe: Probe| [200, 302, 401, 404, 429, 500, 503].map(|status| probe.is_well(status));
        assert_eq!(well(path(true)), [true, true, false, false, false, false, false]);
        assert_eq!(well(path(false)), [true, true, true, true, true, false, false]);
    }
}
