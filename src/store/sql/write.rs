//! One write of a commit. Whoever calls holds the row that orders commits, so what is looked up here
//! stays true until the commit's end.

use super::super::{Connection, Db};
use super::objects::{COLUMNS, object};
use super::sums::signed;
use crate::govern::ids::ID_BYTES_MAX;
use crate::govern::{Kind, Object};
use crate::store::{Commit, NAME_BYTES_MAX, StoreError, Write};
use sqlx::QueryBuilder;

/// What can be told without the store.
pub(super) fn check(commit: &Commit) -> Result<(), StoreError> {
    for write in &commit.writes {
        let (id, name) = match write {
            Write::Create(object) | Write::Update { object, .. } => (&object.id, object.name.as_str()),
            Write::Delete { id, .. } => (id, "-"),
            Write::Unchanged { .. } => continue,
        };
        if id.len() > ID_BYTES_MAX || name.len() > NAME_BYTES_MAX {
            return Err(StoreError::TooMuch("bytes in an id or name"));
        }
        if id.is_empty() || name.is_empty() {
            return Err(StoreError::Malformed("an id or name is empty"));
        }
        let mut texts = vec![id.as_str(), name];
        if let Write::Create(object) = write {
            texts.extend(object.parent.as_deref());
            texts.extend(object.tenant.as_deref());
        }
        no_zero(texts)?;
    }
    no_zero(commit.audit.iter().filter_map(|entry| entry.tenant.as_deref()))?;
    no_zero(commit.idempotency.iter().map(|made| made.key.as_str()))
}

/// PostgreSQL takes no zero bytes in texts, and nobody needs them. (In JSON they are escaped.)
fn no_zero<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<(), StoreError> {
    let has = texts.into_iter().any(|text| text.contains('\0'));
    if has { Err(StoreError::Malformed("a zero byte")) } else { Ok(()) }
}

/// The object as it is now; None where it is deleted.
pub(super) async fn write(
    connection: &mut Connection,
    write: Write,
    change: i64,
    at_ms: u64,
) -> Result<Option<Object>, StoreError> {
    match write {
        Write::Create(object) => create(connection, object, change, at_ms).await.map(Some),
        Write::Update { object, expected } => {
            update(connection, object, expected, change, at_ms).await.map(Some)
        }
        Write::Delete { kind, id, expected } => {
            delete(connection, kind, &id, expected, change).await.map(|()| None)
        }
        Write::Unchanged { kind, versions } => unchanged(connection, kind, &versions).await.map(|()| None),
    }
}

async fn unchanged(
    connection: &mut Connection,
    kind: Kind,
    versions: &[(String, u64)],
) -> Result<(), StoreError> {
    let there: Vec<(String, i64)> =
        sqlx::query_as("SELECT id, version FROM objects WHERE kind = $1 ORDER BY id")
            .bind(kind.as_str())
            .fetch_all(connection)
            .await?;
    let expected = versions.iter().map(|(id, version)| (id.as_str(), signed(*version)));
    if there.iter().map(|(id, version)| (id.as_str(), *version)).eq(expected) {
        return Ok(());
    }
    Err(StoreError::Moved { kind: kind.as_str() })
}

async fn create(
    connection: &mut Connection,
    asked: Object,
    change: i64,
    at_ms: u64,
) -> Result<Object, StoreError> {
    let tenant = if asked.kind == Kind::Tenant { Some(asked.id.clone()) } else { asked.tenant.clone() };
    let made = Object { tenant, version: 1, created_ms: at_ms, updated_ms: at_ms, ..asked };
    check_parent(connection, &made).await?;
    let mut insert = QueryBuilder::<Db>::new("INSERT INTO objects (");
    insert.push(COLUMNS).push(") VALUES (");
    let mut values = insert.separated(", ");
    values.push_bind(made.kind.as_str()).push_bind(made.id.clone()).push_bind(made.tenant.clone());
    values.push_bind(made.parent.clone().unwrap_or_default()).push_bind(made.name.clone());
    values.push_bind(signed(made.version)).push_bind(signed(at_ms)).push_bind(signed(at_ms));
    values.push_bind(made.body.to_string()).push_bind(change);
    insert.push(") ON CONFLICT DO NOTHING");
    if insert.build().execute(&mut *connection).await?.rows_affected() == 0 {
        return Err(StoreError::Exists { kind: made.kind.as_str(), name: made.name });
    }
    let forget = sqlx::query("DELETE FROM tombstones WHERE kind = $1 AND id = $2");
    forget.bind(made.kind.as_str()).bind(made.id.clone()).execute(connection).await?;
    Ok(made)
}

