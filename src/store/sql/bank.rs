//! Lending. All arithmetic is done here, under the lock of each account's row: the tables keep the 64
//! bits of unsigned numbers.

use super::super::{Connection, Db, NOW_MS};
use super::Inner;
use crate::store::{Account, Grant, StoreError, Withdrawal};
use sqlx::{QueryBuilder, Row};
use std::collections::HashMap;

/// A node that is not heard of for so long is taken to be gone.
const LEASE_MS: i64 = 30_000;
/// Accounts in one statement.
const CHUNK: usize = 200;

/// What one node has of one account.
#[derive(Clone, Debug, Default)]
struct Lease {
    serial: u64,
    granted: u64,
    spent: u64,
    until_ms: i64,
}

/// What a step knows of an account.
#[derive(Debug, Default)]
struct Book {
    own: Option<Lease>,
    /// Granted to other nodes and not given back, or spent by them if that is more.
    others_held: u128,
    /// Spent by other nodes; by those that are gone, all they had.
    others_spent: u128,
}

pub(super) async fn withdraw(
    inner: &Inner,
    node: &str,
    asks: Vec<Withdrawal>,
) -> Result<Vec<Grant>, StoreError> {
    if node.contains('\0') || asks.iter().any(|ask| ask.account.budget.contains('\0')) {
        return Err(StoreError::Malformed("a zero byte"));
    }
    // In one order on all nodes, so that two that want the same accounts do not wait for each other.
    let mut sorted: Vec<&Withdrawal> = asks.iter().collect();
    sorted.sort_by(|a, b| {
        let place = |ask: &Withdrawal| (ask.account.window, std::cmp::Reverse(ask.serial));
        a.account.budget.cmp(&b.account.budget).then(place(a).cmp(&place(b)))
    });
    sorted.dedup_by(|later, first| later.account == first.account);
    let mut transaction = inner.begin().await?;
    let mut granted: HashMap<&Account, (u64, u64)> = HashMap::new();
    for chunk in sorted.chunks(CHUNK) {
        lock(&mut transaction, chunk).await?;
        let now_ms: i64 = sqlx::query_scalar(NOW_MS).fetch_one(&mut *transaction).await?;
        let books = read(&mut transaction, node, chunk, now_ms).await?;
        let mut leases = Vec::with_capacity(chunk.len());
        for ask in chunk {
            let empty = Book::default();
            let book = books.get(&ask.account).unwrap_or(&empty);
            let lease = Lease { until_ms: now_ms.saturating_add(LEASE_MS), ..step(book, ask) };
            let spent = book.others_spent.saturating_add(u128::from(lease.spent));
            granted.insert(&ask.account, (lease.granted, u64::try_from(spent).unwrap_or(u64::MAX)));
            leases.push((*ask, lease));
        }
        write(&mut transaction, node, &leases).await?;
    }
    transaction.commit().await?;
    let grant = |ask: &Withdrawal| {
        let (granted, spent) = granted.get(&ask.account).copied().unwrap_or_default();
        Grant { account: ask.account.clone(), granted, spent }
    };
    Ok(asks.iter().map(grant).collect())
}

/// What the node has after its ask.
fn step(book: &Book, ask: &Withdrawal) -> Lease {
    let known = book.own.clone().unwrap_or_default();
    let spent = known.spent.max(ask.spent);
    if book.own.is_some() && ask.serial <= known.serial {
        // The same again, or one that comes late: what was granted since stands.
        return Lease { spent, ..known };
    }
    let room = u128::from(ask.amount).saturating_sub(book.others_held);
    let room = u64::try_from(room).unwrap_or(u64::MAX);
    // What is spent cannot be given back.
    Lease { serial: ask.serial, granted: ask.wanted.min(room).max(spent), spent, until_ms: 0 }
}

/// Takes the accounts' rows, or makes them. They are held to the transaction's end.
async fn lock(connection: &mut Connection, asks: &[&Withdrawal]) -> Result<(), StoreError> {
    let mut query = QueryBuilder::<Db>::new("INSERT INTO bank_accounts (budget, opens, amount, expires) ");
    query.push_values(asks, |mut row, ask| {
        row.push_bind(ask.account.budget.clone()).push_bind(bits(ask.account.window));
        row.push_bind(bits(ask.amount)).push_bind(i64::try_from(ask.expires).unwrap_or(i64::MAX));
    });
    query.push(
        " ON CONFLICT (budget, opens) DO UPDATE SET amount = excluded.amount, expires = excluded.expires",
    );
    query.build().execute(connection).await?;
    Ok(())
}

async fn read(
    connection: &mut Connection,
    node: &str,
    asks: &[&Withdrawal],
    now_ms: i64,
) -> Result<HashMap<Account, Book>, StoreError> {
    let mut query = QueryBuilder::<Db>::new(
        "SELECT budget, opens, node, serial, granted, spent, until_ms FROM bank_leases WHERE (budget, opens) IN (",
    );
    query.push_values(asks, |mut row, ask| {
        row.push_bind(ask.account.budget.clone()).push_bind(bits(ask.account.window));
    });
    query.push(")");
    let mut books: HashMap<Account, Book> = HashMap::new();
    for row in query.build().fetch_all(connection).await? {
        let account = Account { budget: row.try_get("budget")?, window: number(row.try_get("opens")?) };
        let lease = Lease {
            serial: number(row.try_get("serial")?),
            granted: number(row.try_get("granted")?),
            spent: number(row.try_get("spent")?),
            until_ms: row.try_get("until_ms")?,
        };
        let book = books.entry(account).or_default();
        let whose: String = row.try_get("node")?;
        if whose == node {
            book.own = Some(lease);
            continue;
        }
        let held = u128::from(lease.granted.max(lease.spent));
        let is_gone = lease.until_ms < now_ms;
        book.others_held = book.others_held.saturating_add(held);
        let spent = if is_gone { held } else { u128::from(lease.spent) };
        book.others_spent = book.others_spent.saturating_add(spent);
    }
    Ok(books)
}

async fn write(
    connection: &mut Connection,
    node: &str,
    leases: &[(&Withdrawal, Lease)],
) -> Result<(), StoreError> {
    let mut query = QueryBuilder::<Db>::new(
        "INSERT INTO bank_leases (budget, opens, node, serial, granted, spent, until_ms) ",
    );
    query.push_values(leases, |mut row, (ask, lease)| {
        row.push_bind(ask.account.budget.clone()).push_bind(bits(ask.account.window));
        row.push_bind(node.to_owned()).push_bind(bits(lease.serial)).push_bind(bits(lease.granted));
        row.push_bind(bits(lease.spent)).push_bind(lease.until_ms);
    });
    query.push(
        " ON CONFLICT (budget, opens, node) DO UPDATE SET serial = excluded.serial, \
        granted = excluded.granted, spent = excluded.spent, until_ms = excluded.until_ms",
    );
    query.build().execute(connection).await?;
    Ok(())
}

/// The same 64 bits, as the databases' only kind of integer.
const fn bits(number: u64) -> i64 {
    i64::from_ne_bytes(number.to_ne_bytes())
}

const fn number(bits: i64) -> u64 {
    u64::from_ne_bytes(bits.to_ne_bytes())
}
