//! Questions about usage, and how they are answered from roll-ups.
//!
//! Pure. Invariant: a span is read from the coarsest roll-ups that have it exactly (`cover`), so that no
//! answer costs more for a longer span than its days.

use super::cover::{Since, Stretch, ceil, cover, floor};
use super::{ROWS_MAX, StoreError};
use crate::types::{Money, Usage};

/// What usage can be told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    Tenant,
    Team,
    App,
    Key,
    /// As the client asked for it; empty for a call that reached no provider. Beyond
    /// [`MODELS_PER_KEY_MAX`] names of one key: `(other)`.
    Model,
    Provider,
}

/// Names of models kept apart for one key: clients choose them, where a model of the configuration
/// is a pattern.
pub const MODELS_PER_KEY_MAX: i64 = 1000;

/// A length of time that usage is summed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bucket {
    Minute,
    Hour,
    /// From midnight to midnight, UTC.
    Day,
}

/// Sums of calls: for each bucket of time, where one is named, and each combination of `group_by`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageQuery {
    /// Milliseconds since 1970, UTC; rounded down to what is kept.
    pub from_ms: u64,
    /// Not included; rounded up.
    pub to_ms: u64,
    pub bucket: Option<Bucket>,
    pub group_by: Vec<Dimension>,
    /// All must hold; of several of one dimension, one.
    pub filters: Vec<(Dimension, String)>,
    /// [`UsagePage::next`] of the page before.
    pub after: Option<String>,
    /// 1 to [`ROWS_MAX`].
    pub limit: u32,
}

/// One page of an answer, ordered by time, then by the groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsagePage {
    /// What the sums are of, after rounding.
    pub from_ms: u64,
    pub to_ms: u64,
    pub rows: Vec<UsageRow>,
    /// To ask for the next page with; None after the last.
    pub next: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// When the bucket begins; None where the query named none.
    pub from_ms: Option<u64>,
    /// In the order of `group_by`; empty for calls that have none, as of static keys.
    pub group: Vec<String>,
    pub sums: Sums,
}

/// What calls come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub calls: u64,
    /// Refused by the gateway.
    pub rejected: u64,
    /// Broken upstream or on the wire.
    pub failed: u64,
    /// Left by the client.
    pub aborted: u64,
    /// Calls that used tokens and have no price.
    pub unpriced: u64,
    /// Calls whose tokens were counted here.
    pub estimated: u64,
    pub usage: Usage,
    /// Of what is priced.
    pub cost: Money,
    /// Charged on top of it, by plans.
    pub margin: Money,
    pub duration_ms: u64,
}

/// How long the ledger is kept. Sums by day are kept for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    pub calls_ms: u64,
    pub minutes_ms: u64,
    pub hours_ms: u64,
}

/// What one step of pruning took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub calls: u64,
    pub sums: u64,
    /// Accounts of the bank and idempotency keys that are over.
    pub others: u64,
    /// Whether there may be more.
    pub has_more: bool,
}

/// What dimensions a level of the roll-ups tells apart, the coarsest first. A question is answered
/// from the first level that has all it asks for.
pub(super) const LEVELS: [&[Dimension]; 6] = [
    &[],
    &[Dimension::Tenant],
    &[Dimension::Model, Dimension::Provider],
    &[Dimension::Tenant, Dimension::Model, Dimension::Provider],
    &[Dimension::Tenant, Dimension::Team, Dimension::App],
    &Dimension::ALL,
];

/// The level that tells everything apart.
pub(super) const LEVEL_WHOLE: i64 = 5;

// === impl Sums ===

impl Sums {
    /// What callers were charged: the cost, and the margins on top.
    pub fn charged(&self) -> Money {
        self.cost.saturating_add(self.margin)
    }
}

// === impl Dimension ===

impl Dimension {
    pub const ALL: [Dimension; 6] = [
        Dimension::Tenant,
        Dimension::Team,
        Dimension::App,
        Dimension::Key,
        Dimension::Model,
        Dimension::Provider,
    ];

    /// As in the store's columns and in URLs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Dimension::Tenant => "tenant",
            Dimension::Team => "team",
            Dimension::App => "app",
            Dimension::Key => "key",
            Dimension::Model => "model",
            Dimension::Provider => "provider",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dimension| dimension.as_str() == text)
    }
}

// === impl Bucket ===

impl Bucket {
    pub(super) const ALL: [Bucket; 3] = [Bucket::Minute, Bucket::Hour, Bucket::Day];

    pub const fn as_str(self) -> &'static str {
        match self {
            Bucket::Minute => "minute",
            Bucket::Hour => "hour",
            Bucket::Day => "day",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bucket| bucket.as_str() == text)
    }

    pub const fn ms(self) -> u64 {
        match self {
            Bucket::Minute => 60_000,
            Bucket::Hour => 3_600_000,
            Bucket::Day => 86_400_000,
        }
    }

    /// Buckets one question may span: what finer ones are asked for makes the answer long.
    const fn span_max(self) -> u64 {
        match self {
            Bucket::Minute => 24 * 60,
            Bucket::Hour => 31 * 24,
            Bucket::Day => 5 * 366,
        }
    }

    pub(super) const fn table(self) -> &'static str {
        match self {
            Bucket::Minute => "usage_minute",
            Bucket::Hour => "usage_hour",
            Bucket::Day => "usage_day",
        }
    }
}