/// What it lies in is there, of the right kind, and of its own tenant: another tenant's is not there.
async fn check_parent(connection: &mut Connection, made: &Object) -> Result<(), StoreError> {
    let (kind, parent) = match (made.kind.parent(), &made.parent) {
        (Some(kind), Some(parent)) => (kind, parent),
        (None, None) => return Ok(()),
        // Tenants lie in nothing.
        (None, Some(_)) => return Err(StoreError::Malformed("it lies in nothing")),
        (Some(Kind::Tenant), None) if made.kind != Kind::Team => return Ok(()),
        (Some(kind), None) => return Err(StoreError::Missing { kind: kind.as_str() }),
    };
    if made.kind == Kind::Subscription && find(connection, Kind::Plan, &made.name).await?.is_none() {
        return Err(StoreError::Missing { kind: Kind::Plan.as_str() });
    }
    let found = find(connection, kind, parent).await?;
    match found {
        Some(found) if found.tenant == made.tenant => Ok(()),
        _ => Err(StoreError::Missing { kind: kind.as_str() }),
    }
}

async fn update(
    connection: &mut Connection,
    asked: Object,
    expected: Option<u64>,
    change: i64,
    at_ms: u64,
) -> Result<Object, StoreError> {
    let kind = asked.kind.as_str();
    let found = expect(connection, asked.kind, &asked.id, expected).await?;
    let made =
        Object { name: asked.name, body: asked.body, version: found.version + 1, updated_ms: at_ms, ..found };
    let taken =
        sqlx::query("SELECT 1 FROM objects WHERE kind = $1 AND parent = $2 AND name = $3 AND id <> $4");
    let parent = made.parent.clone().unwrap_or_default();
    let taken = taken.bind(kind).bind(parent).bind(made.name.clone()).bind(made.id.clone());
    if taken.fetch_optional(&mut *connection).await?.is_some() {
        return Err(StoreError::Exists { kind, name: made.name });
    }
    let sql = "UPDATE objects SET name = $1, body = $2, version = $3, updated_ms = $4, change = $5 \
        WHERE kind = $6 AND id = $7";
    sqlx::query(sql)
        .bind(made.name.clone())
        .bind(made.body.to_string())
        .bind(signed(made.version))
        .bind(signed(at_ms))
        .bind(change)
        .bind(kind)
        .bind(made.id.clone())
        .execute(connection)
        .await?;
    Ok(made)
}

async fn delete(
    connection: &mut Connection,
    kind: Kind,
    id: &str,
    expected: Option<u64>,
    change: i64,
) -> Result<(), StoreError> {
    expect(connection, kind, id, expected).await?;
    let inside = Kind::ALL.into_iter().filter(|inner| inner.parent() == Some(kind));
    let mut query = QueryBuilder::<Db>::new("SELECT 1 FROM objects WHERE parent = ");
    query.push_bind(id.to_owned()).push(" AND kind IN ('-'");
    for inner in inside {
        query.push(", ").push_bind(inner.as_str());
    }
    query.push(") LIMIT 1");
    if query.build().fetch_optional(&mut *connection).await?.is_some() {
        return Err(StoreError::NotEmpty { kind: kind.as_str() });
    }
    if kind == Kind::Plan {
        no_subscriptions(connection, id).await?;
    }
    let gone = sqlx::query("DELETE FROM objects WHERE kind = $1 AND id = $2");
    gone.bind(kind.as_str()).bind(id.to_owned()).execute(&mut *connection).await?;
    let note = sqlx::query("INSERT INTO tombstones (kind, id, change) VALUES ($1, $2, $3)");
    note.bind(kind.as_str()).bind(id.to_owned()).bind(change).execute(connection).await?;
    Ok(())
}

/// A subscription lies in its app, and is named after its plan.
async fn no_subscriptions(connection: &mut Connection, plan: &str) -> Result<(), StoreError> {
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM objects WHERE kind = $1 AND name = $2");
    let count: i64 =
        count.bind(Kind::Subscription.as_str()).bind(plan.to_owned()).fetch_one(connection).await?;
    match u64::try_from(count) {
        Ok(0) => Ok(()),
        count => Err(StoreError::Subscribed { count: count.unwrap_or(0) }),
    }
}

/// The object, if it is there in the version expected.
async fn expect(
    connection: &mut Connection,
    kind: Kind,
    id: &str,
    expected: Option<u64>,
) -> Result<Object, StoreError> {
    let found = find(connection, kind, id).await?.ok_or(StoreError::Missing { kind: kind.as_str() })?;
    match expected {
        Some(expected) if expected != found.version => {
            Err(StoreError::Conflict { expected, actual: found.version })
        }
        _ => Ok(found),
    }
}

async fn find(connection: &mut Connection, kind: Kind, id: &str) -> Result<Option<Object>, StoreError> {
    let mut query = QueryBuilder::<Db>::new("SELECT ");
    query.push(COLUMNS).push(" FROM objects WHERE kind = ").push_bind(kind.as_str());
    query.push(" AND id = ").push_bind(id.to_owned());
    query.build().fetch_optional(connection).await?.as_ref().map(object).transpose()
}
