//! `budget` of a key: how much money, or how many tokens, it may use in an hour to a month, or in all.

use super::choice::choice;
use super::collector::Collector;
use super::limits::model;
use super::near::quoted;
use super::number::integer;
use super::reader::Reader;
use super::value::Value;
use crate::govern::{Budget, BudgetUnit, OnExhausted, OnUnpriced, Window};
use crate::limits::check_zone;
use crate::types::Money;
use std::collections::BTreeSet;
use toml::de::DeValue;

const PERIODS: &[(&str, Window)] = &[
    ("hour", Window::Hour),
    ("day", Window::Day),
    ("week", Window::Week),
    ("month", Window::Month),
    ("total", Window::Total),
];
const UNPRICED: &[(&str, OnUnpriced)] =
    &[("refuse", OnUnpriced::Refuse), ("settle-bound", OnUnpriced::SettleBound)];
const TOKENS_MAX: u64 = 1_000_000_000_000_000;
const BUDGETS_MAX: usize = 16;
const ALERTS_MAX: usize = 8;

/// One budget or a list of them, each with a name of its own.
pub(super) fn budgets(
    value: &Value<'_>,
    collector: &mut Collector<'_>,
    is_model: &dyn Fn(&str) -> bool,
) -> Option<Vec<Budget>> {
    let budgets = if matches!(value.node, DeValue::Array(_)) {
        value.list(collector, "a budget or a list of budgets", |v, c| budget(v, c, is_model))?
    } else {
        vec![budget(value, collector, is_model)?]
    };
    if budgets.len() > BUDGETS_MAX {
        value.fail(collector, format!("a key has at most {BUDGETS_MAX} budgets"));
    }
    let mut names = BTreeSet::new();
    for budget in &budgets {
        if !names.insert(&budget.name) {
            let help = "give each a `name` of its own; without one it is called after its `per`";
            value.fail_help(collector, format!("two budgets are called `{}`", quoted(&budget.name)), help);
        }
    }
    Some(budgets)
}

fn budget(
    value: &Value<'_>,
    collector: &mut Collector<'_>,
    is_model: &dyn Fn(&str) -> bool,
) -> Option<Budget> {
    let mut reader = Reader::open(value, collector)?;
    let usd = reader.take("usd", money);
    let tokens = reader.take("tokens", integer::<u64>(1..=TOKENS_MAX));
    if reader.has("usd") == reader.has("tokens") {
        reader.fail(
            "a budget has either `usd` or `tokens`",
            Some("such as { usd = \"25.00\", per = \"day\" }"),
        );
    }
    let help = "one of \"hour\", \"day\", \"week\", \"month\", \"total\"";
    let per = reader.need("per", help, choice(PERIODS, &[]));
    let word = per.and_then(|per| PERIODS.iter().find(|(_, other)| *other == per)).map(|(word, _)| *word);
    let name = reader.or("name", word.unwrap_or_default().to_owned(), name);
    let time_zone = reader.or("time_zone", "UTC".to_owned(), time_zone);
    let model = reader.take("model", model);
    let alerts = reader.or("alerts", Vec::new(), alerts);
    let on_exhausted = reader.or("on_exhausted", OnExhausted::Reject, |v, c| exhausted(v, c, is_model));
    let on_unpriced = reader.or("on_unpriced", OnUnpriced::Refuse, choice(UNPRICED, &[]));
    reader.done();
    let unit = usd.map(BudgetUnit::Usd).or(tokens.map(BudgetUnit::Tokens))?;
    Some(Budget { name, unit, per: per?, time_zone, model, alerts, on_exhausted, on_unpriced })
}

fn money(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Money> {
    let text = match value.node {
        DeValue::Integer(digits) if digits.radix() == 10 => digits.as_str(),
        DeValue::Float(digits) => digits.as_str(),
        DeValue::String(text) => text.as_ref(),
        _ => {
            value.expected(collector, "US dollars, such as \"25.00\"");
            return None;
        }
    };
    match Money::parse(text) {
        Ok(Money::ZERO) => {
            value.fail_help(
                collector,
                "a budget of nothing",
                "take the key out, or leave its `models` empty",
            );
            None
        }
        Ok(money) => Some(money),
        Err(error) => {
            // It may be something that must not be shown.
            value.hide(collector);
            value.fail(collector, format!("the amount {error}"));
            None
        }
    }
}

fn name(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<String> {
    let name = value.string(collector, "a name")?;
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(is_plain) {
        value.fail_help(collector, "this cannot be a budget's name", "1 to 64 of a-z, 0-9, `-` and `_`");
        return None;
    }
    Some(name.to_owned())
}

fn time_zone(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<String> {
    let name = value.string(collector, "a time zone")?;
    if check_zone(name).is_err() {
        let help = "an IANA name such as \"Europe/Berlin\" or \"UTC\"";
        value.fail_help(collector, format!("no time zone `{}`", quoted(name)), help);
        return None;
    }
    Some(name.to_owned())
}

fn alerts(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Vec<u8>> {
    let alerts = value.list(collector, "a list of percentages", integer::<u8>(1..=100))?;
    if alerts.len() > ALERTS_MAX {
        value.fail(collector, format!("a budget has at most {ALERTS_MAX} alerts"));
    }
    Some(alerts)
}

fn exhausted(
    value: &Value<'_>,
    collector: &mut Collector<'_>,
    is_model: &dyn Fn(&str) -> bool,
) -> Option<OnExhausted> {
    const WORDS: &str = "\"reject\" or \"downgrade:MODEL\"";
    let text = value.string(collector, WORDS)?;
    let on = OnExhausted::try_from(text.to_owned());
    match on {
        Ok(OnExhausted::Downgrade(model)) if !is_model(&model) => {
            value.fail(collector, format!("no model `{}` here", quoted(&model)));
            None
        }
        Ok(on) => Some(on),
        Err(_) => {
            value.fail_help(
                collector,
                format!("unknown value `{}`", quoted(text)),
                format!("one of {WORDS}"),
            );
            None
        }
    }
}
