//! `limits` of a key: how many requests and tokens a span, how many calls at once.

use super::collector::Collector;
use super::name::model_name_fault;
use super::number::integer;
use super::reader::Reader;
use super::value::Value;
use crate::govern::{Limit, LimitUnit, Window};
use toml::de::DeValue;

/// The keys of one table, with what they limit. Everything is without limit by default.
const KEYS: [(&str, LimitUnit, Option<Window>, u64); 9] = [
    ("requests_per_second", LimitUnit::Requests, Some(Window::Second), REQUESTS_MAX),
    ("requests_per_minute", LimitUnit::Requests, Some(Window::Minute), REQUESTS_MAX),
    ("requests_per_hour", LimitUnit::Requests, Some(Window::Hour), REQUESTS_MAX),
    ("requests_per_day", LimitUnit::Requests, Some(Window::Day), REQUESTS_MAX),
    ("tokens_per_second", LimitUnit::Tokens, Some(Window::Second), TOKENS_MAX),
    ("tokens_per_minute", LimitUnit::Tokens, Some(Window::Minute), TOKENS_MAX),
    ("tokens_per_hour", LimitUnit::Tokens, Some(Window::Hour), TOKENS_MAX),
    ("tokens_per_day", LimitUnit::Tokens, Some(Window::Day), TOKENS_MAX),
    ("concurrent", LimitUnit::Concurrent, None, CONCURRENT_MAX),
];
const REQUESTS_MAX: u64 = 10_000_000;
const TOKENS_MAX: u64 = 1_000_000_000_000;
const CONCURRENT_MAX: u64 = 1_000_000;
/// Tables a key may have.
const TABLES_MAX: usize = 32;

/// One table for all models, or a list of tables, each for all or for some.
pub(super) fn limits(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Vec<Limit>> {
    if !matches!(value.node, DeValue::Array(_)) {
        return table(value, collector);
    }
    let tables = value.list(collector, "a table of limits or a list of these", table)?;
    if tables.len() > TABLES_MAX {
        value.fail(collector, format!("a key has at most {TABLES_MAX} tables of limits"));
    }
    Some(tables.into_iter().flatten().collect())
}

fn table(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Vec<Limit>> {
    let mut reader = Reader::open(value, collector)?;
    let model = reader.take("model", model);
    let limit = |(key, unit, per, max): (&'static str, _, _, u64)| {
        let amount = reader.take(key, integer::<u64>(1..=max))?;
        Some(Limit { unit, per, amount, model: model.clone() })
    };
    let limits = KEYS.into_iter().filter_map(limit).collect();
    reader.done();
    Some(limits)
}

/// A model's name, `prefix*` or `*`: whom a limit or a budget is for.
pub(super) fn model(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<String> {
    let name = value.string(collector, "a model's name")?;
    if let Some(fault) = model_name_fault(name) {
        value.fail_help(collector, fault, "an exact name, \"prefix*\" or \"*\"");
        return None;
    }
    Some(name.to_owned())
}
