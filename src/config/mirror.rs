//! `mirror` of a model: a second target that gets copies of its calls, so that the two can be compared.

use super::collector::Collector;
use super::duration::duration;
use super::number::{decimal, integer};
use super::reader::Reader;
use super::route::{Data, region};
use super::streams::Prefill;
use super::target::{Known, Target, provider_name, upstream_model};
use super::value::Value;
use crate::routing::{Abilities, DataRules, Needs};
use std::time::Duration;

/// Each copy holds the body of its call.
const IN_FLIGHT_MAX: u64 = 256;
/// Of all calls.
const PERCENT_MIN: f64 = 0.001;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    pub target: Target,
    /// How many of a hundred thousand calls are copied.
    pub share: u32,
    /// Copies at once.
    pub in_flight: u32,
    /// From the beginning of a copy to the end of its answer.
    pub timeout: Duration,
}

/// What a model says beside its mirror.
pub(super) struct Beside<'m> {
    pub name: &'m str,
    pub targets: &'m [Target],
    pub data: &'m Data,
}

impl Mirror {
    pub(super) fn read(
        value: &Value<'_>,
        collector: &mut Collector<'_>,
        known: Known<'_>,
        beside: &Beside<'_>,
    ) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let help = "the name of a [providers.NAME]";
        let provider = reader.need("provider", help, |v, c| provider_name(v, c, known));
        let found = known.zip(provider.as_ref()).and_then(|(known, name)| known.get(name)?.as_ref());
        let of_provider = found.and_then(|found| found.places.get("region")).map(str::to_owned);
        let target = Target {
            model: reader.take("model", upstream_model),
            region: reader.take("region", region).map(String::from).or(of_provider),
            zero_retention: reader.or("zdr", false, |v, c| v.boolean(c)),
            context: None,
            concurrency: None,
            prefill: Prefill::No,
            family: None,
            provider: provider.unwrap_or_default(),
        };
        let mirror = Self {
            share: reader.take("share", decimal(PERCENT_MIN..=100.0)).map_or(5_000, of_a_hundred_thousand),
            in_flight: reader.or("in_flight", 8, integer(1..=IN_FLIGHT_MAX)),
            timeout: reader.or("timeout", Duration::from_secs(60), duration),
            target,
        };
        mirror.check(&mut reader, beside);
        reader.done();
        Some(mirror)
    }

    /// Percent of the calls that are copied.
    pub fn percent(&self) -> f64 {
        f64::from(self.share) / 1000.0
    }

    /// The model's name there.
    pub fn upstream<'m>(&'m self, name: &'m str) -> &'m str {
        self.target.model.as_deref().unwrap_or(name)
    }

    fn check(&self, reader: &mut Reader<'_, '_, '_>, beside: &Beside<'_>) {
        let is_same = |target: &Target| {
            target.provider == self.target.provider
                && target.model.as_deref().unwrap_or(beside.name) == self.upstream(beside.name)
        };
        if !beside.targets.is_empty() && beside.targets.iter().all(is_same) {
            let help = "name another provider or model, or leave `mirror` out";
            reader.fail("the mirror is this model's only target: there is nothing to compare", Some(help));
        }
        let abilities = Abilities {
            region: self.target.region.as_deref().map(Box::from),
            zero_retention: self.target.zero_retention,
            ..Abilities::default()
        };
        let Data { regions, zero_retention } = beside.data.clone();
        let rules = DataRules { regions, zero_retention };
        if let Some(verdict) = abilities.judge(&Needs::default(), [&rules]) {
            let message =
                format!("this model's `data` does not let its calls go there: {}", verdict.as_str());
            reader.fail(message, Some("a copy is a call: say its `region` or `zdr = true` where that is so"));
        }
    }
}

fn of_a_hundred_thousand(percent: f64) -> u32 {
    (percent * 1000.0).round() as u32
}
