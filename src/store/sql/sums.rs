//! The columns of a roll-up.

use super::super::Db;
use crate::govern::{Call, Outcome};
use crate::store::{StoreError, Sums};
use crate::types::{Money, Usage};
use sqlx::{Database, Row};

/// As in the tables `usage_*`, after `bucket` and `dim`.
pub(super) const COLUMNS: [&str; 21] = [
    "calls",
    "rejected",
    "failed",
    "aborted",
    "unpriced",
    "estimated",
    "input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "audio_input",
    "image_input",
    "output",
    "reasoning",
    "audio_output",
    "image_output",
    "cost_usd",
    "cost_pico",
    "duration_ms",
    "margin_usd",
    "margin_pico",
];

/// Pico dollars in one dollar. Sums of money are kept in two columns, as 64 signed bits of pico
/// dollars end at nine million dollars.
const USD: i64 = 1_000_000_000_000;

/// Values of [`COLUMNS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Added(pub [i64; 21]);

impl Added {
    pub fn of(call: &Call) -> Self {
        let is = |outcome| i64::from(call.outcome == outcome);
        let usage = &call.usage;
        let is_unpriced = call.cost.is_none() && usage.total() > 0;
        let pico = call.cost.unwrap_or_default().pico();
        let margin = call.margin.pico();
        Self([
            1,
            is(Outcome::Rejected),
            is(Outcome::Failed),
            is(Outcome::Aborted),
            i64::from(is_unpriced),
            i64::from(usage.is_estimated),
            signed(usage.input),
            signed(usage.cache_read),
            signed(usage.cache_write_5m),
            signed(usage.cache_write_1h),
            signed(usage.audio_input),
            signed(usage.image_input),
            signed(usage.output),
            signed(usage.reasoning),
            signed(usage.audio_output),
            signed(usage.image_output),
            signed(pico / USD.unsigned_abs()),
            signed(pico % USD.unsigned_abs()),
            i64::from(call.duration_ms),
            signed(margin / USD.unsigned_abs()),
            signed(margin % USD.unsigned_abs()),
        ])
    }

    pub fn add(&mut self, other: &Self) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum = sum.saturating_add(more);
        }
    }

    /// Moves whole dollars out of the pico dollars.
    pub fn carried(mut self) -> Self {
        let [.., usd, pico, _, margin_usd, margin_pico] = &mut self.0;
        for (usd, pico) in [(usd, pico), (margin_usd, margin_pico)] {
            *usd = usd.saturating_add(*pico / USD);
            *pico %= USD;
        }
        self
    }
}

/// `SET` of an upsert into `table`.
pub(super) fn adding(table: &str) -> String {
    let add = |name: &&str| match *name {
        "cost_usd" => carrying(table, "cost"),
        "margin_usd" => carrying(table, "margin"),
        "cost_pico" | "margin_pico" => format!("{name} = ({table}.{name} + excluded.{name}) % {USD}"),
        name => format!("{name} = {table}.{name} + excluded.{name}"),
    };
    COLUMNS.iter().map(add).collect::<Vec<_>>().join(", ")
}

/// Whole dollars, with those that the pico dollars come to.
fn carrying(table: &str, sum: &str) -> String {
    format!(
        "{sum}_usd = {table}.{sum}_usd + excluded.{sum}_usd + ({table}.{sum}_pico + excluded.{sum}_pico) / {USD}"
    )
}

/// A row that has the sums in columns of these names.
pub(super) fn sums(row: &<Db as Database>::Row) -> Result<Sums, StoreError> {
    let get = |name: &str| -> Result<u64, StoreError> {
        let number: i64 = row.try_get(name)?;
        Ok(u64::try_from(number).unwrap_or(0))
    };
    let estimated = get("estimated")?;
    Ok(Sums {
        calls: get("calls")?,
        rejected: get("rejected")?,
        failed: get("failed")?,
        aborted: get("aborted")?,
        unpriced: get("unpriced")?,
        estimated,
        usage: Usage {
            input: get("input")?,
            cache_read: get("cache_read")?,
            cache_write_5m: get("cache_write_5m")?,
            cache_write_1h: get("cache_write_1h")?,
            audio_input: get("audio_input")?,
            image_input: get("image_input")?,
            output: get("output")?,
            reasoning: get("reasoning")?,
            audio_output: get("audio_output")?,
            image_output: get("image_output")?,
            is_estimated: estimated > 0,
            ..Usage::default()
        },
        cost: money(row.try_get("cost_usd")?, row.try_get("cost_pico")?),
        margin: money(row.try_get("margin_usd")?, row.try_get("margin_pico")?),
        duration_ms: get("duration_ms")?,
    })
}

/// Where sums were taken off others, one of the two may have more taken off than it had.
fn money(usd: i64, pico: i64) -> Money {
    let pico = i128::from(usd) * i128::from(USD) + i128::from(pico);
    u64::try_from(pico.max(0)).map_or(Money::MAX, Money::from_pico)
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_of_two_columns_is_one_amount_whatever_was_taken_off_which() {
        assert_eq!(money(3, -1), Money::from_pico(2_999_999_999_999));
        assert_eq!(money(0, 5), Money::from_pico(5));
        assert_eq!((money(0, -5), money(i64::MAX, 0)), (Money::from_pico(0), Money::MAX));
    }
}
