//! What has changed since a number.

use super::super::Db;
use super::objects::{COLUMNS, number, object};
use super::sums::signed;
use crate::govern::Kind;
use crate::store::{CHANGES_MAX, Changes, StoreError};
use sqlx::{Pool, QueryBuilder, Row};

/// The number of the newest change.
pub(super) async fn newest(pool: &Pool<Db>) -> Result<u64, StoreError> {
    let newest: i64 =
        sqlx::query_scalar("SELECT value FROM numbers WHERE name = 'change'").fetch_one(pool).await?;
    Ok(u64::try_from(newest).unwrap_or(0))
}

/// One page. The end is read first: what is committed while the page is read is of the next one, which
/// the number of each change decides.
pub(super) async fn since(pool: &Pool<Db>, since: u64) -> Result<Changes, StoreError> {
    let end = newest(pool).await?;
    let is_restart = since == 0 || since > end;
    let from = if is_restart { 0 } else { signed(since) };
    let limit = i64::from(CHANGES_MAX);
    let mut query = QueryBuilder::<Db>::new("SELECT ");
    query.push(COLUMNS).push(" FROM objects WHERE change > ").push_bind(from);
    query.push(" AND change <= ").push_bind(signed(end));
    query.push(" ORDER BY change LIMIT ").push_bind(limit);
    let changed = query.build().fetch_all(pool).await?;
    let gone = sqlx::query(
        "SELECT kind, id, change FROM tombstones WHERE change > $1 AND change <= $2 ORDER BY change LIMIT $3",
    );
    let gone = gone.bind(from).bind(signed(end)).bind(limit).fetch_all(pool).await?;
    // A full list ends the page at its last number: the other one may know less or more beyond it.
    let mut upto = end;
    for list in [&changed, &gone] {
        if list.len() >= CHANGES_MAX as usize
            && let Some(last) = list.last()
        {
            upto = upto.min(number(last, "change")?);
        }
    }
    let mut changes = Changes { is_restart, sequence: upto, has_more: upto < end, ..Changes::default() };
    for row in &changed {
        if number(row, "change")? <= upto {
            changes.objects.push(object(row)?);
        }
    }
    for row in &gone {
        let kind: String = row.try_get("kind")?;
        if number(row, "change")? <= upto
            && let Some(kind) = Kind::parse(&kind)
        {
            changes.deleted.push((kind, row.try_get("id")?));
        }
    }
    Ok(changes)
}
