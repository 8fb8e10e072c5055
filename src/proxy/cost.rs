//! What a call cost, by the catalogue's prices.

use super::context::Ctx;
use crate::catalog::{Cost, Service, Unpriced};
use crate::runtime::{Provider, Runtime};

/// The cost of what was used so far; None where nothing was. A model the catalogue does not know has
/// no cost, which is not the same as none.
pub fn of(ctx: &Ctx) -> Option<Cost> {
    let usage = ctx.record.usage.as_ref()?;
    let provider = ctx.record.provider.and_then(|index| ctx.runtime.providers.get(index))?;
    let model = ctx.record.upstream_model.as_deref()?;
    let catalog = &ctx.runtime.catalog;
    // Rows of the configuration may name the configured provider, the file's name its kind.
    let found = catalog.find(&provider.name, model).or_else(|| catalog.find(&provider.facts.id, model));
    Some(match found {
        Some(found) => found.model.cost(usage, Service::Standard),
        None => Cost::Unpriced(Unpriced::NoModel),
    })
}

/// Whether a call of `model` at `provider` has a price, before it is made.
pub fn has_price(runtime: &Runtime, provider: &Provider, model: &str) -> bool {
    let catalog = &runtime.catalog;
    let found = catalog.find(&provider.name, model).or_else(|| catalog.find(&provider.facts.id, model));
    found.is_some_and(|found| found.model.priced().is_ok())
}
