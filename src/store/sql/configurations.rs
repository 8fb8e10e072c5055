//! The history of configurations.

use super::super::Db;
use super::Inner;
use super::objects::number;
use crate::govern::{Cause, Configuration, Kept};
use crate::store::{CONFIGURATIONS_MAX, StoreError};
use sqlx::{Pool, Row};

pub(super) async fn keep(inner: &Inner, configuration: &Configuration) -> Result<u64, StoreError> {
    let content = serde_json::to_string(configuration)
        .map_err(|_| StoreError::Malformed("a configuration that is no JSON"))?;
    let digest = configuration.digest();
    let mut transaction = inner.begin().await?;
    // Nodes that keep the same change stand in line here, and the second finds it kept.
    let take = "UPDATE numbers SET value = value + 1 WHERE name = 'configuration' RETURNING value";
    let next: i64 = sqlx::query_scalar(take).fetch_one(&mut *transaction).await?;
    let newest: Option<(i64, String)> =
        sqlx::query_as("SELECT number, digest FROM configurations ORDER BY number DESC LIMIT 1")
            .fetch_optional(&mut *transaction)
            .await?;
    if let Some((newest, known)) = newest
        && known == digest
    {
        transaction.rollback().await?;
        return Ok(unsigned(newest));
    }
    let insert =
        "INSERT INTO configurations (number, at_ms, cause, digest, content) VALUES ($1, $2, $3, $4, $5)";
    sqlx::query(insert)
        .bind(next)
        .bind(i64::try_from(configuration.at_ms).unwrap_or(i64::MAX))
        .bind(configuration.cause.as_str())
        .bind(digest)
        .bind(content)
        .execute(&mut *transaction)
        .await?;
    let kept = i64::try_from(CONFIGURATIONS_MAX).unwrap_or(i64::MAX);
    let forget = sqlx::query("DELETE FROM configurations WHERE number <= $1");
    forget.bind(next - kept).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(unsigned(next))
}

pub(super) async fn list(pool: &Pool<Db>) -> Result<Vec<Kept>, StoreError> {
    let rows =
        sqlx::query("SELECT number, at_ms, cause, digest FROM configurations ORDER BY number DESC LIMIT $1");
    let limit = i64::try_from(CONFIGURATIONS_MAX).unwrap_or(i64::MAX);
    let rows = rows.bind(limit).fetch_all(pool).await?;
    let kept = |row| {
        let cause: String = Row::try_get(row, "cause")?;
        Ok(Kept {
            number: number(row, "number")?,
            at_ms: number(row, "at_ms")?,
            cause: Cause::parse(&cause).ok_or_else(damaged)?,
            digest: row.try_get("digest")?,
        })
    };
    rows.iter().map(kept).collect()
}

pub(super) async fn get(pool: &Pool<Db>, number: u64) -> Result<Option<Configuration>, StoreError> {
    let content: Option<String> = sqlx::query_scalar("SELECT content FROM configurations WHERE number = $1")
        .bind(i64::try_from(number).unwrap_or(i64::MAX))
        .fetch_optional(pool)
        .await?;
    content.map(|content| serde_json::from_str(&content).map_err(|_| damaged())).transpose()
}

fn damaged() -> StoreError {
    StoreError::Unusable("a configuration of the history cannot be read".to_owned())
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
