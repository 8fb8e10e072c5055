//! The audit log: a chain of hashes.

use super::super::{Connection, Db};
use super::objects::number;
use super::sums::signed;
use crate::govern::{AuditEntry, AuditRecord};
use crate::store::{AuditVerdict, StoreError};
use crate::types::hex;
use sha2::{Digest, Sha256};
use sqlx::{Pool, QueryBuilder, Row};

/// Entries checked in one step.
const STEP: i64 = 1000;

/// Where a check of the chain has come to.
#[derive(Clone, Debug, Default)]
pub(super) struct Walk {
    entries: u64,
    hash: [u8; 32],
    broken: Option<(u64, &'static str)>,
}

/// Adds entries at the end. The caller holds the row of `numbers` that orders commits.
pub(super) async fn append(connection: &mut Connection, entries: &[AuditEntry]) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let last = sqlx::query("SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1");
    let (mut sequence, mut hash) = match last.fetch_optional(&mut *connection).await? {
        Some(row) => (number(&row, "sequence")?, digest(row.try_get("hash")?)),
        None => (0, [0; 32]),
    };
    for entry in entries {
        sequence += 1;
        let text =
            serde_json::to_string(entry).map_err(|_| StoreError::Malformed("an audit entry is no JSON"))?;
        hash = link(&hash, sequence, &text);
        let insert = "INSERT INTO audit (sequence, tenant, at_ms, entry, hash) VALUES ($1, $2, $3, $4, $5)";
        sqlx::query(insert)
            .bind(signed(sequence))
            .bind(entry.tenant.clone())
            .bind(signed(entry.at_ms))
            .bind(text)
            .bind(hash.to_vec())
            .execute(&mut *connection)
            .await?;
    }
    let note = sqlx::query("UPDATE numbers SET value = $1 WHERE name = 'audit'").bind(signed(sequence));
    note.execute(&mut *connection).await?;
    Ok(())
}

/// Newest first.
pub(super) async fn page(
    pool: &Pool<Db>,
    tenant: Option<String>,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<AuditRecord>, StoreError> {
    if tenant.as_ref().is_some_and(|tenant| tenant.contains('\0')) {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::<Db>::new("SELECT sequence, entry, hash FROM audit WHERE sequence < ");
    query.push_bind(before.map_or(i64::MAX, signed));
    if let Some(tenant) = tenant {
        query.push(" AND tenant = ").push_bind(tenant);
    }
    query.push(" ORDER BY sequence DESC LIMIT ").push_bind(i64::from(limit));
    let rows = query.build().fetch_all(pool).await?;
    let record = |row: &_| {
        let text: String = Row::try_get(row, "entry")?;
        let entry = serde_json::from_str(&text);
        Ok(AuditRecord {
            sequence: number(row, "sequence")?,
            entry: entry.map_err(|_| StoreError::Unusable("an audit entry cannot be read".to_owned()))?,
            hash: hex(&digest(Row::try_get(row, "hash")?)),
        })
    };
    rows.iter().map(record).collect()
}

/// Goes on with a check; true once it has come to its end.
pub(super) async fn step(pool: &Pool<Db>, mut walk: Walk) -> Result<(Walk, bool), StoreError> {
    let rows = sqlx::query(
        "SELECT sequence, tenant, at_ms, entry, hash FROM audit WHERE sequence > $1 ORDER BY sequence LIMIT $2",
    );
    let rows = rows.bind(signed(walk.entries)).bind(STEP).fetch_all(pool).await?;
    for row in &rows {
        let text: String = row.try_get("entry")?;
        let beside = (row.try_get("tenant")?, number(row, "at_ms")?);
        walk.check(number(row, "sequence")?, &text, beside, digest(row.try_get("hash")?));
        if walk.broken.is_some() {
            return Ok((walk, true));
        }
    }
    if rows.len() as u64 == STEP.unsigned_abs() {
        return Ok((walk, false));
    }
    let noted: i64 =
        sqlx::query_scalar("SELECT value FROM numbers WHERE name = 'audit'").fetch_one(pool).await?;
    // Entries may have been added since the last page; only too few of them are a fault.
    let again: i64 =
        sqlx::query_scalar("SELECT COALESCE(MAX(sequence), 0) FROM audit").fetch_one(pool).await?;
    if again < noted {
        walk.broken = Some((walk.entries + 1, "entries were cut off the end"));
    }
    Ok((walk, true))
}

impl Walk {
    fn check(&mut self, sequence: u64, text: &str, beside: (Option<String>, u64), hash: [u8; 32]) {
        let expected = self.entries + 1;
        let is_beside =
            serde_json::from_str::<AuditEntry>(text).is_ok_and(|entry| (entry.tenant, entry.at_ms) == beside);
        self.broken = if sequence != expected {
            Some((expected, "it is missing"))
        } else if link(&self.hash, sequence, text) != hash {
            Some((sequence, "it is not what was written, or what came before it is not"))
        } else if !is_beside {
            Some((sequence, "its tenant or time was changed"))
        } else {
            (self.entries, self.hash) = (sequence, hash);
            None
        };
    }

    pub(super) fn verdict(self) -> AuditVerdict {
        let head = (self.entries > 0).then(|| hex(&self.hash));
        AuditVerdict { entries: self.entries, head, broken: self.broken }
    }
}

fn link(before: &[u8; 32], sequence: u64, text: &str) -> [u8; 32] {
    let digest = Sha256::new().chain_update(before).chain_update(sequence.to_be_bytes());
    digest.chain_update(text).finalize().into()
}

/// What is no hash breaks the chain.
fn digest(bytes: Vec<u8>) -> [u8; 32] {
    bytes.try_into().unwrap_or_default()
}
