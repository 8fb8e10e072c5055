//! Adding calls and their sums, in one transaction.

use super::super::{Connection, Db};
use super::Inner;
use super::dims::{self, Dims, Ids};
use super::sums::{Added, COLUMNS, adding, signed};
use crate::govern::Call;
use crate::store::StoreError;
use crate::store::usage::Bucket;
use sqlx::{QueryBuilder, Row, Transaction};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Rows in one statement. Few sizes, so that the prepared statements are few: 500 rows of 26 columns
/// are 13,000 parameters, of which SQLite takes 32,766.
const SIZES: [usize; 4] = [500, 100, 10, 1];

const CALL_COLUMNS: &str = "at_ms, id, dim, model, endpoint, upstream_model, attempts, input, cache_read, \
    cache_write_5m, cache_write_1h, audio_input, image_input, output, reasoning, audio_output, image_output, \
    is_estimated, cost_pico, duration_ms, first_token_ms, status, outcome, reason, is_stream, generation";

/// A call, its id as it is written, and what it is counted under.
struct Line {
    call: Call,
    id: String,
    ids: Ids,
}

pub(super) async fn append(inner: &Inner, calls: Vec<Call>) -> Result<(), StoreError> {
    let lines = resolve(inner, calls).await?;
    let mut transaction = inner.begin().await?;
    let mut count = 0;
    for chunk in chunks(&lines) {
        let mut query = insert(chunk);
        count += query.build().execute(&mut *transaction).await?.rows_affected();
    }
    if count == lines.len() as u64 {
        return finish(transaction, &lines).await;
    }
    // Some are there already, which is rare: again, asking which are new.
    transaction.rollback().await?;
    let mut transaction = inner.begin().await?;
    let mut new: HashSet<String> = HashSet::new();
    for chunk in chunks(&lines) {
        let mut query = insert(chunk);
        query.push(" RETURNING id");
        for row in query.build().fetch_all(&mut *transaction).await? {
            new.insert(row.try_get("id")?);
        }
    }
    let lines: Vec<Line> = lines.into_iter().filter(|line| new.contains(&line.id)).collect();
    finish(transaction, &lines).await
}

/// Each call once, in the order of their places.
async fn resolve(inner: &Inner, calls: Vec<Call>) -> Result<Vec<Line>, StoreError> {
    let number = |call: Call| {
        let dims = dims::of(&call);
        (call, dims)
    };
    let mut numbered: Vec<(Call, Dims)> = calls.into_iter().map(number).collect();
    numbered.sort_by_key(|(call, _)| (call.at_ms, call.id));
    numbered.dedup_by_key(|(call, _)| (call.at_ms, call.id));
    let wanted: HashSet<Dims> = numbered.iter().map(|(_, dims)| dims.clone()).collect();
    let known = dims::resolve(inner, wanted.into_iter().collect()).await?;
    let line = |(call, dims): (Call, Dims)| Line {
        id: call.id.to_string(),
        ids: known.get(&dims).copied().unwrap_or_default(),
        call,
    };
    Ok(numbered.into_iter().map(line).collect())
}

async fn finish(mut transaction: Transaction<'static, Db>, lines: &[Line]) -> Result<(), StoreError> {
    for bucket in Bucket::ALL {
        let sums = sums_of(lines, bucket);
        add(&mut transaction, bucket, &sums).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// By bucket and number, in that order on all nodes: two that add to the same sums wait for each
/// other in line and not in a ring.
fn sums_of(lines: &[Line], bucket: Bucket) -> Vec<((i64, i64), Added)> {
    let mut whole: HashMap<(i64, &Ids), Added> = HashMap::new();
    for line in lines {
        let at = signed(line.call.at_ms / bucket.ms());
        whole.entry((at, &line.ids)).or_default().add(&Added::of(&line.call));
    }
    let mut sums: BTreeMap<(i64, i64), Added> = BTreeMap::new();
    for ((at, ids), sum) in &whole {
        for id in ids.iter() {
            sums.entry((*at, *id)).or_default().add(sum);
        }
    }
    sums.into_iter().map(|(place, sum)| (place, sum.carried())).collect()
}

async fn add(
    connection: &mut Connection,
    bucket: Bucket,
    sums: &[((i64, i64), Added)],
) -> Result<(), StoreError> {
    let table = bucket.table();
    let set = adding(table);
    for chunk in chunks(sums) {
        let mut query = QueryBuilder::<Db>::new("INSERT INTO ");
        query.push(table).push(" (bucket, dim, ").push(COLUMNS.join(", ")).push(") ");
        query.push_values(chunk, |mut row, ((at, id), sum)| {
            row.push_bind(*at).push_bind(*id);
            for value in sum.0 {
                row.push_bind(value);
            }
        });
        query.push(" ON CONFLICT (bucket, dim) DO UPDATE SET ").push(&set);
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

fn insert(lines: &[Line]) -> QueryBuilder<Db> {
    let mut query = QueryBuilder::<Db>::new("INSERT INTO calls (");
    query.push(CALL_COLUMNS).push(") ");
    query.push_values(lines, |mut row, Line { call, id, ids }| {
        let text = |text: &str| dims::cleaned(text).into_owned();
        let [.., whole] = ids;
        let usage = &call.usage;
        row.push_bind(signed(call.at_ms)).push_bind(id.clone()).push_bind(*whole);
        row.push_bind(call.model.as_deref().map(text)).push_bind(text(&call.endpoint));
        row.push_bind(call.upstream_model.as_deref().map(text)).push_bind(i64::from(call.attempts));
        let tokens = [
            usage.input,
            usage.cache_read,
            usage.cache_write_5m,
            usage.cache_write_1h,
            usage.audio_input,
            usage.image_input,
            usage.output,
            usage.reasoning,
            usage.audio_output,
            usage.image_output,
        ];
        for count in tokens {
            row.push_bind(signed(count));
        }
        row.push_bind(i64::from(usage.is_estimated)).push_bind(call.cost.map(|cost| signed(cost.pico())));
        row.push_bind(i64::from(call.duration_ms)).push_bind(call.first_token_ms.map(i64::from));
        row.push_bind(i64::from(call.status)).push_bind(call.outcome.as_str());
        row.push_bind(call.reason.as_deref().map(text)).push_bind(i64::from(call.is_stream));
        row.push_bind(signed(call.generation));
    });
    query.push(" ON CONFLICT DO NOTHING");
    query
}

/// Stretches whose lengths are of [`SIZES`].
fn chunks<T>(mut rest: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| rest.len() >= *size)?;
        let (chunk, others) = rest.split_at_checked(size)?;
        rest = others;
        Some(chunk)
    })
}
