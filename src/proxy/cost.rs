//! What a call cost, by the catalogue's prices.

use super::context::Ctx;
use crate::catalog::{Catalog, Class, Cost, Found, Rates, Service, Unpriced};
use crate::dialect::tier::service_of;
use crate::limits::Price;
use crate::runtime::{ModelPolicy, Provider, Runtime};
use crate::types::{Money, Usage};

/// The cost of what was used so far; None where nothing was. A model the catalogue does not know has
/// no cost, which is not the same as none.
pub fn of(ctx: &Ctx) -> Option<Cost> {
    let usage = ctx.record.usage.as_ref()?;
    let provider = ctx.record.provider.and_then(|index| ctx.runtime.providers.get(index))?;
    let model = ctx.record.upstream_model.as_deref()?;
    Some(of_usage(&ctx.runtime, provider, model, (usage, ctx.record.service)))
}

/// The cost of what a call of `model` used at `provider`.
pub fn of_usage(runtime: &Runtime, provider: &Provider, model: &str, used: (&Usage, Service)) -> Cost {
    match find(&runtime.catalog, provider, model) {
        Some(found) => found.model.cost(used.0, used.1),
        None => Cost::Unpriced(Unpriced::NoModel),
    }
}

/// What the caller is charged for it: the cost, and the margin of the plan it is under.
pub fn charged(ctx: &Ctx) -> Option<Money> {
    let margin_bp = ctx.caller.as_ref().map_or(0, |caller| caller.margin_bp);
    ctx.record.cost.and_then(Cost::money).map(|money| money.with_margin(margin_bp))
}

/// The service that a call is paid for: what the answer says it got. Where it says nothing, what was
/// asked for if that costs more: a discount that nobody confirms is not given.
pub fn service(told: Option<Service>, asking: &[u8], dropped: &[String]) -> Service {
    if let Some(told) = told {
        return told;
    }
    let is_dropped = |name: &&str| dropped.iter().any(|path| path.starts_with(*name));
    let asked = service_of(asking).filter(|asked| asked.is_premium());
    let was_lost = ["service_tier", "serviceTier", "speed"].iter().any(is_dropped);
    asked.filter(|_| !was_lost).unwrap_or_default()
}

/// Whether a call of `model` at `provider` has a price, before it is made.
pub fn has_price(runtime: &Runtime, provider: &Provider, model: &str) -> bool {
    find(&runtime.catalog, provider, model).is_some_and(|found| found.model.priced().is_ok())
}

/// What a token of `model` costs at most at any target that may serve it, for a prompt of `prompt`
/// tokens. None where the price of one of them is not known: nobody knows yet which one will serve.
pub fn price(runtime: &Runtime, policy: &ModelPolicy, model: &str, prompt: u64) -> Option<Price> {
    let mut highest = Price::default();
    for target in &policy.targets {
        let provider = runtime.providers.get(target.provider)?;
        let name = target.model.as_deref().unwrap_or(model);
        let found = find(&runtime.catalog, provider, name)?;
        if found.model.is_free() {
            continue;
        }
        let price = dearest(found.model.rates(Service::Standard, prompt)?);
        highest = Price { input: highest.input.max(price.input), output: highest.output.max(price.output) };
    }
    Some(highest)
}

/// Tokens an answer of `model` can have, where anybody says.
pub fn output_max(runtime: &Runtime, policy: &ModelPolicy, model: &str) -> Option<u64> {
    let of = |target: &crate::routing::Target| {
        let provider = runtime.providers.get(target.provider)?;
        let name = target.model.as_deref().unwrap_or(model);
        find(&runtime.catalog, provider, name)?.model.output_max().map(u64::from)
    };
    policy.targets.iter().filter_map(of).max()
}

/// The largest price of all models: what a call of an unknown one may be charged.
pub fn price_bound(catalog: &Catalog) -> Price {
    let prices = catalog.models().flat_map(|model| model.prices()).map(dearest);
    prices
        .fold(Price::default(), |a, b| Price { input: a.input.max(b.input), output: a.output.max(b.output) })
}

/// What the dearest class of prompt tokens without sound and pictures costs, and of output.
fn dearest(rates: &Rates) -> Price {
    let of = |classes: &[Class]| {
        classes.iter().filter_map(|class| rates.rate(*class)).map(Money::pico).max().unwrap_or(0)
    };
    Price {
        input: of(&[Class::Input, Class::CacheWrite, Class::CacheWrite1h]),
        output: of(&[Class::Output, Class::Reasoning]),
    }
}

/// Rows of the configuration may name the configured provider, the file's name its kind.
fn find<'c>(catalog: &'c Catalog, provider: &Provider, model: &str) -> Option<Found<'c>> {
    catalog.find(&provider.name, model).or_else(|| catalog.find(&provider.facts.id, model))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_decides_and_only_a_premium_is_believed_of_the_request() {
        let priority = br#"{"service_tier":"priority"}"#;
        let flex = br#"{"service_tier":"flex"}"#;
        let dropped = ["service_tier".to_owned()];
        assert_eq!(service(Some(Service::Flex), priority, &[]), Service::Flex);
        assert_eq!(service(Some(Service::Standard), priority, &[]), Service::Standard);
        assert_eq!(service(None, priority, &[]), Service::Priority);
        assert_eq!(service(None, priority, &dropped), Service::Standard, "it was not asked of the provider");
        assert_eq!(service(None, flex, &[]), Service::Standard, "an unconfirmed discount is not given");
        assert_eq!(service(None, b"{}", &[]), Service::Standard);
    }
}
