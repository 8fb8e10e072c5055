//! What is refused at the door while the gateway has too much to do: everything, or what has a low
//! priority. Before anything of the body is read, and, where everything is, before anybody is known.

use super::context::Ctx;
use super::exchange::PRIORITY;
use crate::framing::ClientHead;
use crate::limits::Stage;
use crate::runtime::Edge;
use crate::types::{Endpoint, Priority, Reason, Reject};
use std::time::Duration;

/// When those come back that were refused; spread, so that they do not come together.
const RETRY_AFTER: Duration = Duration::from_secs(1);
const RETRY_AFTER_SPREAD_MS: u64 = 2000;

/// Refuses whatever comes, at the last stage. Lists of models cost nothing, and are what clients look
/// whether we are there by.
///
/// # Errors
/// The refusal.
pub fn any(edge: &Edge, ctx: &Ctx, endpoint: Endpoint) -> Result<(), Reject> {
    if !edge.overload.sheds(Stage::All) && !has_too_many(edge, ctx) {
        return Ok(());
    }
    match endpoint {
        Endpoint::Models | Endpoint::ModelById => Ok(()),
        _ => Err(overloaded(edge, "the gateway has more calls than it can serve")),
    }
}

/// Refuses a caller's call of low priority.
///
/// # Errors
/// The refusal; the call is counted nowhere then.
pub fn low(edge: &Edge, ctx: &mut Ctx, head: &ClientHead, endpoint: Endpoint) -> Result<(), Reject> {
    if !edge.overload.sheds(Stage::Low) || matches!(endpoint, Endpoint::Models | Endpoint::ModelById) {
        return Ok(());
    }
    let Some(caller) = &mut ctx.caller else { return Ok(()) };
    let wish = head.text(PRIORITY).and_then(Priority::of);
    if caller.principal.priority().lowered_to(wish) < Priority::Low {
        return Ok(());
    }
    caller.cancel();
    Err(overloaded(edge, "the gateway serves no calls of low priority now"))
}

/// Between two looks many may come: the number of calls is exact.
fn has_too_many(edge: &Edge, ctx: &Ctx) -> bool {
    let Some(most) = ctx.runtime.edge.shed.and_then(|rules| rules.calls_max) else { return false };
    // This one is among them.
    u64::try_from(edge.metrics.requests_in_flight.get()).is_ok_and(|calls| calls > most)
}

fn overloaded(edge: &Edge, message: &'static str) -> Reject {
    let spread = Duration::from_millis(edge.dice.roll() % RETRY_AFTER_SPREAD_MS);
    Reject::new(Reason::Overloaded, message).with_retry_after(RETRY_AFTER + spread)
}
