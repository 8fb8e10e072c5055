//! Whether one policy allows no more than another: what somebody may set who works under it.

use super::policy::{Budget, BudgetUnit, Limit, OnExhausted, OnUnpriced, Policy};

impl Policy {
    /// Whether everything this policy allows, `outer` allows too. When in doubt no: two patterns are
    /// compared as texts, and a limit counts as kept only by one of the same unit, span and model.
    pub fn is_within(&self, outer: &Policy) -> bool {
        list_within(self.models.as_deref(), outer.models.as_deref(), glob_within)
            && list_within(self.endpoints.as_deref(), outer.endpoints.as_deref(), |a, b| a == b)
            && list_within(self.ips.as_deref(), outer.ips.as_deref(), |a, b| a == b)
            && self.priority.unwrap_or_default() >= outer.priority.unwrap_or_default()
            && outer.limits.iter().all(|held| self.limits.iter().any(|own| limit_within(own, held)))
            && outer.budgets.iter().all(|held| self.budgets.iter().any(|own| budget_within(own, held)))
    }
}

fn list_within(own: Option<&[String]>, outer: Option<&[String]>, fits: impl Fn(&str, &str) -> bool) -> bool {
    match (own, outer) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(own), Some(outer)) => own.iter().all(|name| outer.iter().any(|held| fits(name, held))),
    }
}

/// Of patterns with one star at the end, exactly; of others, the same text only.
fn glob_within(own: &str, outer: &str) -> bool {
    if own == outer {
        return true;
    }
    match outer.strip_suffix('*') {
        Some(prefix) if !prefix.contains('*') => own.starts_with(prefix),
        _ => false,
    }
}

fn limit_within(own: &Limit, held: &Limit) -> bool {
    (own.unit, own.per, &own.model) == (held.unit, held.per, &held.model) && own.amount <= held.amount
}

fn budget_within(own: &Budget, held: &Budget) -> bool {
    let is_less = match (own.unit, held.unit) {
        (BudgetUnit::Usd(own), BudgetUnit::Usd(held)) => own <= held,
        (BudgetUnit::Tokens(own), BudgetUnit::Tokens(held)) => own <= held,
        (BudgetUnit::Usd(_), BudgetUnit::Tokens(_)) | (BudgetUnit::Tokens(_), BudgetUnit::Usd(_)) => false,
    };
    let ends_alike = own.on_exhausted == held.on_exhausted || own.on_exhausted == OnExhausted::Reject;
    let prices_alike = own.on_unpriced == held.on_unpriced || own.on_unpriced == OnUnpriced::Refuse;
    // The name too: what was spent is kept under it, and a new name would begin at nothing.
    (&own.name, own.per, &own.time_zone, &own.model) == (&held.name, held.per, &held.time_zone, &held.model)
        && is_less
        && ends_alike
        && prices_alike
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn within(own: serde_json::Value, outer: serde_json::Value) -> bool {
        let read = |value| serde_json::from_value::<Policy>(value).unwrap();
        read(own).is_within(&read(outer))
    }

    #[test]
    fn every_policy_is_within_itself_and_within_none() {
        let full = json!({
            "models": ["a*"], "endpoints": ["messages"], "ips": ["10.0.0.0/8"],
            "limits": [{"unit": "tokens", "per": "day", "amount": 9}],
            "budgets": [{"name": "b", "usd": "1", "per": "day"}]
        });
        assert!(within(full.clone(), full.clone()));
        assert!(within(full.clone(), json!({})));
        assert!(!within(json!({}), full));
    }

    #[test]
    fn whatever_is_dropped_raised_or_renamed_is_outside() {
        let budget = json!({"budgets": [{"name": "b", "usd": "1", "per": "day"}]});
        for outside in [
            json!({"budgets": [{"name": "b", "usd": "1.01", "per": "day"}]}),
            json!({"budgets": [{"name": "c", "usd": "1", "per": "day"}]}),
            json!({"budgets": [{"name": "b", "tokens": 1, "per": "day"}]}),
            json!({"budgets": [{"name": "b", "usd": "1", "per": "day", "time_zone": "Europe/Berlin"}]}),
            json!({"budgets": [{"name": "b", "usd": "1", "per": "day", "on_exhausted": "downgrade:x"}]}),
            json!({"budgets": [{"name": "b", "usd": "1", "per": "day", "on_unpriced": "settle_bound"}]}),
        ] {
            assert!(!within(outside.clone(), budget.clone()), "{outside}");
        }
        assert!(!within(json!({"priority": "high"}), json!({})), "nobody gives more than the usual");
        assert!(!within(json!({}), json!({"priority": "low"})));
        assert!(within(json!({"priority": "low"}), json!({"priority": "normal"})));
        assert!(!within(json!({"models": ["gpt-*"]}), json!({"models": ["gpt-5*"]})));
        assert!(!within(json!({"models": ["gpt-5"]}), json!({"models": ["*-mini"]})));
        assert!(within(json!({"models": ["gpt-5-mini", "gpt-5*"]}), json!({"models": ["gpt-*"]})));
        assert!(within(json!({"models": []}), json!({"models": ["gpt-*"]})));
    }
}
