//! Adding calls and their sums, in one transaction.

use super::super::{Connection, Db, SIZES, push_rows};
use super::Inner;
use super::dims::{self, Dims, Ids};
use super::sums::{Added, COLUMNS, adding, signed};
use crate::govern::Call;
use crate::store::StoreError;
use crate::store::columns::Column;
use crate::store::usage::Bucket;
use crate::types::Usage;
use sqlx::{QueryBuilder, Row, Transaction};
use std::collections::{BTreeMap, HashMap, HashSet};

const CALL_COLUMNS: &str = "at_ms, id, dim, model, endpoint, upstream_model, attempts, input, cache_read, \
    cache_write_5m, cache_write_1h, audio_input, image_input, output, reasoning, audio_output, image_output, \
    is_estimated, cost_pico, duration_ms, first_token_ms, status, outcome, reason, is_stream, generation, margin_pico";

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
        let mut columns = vec![
            Column::Number(chunk.iter().map(|((at, _), _)| *at).collect()),
            Column::Number(chunk.iter().map(|((_, id), _)| *id).collect()),
        ];
        for at in 0..COLUMNS.len() {
            let value = |(_, sum): &(_, Added)| sum.0.get(at).copied().unwrap_or(0);
            columns.push(Column::Number(chunk.iter().map(value).collect()));
        }
        push_rows(&mut query, columns, chunk.len());
        query.push(" ON CONFLICT (bucket, dim) DO UPDATE SET ").push(&set);
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

fn insert(lines: &[Line]) -> QueryBuilder<Db> {
    let mut query = QueryBuilder::<Db>::new("INSERT INTO calls (");
    query.push(CALL_COLUMNS).push(") ");
    push_rows(&mut query, columns(lines), lines.len());
    query.push(" ON CONFLICT DO NOTHING");
    query
}

/// As in [`CALL_COLUMNS`].
fn columns(lines: &[Line]) -> Vec<Column> {
    let number = |of: fn(&Line) -> i64| Column::Number(lines.iter().map(of).collect());
    let numbers = |of: fn(&Line) -> Option<i64>| Column::Numbers(lines.iter().map(of).collect());
    let text = |of: fn(&Line) -> &str| {
        Column::Text(lines.iter().map(|line| dims::cleaned(of(line)).into_owned()).collect())
    };
    let texts = |of: fn(&Line) -> Option<&str>| {
        let clean = |line| of(line).map(|text| dims::cleaned(text).into_owned());
        Column::Texts(lines.iter().map(clean).collect())
    };
    let tokens = |of: fn(&Usage) -> u64| {
        Column::Number(lines.iter().map(|line| signed(of(&line.call.usage))).collect())
    };
    vec![
        number(|line| signed(line.call.at_ms)),
        text(|line| &line.id),
        number(|line| line.ids.last().copied().unwrap_or_default()),
        texts(|line| line.call.model.as_deref()),
        text(|line| &line.call.endpoint),
        texts(|line| line.call.upstream_model.as_deref()),
        number(|line| i64::from(line.call.attempts)),
        tokens(|usage| usage.input),
        tokens(|usage| usage.cache_read),
        tokens(|usage| usage.cache_write_5m),
        tokens(|usage| usage.cache_write_1h),
        tokens(|usage| usage.audio_input),
        tokens(|usage| usage.image_input),
        tokens(|usage| usage.output),
        tokens(|usage| usage.reasoning),
        tokens(|usage| usage.audio_output),
        tokens(|usage| usage.image_output),
        number(|line| i64::from(line.call.usage.is_estimated)),
        numbers(|line| line.call.cost.map(|cost| signed(cost.pico()))),
        number(|line| i64::from(line.call.duration_ms)),
        numbers(|line| line.call.first_token_ms.map(i64::from)),
        number(|line| i64::from(line.call.status)),
        text(|line| line.call.outcome.as_str()),
        texts(|line| line.call.reason.as_deref()),
        number(|line| i64::from(line.call.is_stream)),
        number(|line| signed(line.call.generation)),
        number(|line| signed(line.call.margin.pico())),
    ]
}

/// Stretches whose lengths are of [`SIZES`]; all in one where there are none.
fn chunks<T>(mut rest: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let fitting = SIZES.iter().copied().find(|size| rest.len() >= *size);
        let size = fitting.unwrap_or(rest.len());
        let (chunk, others) = rest.split_at_checked(size).filter(|_| size > 0)?;
        rest = others;
        Some(chunk)
    })
}
