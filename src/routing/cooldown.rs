//! What is left alone for a while: one cell for each target, in a second set one for each credential.
//!
//! A failure is told to one set, the one [`blame`] names; a success to both. State belongs to a
//! stable key, so a reload neither forgets a cooling nor needs one to end. No cooling is shorter than
//! its rules or the upstream say; each is a little longer, by chance.

use super::TargetState;
use super::cell::{Cell, CooldownRules};
use crate::types::{FailureClass, Ticks};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Whose failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    Target,
    Credential,
}

/// Whom to hold a failure against, at a provider with so many credentials. A refused key is the
/// key's fault; a rate limit is the account's where there is another to turn to, and so is a 403, which may
/// be about a model, a region or what was said.
pub fn blame(failure: FailureClass, credentials: usize) -> Blame {
    match failure {
        FailureClass::Status(401) if credentials > 0 => Blame::Credential,
        FailureClass::Status(403 | 429) if credentials > 1 => Blame::Credential,
        _ => Blame::Target,
    }
}

/// Cells by index. An unknown index is always ready and remembers nothing.
#[derive(Debug, Default)]
pub struct CooldownSet {
    cells: Vec<(Arc<Cell>, CooldownRules)>,
    by_key: HashMap<String, (Arc<Cell>, CooldownRules)>,
    seed: u64,
}

impl CooldownSet {
    /// `keys` in index order, stable over reloads (for a target, provider and upstream model), each
    /// with its rules. Equal keys share one cell. Cells known to `previous` go on, under the new rules.
    /// `seed` is random: another one on each node.
    pub fn new(keys: &[(String, CooldownRules)], previous: Option<&CooldownSet>, seed: u64) -> Self {
        let mut set = Self { cells: Vec::with_capacity(keys.len()), by_key: HashMap::new(), seed };
        for (key, rules) in keys {
            let known = || Some(previous?.by_key.get(key)?.0.clone());
            let made = || (known().unwrap_or_default(), *rules);
            let (cell, _) = set.by_key.entry(key.clone()).or_insert_with(made);
            set.cells.push((Arc::clone(cell), *rules));
        }
        set
    }

    /// Whether `index` may be called, changing nothing: for planning.
    pub fn state(&self, index: usize, now: Ticks) -> TargetState {
        self.cells.get(index).map_or(TargetState::Ready, |(cell, _)| cell.state(now))
    }

    /// By its key: its state, whether that is for failures, and the part of its share that it takes.
    pub fn by_key(&self, key: &str, now: Ticks) -> Option<(TargetState, bool, f32)> {
        let (cell, rules) = self.by_key.get(key)?;
        Some((cell.state(now), cell.is_failing(), cell.warmth(now, rules)))
    }

    /// Asks to call `index` now. The same as [`CooldownSet::state`], except that of those who ask
    /// for one that is half open, one in each probe span gets `Ready`.
    pub fn claim(&self, index: usize, now: Ticks) -> TargetState {
        self.cells.get(index).map_or(TargetState::Ready, |(cell, rules)| cell.claim(now, rules))
    }

    /// Whether `index` is left alone for failures: not because somebody said how long.
    pub fn is_failing(&self, index: usize) -> bool {
        self.cells.get(index).is_some_and(|(cell, _)| cell.is_failing())
    }

    /// The part of its share, up to 1, that `index` takes now: less while it is fresh from an outage.
    pub fn warmth(&self, index: usize, now: Ticks) -> f32 {
        self.cells.get(index).map_or(1.0, |(cell, rules)| cell.warmth(now, rules))
    }

    /// `index` is back from an outage that calls have not seen, and warms up.
    pub fn recovered(&self, index: usize, now: Ticks) {
        if let Some((cell, _)) = self.cells.get(index) {
            cell.warm_up(now);
        }
    }

    /// A call went well: for a stream, its first content came.
    pub fn success(&self, index: usize, now: Ticks) {
        if let Some((cell, rules)) = self.cells.get(index) {
            cell.succeed(now, rules);
        }
    }

    /// A call that began at `started` ended and says nothing about `index`: cancelled, or another's fault.
    /// Where it was the probe of what is half open, another one may be it at once.
    pub fn let_go(&self, index: usize, started: Ticks) {
        if let Some((cell, rules)) = self.cells.get(index) {
            cell.let_go(started, rules);
        }
    }

    /// A call that began at `started` failed. `retry_after` is what the upstream asked for, as
    /// [`retry_after`](super::retry_after()) reads it.
    pub fn failure(
        &self,
        index: usize,
        failure: FailureClass,
        retry_after: Option<Duration>,
        started: Ticks,
        now: Ticks,
    ) {
        let Some((cell, rules)) = self.cells.get(index) else { return };
        let stated = retry_after.filter(|span| !span.is_zero()).map(|span| span.min(rules.max));
        let random = self.random(index, now);
        let spread = |span| rules.spread(span, random);
        match failure {
            FailureClass::Status(429) => cell.cool_for(spread(stated.unwrap_or(rules.base)), now, false),
            FailureClass::Status(401 | 403) => cell.cool_for(spread(rules.max), now, true),
            // The upstream's own slowness to read, and a call as long as the client allowed, say
            // nothing about the next one.
            FailureClass::Status(408) | FailureClass::TotalTimeout => {}
            // Every other refusal of a request is an answer of a target that works.
            FailureClass::Status(400..=499) => cell.succeed(now, rules),
            FailureClass::Status(503 | 529) => {
                cell.fail(started, now, rules, random);
                if let Some(span) = stated {
                    cell.cool_for(spread(span), now, false);
                }
            }
            _ => cell.fail(started, now, rules, random),
        }
    }

    /// A call was refused for what may be its own sake: left alone for no longer than the rules' base.
    pub fn refused(&self, index: usize, now: Ticks) {
        if let Some((cell, rules)) = self.cells.get(index) {
            cell.cool_for(rules.spread(rules.base, self.random(index, now)), now, false);
        }
    }

    /// Another number for each cell, moment and node.
    fn random(&self, index: usize, now: Ticks) -> u64 {
        let moment = now.since_start().as_nanos() as u64;
        self.seed ^ moment.rotate_left(20) ^ (index as u64).rotate_left(52)
    }
}
