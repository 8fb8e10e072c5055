//! Sums of calls from the roll-ups.

use super::super::Db;
use super::dims;
use super::sums::{COLUMNS, signed, sums};
use crate::store::cover::{Since, Stretch};
use crate::store::usage::Bucket;
use crate::store::{StoreError, UsagePage, UsageQuery, UsageRow};
use sqlx::{Database, Pool, QueryBuilder, Row};

/// So few of what is asked for are looked up one by one; of more, the whole stretch is read.
const SEEK_MAX: i64 = 64;

/// Where the last page ended.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Cursor(Option<u64>, Vec<String>);

pub(super) async fn page(pool: &Pool<Db>, asked: &UsageQuery) -> Result<UsagePage, StoreError> {
    let wrong = |_| StoreError::Malformed("`after` is of no page");
    let cursor: Option<Cursor> =
        asked.after.as_deref().map(serde_json::from_str).transpose().map_err(wrong)?;
    let is_ours = |cursor: &Cursor| {
        cursor.1.len() == asked.group_by.len() && cursor.0.is_some() == asked.bucket.is_some()
    };
    if cursor.as_ref().is_some_and(|cursor| !is_ours(cursor)) {
        return Err(StoreError::Malformed("`after` is of another question"));
    }
    let since =
        Since { minutes: first(pool, Bucket::Minute).await?, hours: first(pool, Bucket::Hour).await? };
    let stretches = asked.stretches(since);
    let (from_ms, to_ms) = asked.span(since);
    let mut page = UsagePage { from_ms, to_ms, ..UsagePage::default() };
    let seeks = is_seek(pool, asked).await?;
    let want = asked.limit as usize + 1;
    match (asked.bucket, stretches.first()) {
        (Some(bucket), Some(whole)) => {
            // Ordered by time: not much more of it is read than fills the page.
            let resumed = cursor.as_ref().and_then(|cursor| cursor.0).map(|ms| ms / bucket.ms());
            let begin = resumed.unwrap_or(whole.from).max(whole.from);
            let (mut from, mut stride) = (begin, 1);
            while from < whole.to && page.rows.len() < want {
                let to = from.saturating_add(stride).min(whole.to);
                let cursor = cursor.as_ref().filter(|cursor| cursor.0 == Some(from * bucket.ms()));
                let limit = want - page.rows.len();
                let part =
                    Part { stretches: &[Stretch { bucket, from, to, is_less: false }], cursor, seeks, limit };
                page.rows.extend(part.read(pool, asked).await?);
                from = to;
                stride = next_stride(stride, from - begin, page.rows.len() as u64, want as u64);
            }
        }
        _ => {
            let part = Part { stretches: &stretches, cursor: cursor.as_ref(), seeks, limit: want };
            page.rows = part.read(pool, asked).await?;
        }
    }
    if page.rows.len() == want {
        page.rows.pop();
        let last = page.rows.last().map(|last| Cursor(last.from_ms, last.group.clone()));
        page.next = last.and_then(|last| serde_json::to_string(&last).ok());
    }
    Ok(page)
}

/// How many buckets to read next, if `read` of them had `rows` rows and a page has `want`: what is missing,
/// but not many times more than were read at once before, as the next may be fuller.
fn next_stride(last: u64, read: u64, rows: u64, want: u64) -> u64 {
    let missing = want.saturating_sub(rows).saturating_mul(read).div_ceil(rows.max(1));
    missing.clamp(1, last * 4)
}

/// When the first sum of this kind that is kept begins; 0 where there is none.
async fn first(pool: &Pool<Db>, bucket: Bucket) -> Result<u64, StoreError> {
    let mut query = QueryBuilder::<Db>::new("SELECT COALESCE(MIN(bucket), 0) FROM ");
    query.push(bucket.table());
    let first: i64 = query.build_query_scalar().fetch_one(pool).await?;
    Ok(u64::try_from(first).unwrap_or(0).saturating_mul(bucket.ms()))
}

async fn is_seek(pool: &Pool<Db>, asked: &UsageQuery) -> Result<bool, StoreError> {
    if asked.filters.is_empty() {
        return Ok(false);
    }
    let mut query = QueryBuilder::<Db>::new("SELECT COUNT(*) FROM (SELECT 1");
    dims::push_from(&mut query, asked.level(), &asked.filters);
    query.push(" LIMIT ").push_bind(SEEK_MAX + 1).push(") AS found");
    let count: i64 = query.build_query_scalar().fetch_one(pool).await?;
    Ok(count <= SEEK_MAX)
}

/// What one statement reads.
struct Part<'p> {
    stretches: &'p [Stretch],
    /// Rows after this one; where a bucket is named, of its first bucket.
    cursor: Option<&'p Cursor>,
    seeks: bool,
    limit: usize,
}

