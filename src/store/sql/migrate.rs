//! Brings the schema up to date, in one transaction: all steps or none.

use super::super::{BEGIN, Connection, Db, MIGRATIONS, VERSIONS, lock_schema};
use crate::store::StoreError;
use crate::store::schema::{self, Applied, Migration};
use sqlx::Pool;

pub(super) async fn migrate(pool: &Pool<Db>) -> Result<(), StoreError> {
    let mut transaction = pool.begin_with(BEGIN).await?;
    lock_schema(&mut transaction).await?;
    sqlx::query(VERSIONS).execute(&mut *transaction).await?;
    let applied: Vec<Applied> =
        sqlx::query_as("SELECT version, checksum FROM schema_versions ORDER BY version")
            .fetch_all(&mut *transaction)
            .await?;
    for step in schema::pending(MIGRATIONS, &applied)? {
        take(&mut transaction, step).await?;
        log::info!("the store has step {} of its schema now", step.name);
    }
    transaction.commit().await?;
    Ok(())
}

/// A step that fails for its text, and not for a store that went away, will fail again.
async fn take(transaction: &mut Connection, step: &Migration) -> Result<(), StoreError> {
    let done = sqlx::raw_sql(step.sql).execute(&mut *transaction).await;
    done.map_err(|error| match StoreError::from(error) {
        StoreError::Unusable(what) => StoreError::Unusable(format!("step {} failed: {what}", step.name)),
        other => other,
    })?;
    sqlx::query("INSERT INTO schema_versions (version, name, checksum) VALUES ($1, $2, $3)")
        .bind(step.version)
        .bind(step.name)
        .bind(step.checksum())
        .execute(&mut *transaction)
        .await?;
    Ok(())
}
