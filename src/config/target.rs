//! Where a model's calls go: a provider, the model's name there, and its share.

use super::collector::Collector;
use super::name::model_name_fault;
use super::near::{self, quoted};
use super::number::integer;
use super::provider::Provider;
use super::reader::Reader;
use super::value::Value;
use crate::types::bounds::TARGETS_MAX;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// A name in `providers`.
    pub provider: String,
    /// The name that goes up; None: the one the client asked for.
    pub model: Option<String>,
    /// Share among the targets of one priority; 0 takes it out.
    pub weight: u32,
    /// 1 is tried first.
    pub priority: u32,
}

/// Providers of the file by name; None where the section itself could not be read.
pub(super) type Known<'k> = Option<&'k BTreeMap<String, Option<Provider>>>;

impl Target {
    fn read(value: &Value<'_>, collector: &mut Collector<'_>, known: Known<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let provider =
            reader.need("provider", "the name of a [providers.NAME]", |v, c| provider_name(v, c, known));
        let target = Self {
            provider: provider.unwrap_or_default(),
            model: reader.take("model", upstream_model),
            weight: reader.or("weight", 1, integer(0..=1000)),
            priority: reader.or("priority", 1, integer(1..=100)),
        };
        reader.done();
        Some(target)
    }

    /// The targets of one model; they may speak different protocols.
    pub(super) fn read_all(
        value: &Value<'_>,
        collector: &mut Collector<'_>,
        known: Known<'_>,
    ) -> Option<Vec<Self>> {
        let elements = value.elements(collector, "a list of targets")?;
        if elements.is_empty() || elements.len() > TARGETS_MAX {
            value.fail(collector, format!("a model has 1 to {TARGETS_MAX} targets"));
        }
        let mut targets = Vec::new();
        for element in elements.iter().take(TARGETS_MAX) {
            let Some(target) = Self::read(element, collector, known) else { continue };
            targets.push(target);
        }
        if !targets.is_empty() && targets.iter().all(|target| target.weight == 0) {
            value.fail_head(collector, "every target has weight 0: nothing is left to call", None);
        }
        Some(targets)
    }
}

fn provider_name(value: &Value<'_>, collector: &mut Collector<'_>, known: Known<'_>) -> Option<String> {
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

fn upstream_model(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<String> {
    let name = value.string(collector, "a model's name")?;
    let star = name.contains('*').then(|| "a target's model is one name, without `*`".to_owned());
    if let Some(fault) = star.or_else(|| model_name_fault(name)) {
        value.fail_help(collector, fault, "without `model`, the name the client asked for goes up");
        return None;
    }
    Some(name.to_owned())
}
