//! One commit: its writes, its audit entries and its answer, or nothing.

use super::super::{Connection, tell_others};
use super::{Inner, audit, write};
use crate::store::{Commit, Committed, IDEMPOTENCY_MS, Idempotency, StoreError, WRITES_MAX};
use sqlx::Row;

pub(super) async fn commit(inner: &Inner, commit: Commit) -> Result<Committed, StoreError> {
    if commit.writes.len() > WRITES_MAX || commit.audit.len() > WRITES_MAX {
        return Err(StoreError::TooMuch("writes in one commit"));
    }
    write::check(&commit)?;
    let mut transaction = inner.begin().await?;
    // Every commit takes this row first and holds it to its end.
    let take = "UPDATE numbers SET value = value + $1 WHERE name = 'change' RETURNING value";
    let count = i64::try_from(commit.writes.len()).unwrap_or(i64::MAX);
    let sequence: i64 = sqlx::query_scalar(take).bind(count).fetch_one(&mut *transaction).await?;
    if let Some(idempotency) = &commit.idempotency
        && let Some(answer) = replay(&mut transaction, idempotency, commit.at_ms).await?
    {
        transaction.rollback().await?;
        return Ok(Committed::Replayed { answer });
    }
    let mut objects = Vec::new();
    for (change, one) in (sequence - count + 1..).zip(commit.writes) {
        objects.extend(write::write(&mut transaction, one, change, commit.at_ms).await?);
    }
    audit::append(&mut transaction, &commit.audit).await?;
    if let Some(idempotency) = commit.idempotency {
        remember(&mut transaction, idempotency, commit.at_ms).await?;
    }
    if count > 0 {
        tell_others(&mut transaction, sequence).await?;
    }
    transaction.commit().await?;
    Ok(Committed::Done { objects, sequence: u64::try_from(sequence).unwrap_or(0) })
}

/// What was answered to the same request before.
async fn replay(
    connection: &mut Connection,
    asked: &Idempotency,
    now_ms: u64,
) -> Result<Option<(u16, Vec<u8>)>, StoreError> {
    let since = i64::try_from(now_ms.saturating_sub(IDEMPOTENCY_MS)).unwrap_or(i64::MAX);
    let known =
        sqlx::query("SELECT fingerprint, status, answer FROM idempotency WHERE key = $1 AND at_ms > $2");
    let Some(row) = known.bind(asked.key.clone()).bind(since).fetch_optional(connection).await? else {
        return Ok(None);
    };
    let fingerprint: Vec<u8> = row.try_get("fingerprint")?;
    if fingerprint != asked.fingerprint {
        return Err(StoreError::KeyReused);
    }
    let status: i64 = row.try_get("status")?;
    Ok(Some((u16::try_from(status).unwrap_or(500), row.try_get("answer")?)))
}

async fn remember(connection: &mut Connection, made: Idempotency, at_ms: u64) -> Result<(), StoreError> {
    // One that is over stands there until it is pruned.
    let sql = "INSERT INTO idempotency (key, fingerprint, status, answer, at_ms) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, status = excluded.status, \
        answer = excluded.answer, at_ms = excluded.at_ms";
    let (status, answer) = made.answer;
    sqlx::query(sql)
        .bind(made.key)
        .bind(made.fingerprint.to_vec())
        .bind(i64::from(status))
        .bind(answer)
        .bind(i64::try_from(at_ms).unwrap_or(i64::MAX))
        .execute(connection)
        .await?;
    Ok(())
}
