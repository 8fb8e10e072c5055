//! What planning sees of a target at one moment, for one request.

use super::vital::Load;
use crate::types::Ticks;

/// Whether a target is a candidate, and why not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    #[default]
    Ready,
    /// Left alone for failures, or come back on trial.
    Cooling,
    /// Left alone for as long as its provider has said.
    Limited,
    /// It does not answer probes.
    Unhealthy,
    /// Too many calls wait there already, by its own count.
    Crowded,
    /// It has as many calls as it takes at once.
    Full,
    /// Its provider has no answer to the endpoint.
    Unserved,
    /// Out of service by hand, or of weight zero.
    Drained,
    /// Another one has the state that this call needs.
    Pinned,
    /// A condition says no, or cannot be evaluated.
    Denied,
    Region,
    ZeroRetention,
    Context,
    Modality,
    Tools,
    Json,
}

/// Verdicts by their words, in the order they are told.
pub const WORDS: [&str; 16] = [
    "ready",
    "cooling",
    "limited",
    "unhealthy",
    "crowded",
    "full",
    "unserved",
    "drained",
    "pinned",
    "denied",
    "region",
    "zdr",
    "context",
    "modality",
    "tools",
    "json",
];

/// Up to here a KV cache has room; a full one counts as twice the load, as calls may be thrown out of it.
const KV_FREE: f32 = 0.75;

impl Verdict {
    pub fn as_str(self) -> &'static str {
        WORDS.get(self.index()).copied().unwrap_or_default()
    }

    /// Its place in [`WORDS`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// What the catalogue believes, which may be wrong: the provider knows better.
    pub fn is_belief(self) -> bool {
        matches!(self, Verdict::Context | Verdict::Modality | Verdict::Tools | Verdict::Json)
    }

    /// Whether it will be a candidate again.
    pub fn is_away(self) -> bool {
        matches!(self, Verdict::Cooling | Verdict::Limited | Verdict::Unhealthy | Verdict::Crowded)
    }

    /// Whether it is left alone because something failed.
    pub fn is_failing(self) -> bool {
        matches!(self, Verdict::Cooling | Verdict::Unhealthy)
    }

    pub fn is_ready(self) -> bool {
        self == Verdict::Ready
    }
}

/// A target as a balance sees it. Of a group: the best of its members, and their calls together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    pub verdict: Verdict,
    /// When a target that is left alone is ready again.
    pub until: Ticks,
    /// Calls under way: ours, and by a server's own count those of others, what waits there twice.
    pub busy: u32,
    /// The part of the prompt, up to 1, that it has in its cache.
    pub cached: f32,
    /// 1, and more where the cache of the server is nearly full of what it works on.
    pub pressure: f32,
    /// Seconds a call like this one takes; None where nobody knows.
    pub seconds: Option<f32>,
    /// Share of calls that fail.
    pub errors: f32,
    /// What a call like this one costs, in 1e-12 dollars; None where nobody knows.
    pub price: Option<f32>,
    /// Share of the rate limit that is left.
    pub headroom: f32,
    /// 1, or less while it is being warmed up after an outage.
    pub warmth: f32,
    /// Stable over reloads, restarts and nodes.
    pub identity: u64,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            verdict: Verdict::Ready,
            until: Ticks::default(),
            busy: 0,
            cached: 0.0,
            pressure: 1.0,
            seconds: None,
            errors: 0.0,
            price: None,
            headroom: 1.0,
            warmth: 1.0,
            identity: 0,
        }
    }
}

impl Look {
    pub fn of(verdict: Verdict) -> Self {
        Self { verdict, ..Self::default() }
    }

    /// Takes in what the server says of its load. What waits there keeps others waiting too.
    pub fn take_in(&mut self, load: &Load) {
        self.busy = self.busy.saturating_add(load.elsewhere).saturating_add(load.waiting);
        let full = load.kv.unwrap_or_default() - KV_FREE;
        self.pressure = 1.0 + (full / (1.0 - KV_FREE)).max(0.0);
    }

    /// A group that has both.
    pub(super) fn with(self, other: Look) -> Look {
        let least = |a: Option<f32>, b: Option<f32>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Look {
            verdict: self.verdict,
            until: self.until,
            busy: self.busy.saturating_add(other.busy),
            cached: self.cached.max(other.cached),
            pressure: self.pressure.min(other.pressure),
            seconds: least(self.seconds, other.seconds),
            errors: self.errors.min(other.errors),
            price: least(self.price, other.price),
            headroom: self.headroom.max(other.headroom),
            warmth: self.warmth.max(other.warmth),
            identity: self.identity,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verdict_has_a_word_of_its_own() {
        let all = [
            Verdict::Ready,
            Verdict::Cooling,
            Verdict::Limited,
            Verdict::Unhealthy,
            Verdict::Crowded,
            Verdict::Full,
            Verdict::Unserved,
            Verdict::Drained,
            Verdict::Pinned,
            Verdict::Denied,
            Verdict::Region,
            Verdict::ZeroRetention,
            Verdict::Context,
            Verdict::Modality,
            Verdict::Tools,
            Verdict::Json,
        ];
        assert_eq!(all.map(Verdict::as_str), WORDS);
        assert!(all.iter().enumerate().all(|(place, verdict)| verdict.index() == place));
    }

    #[test]
    fn a_group_is_as_good_as_its_best_and_as_busy_as_all() {
        let a = Look { busy: 3, seconds: Some(2.0), price: None, headroom: 0.1, ..Look::default() };
        let b = Look { busy: 4, seconds: Some(1.0), price: Some(7.0), headroom: 0.9, ..Look::default() };
        let both = a.with(b);
        assert_eq!((both.busy, both.seconds, both.price, both.headroom), (7, Some(1.0), Some(7.0), 0.9));
    }

    #[test]
    fn what_a_server_says_of_its_load_counts_as_calls_and_a_full_cache_weighs() {
        let load = Load { running: 9, waiting: 3, elsewhere: 5, kv: Some(1.0) };
        let mut look = Look { busy: 2, ..Look::default() };
        look.take_in(&load);
        assert_eq!((look.busy, look.pressure), (10, 2.0));
        look.take_in(&Load { kv: Some(0.7), ..Load::default() });
        assert_eq!((look.busy, look.pressure), (10, 1.0));
    }
}
