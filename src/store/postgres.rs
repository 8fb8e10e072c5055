//! PostgreSQL: many nodes on one database.
//!
//! What is particular to it; the verbs are in `sql`, which is read once for each engine.

use super::columns::Column;
use super::schema::{self, Migration};
use super::{Options, StoreError};
use crate::types::Secret;
use sqlx::QueryBuilder;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use std::str::FromStr;
use std::time::Duration;

#[expect(clippy::duplicate_mod, reason = "read once for each engine: see `sql`")]
#[path = "sql/mod.rs"]
mod sql;

pub(super) use sql::Engine;

type Db = sqlx::Postgres;
type Connection = sqlx::PgConnection;

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
const MIGRATIONS: &[Migration] = schema::POSTGRES;
/// The server's clock, to the millisecond.
const NOW_MS: &str = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS schema_versions (version BIGINT NOT NULL PRIMARY KEY, \
    name TEXT NOT NULL, checksum BYTEA NOT NULL)";
/// Held while the schema is looked at and changed; any number nobody else has.
const SCHEMA_LOCK: &str = "SELECT pg_advisory_xact_lock(7089063317841)";
const CHANNEL: &str = "tidegate_changes";
/// Between attempts to listen again.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// Where connections come from.
#[derive(Debug)]
pub(super) struct Places {
    connect: PgConnectOptions,
    timeout: Duration,
    connections: u32,
}

pub(super) fn places(url: &Secret, options: &Options) -> Result<Places, StoreError> {
    let wrong = |_| StoreError::Unusable("its address is none of a PostgreSQL database".to_owned());
    let mut connect = PgConnectOptions::from_str(url.expose()).map_err(wrong)?;
    if let Some(password) = &options.password {
        connect = connect.password(password.expose());
    }
    // What we have given up on, the server gives up on too.
    let limit = format!("{}ms", options.timeout.as_millis().saturating_mul(4));
    let idle = format!("{}ms", options.timeout.as_millis().saturating_mul(8));
    connect = connect.application_name("tidegate").options([
        ("statement_timeout", limit.as_str()),
        ("lock_timeout", limit.as_str()),
        ("idle_in_transaction_session_timeout", idle.as_str()),
        // Compiling a query takes longer than any of ours runs.
        ("jit", "off"),
    ]);
    Ok(Places { connect, timeout: options.timeout, connections: options.connections.clamp(2, 64) })
}

impl Places {
    /// For reading, and for writing: the same.
    fn pools(&self) -> (sqlx::Pool<Db>, sqlx::Pool<Db>) {
        let pool = PgPoolOptions::new().max_connections(self.connections).acquire_timeout(self.timeout);
        let pool = pool.connect_lazy_with(self.connect.clone());
        (pool.clone(), pool)
    }

    fn prepare(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Rows in one statement at most. The text of the statement is the same for any number.
const SIZES: &[usize] = &[];

/// `SELECT … FROM UNNEST(…)`: one parameter a column, which is parsed and planned in no time.
fn push_rows(query: &mut QueryBuilder<Db>, columns: Vec<Column>, _rows: usize) {
    query.push("SELECT * FROM UNNEST(");
    let mut list = query.separated(", ");
    for column in columns {
        match column {
            Column::Number(values) => list.push_bind(values),
            Column::Numbers(values) => list.push_bind(values),
            Column::Text(values) => list.push_bind(values),
            Column::Texts(values) => list.push_bind(values),
        };
    }
    query.push(")");
}

/// Of two nodes that start at once the second waits, and then finds nothing to do. Steps of the schema
/// may take longer than any other statement.
async fn lock_schema(connection: &mut Connection) -> Result<(), StoreError> {
    sqlx::query("SET LOCAL statement_timeout = '30min'").execute(&mut *connection).await?;
    sqlx::query("SET LOCAL lock_timeout = '30min'").execute(&mut *connection).await?;
    sqlx::query(SCHEMA_LOCK).execute(connection).await?;
    Ok(())
}

/// Heard by the other nodes when the transaction commits, and not before.
async fn tell_others(connection: &mut Connection, change: i64) -> Result<(), StoreError> {
    let tell = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(change.to_string());
    tell.execute(connection).await?;
    Ok(())
}

/// Tells the numbers of changes as they are made known; None each time it begins to listen, as there
/// may have been others before.
async fn hear_others(pool: sqlx::Pool<Db>, heard: impl Fn(Option<i64>)) {
    loop {
        if let Ok(mut listener) = PgListener::connect_with(&pool).await
            && listener.listen(CHANNEL).await.is_ok()
        {
            heard(None);
            while let Ok(Some(told)) = listener.try_recv().await {
                heard(told.payload().parse().ok());
            }
        }
        tokio::time::sleep(LISTEN_AGAIN).await;
    }
}
