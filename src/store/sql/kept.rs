//! What clients left here, in SQL.

use super::super::{Connection, Db};
use super::Inner;
use super::sums::signed;
use crate::store::{KEPT_LINKS_MAX, KeptBounds, KeptChange, KeptEntry, StoreError};
use sqlx::{Pool, Row};
use std::collections::BTreeSet;

/// What an entry costs beside its body: its row, ids and indexes.
const ENTRY_BYTES: usize = 512;
/// Entries that one step of making room hides.
const STEP: i64 = 100;
/// Steps of one write at most; the next write goes on.
const STEPS_MAX: usize = 50;
/// More than any owner has.
const ALL: i64 = 1 << 40;

pub(super) async fn keep(
    inner: &Inner,
    changes: Vec<KeptChange>,
    bounds: KeptBounds,
    now_ms: u64,
) -> Result<(), StoreError> {
    let mut transaction = inner.begin().await?;
    let mut owners = BTreeSet::new();
    for change in &changes {
        match change {
            KeptChange::Put(entry) => {
                put(&mut transaction, entry, now_ms).await?;
                owners.insert(entry.owner.as_str());
            }
            KeptChange::Hide { owner, id } => {
                let hide = sqlx::query("UPDATE kept_entries SET is_hidden = 1 WHERE id = $1 AND owner = $2");
                hide.bind(id).bind(owner).execute(&mut *transaction).await?;
            }
        }
    }
    let over = sqlx::query("UPDATE kept_entries SET is_hidden = 1 WHERE is_hidden = 0 AND ends_ms <= $1");
    over.bind(signed(now_ms)).execute(&mut *transaction).await?;
    for owner in owners {
        let most = signed(bounds.entries_max);
        let hide = sqlx::query(
            "UPDATE kept_entries SET is_hidden = 1 WHERE id IN (SELECT id FROM kept_entries \
            WHERE owner = $1 AND is_hidden = 0 ORDER BY made_ms DESC, id DESC LIMIT $2 OFFSET $3)",
        );
        hide.bind(owner).bind(ALL).bind(most).execute(&mut *transaction).await?;
    }
    make_room(&mut transaction, signed(bounds.bytes_max)).await?;
    transaction.commit().await?;
    Ok(())
}

async fn put(connection: &mut Connection, entry: &KeptEntry, now_ms: u64) -> Result<(), StoreError> {
    let bytes = ENTRY_BYTES + entry.id.len() + entry.body.len();
    let put = sqlx::query(
        "INSERT INTO kept_entries (id, owner, root, before_id, body, bytes, made_ms, ends_ms, is_hidden) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0) ON CONFLICT (id) DO UPDATE SET \
        root = excluded.root, before_id = excluded.before_id, body = excluded.body, \
        bytes = excluded.bytes, made_ms = excluded.made_ms, ends_ms = excluded.ends_ms, is_hidden = 0 \
        WHERE kept_entries.owner = excluded.owner",
    );
    let put = put.bind(&entry.id).bind(&entry.owner).bind(&entry.root).bind(&entry.before).bind(&entry.body);
    let put = put.bind(signed(bytes as u64)).bind(signed(now_ms)).bind(signed(entry.ends_ms));
    put.execute(connection).await?;
    Ok(())
}

/// Lets chains go that nobody can go on from, and the oldest entries while there are too many bytes.
async fn make_room(connection: &mut Connection, bytes_max: i64) -> Result<(), StoreError> {
    for _ in 0..STEPS_MAX {
        let forget = sqlx::query(
            "DELETE FROM kept_entries WHERE is_hidden = 1 AND NOT EXISTS (SELECT 1 FROM kept_entries AS live \
            WHERE live.root = kept_entries.root AND live.is_hidden = 0)",
        );
        forget.execute(&mut *connection).await?;
        let held: i64 =
            sqlx::query_scalar("SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM kept_entries")
                .fetch_one(&mut *connection)
                .await?;
        if held <= bytes_max {
            return Ok(());
        }
        let hide = sqlx::query(
            "UPDATE kept_entries SET is_hidden = 1 WHERE id IN (SELECT id FROM kept_entries \
            WHERE is_hidden = 0 ORDER BY made_ms, id LIMIT $1)",
        );
        hide.bind(STEP).execute(&mut *connection).await?;
    }
    Ok(())
}

pub(super) async fn find(
    pool: &Pool<Db>,
    owner: &str,
    id: &str,
    now_ms: u64,
) -> Result<Vec<KeptEntry>, StoreError> {
    let links = sqlx::query(
        "WITH RECURSIVE chain(id, before_id, depth) AS (\
        SELECT id, before_id, 1 FROM kept_entries \
        WHERE id = $1 AND owner = $2 AND is_hidden = 0 AND ends_ms > $3 \
        UNION ALL SELECT link.id, link.before_id, chain.depth + 1 FROM chain \
        JOIN kept_entries AS link ON link.id = chain.before_id \
        WHERE link.owner = $2 AND chain.depth < $4) \
        SELECT link.id, link.root, link.before_id, link.body, link.ends_ms \
        FROM chain JOIN kept_entries AS link ON link.id = chain.id",
    );
    let links = links.bind(id).bind(owner).bind(signed(now_ms)).bind(i64::from(KEPT_LINKS_MAX));
    let rows = links.fetch_all(pool).await?;
    let entry = |row: &<Db as sqlx::Database>::Row| -> Result<KeptEntry, StoreError> {
        Ok(KeptEntry {
            id: row.try_get("id")?,
            owner: owner.to_owned(),
            root: row.try_get("root")?,
            before: row.try_get("before_id")?,
            body: row.try_get("body")?,
            ends_ms: u64::try_from(row.try_get::<i64, _>("ends_ms")?).unwrap_or(0),
        })
    };
    rows.iter().map(entry).collect()
}
