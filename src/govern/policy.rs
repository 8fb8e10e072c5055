//! What a tenant, team, app, key or plan may do and use.

use crate::types::{Money, Priority};
use serde::{Deserialize, Serialize};

/// Rules of one level. Every level's rules hold: a call passes all of them or none. An absent list
/// of models, endpoints or addresses allows all of what the level above allows; an empty one nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Names or patterns with `*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Labels of endpoints, as in metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Vec<String>>,
    /// Addresses of clients, `10.0.0.0/8` or a single one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ips: Option<Vec<String>>,
    /// The highest that calls may have, and that of those that ask for none; `normal` where no level
    /// says. Inner levels may say a lower one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^(high|normal|low)$")]
    pub priority: Option<Priority>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<BudgetForm>)]
    pub budgets: Vec<Budget>,
}

/// At most `amount` of `unit` in any `per`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    pub unit: LimitUnit,
    /// Sliding; absent for [`LimitUnit::Concurrent`], which knows no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<Window>,
    pub amount: u64,
    /// For calls of these models only: a name or a pattern with `*`. One limit for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitUnit {
    Requests,
    Tokens,
    /// Calls at once, each until its stream has ended.
    Concurrent,
}

/// The span a limit or budget is for. Limits slide and know second to day; budgets are aligned to
/// the calendar and know hour to total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    Second,
    Minute,
    Hour,
    Day,
    /// Monday to Sunday.
    Week,
    Month,
    Total,
}

/// At most so much money, or so many tokens, in each calendar `per`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BudgetForm", into = "BudgetForm")]
pub struct Budget {
    /// Names it within its level, in answers and in the store: 1 to 64 of `a-z 0-9 - _`.
    pub name: String,
    pub unit: BudgetUnit,
    pub per: Window,
    /// IANA name of the time zone the calendar is read in.
    pub time_zone: String,
    /// For calls of these models only.
    pub model: Option<String>,
    /// Percent of the amount at which an alert is raised, once a window each.
    pub alerts: Vec<u8>,
    pub on_exhausted: OnExhausted,
    pub on_unpriced: OnUnpriced,
}

/// A budget as it is written: exactly one of `usd` and `tokens`.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Budget)]
struct BudgetForm {
    #[schema(pattern = "^[a-z0-9_-]{1,64}$")]
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^[0-9]{1,7}([.][0-9]{1,12})?$")]
    usd: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokens: Option<u64>,
    per: Window,
    #[serde(default = "utc", skip_serializing_if = "is_utc")]
    time_zone: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    alerts: Vec<u8>,
    #[serde(default)]
    #[schema(value_type = String, pattern = "^(reject|downgrade:.+)$")]
    on_exhausted: OnExhausted,
    #[serde(default)]
    on_unpriced: OnUnpriced,
}

/// What is counted, and how much of it there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetUnit {
    Usd(Money),
    Tokens(u64),
}

/// What becomes of a call when the money is spent: `"reject"` or `"downgrade:MODEL"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum OnExhausted {
    #[default]
    Reject,
    /// Served by this model instead.
    Downgrade(String),
}

/// What becomes of a call whose price is not known, under a budget in money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnUnpriced {
    #[default]
    Refuse,
    /// Charged what was reserved: the largest listed price per token, for its tokens.
    SettleBound,
}

/// Whether something may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    #[default]
    Active,
    Blocked,
}

/// A budget names both units, or none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a budget has either `usd` or `tokens`")]
pub struct BudgetError;

/// The text names no such thing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be \"reject\" or \"downgrade:MODEL\"")]
pub struct OnExhaustedError;

fn utc() -> String {
    "UTC".to_owned()
}

fn is_utc(zone: &String) -> bool {
    zone == "UTC"
}

// === impl Budget ===

impl TryFrom<BudgetForm> for Budget {
    type Error = BudgetError;

    fn try_from(form: BudgetForm) -> Result<Self, BudgetError> {
        let unit = match (form.usd, form.tokens) {
            (Some(money), None) => BudgetUnit::Usd(money),
            (None, Some(tokens)) => BudgetUnit::Tokens(tokens),
            _ => return Err(BudgetError),
        };
        Ok(Self {
            name: form.name,
            unit,
            per: form.per,
            time_zone: form.time_zone,
            model: form.model,
            alerts: form.alerts,
            on_exhausted: form.on_exhausted,
            on_unpriced: form.on_unpriced,
        })
    }
}

impl From<Budget> for BudgetForm {
    fn from(budget: Budget) -> Self {
        let (usd, tokens) = match budget.unit {
            BudgetUnit::Usd(money) => (Some(money), None),
            BudgetUnit::Tokens(tokens) => (None, Some(tokens)),
        };
        Self {
            name: budget.name,
            usd,
            tokens,
            per: budget.per,
            time_zone: budget.time_zone,
            model: budget.model,
            alerts: budget.alerts,
            on_exhausted: budget.on_exhausted,
            on_unpriced: budget.on_unpriced,
        }
    }
}

// === impl OnExhausted ===

impl TryFrom<String> for OnExhausted {
    type Error = OnExhaustedError;

    fn try_from(text: String) -> Result<Self, OnExhaustedError> {
        match text.split_once(':') {
            None if text == "reject" => Ok(Self::Reject),
            Some(("downgrade", model)) if !model.is_empty() => Ok(Self::Downgrade(model.to_owned())),
            _ => Err(OnExhaustedError),
        }
    }
}

impl From<OnExhausted> for String {
    fn from(on: OnExhausted) -> String {
        match on {
            OnExhausted::Reject => "reject".to_owned(),
            OnExhausted::Downgrade(model) => format!("downgrade:{model}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_policy_is_written_as_people_write_it() {
        let text = json!({
            "models": ["gpt-5*"],
            "limits": [
                {"unit": "tokens", "per": "minute", "amount": 200_000, "model": "gpt-5*"},
                {"unit": "concurrent", "amount": 50}
            ],
            "budgets": [{
                "name": "monthly", "usd": "25.5", "per": "month", "time_zone": "Europe/Berlin",
                "alerts": [50, 90], "on_exhausted": "downgrade:gpt-5-mini", "on_unpriced": "refuse"
            }]
        });
        let policy: Policy = serde_json::from_value(text.clone()).unwrap();
        assert_eq!(policy.budgets[0].unit, BudgetUnit::Usd(Money::parse("25.50").unwrap()));
        assert_eq!(policy.budgets[0].on_exhausted, OnExhausted::Downgrade("gpt-5-mini".to_owned()));
        assert_eq!(serde_json::to_value(&policy).unwrap(), text);
    }

    #[test]
    fn an_unknown_word_is_refused_not_dropped() {
        let mistakes = [
            json!({"model": ["x"]}),
            json!({"limits": [{"unit": "token", "amount": 1}]}),
            json!({"limits": [{"unit": "tokens", "amount": 1, "burst": 2}]}),
            json!({"budgets": [{"name": "b", "usd": 0.1, "per": "day"}]}),
            json!({"budgets": [{"name": "b", "usd": "1", "tokens": 1, "per": "day"}]}),
            json!({"budgets": [{"name": "b", "per": "day"}]}),
            json!({"budgets": [{"name": "b", "usd": "1", "per": "day", "on_exhausted": "downgrade:"}]}),
        ];
        for mistake in mistakes {
            assert!(serde_json::from_value::<Policy>(mistake.clone()).is_err(), "{mistake}");
        }
    }
}