impl Part<'_> {
    async fn read(&self, pool: &Pool<Db>, asked: &UsageQuery) -> Result<Vec<UsageRow>, StoreError> {
        if self.stretches.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.statement(asked).build().fetch_all(pool).await?;
        let width = asked.group_by.len();
        rows.iter().map(|row| usage_row(row, asked.bucket, width)).collect()
    }

    fn statement(&self, asked: &UsageQuery) -> QueryBuilder<Db> {
        let groups: Vec<String> = (0..asked.group_by.len()).map(|at| format!("g{at}")).collect();
        let mut query = QueryBuilder::<Db>::new("WITH d AS (SELECT id");
        for (name, dimension) in groups.iter().zip(&asked.group_by) {
            query.push(", ").push(dimension.as_str()).push(" AS ").push(name);
        }
        dims::push_from(&mut query, asked.level(), &asked.filters);
        query.push("), r AS (");
        for (at, stretch) in self.stretches.iter().enumerate() {
            query.push(if at > 0 { " UNION ALL " } else { "" });
            self.push_stretch(&mut query, stretch, asked);
        }
        query.push(") SELECT ");
        let by: Vec<&str> =
            asked.bucket.map(|_| "bucket").into_iter().chain(groups.iter().map(String::as_str)).collect();
        for name in &by {
            query.push(name).push(", ");
        }
        query.push(sum_list("r.", false)).push(" FROM r CROSS JOIN d WHERE d.id = r.dim");
        self.push_cursor(&mut query, &by);
        if !by.is_empty() {
            query.push(" GROUP BY ").push(by.join(", "));
        }
        // Of what is taken off whole nothing is left.
        query.push(" HAVING SUM(r.calls) > 0");
        if !by.is_empty() {
            query.push(" ORDER BY ").push(by.join(", "));
        }
        query.push(" LIMIT ").push_bind(signed(self.limit as u64));
        query
    }

    /// Sums by number first: they are few, rows are many, and joining is done for the few.
    fn push_stretch(&self, query: &mut QueryBuilder<Db>, stretch: &Stretch, asked: &UsageQuery) {
        let table = stretch.bucket.table();
        let bucket = if asked.bucket.is_some() { "t.bucket, " } else { "" };
        query.push("SELECT ").push(bucket).push("t.dim, ");
        query.push(sum_list("t.", stretch.is_less)).push(" FROM ");
        if self.seeks {
            query.push("d CROSS JOIN ").push(table).push(" t WHERE t.dim = d.id AND ");
        } else {
            query.push(table).push(" t WHERE ");
        }
        query.push("t.bucket >= ").push_bind(signed(stretch.from));
        query.push(" AND t.bucket < ").push_bind(signed(stretch.to));
        if !self.seeks {
            query.push(" AND t.dim IN (SELECT id FROM d)");
        }
        query.push(" GROUP BY ").push(bucket).push("t.dim");
    }

    fn push_cursor(&self, query: &mut QueryBuilder<Db>, by: &[&str]) {
        let Some(Cursor(ms, group)) = self.cursor else { return };
        let first = ms.zip(self.stretches.first()).map(|(ms, stretch)| signed(ms / stretch.bucket.ms()));
        query.push(" AND (").push(by.join(", ")).push(") > (");
        let mut values = query.separated(", ");
        if let Some(bucket) = first {
            values.push_bind(bucket);
        }
        for text in group {
            values.push_bind(dims::cleaned(text).into_owned());
        }
        query.push(")");
    }
}

/// Of all columns. PostgreSQL's sums are of a wider kind.
fn sum_list(of: &str, is_less: bool) -> String {
    let sign = if is_less { "-" } else { "" };
    let sum = |name: &&str| format!("CAST({sign}SUM({of}{name}) AS BIGINT) AS {name}");
    COLUMNS.iter().map(sum).collect::<Vec<_>>().join(", ")
}

fn usage_row(
    row: &<Db as Database>::Row,
    bucket: Option<Bucket>,
    width: usize,
) -> Result<UsageRow, StoreError> {
    let from_ms = match bucket {
        Some(bucket) => {
            let at: i64 = row.try_get("bucket")?;
            Some(u64::try_from(at).unwrap_or(0).saturating_mul(bucket.ms()))
        }
        None => None,
    };
    let group: Result<Vec<String>, _> = (0..width).map(|at| row.try_get(format!("g{at}").as_str())).collect();
    Ok(UsageRow { from_ms, group: group?, sums: sums(row)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_goes_on_as_far_as_the_page_seems_to_need() {
        // As many rows a bucket as before: the rest, and no more than four times the last stride.
        assert_eq!(next_stride(1, 1, 100, 1001), 4);
        assert_eq!(next_stride(4, 5, 500, 1001), 6);
        assert_eq!(next_stride(16, 21, 0, 1001), 64);
        assert_eq!(next_stride(64, 85, 1001, 1001), 1);
    }
}