// === impl UsageQuery ===

impl UsageQuery {
    /// # Errors
    /// What makes the question one that is not answered.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.limit == 0 || self.limit > ROWS_MAX {
            return Err(StoreError::TooMuch("rows in one page"));
        }
        if self.from_ms >= self.to_ms || self.to_ms > i64::MAX.unsigned_abs() / 2 {
            return Err(StoreError::Malformed("the span of time is empty"));
        }
        let mut seen = self.group_by.clone();
        seen.sort_unstable();
        seen.dedup();
        if seen.len() != self.group_by.len() {
            return Err(StoreError::Malformed("a group is named twice"));
        }
        if self.filters.len() > 100 {
            return Err(StoreError::TooMuch("filters"));
        }
        let Some(bucket) = self.bucket else { return Ok(()) };
        if (self.to_ms - self.from_ms) / bucket.ms() > bucket.span_max() {
            return Err(StoreError::TooMuch("buckets of time"));
        }
        Ok(())
    }

    /// The coarsest level that has every dimension named.
    pub(super) fn level(&self) -> i64 {
        let mut named = self.group_by.iter().chain(self.filters.iter().map(|(dimension, _)| dimension));
        let named: Vec<Dimension> = named.by_ref().copied().collect();
        let found = LEVELS.iter().position(|level| named.iter().all(|d| level.contains(d)));
        found.and_then(|at| i64::try_from(at).ok()).unwrap_or(LEVEL_WHOLE)
    }

    /// From when to when the sums are: rounded outwards to what is kept.
    pub(super) fn span(&self, since: Since) -> (u64, u64) {
        let finest = |at: u64| self.bucket.unwrap_or_else(|| since.finest(at));
        (floor(self.from_ms, finest(self.from_ms)), ceil(self.to_ms, finest(self.to_ms)))
    }

    /// Where the answer is.
    pub(super) fn stretches(&self, since: Since) -> Vec<Stretch> {
        let (from, to) = self.span(since);
        match self.bucket {
            Some(bucket) => {
                let (from, to) = (from / bucket.ms(), to / bucket.ms());
                vec![Stretch { bucket, from, to, is_less: false }]
            }
            None => cover(from, to, since),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;
    const DAY: u64 = 24 * HOUR;

    fn over(from_ms: u64, to_ms: u64) -> UsageQuery {
        UsageQuery { from_ms, to_ms, limit: 10, ..UsageQuery::default() }
    }

    #[test]
    fn where_minutes_are_gone_the_span_is_rounded_to_what_is_kept() {
        let asked = over(DAY + HOUR + 1, 9 * DAY + 61_000);
        let span = |minutes, hours| asked.span(Since { minutes, hours });
        assert_eq!(span(8 * DAY, 0), (DAY + HOUR, 9 * DAY + 120_000));
        assert_eq!(span(8 * DAY, 7 * DAY), (DAY, 9 * DAY + 120_000));
        assert_eq!(span(10 * DAY, 10 * DAY), (DAY, 10 * DAY));
        let hours = UsageQuery { bucket: Some(Bucket::Hour), ..asked.clone() };
        assert_eq!(hours.span(Since::default()), (DAY + HOUR, 9 * DAY + HOUR));
    }

    #[test]
    fn the_coarsest_level_that_has_all_that_is_named_answers() {
        let ask = |group_by: &[Dimension], filter: Option<Dimension>| {
            let filters = filter.map(|d| (d, "x".to_owned())).into_iter().collect();
            UsageQuery { group_by: group_by.to_vec(), filters, ..over(0, DAY) }.level()
        };
        assert_eq!(ask(&[], None), 0);
        assert_eq!(ask(&[Dimension::Tenant], None), 1);
        assert_eq!(ask(&[Dimension::Model], None), 2);
        assert_eq!(ask(&[Dimension::Model], Some(Dimension::Tenant)), 3);
        assert_eq!(ask(&[Dimension::App], Some(Dimension::Team)), 4);
        assert_eq!(ask(&[Dimension::Team], Some(Dimension::Model)), LEVEL_WHOLE);
        assert_eq!(ask(&[Dimension::Key], None), LEVEL_WHOLE);
    }

    #[test]
    fn a_question_with_too_long_an_answer_is_refused() {
        let ask = |bucket, to_ms| UsageQuery { bucket: Some(bucket), ..over(0, to_ms) }.check().is_ok();
        assert!(ask(Bucket::Minute, DAY) && !ask(Bucket::Minute, DAY + 120_000));
        assert!(ask(Bucket::Hour, 31 * DAY) && !ask(Bucket::Hour, 32 * DAY));
        assert!(over(5, 5).check().is_err() && over(5, 4).check().is_err());
        assert!(UsageQuery { limit: ROWS_MAX + 1, ..over(0, 1) }.check().is_err());
        let twice = vec![Dimension::Key, Dimension::Key];
        assert!(UsageQuery { group_by: twice, ..over(0, 1) }.check().is_err());
    }
}
