//! Limits of calls at once, and where calls wait for a place.

use crate::config::{self, Config};
use crate::limits::ShedRules;
use crate::routing::{Concurrency, Lobby};
use crate::runtime::{Queue, Route, TargetFacts};
use std::collections::HashMap;
use std::path::Path;

/// Of what a control group may have, what new calls may bring it to, in percent.
const OF_GROUP_PERCENT: u64 = 90;
/// A group without a limit says so with a number near the largest there is.
const GROUP_BYTES_MAX: u64 = 1 << 50;

/// The name of the cell of a target: the same for the same upstream model of a provider, whichever models
/// lead there.
pub(super) fn cell_name(provider: &str, upstream_model: &str) -> String {
    format!("{provider}/{upstream_model}")
}

/// How many calls each target takes at once, by the name of its cell. Where several models say so of one
/// target, the lowest holds.
pub(super) fn concurrency(config: &Config) -> HashMap<String, Concurrency> {
    let mut all: HashMap<String, Concurrency> = HashMap::new();
    for (name, model) in &config.models {
        for target in &model.targets {
            let Some(written) = target.concurrency.or(model.concurrency) else { continue };
            let rules = of(&written);
            let key = cell_name(&target.provider, target.model.as_deref().unwrap_or(name));
            let held = all.entry(key).or_insert(rules);
            if rules.max < held.max {
                *held = rules;
            }
        }
    }
    all
}

fn of(written: &config::Concurrency) -> Concurrency {
    Concurrency { max: written.max, min: written.adaptive.then_some(written.min) }
}

/// Where calls wait. Those who wait in the line of `previous` stay ahead of those who come: it goes on, as
/// long as no place in the list of targets has become another target's.
pub(super) fn queue(model: &config::Model, facts: &[TargetFacts], previous: Option<&Route>) -> Option<Queue> {
    let config::Queue { max, wait, wait_max } = model.queue?;
    let is_same = |before: &&Route| before.facts.iter().zip(facts).all(|(old, new)| old.name == new.name);
    let before = previous.filter(is_same).and_then(|before| before.queue.as_ref());
    let lobby = before.map_or_else(|| Lobby::new(max), |queue| queue.lobby.clone());
    Some(Queue { lobby, max, wait, wait_max })
}

/// What the gateway itself bears.
pub(super) fn shed(config: &Config) -> Option<ShedRules> {
    let shed = config.server.shed?;
    let written = shed.memory_max.and_then(|bytes| u64::try_from(bytes).ok());
    Some(ShedRules {
        memory_max: written.or_else(group_memory),
        lag_max: shed.lag_max,
        calls_max: shed.calls_max,
        connections_max: config.server.limits.connections_max as u64,
    })
}

/// Nine tenths of what the control group of this process may have, where it has a limit.
fn group_memory() -> Option<u64> {
    let files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limit = files.iter().find_map(|file| std::fs::read_to_string(Path::new(file)).ok())?;
    of_group(&limit)
}

fn of_group(limit: &str) -> Option<u64> {
    let limit: u64 = limit.trim().parse().ok()?;
    (limit < GROUP_BYTES_MAX).then_some(limit / 100 * OF_GROUP_PERCENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_without_a_limit_has_none() {
        assert_eq!(of_group("max\n"), None);
        assert_eq!(of_group("9223372036854771712\n"), None);
        assert_eq!(of_group("1000000000\n"), Some(900_000_000));
    }
}
