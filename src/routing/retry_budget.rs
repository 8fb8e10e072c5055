//! How many calls may be tried again: a share of a model's traffic, so that an outage is not met with
//! several times the load.
//!
//! Counts of the last ten seconds, without a lock: threads that ask at the same moment may together
//! take one more each than there is.

use super::failure_window::FailureWindow;
use crate::types::Ticks;

/// Retries of a model in ten seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryRules {
    /// Percent of the requests.
    pub percent: u8,
    /// So many are always allowed: a share of next to nothing is nothing.
    pub min: u32,
}

impl Default for RetryRules {
    fn default() -> Self {
        Self { percent: 20, min: 30 }
    }
}

/// What was called and what was called once more.
#[derive(Debug, Default)]
pub struct RetryBudget(FailureWindow);

impl RetryBudget {
    pub fn note_request(&self, now: Ticks) {
        self.0.record(false, now);
    }

    /// Takes one retry, if there is one left.
    pub fn take(&self, rules: RetryRules, now: Ticks) -> bool {
        let counts = self.0.counts(now);
        let requests = counts.calls.saturating_sub(counts.failures);
        let most = (requests * u64::from(rules.percent) / 100).max(u64::from(rules.min));
        let has_one = counts.failures < most;
        if has_one {
            self.0.record(true, now);
        }
        has_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64) -> Ticks {
        Ticks::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn of_much_traffic_a_fifth_is_tried_again_and_of_little_the_least() {
        let budget = RetryBudget::default();
        let rules = RetryRules { percent: 20, min: 3 };
        assert_eq!((0..10).filter(|_| budget.take(rules, at(0))).count(), 3);
        let busy = RetryBudget::default();
        let mut retries = 0;
        for call in 0..1000 {
            let now = at(100 + call / 100);
            busy.note_request(now);
            retries += u32::from(busy.take(rules, now));
        }
        assert_eq!(retries, 200);
    }

    #[test]
    fn what_was_taken_comes_back_after_ten_seconds() {
        let budget = RetryBudget::default();
        let rules = RetryRules { percent: 0, min: 2 };
        assert!(budget.take(rules, at(0)) && budget.take(rules, at(5)));
        assert!(!budget.take(rules, at(9)));
        assert!(budget.take(rules, at(10)));
        assert!(!budget.take(RetryRules { percent: 0, min: 0 }, at(60)), "none at all");
    }
}
