//! What a call cost, by the catalogue's prices.

use super::context::Ctx;
use crate::catalog::{Cost, Service, Unpriced};
use crate::dialect::tier::service_of;
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
        Some(found) => found.model.cost(usage, ctx.record.service),
        None => Cost::Unpriced(Unpriced::NoModel),
    })
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
    let catalog = &runtime.catalog;
    let found = catalog.find(&provider.name, model).or_else(|| catalog.find(&provider.facts.id, model));
    found.is_some_and(|found| found.model.priced().is_ok())
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
