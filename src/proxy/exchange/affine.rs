//! Calls and what is cached of their prompts: which target has it, and which credential it was cached with.
//!
//! Not here: the choice (`routing::balance`), and what is remembered (`routing::prefix_index`). Nothing of
//! this is done for a model without the balance `prefix` and with one credential a provider.

use super::prepare::Prepared;
use super::route::field;
use crate::routing::affinity::{Known as Names, session};
use crate::routing::prefix::number;
use crate::routing::{Balance, Matched, Plan, Prompt, SessionKey};
use crate::runtime::{Edge, ModelPolicy, Route};
use crate::telemetry::CacheLookup;

/// A prompt and who has which part of it.
pub struct Known {
    prompt: Prompt,
    matched: Matched,
}

/// Shorter prompts are cached by no vendor (1,024 tokens at the least): credentials take turns.
const CACHED_BYTES_MIN: usize = 4096;

/// Looks for those who have the prompt in their cache; None for a call without one.
pub fn look_up(prepared: &Prepared<'_>, route: &Route) -> Option<Box<Known>> {
    let head = prepared.head.as_deref().filter(|_| prepared.endpoint.generates())?;
    let prompt = Prompt::of(&head.prompt.parts(&prepared.body));
    let matched = route.learned.prefix.matched(&prompt);
    Some(Box::new(Known { prompt, matched }))
}

impl Known {
    /// The part of the prompt that a target has.
    pub fn share(&self, route: &Route, target: usize) -> f32 {
        route.slots.get(target).map_or(0.0, |slot| self.matched.share(*slot))
    }
}

/// A target is asked now, and has the prompt from now on: what comes at the same moment and begins alike
/// goes there too. Counts what it had, for the `is_first` target of a call.
pub fn ask(
    edge: &Edge,
    policy: &ModelPolicy,
    (prompt, plan): (Option<&Known>, &Plan),
    target: usize,
    is_first: bool,
) {
    let route = &policy.route;
    let (Some(known), Some(slot)) = (prompt, route.slots.get(target)) else { return };
    // One that fails has nothing for long.
    if !plan.is_out(target) {
        route.learned.prefix.record(*slot, &known.prompt);
    }
    if is_first {
        let (has, all) = known.matched.counts(*slot);
        let blocks = &edge.metrics.routes.prefix_blocks;
        blocks.add(CacheLookup::Hit, u64::from(has));
        blocks.add(CacheLookup::Miss, u64::from(all - has));
    }
}

/// What the first target has, where that decided.
pub fn cached_percent(prompt: Option<&Known>, route: &Route, plan: &Plan) -> Option<u8> {
    let first = plan.targets().next().filter(|_| plan.balance() == Balance::Prefix)?;
    Some((prompt?.share(route, first) * 100.0) as u8)
}

/// The number that decides among a provider's credentials, so that a conversation keeps the one its prompt is
/// cached with: of the session where one is named, else of what the conversation began with. Never of the
/// caller alone, whose calls would all be on one credential's rate limit.
pub fn credential_turn(prepared: &Prepared<'_>, route: &Route, caller: Option<&str>) -> Option<u64> {
    let head = prepared.head.as_deref().filter(|_| prepared.endpoint.generates())?;
    let names = Names {
        header: |name: &str| field(prepared, name),
        prompt_cache_key: head.prompt_cache_key.as_deref(),
        caller,
    };
    let by = route.session_by.iter().filter(|by| **by != SessionKey::Key);
    by.into_iter().find_map(|by| session(std::slice::from_ref(by), &names)).or_else(|| {
        let opening = || number(&head.prompt.opening(&prepared.body));
        (prepared.body.len() >= CACHED_BYTES_MIN).then(opening)
    })
}
