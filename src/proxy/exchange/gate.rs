//! The door of a target, as calls pass it: a place taken before the call is made, and what is told of
//! how the target bore it.
//!
//! Not here: waiting for a place (`queue`).

use super::attempt::Failure;
use super::health;
use super::race::Track;
use crate::routing::{Plan, Slot, TargetLive};
use crate::runtime::ModelPolicy;
use crate::types::{FailureClass, Ticks};
use std::sync::Arc;
use std::time::Duration;

/// The cell of a target of the policy.
pub fn live<'r>(track: &Track<'r>, target: usize) -> Option<&'r Arc<TargetLive>> {
    track.runtime.target_live.get(track.policy.first_cell + target)
}

/// Whether a target may be asked now; a target coming back lets one call through. Where it takes only so
/// many at once, `slot` is the place then.
pub fn may_call(track: &Track<'_>, plan: &Plan, target: usize, slot: &mut Option<Slot>, now: Ticks) -> bool {
    if !track.policy.route.is_gated {
        return may_ask(track, plan, target, now);
    }
    // The place first: who is let through to a target coming back must call it.
    let Some(place) = live(track, target).and_then(TargetLive::try_enter) else { return false };
    let may = may_ask(track, plan, target, now);
    *slot = Some(place).filter(|_| may);
    may
}

/// The same of a target at which a place is held. A stream that has begun is for some targets only.
pub fn may_ask(track: &Track<'_>, plan: &Plan, target: usize, now: Ticks) -> bool {
    track.begun.is_none_or(|begun| begun.fits(target))
        && health::may_call(track.runtime, track.policy, target, (track.pinned, plan.is_out(target)), now)
}

/// A stream's first content came so long after its call began.
pub fn note_first(policy: &ModelPolicy, live: &Arc<TargetLive>, span: Duration, now: Ticks) {
    if policy.route.is_gated {
        live.note_first(span, now);
    }
}

/// A call failed: perhaps for load.
pub fn note_failure(policy: &ModelPolicy, live: &Arc<TargetLive>, failed: &Failure, now: Ticks) {
    let is_load = matches!(
        failed.class,
        FailureClass::Status(429 | 503 | 529) | FailureClass::HeaderTimeout | FailureClass::FirstTokenTimeout
    );
    if is_load && policy.route.is_gated {
        live.note_drop(now);
    }
}
