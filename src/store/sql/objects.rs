//! Reading objects.

use super::super::Db;
use crate::govern::{Kind, Object};
use crate::store::{ListQuery, StoreError};
use sqlx::{Database, Pool, QueryBuilder, Row};

pub(super) const COLUMNS: &str =
    "kind, id, tenant, parent, name, version, created_ms, updated_ms, body, change";

pub(super) async fn get(pool: &Pool<Db>, kind: Kind, id: &str) -> Result<Option<Object>, StoreError> {
    if id.contains('\0') {
        return Ok(None);
    }
    let mut query = QueryBuilder::<Db>::new("SELECT ");
    query.push(COLUMNS).push(" FROM objects WHERE kind = ").push_bind(kind.as_str());
    query.push(" AND id = ").push_bind(id.to_owned());
    let found = query.build().fetch_optional(pool).await?;
    found.as_ref().map(object).transpose()
}

pub(super) async fn list(pool: &Pool<Db>, asked: &ListQuery) -> Result<Vec<Object>, StoreError> {
    let texts = [&asked.tenant, &asked.parent, &asked.name, &asked.after];
    // PostgreSQL takes no zero bytes; nothing that is kept has one.
    if texts.iter().any(|text| text.as_ref().is_some_and(|text| text.contains('\0'))) {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::<Db>::new("SELECT ");
    query.push(COLUMNS).push(" FROM objects WHERE 1 = 1");
    if let Some(kind) = asked.kind {
        query.push(" AND kind = ").push_bind(kind.as_str());
    }
    for (column, value) in [("tenant", &asked.tenant), ("parent", &asked.parent), ("name", &asked.name)] {
        if let Some(value) = value {
            query.push(" AND ").push(column).push(" = ").push_bind(value.clone());
        }
    }
    if let Some(after) = &asked.after {
        query.push(" AND id > ").push_bind(after.clone());
    }
    query.push(" ORDER BY id, kind LIMIT ").push_bind(i64::from(asked.limit));
    let rows = query.build().fetch_all(pool).await?;
    rows.iter().map(object).collect()
}

/// A row of [`COLUMNS`].
pub(super) fn object(row: &<Db as Database>::Row) -> Result<Object, StoreError> {
    let kind: String = row.try_get("kind")?;
    let damaged = |what: &str| StoreError::Unusable(format!("an object has no readable {what}"));
    let parent: String = row.try_get("parent")?;
    let body: String = row.try_get("body")?;
    Ok(Object {
        kind: Kind::parse(&kind).ok_or_else(|| damaged("kind"))?,
        id: row.try_get("id")?,
        tenant: row.try_get("tenant")?,
        parent: (!parent.is_empty()).then_some(parent),
        name: row.try_get("name")?,
        version: number(row, "version")?,
        created_ms: number(row, "created_ms")?,
        updated_ms: number(row, "updated_ms")?,
        body: serde_json::from_str(&body).map_err(|_| damaged("body"))?,
    })
}

/// A number that is never negative; what is, was not written here.
pub(super) fn number(row: &<Db as Database>::Row, column: &str) -> Result<u64, StoreError> {
    let number: i64 = row.try_get(column)?;
    u64::try_from(number).map_err(|_| StoreError::Unusable(format!("{column} is negative")))
}
