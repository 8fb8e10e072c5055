//! Hands alerts of budgets on: to the metrics, and to who listens.

use crate::limits::Alert;
use crate::runtime::Edge;
use crate::telemetry::Event;
use pingora_core::server::ShutdownWatch;
use serde_json::{Value, json};

/// As webhooks are told.
pub const KIND: &str = "budget.alert";

/// Runs until the process ends.
pub async fn tell(edge: &Edge, mut shutdown: ShutdownWatch) {
    // It outlives configurations.
    let till = edge.runtime().limits.till().clone();
    loop {
        let (alerts, dropped) = tokio::select! {
            taken = till.alerts.next() => taken,
            _ = shutdown.changed() => return,
        };
        edge.metrics.budget_alerts.inc_by(alerts.len() as u64 + dropped);
        if dropped > 0 {
            log::error!("{dropped} alerts of budgets were dropped: too many at once");
        }
        for alert in alerts {
            edge.events.push(Event { kind: KIND, at_ms: edge.wall.unix_ms(), subject: subject(&alert) });
        }
    }
}

/// Amounts as a client reads them: dollars as a decimal text, tokens as a number.
fn subject(alert: &Alert) -> Value {
    let unit = alert.account.rsplit('/').nth(1).unwrap_or_default();
    let amount = |number: u64| match unit {
        "usd" => Value::from(crate::types::Money::from_pico(number).to_string()),
        _ => Value::from(number),
    };
    json!({
        "budget": alert.account,
        "level": alert.level.as_str(),
        "window": alert.window,
        "percent": alert.percent,
        "unit": unit,
        "spent": amount(alert.spent),
        "amount": amount(alert.amount),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Level;

    #[test]
    fn amounts_are_told_in_the_units_of_their_budget() {
        let alert = |account: &str| Alert {
            account: account.to_owned(),
            level: Level::Team,
            window: 1_700_000_000,
            percent: 90,
            spent: 900_000_000_000,
            amount: 1_000_000_000_000,
        };
        let money = subject(&alert("team/team_1/b/usd/day"));
        assert_eq!(
            (&money["spent"], &money["amount"], &money["unit"]),
            (&json!("0.9"), &json!("1"), &json!("usd"))
        );
        let tokens = subject(&alert("team/team_1/b/tokens/day"));
        assert_eq!((&tokens["spent"], &tokens["level"]), (&json!(900_000_000_000_u64), &json!("team")));
    }
}
