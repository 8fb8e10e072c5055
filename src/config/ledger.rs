//! `[ledger]`: how calls become rows of the store, how long they stay, and where else they go.

use super::collector::Collector;
use super::duration::duration;
use super::number::integer;
use super::reader::Reader;
use super::secret;
use super::size::{MIB, size};
use super::value::Value;
use crate::types::Secret;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Between two flushes to the store: what a crash may lose.
    pub flush: Duration,
    /// Calls waiting in memory at most.
    pub queue_max: usize,
    /// The folder of calls the store does not take.
    pub spool: PathBuf,
    pub spool_bytes_max: usize,
    pub keep: Keep,
    pub clickhouse: Option<ClickHouse>,
}

/// Days. Sums by day are kept for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    pub calls: u32,
    pub minutes: u32,
    pub hours: u32,
}

/// Where every call is pushed to as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClickHouse {
    /// `http://HOST:PORT` or `https://HOST:PORT`.
    pub url: String,
    /// `TABLE` or `DATABASE.TABLE`.
    pub table: String,
    pub user: Option<String>,
    pub password: Option<Secret>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            flush: Duration::from_secs(1),
            queue_max: 100_000,
            spool: PathBuf::from("data/spool"),
            spool_bytes_max: 256 * MIB,
            keep: Keep::default(),
            clickhouse: None,
        }
    }
}

impl Default for Keep {
    fn default() -> Self {
        Self { calls: 30, minutes: 7, hours: 366 }
    }
}

impl Ledger {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let d = Self::default();
        let ledger = Self {
            flush: reader.or("flush", d.flush, flush),
            queue_max: reader.or("queue_max", d.queue_max, integer(1000..=10_000_000)),
            spool: reader.or("spool", d.spool, folder),
            spool_bytes_max: reader.or(
                "spool_bytes_max",
                d.spool_bytes_max,
                size(8 * MIB..=1024 * 1024 * MIB),
            ),
            keep: reader.or("keep", d.keep, Keep::read),
            clickhouse: reader.take("clickhouse", ClickHouse::read),
        };
        reader.done();
        Some(ledger)
    }
}

impl Keep {
    fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let d = Self::default();
        let keep = Self {
            calls: reader.or("calls", d.calls, integer(1..=3660)),
            minutes: reader.or("minutes", d.minutes, integer(1..=366)),
            hours: reader.or("hours", d.hours, integer(1..=3660)),
        };
        reader.done();
        Some(keep)
    }
}

impl ClickHouse {
    fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let url = reader.need("url", "such as \"https://clickhouse.example:8443\"", address);
        let table = reader.or("table", "calls".to_owned(), table);
        let user = reader.take("user", |value, collector| {
            value.string(collector, "a name").and_then(|name| header(name, value, collector))
        });
        let password = reader.take("password", secret::secret).map(|found| found.secret);
        reader.done();
        Some(Self { url: url?, table, user, password })
    }
}

/// A second or so: shorter flushes make small transactions, longer ones lose more in a crash.
fn flush(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Duration> {
    let flush = duration(value, collector)?;
    if !(Duration::from_millis(50)..=Duration::from_secs(60)).contains(&flush) {
        value.fail(collector, "out of range: must be 50ms to 60s");
        return None;
    }
    Some(flush)
}

fn folder(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<PathBuf> {
    let text = value.string(collector, "a path")?;
    if text.is_empty() || text.contains('\0') {
        value.fail(collector, "this is no path");
        return None;
    }
    Some(PathBuf::from(text))
}

fn address(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<String> {
    let text = value.string(collector, "an address")?;
    let uri = text.parse::<http::Uri>().ok().filter(|uri| {
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        is_http
            && uri.host().is_some_and(|host| !host.is_empty())
            && uri.path() == "/"
            && uri.query().is_none()
    });
    if uri.is_none_or(|uri| uri.authority().is_some_and(|authority| authority.as_str().contains('@'))) {
        collector.mask(value.span.clone());
        let help =
            "write \"http://HOST:PORT\" or \"https://HOST:PORT\"; user and password have keys of their own";
        value.fail_help(collector, "this is no address of a ClickHouse server", help);
        return None;
    }
    Some(text.to_owned())
}

/// It becomes a part of a statement.
fn table(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<String> {
    let text = value.string(collector, "a table")?;
    let is_word = |word: &str| {
        !word.is_empty()
            && !word.starts_with(|c: char| c.is_ascii_digit())
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if text.split('.').count() > 2 || !text.split('.').all(is_word) {
        value.fail_help(
            collector,
            "this names no table",
            "\"TABLE\" or \"DATABASE.TABLE\", of letters, digits and _",
        );
        return None;
    }
    Some(text.to_owned())
}

fn header(name: &str, value: &Value<'_>, collector: &mut Collector<'_>) -> Option<String> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        value.fail(collector, "this is no name of a user");
        return None;
    }
    Some(name.to_owned())
}
