//! What is left of a caller's limits at a moment: the truth behind the `x-ratelimit-*` headers.

use super::guards::Guards;
use super::limits::Chain;
use super::till::{Cap, Till};
use crate::govern::LimitUnit;
use crate::types::Ticks;
use std::fmt;
use std::time::Duration;

/// What is left of one limit of requests or tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    pub limit: u64,
    /// What would be let in now.
    pub remaining: u64,
    /// Until `remaining` is `limit` again, if nobody calls.
    pub reset: Duration,
}

/// What is left of the tightest limits of a chain; `None` where no limit is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateSnapshot {
    pub requests: Option<Allowance>,
    pub tokens: Option<Allowance>,
}

/// Of all limits that hold for `model` (before it is known: for every model) the ones with the least
/// left, in proportion; where two have the same, the smaller one, then the one whose time is longest.
pub(super) fn of(chain: &Chain, till: &Till, model: Option<&str>, now: Ticks) -> RateSnapshot {
    let mut told = RateSnapshot::default();
    if chain.is_empty() {
        return told;
    }
    let mut guards = Guards::lock(chain);
    for (_, scope, inner) in guards.iter_mut() {
        for rule in &scope.rules {
            let is_meant = match model {
                Some(model) => rule.is_for(model),
                None => rule.is_for_all(),
            };
            let tightest = match rule.unit {
                LimitUnit::Requests => &mut told.requests,
                LimitUnit::Tokens => &mut told.tokens,
                LimitUnit::Concurrent => continue,
            };
            let Some(gauge) = inner.gauge(rule.gauge).filter(|_| is_meant) else { continue };
            let used = gauge.used(now);
            let cap = match gauge.cap(till, rule.amount, now, true) {
                Cap::Amount(cap) => cap,
                Cap::Cold => rule.amount,
                Cap::Closed => 0,
            };
            let allowance = Allowance {
                limit: rule.amount,
                remaining: cap.saturating_sub(used),
                reset: gauge.until_empty(now),
            };
            if tightest.is_none_or(|other| allowance.is_tighter(&other)) {
                *tightest = Some(allowance);
            }
        }
    }
    told
}

impl Allowance {
    fn is_tighter(&self, other: &Self) -> bool {
        let (own, others) = (
            u128::from(self.remaining) * u128::from(other.limit),
            u128::from(other.remaining) * u128::from(self.limit),
        );
        let tie = own == others && self.remaining <= other.remaining;
        own < others || (tie && (self.remaining < other.remaining || self.reset > other.reset))
    }
}

/// Prints a duration as `x-ratelimit-reset-*` has it: `6m0s`, `8.64s`, `120ms`, `0s`. Rounded up
/// to the millisecond, so that a client that waits so long is not early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoDuration(pub Duration);

impl GoDuration {
    /// What is printed.
    pub fn text(self) -> Text {
        let millis = u64::try_from(self.0.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        let mut text = Text::default();
        if millis < 1000 {
            text.number(millis);
            text.push(if millis == 0 { b"s" } else { b"ms" });
            return text;
        }
        let (minutes, seconds, fraction) = (millis / 60_000, millis / 1000 % 60, millis % 1000);
        if minutes >= 60 {
            text.number(minutes / 60);
            text.push(b"h");
        }
        if minutes > 0 {
            text.number(minutes % 60);
            text.push(b"m");
        }
        text.number(seconds);
        text.fraction(fraction);
        text.push(b"s");
        text
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

/// A short text put together without the machinery of printing: two of these are in every answer.
#[derive(Default)]
pub struct Text {
    bytes: [u8; 32],
    used: usize,
}

impl Text {
    fn push(&mut self, more: &[u8]) {
        for (place, byte) in self.bytes.iter_mut().skip(self.used).zip(more) {
            *place = *byte;
        }
        self.used = (self.used + more.len()).min(self.bytes.len());
    }

    fn number(&mut self, value: u64) {
        let mut place = 1u64;
        while value / place >= 10 {
            place *= 10;
        }
        while place > 0 {
            self.push(&[b'0' + (value / place % 10) as u8]);
            place /= 10;
        }
    }

    /// Thousandths after a point, without zeros at their end.
    fn fraction(&mut self, thousandths: u64) {
        if thousandths == 0 {
            return;
        }
        self.push(b".");
        let mut rest = thousandths;
        let mut place = 100;
        while rest > 0 {
            self.push(&[b'0' + (rest / place) as u8]);
            rest %= place;
            place /= 10;
        }
    }

    pub fn as_str(&self) -> &str {
        self.bytes.get(..self.used).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_go_prints_them() {
        let cases = [
            (0, "0s"),
            (1, "1ms"),
            (999, "999ms"),
            (1000, "1s"),
            (8640, "8.64s"),
            (59_001, "59.001s"),
            (60_000, "1m0s"),
            (360_000, "6m0s"),
            (3_600_500, "1h0m0.5s"),
            (1_010, "1.01s"),
            (100_000_000_000, "27777h46m40s"),
        ];
        for (millis, text) in cases {
            assert_eq!(GoDuration(Duration::from_millis(millis)).to_string(), text);
        }
    }

    #[test]
    fn a_part_of_a_millisecond_is_rounded_up() {
        assert_eq!(GoDuration(Duration::from_nanos(1)).to_string(), "1ms");
    }
}
