//! Where a model's calls go: a provider, the model's name there, and what is known of it.

use super::collector::Collector;
use super::crowd::Concurrency;
use super::name::model_name_fault;
use super::near::{self, quoted};
use super::number::integer;
use super::provider::Provider;
use super::reader::Reader;
use super::route::region;
use super::streams::{Prefill, prefill};
use super::value::Value;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// A name in `providers`.
    pub provider: String,
    /// The name that goes up; None: the one the client asked for.
    pub model: Option<String>,
    /// Tokens of prompt and answer together, over what the catalogue says.
    pub context: Option<u64>,
    /// Where its data lies; by default its provider's `region`.
    pub region: Option<String>,
    /// It keeps nothing of what it is sent: by contract, no catalogue knows it.
    pub zero_retention: bool,
    /// Calls at once; by default its model's.
    pub concurrency: Option<Concurrency>,
    /// Whether it takes the beginning of its answer.
    pub prefill: Prefill,
    /// Targets of one family give the same model; None: told by its name.
    pub family: Option<String>,
}

/// Providers of the file by name; None where the section itself could not be read.
pub(super) type Known<'k> = Option<&'k BTreeMap<String, Option<Provider>>>;

impl Target {
    /// What a table says of a target; its place is read by who reads the table.
    pub(super) fn read(reader: &mut Reader<'_, '_, '_>, known: Known<'_>) -> Self {
        let provider =
            reader.need("provider", "the name of a [providers.NAME]", |v, c| provider_name(v, c, known));
        let provider = provider.unwrap_or_default();
        let found = known.and_then(|known| known.get(&provider)).and_then(Option::as_ref);
        let of_provider = found.and_then(|found| found.places.get("region")).map(str::to_owned);
        Self {
            model: reader.take("model", upstream_model),
            context: reader.take("context", integer(1..=100_000_000)),
            region: reader.take("region", region).map(String::from).or(of_provider),
            zero_retention: reader.or("zdr", false, |v, c| v.boolean(c)),
            concurrency: reader.take("concurrency", Concurrency::read),
            prefill: reader.or("prefill", Prefill::Known, prefill),
            family: reader.take("family", upstream_model),
            provider,
        }
    }
}

pub(super) fn provider_name(
    value: &Value<'_>,
    collector: &mut Collector<'_>,
    known: Known<'_>,
) -> Option<String> {
    let name = value.string(collector, "the name of a provider")?;
    if let Some(known) = known
        && !known.contains_key(name)
    {
        let near = near::suffix(name, known.keys().map(String::as_str));
        let names: Vec<&str> = known.keys().map(String::as_str).take(12).collect();
        let help = match names.is_empty() {
            true => "there is no [providers.NAME] yet".to_owned(),
            false => format!("providers here: {}", quoted(&names.join(", "))),
        };
        value.fail_help(collector, format!("unknown provider `{}`{near}", quoted(name)), help);
    }
    Some(name.to_owned())
}

pub(super) fn upstream_model(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<String> {
    let name = value.string(collector, "a model's name")?;
    let star = name.contains('*').then(|| "a target's model is one name, without `*`".to_owned());
    if let Some(fault) = star.or_else(|| model_name_fault(name)) {
        value.fail_help(collector, fault, "without `model`, the name the client asked for goes up");
        return None;
    }
    Some(name.to_owned())
}
