//! How one request is to be answered: from its `x-sim-*` headers, over the scenario's behaviour.

use std::sync::Arc;
use std::time::Duration;

use super::capacity::Capacity;
use super::faults::Faults;

/// Longest wait a request can ask for.
const DELAY_MS_MAX: u64 = 3_600_000;

/// Wishes of one request. Default: answer at once and well.
#[derive(Clone, Debug, Default)]
pub struct Directives {
    pub faults: Faults,
    /// Words to answer; `None`: as many as the request's limit says.
    pub tokens: Option<usize>,
    pub delay_first: Option<Duration>,
    pub delay_token: Option<Duration>,
    pub retry_after: Option<String>,
    pub is_stamped: bool,
    /// Whether it refuses what the vendor refuses (`strict`).
    pub is_strict: bool,
    /// Whether credentials of clouds are checked (`auth`).
    pub checks_auth: bool,
    /// What it has to get a part of first.
    pub capacity: Option<Arc<Capacity>>,
}

impl Directives {
    /// Takes one header in, if it is one of ours. `name` in any case.
    pub fn take_header(&mut self, name: &str, value: &[u8]) -> Result<(), String> {
        let text = std::str::from_utf8(value).map_err(|_| format!("{name} is not text"))?.trim();
        let number = || text.parse::<u64>().map_err(|_| format!("{name} is not a number"));
        match name.to_ascii_lowercase().as_str() {
            "x-sim-fault" => self.faults = text.parse()?,
            "x-sim-tokens" => self.tokens = Some(usize::try_from(number()?).unwrap_or(usize::MAX)),
            "x-sim-delay-first-ms" => self.delay_first = Some(millis(number()?)),
            "x-sim-delay-token-ms" => self.delay_token = Some(millis(number()?)),
            "x-sim-retry-after" => self.retry_after = Some(text.to_owned()),
            "x-sim-stamp" => self.is_stamped = text != "0",
            "x-sim-strict" => self.is_strict = text != "0",
            "x-sim-auth" => self.checks_auth = text != "0",
            _ => return Err(format!("{name} is not known")),
        }
        Ok(())
    }

    /// Fills what the request left open from `scenario`.
    pub fn or(self, scenario: Directives) -> Directives {
        Directives {
            faults: if self.faults.is_empty() { scenario.faults } else { self.faults },
            tokens: self.tokens.or(scenario.tokens),
            delay_first: self.delay_first.or(scenario.delay_first),
            delay_token: self.delay_token.or(scenario.delay_token),
            retry_after: self.retry_after.or(scenario.retry_after),
            is_stamped: self.is_stamped || scenario.is_stamped,
            is_strict: self.is_strict || scenario.is_strict,
            checks_auth: self.checks_auth || scenario.checks_auth,
            capacity: scenario.capacity,
        }
    }
}

/// A wait, bounded.
pub fn millis(number: u64) -> Duration {
    Duration::from_millis(number.min(DELAY_MS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_win_over_the_scenario_field_by_field() {
        let mut header = Directives::default();
        header.take_header("X-Sim-Tokens", b"5").unwrap();
        header.take_header("x-sim-fault", b"hold").unwrap();
        let scenario = Directives {
            tokens: Some(9),
            delay_first: Some(millis(30)),
            faults: "empty".parse().unwrap(),
            ..Directives::default()
        };
        let both = header.or(scenario);
        assert_eq!((both.tokens, both.delay_first), (Some(5), Some(millis(30))));
        assert_eq!(both.faults, "hold".parse().unwrap());
    }

    #[test]
    fn an_unknown_or_unreadable_wish_is_told() {
        let mut header = Directives::default();
        assert!(header.take_header("x-sim-tokens", b"many").is_err());
        assert!(header.take_header("x-sim-colour", b"red").is_err());
        assert!(header.take_header("x-sim-fault", b"explode").is_err());
    }
}
