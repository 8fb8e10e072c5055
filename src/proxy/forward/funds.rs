//! Budgets of the forward lane, whose bodies nobody reads: what such a call costs is never known here.
//!
//! Under a budget in money it is refused, unless the budget settles what has no price at a bound: then
//! one token at the largest price there is, so that nothing passes once the money is gone. A budget in
//! tokens is charged one token.

use crate::limits::{Ask, Refusal};
use crate::proxy::context::Ctx;
use crate::proxy::patience::patiently;
use crate::runtime::Edge;
use crate::types::Reject;

/// # Errors
/// The refusal; the request then uses nothing up.
pub async fn reserve(edge: &Edge, ctx: &mut Ctx, model: Option<&str>) -> Result<(), Reject> {
    let runtime = ctx.runtime.clone();
    let Some(caller) = &mut ctx.caller else { return Ok(()) };
    if !caller.reservation.chain().is_some_and(|chain| chain.has_budgets()) {
        return Ok(());
    }
    let bound = runtime.price_bound.with_margin(caller.margin_bp);
    let reservation = &mut caller.reservation;
    let outcome = patiently(edge, runtime.limits.till(), |may_wait| {
        reservation.reserve(&Ask {
            model: model.unwrap_or_default(),
            prompt: 1,
            output: 0,
            is_stated: true,
            slice: 0,
            price: None,
            bound,
            now: edge.now(),
            wall: edge.wall.unix_ms() / 1000,
            may_wait,
        })
    });
    outcome.await.map_err(|refusal: Refusal| {
        ctx.told = Some(caller.reservation.snapshot(edge.now()));
        caller.cancel();
        refusal.into()
    })
}
