//! SQLite: one file, one writer, some readers.
//!
//! What is particular to it; the verbs are in `sql`, which is read once for each engine.

use super::columns::Column;
use super::schema::{self, Migration};
use super::{Options, StoreError, private_file};
use sqlx::QueryBuilder;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[expect(clippy::duplicate_mod, reason = "read once for each engine: see `sql`")]
#[path = "sql/mod.rs"]
mod sql;

pub(super) use sql::Engine;

type Db = sqlx::Sqlite;
type Connection = sqlx::SqliteConnection;

/// Takes the write lock at once: a transaction that read first and then wanted to write would fail
/// where another one has written between.
const BEGIN: &str = "BEGIN IMMEDIATE";
const MIGRATIONS: &[Migration] = schema::SQLITE;
/// The machine's own clock, to the millisecond.
const NOW_MS: &str = "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)";
const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS schema_versions (version INTEGER NOT NULL PRIMARY KEY, \
    name TEXT NOT NULL, checksum BLOB NOT NULL) STRICT";
/// Of the writer's page cache, in KiB: what a batch of calls touches of roll-ups and indexes.
const WRITER_CACHE_KIB: u32 = 32 * 1024;
/// Of each reader's. The system has the file in its own cache; eight readers that had read all keys once
/// would hold them eight times.
const READER_CACHE_KIB: u32 = 2 * 1024;

/// Where connections come from.
#[derive(Debug)]
pub(super) struct Places {
    path: PathBuf,
    timeout: Duration,
    readers: u32,
}

pub(super) fn places(path: &Path, options: &Options) -> Places {
    Places { path: path.to_owned(), timeout: options.timeout, readers: options.connections.clamp(1, 64) }
}

impl Places {
    /// For reading, and for writing.
    fn pools(&self) -> (sqlx::Pool<Db>, sqlx::Pool<Db>) {
        let shared = SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(false)
            .page_size(8192)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(self.timeout.mul_f32(0.8))
            .pragma("temp_store", "MEMORY")
            // What a burst has grown the log to is given back.
            .pragma("journal_size_limit", "67108864");
        let pool = || SqlitePoolOptions::new().acquire_timeout(self.timeout);
        let cached = |kib: u32| shared.clone().pragma("cache_size", format!("-{kib}"));
        let reads = pool().max_connections(self.readers);
        let reads = reads.connect_lazy_with(cached(READER_CACHE_KIB).pragma("query_only", "ON"));
        (reads, pool().max_connections(1).connect_lazy_with(cached(WRITER_CACHE_KIB)))
    }

    /// Before a connection is made.
    fn prepare(&self) -> Result<(), StoreError> {
        private_file::prepare(&self.path)
    }
}

/// Rows in one statement. Few sizes, so that the prepared statements are few: 500 rows of 26 columns
/// are 13,000 parameters, of which SQLite takes 32,766.
const SIZES: &[usize] = &[500, 100, 10, 1];

/// `VALUES (…), (…)`.
fn push_rows(query: &mut QueryBuilder<Db>, columns: Vec<Column>, rows: usize) {
    query.push_values(0..rows, |mut row, at| {
        for column in &columns {
            match column {
                Column::Number(values) => row.push_bind(values.get(at).copied()),
                Column::Numbers(values) => row.push_bind(values.get(at).copied().flatten()),
                Column::Text(values) => row.push_bind(values.get(at).cloned()),
                Column::Texts(values) => row.push_bind(values.get(at).cloned().flatten()),
            };
        }
    });
}

/// The transaction has the one write lock already.
async fn lock_schema(_connection: &mut Connection) -> Result<(), StoreError> {
    Ok(())
}

/// Other processes look for themselves.
async fn tell_others(_connection: &mut Connection, _change: i64) -> Result<(), StoreError> {
    Ok(())
}

/// Nobody tells.
async fn hear_others(_pool: sqlx::Pool<Db>, _heard: impl Fn(Option<i64>)) {}
