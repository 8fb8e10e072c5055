//! How the calls of a model are routed: what is configured, and what the process has learned.

use super::Room;
use crate::dialect::wants::Wants;
use crate::routing::{
    Abilities, Condition, DataRules, HedgeShare, Lobby, Look, Measured, Needs, Panic, Percentiles,
    PrefixIndex, PriceTag, RetryBudget, RetryRules, SessionKey, Tree, price,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The routing of one model.
pub struct Route {
    pub tree: Tree,
    /// What a session is known by, in the order tried.
    pub session_by: Vec<SessionKey>,
    pub panic: Panic,
    pub retries: RetryRules,
    /// Where data of this model may go.
    pub data: DataRules,
    /// Whether a request that no target is believed to serve goes up all the same.
    pub passes_unfit: bool,
    /// By target.
    pub facts: Vec<TargetFacts>,
    /// By target: its place in what is known of prompts; empty where no balance goes by that.
    pub slots: Vec<u8>,
    /// By the index that places of the tree name.
    pub conditions: Vec<Condition>,
    /// What its balances look at.
    pub uses: Uses,
    /// None: nothing is asked twice.
    pub hedge: Option<Hedge>,
    /// Whether a target may be full: it, or another model's use of it, has a limit of calls at once, or
    /// calls may wait for it.
    pub is_gated: bool,
    /// None: no call waits.
    pub queue: Option<Queue>,
    pub learned: Arc<Learned>,
}

/// When a second target is asked because the first is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hedge {
    /// Of the times to the first content: later than this is late.
    pub percentile: u8,
    /// Never sooner.
    pub after_min: Duration,
    /// Percent of the calls that may be asked twice.
    pub share: u8,
}

/// Where calls wait until a target has room.
#[derive(Clone, Debug)]
pub struct Queue {
    /// The same over reloads.
    pub lobby: Arc<Lobby>,
    /// Who may wait at once.
    pub max: usize,
    /// How long a call waits that says nothing about it; and one that asks for more, at most.
    pub wait: Duration,
    pub wait_max: Duration,
}

/// What is known of a target before it is called.
#[derive(Clone, Debug, Default)]
pub struct TargetFacts {
    pub abilities: Abilities,
    pub prices: Vec<PriceTag>,
    /// `provider/model`; the client's own name where that goes up.
    pub name: Box<str>,
    /// The same on every node, after every restart.
    pub identity: u64,
}

/// What has to be found out for a plan.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uses {
    pub times: bool,
    pub prices: bool,
    pub headroom: bool,
    pub session: bool,
    /// What targets have in their caches.
    pub prefix: bool,
    /// Whether a provider has several credentials, each with a cache of its own.
    pub credentials: bool,
    /// What targets lack that others have.
    pub wants: Wants,
    /// Whether the length of the prompt matters.
    pub contexts: bool,
}

/// What a model's calls have taught; goes on over reloads.
#[derive(Debug, Default)]
pub struct Learned {
    turn: AtomicU64,
    pub retries: RetryBudget,
    pub hedges: HedgeShare,
    /// Copies of its calls under way.
    pub copies: Arc<Room>,
    /// To the first content of its streams.
    pub first: Percentiles,
    /// What its targets were asked with.
    pub prefix: PrefixIndex,
}

/// What an answer is taken to have, in tokens, where nobody knows better.
const OUTPUT_TOKENS: f32 = 300.0;
const OUTPUT_TOKENS_MAX: u64 = 4_000;

impl Route {
    /// What the numbers of a target come to for a call like this one.
    pub fn weigh(&self, target: usize, seen: &Measured, (needs, is_stream): (&Needs, bool), look: &mut Look) {
        let learned = seen.mix.map_or(OUTPUT_TOKENS, |(_, output)| output);
        let output = match needs.output {
            0 => learned,
            most => learned.min(most.min(OUTPUT_TOKENS_MAX) as f32),
        };
        look.busy = seen.busy;
        look.errors = seen.errors;
        look.headroom = seen.headroom;
        look.seconds = match is_stream {
            true => seen.first.map(|first| first + seen.token.unwrap_or_default() * output),
            false => seen.whole,
        };
        let cached = seen.mix.map_or(0.0, |(cached, _)| cached);
        let prices = self.facts.get(target).map_or(&[] as &[_], |facts| &facts.prices);
        look.price = price::effective(prices, needs.input.max(1), output, cached);
    }

    /// What a prompt of `tokens` costs at a target, in 1e-12 dollars; 0 where nobody knows.
    pub fn prompt_price(&self, target: usize, tokens: u64) -> u64 {
        let prices = self.facts.get(target).map_or(&[] as &[_], |facts| &facts.prices);
        price::effective(prices, tokens, 0.0, 0.0).map_or(0, |price| price as u64)
    }

    /// Whether there is anything to choose.
    pub fn has_choice(&self) -> bool {
        self.facts.len() > 1
    }
}

impl Learned {
    /// How many plans there were before.
    pub fn turn(&self) -> u64 {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }
}
