//! Values of requests that have the right type and may still be wrong.

use super::problem::{Fault, Problem};
use crate::govern::{Limit, LimitUnit, Policy, Window};
use crate::limits::check_zone;
use crate::types::Endpoint;
use crate::types::bounds::MODEL_NAME_BYTES_MAX;
use crate::types::cidr::Cidr;
use std::collections::{BTreeMap, BTreeSet};

const LIST_MAX: usize = 1000;
const LIMITS_MAX: usize = 32;
const BUDGETS_MAX: usize = 16;
const TAGS_MAX: usize = 64;
const TEXT_CHARS_MAX: usize = 1024;
const NAME_CHARS_MAX: usize = 128;

/// Gathers mistakes; all of them are told at once.
#[derive(Default)]
pub struct Checks(Vec<Fault>);

impl Checks {
    pub fn done(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::invalid_at(self.0)) }
    }

    pub fn that(&mut self, holds: bool, path: impl Into<String>, message: &str) {
        if !holds {
            self.0.push(Fault { path: path.into(), message: message.to_owned() });
        }
    }

    /// A name: it is shown in lists and logs, and is part of paths.
    pub fn name(&mut self, name: &str) {
        self.that(is_line(name, NAME_CHARS_MAX), "name", "1 to 128 characters without control characters");
    }

    /// Words of people: a reason, a description.
    pub fn text(&mut self, path: &str, text: &str, chars_max: usize) {
        let is_plain = !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
        self.that(is_plain && text.chars().count() <= chars_max, path, "too long, or has control characters");
    }

    /// A reason somebody must be given.
    pub fn reason(&mut self, reason: Option<&str>) {
        let is_there = reason.is_some_and(|text| !text.trim().is_empty());
        self.that(is_there, "reason", "is needed");
        self.text("reason", reason.unwrap_or_default(), TEXT_CHARS_MAX);
    }

    pub fn tags(&mut self, tags: &BTreeMap<String, String>) {
        self.that(tags.len() <= TAGS_MAX, "tags", "at most 64");
        for (name, value) in tags {
            let is_good = is_line(name, 64) && (value.is_empty() || is_line(value, 256));
            self.that(is_good, "tags", "names of 1 to 64 and values of up to 256 characters, one line each");
        }
    }

    pub fn policy(&mut self, policy: &Policy) {
        self.list(
            "policy.models",
            policy.models.as_deref(),
            is_model,
            "a model's name or a pattern with `*`",
        );
        let is_endpoint = |label: &str| Endpoint::ALL.iter().any(|endpoint| endpoint.as_str() == label);
        self.list("policy.endpoints", policy.endpoints.as_deref(), is_endpoint, "no such endpoint");
        let is_range = |text: &str| text.parse::<Cidr>().is_ok();
        self.list("policy.ips", policy.ips.as_deref(), is_range, "an address or a range such as 10.0.0.0/8");
        self.that(policy.limits.len() <= LIMITS_MAX, "policy.limits", "at most 32");
        for (at, limit) in policy.limits.iter().enumerate() {
            self.limit(&format!("policy.limits[{at}]"), limit);
        }
        self.budgets(policy);
    }

    fn list(&mut self, path: &str, list: Option<&[String]>, fits: impl Fn(&str) -> bool, message: &str) {
        let list = list.unwrap_or_default();
        self.that(list.len() <= LIST_MAX, path, "at most 1000 entries");
        for (at, entry) in list.iter().enumerate() {
            self.that(fits(entry), format!("{path}[{at}]"), message);
        }
    }

    fn limit(&mut self, path: &str, limit: &Limit) {
        let is_span = match (limit.unit, limit.per) {
            (LimitUnit::Concurrent, per) => per.is_none(),
            (LimitUnit::Requests | LimitUnit::Tokens, per) => {
                matches!(per, Some(Window::Second | Window::Minute | Window::Hour | Window::Day))
            }
        };
        self.that(is_span, format!("{path}.per"), "second, minute, hour or day; absent for `concurrent`");
        let model = limit.model.as_deref();
        self.that(
            model.is_none_or(is_model),
            format!("{path}.model"),
            "a model's name or a pattern with `*`",
        );
    }

    fn budgets(&mut self, policy: &Policy) {
        self.that(policy.budgets.len() <= BUDGETS_MAX, "policy.budgets", "at most 16");
        let mut names = BTreeSet::new();
        for (at, budget) in policy.budgets.iter().enumerate() {
            let path = format!("policy.budgets[{at}]");
            let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
            let has_form = (1..=64).contains(&budget.name.len()) && budget.name.bytes().all(is_word);
            self.that(has_form, format!("{path}.name"), "1 to 64 of a-z, 0-9, `-` and `_`");
            self.that(names.insert(&budget.name), format!("{path}.name"), "comes twice");
            let is_window = !matches!(budget.per, Window::Second | Window::Minute);
            self.that(is_window, format!("{path}.per"), "hour, day, week, month or total");
            let zone = check_zone(&budget.time_zone).map_err(|error| error.to_string());
            if let Err(message) = zone {
                self.that(false, format!("{path}.time_zone"), &message);
            }
            let model = budget.model.as_deref();
            self.that(model.is_none_or(is_model), format!("{path}.model"), "a model's name or a pattern");
            let alerts = &budget.alerts;
            let are_percents = alerts.len() <= 10 && alerts.iter().all(|at| (1..=100).contains(at));
            self.that(are_percents, format!("{path}.alerts"), "at most 10 percentages from 1 to 100");
        }
    }
}

fn is_line(text: &str, chars_max: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= chars_max && !text.chars().any(char::is_control)
}

fn is_model(name: &str) -> bool {
    (1..=MODEL_NAME_BYTES_MAX).contains(&name.len())
        && !name.chars().any(|c| c.is_control() || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn faults(policy: serde_json::Value) -> Vec<String> {
        let mut checks = Checks::default();
        checks.policy(&serde_json::from_value(policy).unwrap());
        checks.0.into_iter().map(|fault| fault.path).collect()
    }

    #[test]
    fn every_wrong_value_of_a_policy_is_told_by_its_path() {
        let policy = json!({
            "models": ["ok", "not ok"], "endpoints": ["chat"], "ips": ["10.0.0.0/99"],
            "limits": [
                {"unit": "requests", "amount": 1}, {"unit": "concurrent", "per": "day", "amount": 1},
                {"unit": "tokens", "per": "month", "amount": 1}
            ],
            "budgets": [
                {"name": "A", "usd": "1", "per": "minute", "time_zone": "Europe/Atlantis", "alerts": [0]},
                {"name": "b", "usd": "1", "per": "day"}, {"name": "b", "tokens": 1, "per": "day"}
            ]
        });
        assert_eq!(
            faults(policy),
            [
                "policy.models[1]",
                "policy.endpoints[0]",
                "policy.ips[0]",
                "policy.limits[0].per",
                "policy.limits[1].per",
                "policy.limits[2].per",
                "policy.budgets[0].name",
                "policy.budgets[0].per",
                "policy.budgets[0].time_zone",
                "policy.budgets[0].alerts",
                "policy.budgets[2].name"
            ]
        );
    }

    #[test]
    fn lists_are_bounded() {
        let long: Vec<String> = (0..=LIST_MAX).map(|n| format!("m{n}")).collect();
        assert_eq!(faults(json!({"models": long[1..]})), Vec::<String>::new());
        assert_eq!(faults(json!({"models": long})), ["policy.models"]);
    }
}
