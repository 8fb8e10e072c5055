//! The refusal of a limit or a budget.

use super::Level;
use super::scope::word;
use crate::govern::{LimitUnit, OnExhausted, Window};
use crate::types::{Money, Reason, Reject};
use std::time::Duration;

/// Which limit refused. Nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {level} limit of {limit} {unit} is reached", level = .level.as_str(), unit = words(*.unit, *.per))]
pub struct Exceeded {
    pub level: Level,
    pub unit: LimitUnit,
    pub per: Option<Window>,
    pub limit: u64,
    /// How long until the same call fits, if nobody else calls; `None` when it never will, because
    /// it alone is larger than the limit. For concurrency, which no clock frees, a guess.
    pub retry_after: Option<Duration>,
}

/// Which budget has not enough left. Nothing was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhausted {
    pub level: Level,
    /// The budget's name in its level.
    pub name: Box<str>,
    pub is_money: bool,
    /// Pico dollars or tokens.
    pub amount: u64,
    /// What the call would need first.
    pub needed: u64,
    /// Until the window ends; None for a total.
    pub resets_in: Option<Duration>,
    pub on_exhausted: OnExhausted,
}

/// Why a call is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    Limit(Exceeded),
    Budget(Box<Exhausted>),
    /// A budget in money is for it, and its price is not known.
    Unpriced(Level),
    /// What this node may use of it is not known yet: to be asked again when the till has answers.
    Waiting,
    /// What is shared with other nodes cannot be reached, and without it nothing is let in.
    Unavailable(Level),
}

impl From<Exceeded> for Reject {
    fn from(exceeded: Exceeded) -> Self {
        let reason = match exceeded.unit {
            LimitUnit::Requests => Reason::RateLimited,
            LimitUnit::Tokens => Reason::TokenLimited,
            LimitUnit::Concurrent => Reason::ConcurrencyLimited,
        };
        let (limit, what) = (exceeded.limit, words(exceeded.unit, exceeded.per));
        let level = exceeded.level.as_str();
        match exceeded.retry_after {
            Some(span) => Reject::new(reason, format!("this {level}'s limit of {limit} {what} is reached"))
                .with_retry_after(span),
            None => Reject::new(
                reason,
                format!("this request alone is larger than this {level}'s limit of {limit} {what}"),
            ),
        }
    }
}

impl From<Exhausted> for Reject {
    /// 429, as OpenAI answers a spent quota, and with the field that its and Anthropic's SDKs heed:
    /// asking again soon is of no use.
    fn from(exhausted: Exhausted) -> Self {
        let Exhausted { level, name, .. } = &exhausted;
        let amount = |number: u64| match exhausted.is_money {
            true => format!("{} US dollars", Money::from_pico(number)),
            false => format!("{number} tokens"),
        };
        let budget = format!("this {}'s budget `{name}` of {}", level.as_str(), amount(exhausted.amount));
        let message = if exhausted.needed > exhausted.amount {
            format!("this request alone may cost more than {budget}")
        } else {
            format!("{budget} is spent, or what is left of it is too little for this request")
        };
        let reject = Reject::new(Reason::BudgetExceeded, message).with_field("x-should-retry", "false");
        match exhausted.resets_in {
            Some(span) => reject.with_retry_after(span),
            None => reject,
        }
    }
}

impl From<Refusal> for Reject {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Limit(exceeded) => exceeded.into(),
            Refusal::Budget(exhausted) => (*exhausted).into(),
            Refusal::Unpriced(level) => Reject::new(
                Reason::Unpriced,
                format!(
                    "this {}'s budget is in money, and the price of this call is not known",
                    level.as_str()
                ),
            )
            .with_param("model"),
            Refusal::Waiting | Refusal::Unavailable(_) => Reject::new(
                Reason::SharingUnavailable,
                "limits and budgets shared with other nodes cannot be reached",
            )
            .with_retry_after(Duration::from_secs(1)),
        }
    }
}

/// What is limited, in a client's words.
fn words(unit: LimitUnit, per: Option<Window>) -> String {
    match (unit, per) {
        (LimitUnit::Requests, Some(per)) => format!("requests per {}", word(per)),
        (LimitUnit::Tokens, Some(per)) => format!("tokens per {}", word(per)),
        (LimitUnit::Requests, None) => "requests".to_owned(),
        (LimitUnit::Tokens, None) => "tokens".to_owned(),
        (LimitUnit::Concurrent, _) => "concurrent requests".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_its_level_its_limit_and_when_to_come_back() {
        let span = Duration::from_secs(7);
        let (unit, per) = (LimitUnit::Tokens, Some(Window::Minute));
        let exceeded = Exceeded { level: Level::Team, unit, per, limit: 100, retry_after: Some(span) };
        let reject = Reject::from(exceeded);
        assert_eq!(
            (reject.status, reject.reason, reject.retry_after),
            (429, Reason::TokenLimited, Some(span))
        );
        assert_eq!(reject.message, "this team's limit of 100 tokens per minute is reached");
        let reject = Reject::from(Exceeded { retry_after: None, ..exceeded });
        assert_eq!(reject.retry_after, None);
        assert!(reject.message.contains("alone"));
    }

    #[test]
    fn a_spent_budget_says_whose_it_is_and_that_retrying_soon_is_of_no_use() {
        let exhausted = Exhausted {
            level: Level::App,
            name: "monthly".into(),
            is_money: true,
            amount: 25_500_000_000_000,
            needed: 1,
            resets_in: Some(Duration::from_secs(86_400)),
            on_exhausted: OnExhausted::Reject,
        };
        let reject = Reject::from(exhausted.clone());
        assert_eq!((reject.status, reject.reason), (429, Reason::BudgetExceeded));
        assert!(reject.message.contains("this app's budget `monthly` of 25.5 US dollars"), "{reject:?}");
        assert_eq!(reject.field, Some(("x-should-retry", "false")));
        assert_eq!(reject.retry_after, Some(Duration::from_secs(86_400)));
        let alone = Exhausted { needed: u64::MAX, resets_in: None, ..exhausted };
        let reject = Reject::from(alone);
        assert!(reject.message.contains("alone") && reject.retry_after.is_none());
    }
}
