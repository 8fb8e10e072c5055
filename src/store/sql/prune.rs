//! Forgetting, in small steps: each holds the writer for a moment only.

use super::super::Db;
use super::Inner;
use super::sums::signed;
use crate::store::usage::Bucket;
use crate::store::{IDEMPOTENCY_MS, Pruned, Retention, StoreError};
use sqlx::{Pool, QueryBuilder, Row};

/// Rows of one table in one step at most.
const STEP: i64 = 5_000;

pub(super) async fn step(inner: &Inner, retention: Retention, now_ms: u64) -> Result<Pruned, StoreError> {
    let pool = &inner.writes;
    let calls = calls(pool, now_ms.saturating_sub(retention.calls_ms)).await?;
    // Whole hours of minutes and whole days of hours: what is left begins where coarser sums do.
    let minutes = cut(now_ms, retention.minutes_ms, Bucket::Hour);
    let minutes = sums(pool, Bucket::Minute, minutes).await?;
    let hours = cut(now_ms, retention.hours_ms, Bucket::Day);
    let hours = sums(pool, Bucket::Hour, hours).await?;
    let keys = keys(pool, now_ms).await?;
    let accounts = accounts(inner, now_ms / 1000).await?;
    let is_full = |count: u64| count >= STEP.unsigned_abs();
    Ok(Pruned {
        calls,
        sums: minutes + hours,
        others: keys + accounts,
        has_more: [calls, minutes, hours, keys, accounts].into_iter().any(is_full),
    })
}

fn cut(now_ms: u64, kept_ms: u64, whole: Bucket) -> u64 {
    let at = now_ms.saturating_sub(kept_ms);
    at - at % whole.ms()
}

async fn calls(pool: &Pool<Db>, before_ms: u64) -> Result<u64, StoreError> {
    let delete = sqlx::query(
        "DELETE FROM calls WHERE (at_ms, id) IN \
        (SELECT at_ms, id FROM calls WHERE at_ms < $1 ORDER BY at_ms, id LIMIT $2)",
    );
    Ok(delete.bind(signed(before_ms)).bind(STEP).execute(pool).await?.rows_affected())
}

async fn sums(pool: &Pool<Db>, bucket: Bucket, before_ms: u64) -> Result<u64, StoreError> {
    let table = bucket.table();
    let mut delete = QueryBuilder::<Db>::new("DELETE FROM ");
    delete.push(table).push(" WHERE (bucket, dim) IN (SELECT bucket, dim FROM ").push(table);
    delete.push(" WHERE bucket < ").push_bind(signed(before_ms / bucket.ms()));
    delete.push(" ORDER BY bucket, dim LIMIT ").push_bind(STEP).push(")");
    Ok(delete.build().execute(pool).await?.rows_affected())
}

async fn keys(pool: &Pool<Db>, now_ms: u64) -> Result<u64, StoreError> {
    let delete = sqlx::query(
        "DELETE FROM idempotency WHERE key IN (SELECT key FROM idempotency WHERE at_ms <= $1 LIMIT $2)",
    );
    let before = signed(now_ms.saturating_sub(IDEMPOTENCY_MS));
    Ok(delete.bind(before).bind(STEP).execute(pool).await?.rows_affected())
}

/// The account's row first, which whoever lends holds too: a lease never goes while its account stays.
async fn accounts(inner: &Inner, now: u64) -> Result<u64, StoreError> {
    let mut transaction = inner.begin().await?;
    let over = sqlx::query(
        "DELETE FROM bank_accounts WHERE (budget, opens) IN (SELECT budget, opens FROM bank_accounts \
        WHERE expires < $1 ORDER BY expires, budget, opens LIMIT $2) AND expires < $1 RETURNING budget, opens",
    );
    let over = over.bind(signed(now)).bind(STEP).fetch_all(&mut *transaction).await?;
    for row in &over {
        let (budget, opens): (String, i64) = (row.try_get("budget")?, row.try_get("opens")?);
        let leases = sqlx::query("DELETE FROM bank_leases WHERE budget = $1 AND opens = $2");
        leases.bind(budget).bind(opens).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(over.len() as u64)
}
