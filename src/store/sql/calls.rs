//! Single calls, newest first.

use super::super::Db;
use super::dims;
use super::objects::number;
use super::sums::signed;
use crate::govern::{Call, Outcome};
use crate::store::usage::LEVEL_WHOLE;
use crate::store::{CallPage, CallQuery, StoreError};
use crate::types::{Money, RequestId, Usage};
use sqlx::{Database, Pool, QueryBuilder, Row};
use std::sync::Arc;

/// So few of what is asked for are each followed through time; of more, time is read as a whole.
const SEEK_MAX: usize = 64;

pub(super) async fn page(pool: &Pool<Db>, asked: &CallQuery) -> Result<CallPage, StoreError> {
    let before = asked.before()?;
    let seek = match asked.filters.is_empty() {
        true => None,
        false => few(pool, asked).await?,
    };
    if seek.as_ref().is_some_and(Vec::is_empty) {
        return Ok(CallPage::default());
    }
    let want = asked.limit as usize + 1;
    let mut query = statement(asked, &before, seek.as_deref(), signed(want as u64));
    let rows = query.build().fetch_all(pool).await?;
    let mut page = CallPage { calls: rows.iter().map(call).collect::<Result<_, _>>()?, next: None };
    if page.calls.len() == want {
        page.calls.pop();
        page.next = page.calls.last().map(CallPage::cursor);
    }
    Ok(page)
}

/// The numbers that the filters let through, unless they are many.
async fn few(pool: &Pool<Db>, asked: &CallQuery) -> Result<Option<Vec<i64>>, StoreError> {
    let mut query = QueryBuilder::<Db>::new("SELECT id");
    dims::push_from(&mut query, LEVEL_WHOLE, &asked.filters);
    query.push(" LIMIT ").push_bind(signed(SEEK_MAX as u64 + 1));
    let ids: Vec<i64> = query.build_query_scalar().fetch_all(pool).await?;
    Ok((ids.len() <= SEEK_MAX).then_some(ids))
}

fn statement(
    asked: &CallQuery,
    before: &(u64, String),
    seek: Option<&[i64]>,
    limit: i64,
) -> QueryBuilder<Db> {
    let mut query = QueryBuilder::<Db>::new(
        "SELECT c.*, d.tenant, d.team, d.app, d.key, d.provider, d.model AS counted FROM (",
    );
    match seek {
        // The newest of each, and of these the newest.
        Some(ids) => {
            for (at, id) in ids.iter().enumerate() {
                query
                    .push(if at > 0 { " UNION ALL " } else { "" })
                    .push("SELECT * FROM (SELECT * FROM calls WHERE dim = ");
                query.push_bind(*id).push(" AND ");
                push_span(&mut query, asked, before);
                query
                    .push(" ORDER BY at_ms DESC, id DESC LIMIT ")
                    .push_bind(limit)
                    .push(format!(") AS c{at}"));
            }
        }
        None => {
            query.push("SELECT * FROM calls WHERE ");
            push_span(&mut query, asked, before);
            if !asked.filters.is_empty() {
                query.push(" AND dim IN (SELECT id");
                dims::push_from(&mut query, LEVEL_WHOLE, &asked.filters);
                query.push(")");
            }
            query.push(" ORDER BY at_ms DESC, id DESC LIMIT ").push_bind(limit);
        }
    }
    query.push(") AS c JOIN usage_dims d ON d.id = c.dim ORDER BY c.at_ms DESC, c.id DESC LIMIT ");
    query.push_bind(limit);
    query
}

fn push_span(query: &mut QueryBuilder<Db>, asked: &CallQuery, (at_ms, id): &(u64, String)) {
    query.push("at_ms >= ").push_bind(signed(asked.from_ms));
    query.push(" AND (at_ms, id) < (").push_bind(signed(*at_ms)).push(", ").push_bind(id.clone()).push(")");
    if let Some(outcome) = asked.outcome {
        query.push(" AND outcome = ").push_bind(outcome.as_str());
    }
}

fn call(row: &<Db as Database>::Row) -> Result<Call, StoreError> {
    let damaged = |what: &str| StoreError::Unusable(format!("a call has no readable {what}"));
    let text = |column: &str| -> Result<Option<Arc<str>>, StoreError> {
        let text: Option<String> = row.try_get(column)?;
        Ok(text.filter(|text| !text.is_empty()).map(Arc::from))
    };
    let optional = |column: &str| -> Result<Option<u64>, StoreError> {
        let value: Option<i64> = row.try_get(column)?;
        Ok(value.and_then(|value| u64::try_from(value).ok()))
    };
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let (id, outcome): (String, String) = (row.try_get("id")?, row.try_get("outcome")?);
    let endpoint: String = row.try_get("endpoint")?;
    Ok(Call {
        id: RequestId::parse(&id).ok_or_else(|| damaged("id"))?,
        at_ms: number(row, "at_ms")?,
        tenant: text("tenant")?,
        team: text("team")?,
        app: text("app")?,
        key: text("key")?.unwrap_or_else(|| Arc::from("")),
        model: text("model")?,
        endpoint: endpoint.into(),
        provider: text("provider")?,
        upstream_model: text("upstream_model")?,
        attempts: u8::try_from(number(row, "attempts")?).unwrap_or(u8::MAX),
        usage: Usage {
            input: number(row, "input")?,
            cache_read: number(row, "cache_read")?,
            cache_write_5m: number(row, "cache_write_5m")?,
            cache_write_1h: number(row, "cache_write_1h")?,
            audio_input: number(row, "audio_input")?,
            image_input: number(row, "image_input")?,
            output: number(row, "output")?,
            reasoning: number(row, "reasoning")?,
            audio_output: number(row, "audio_output")?,
            image_output: number(row, "image_output")?,
            is_estimated: number(row, "is_estimated")? != 0,
            ..Usage::default()
        },
        cost: optional("cost_pico")?.map(Money::from_pico),
        margin: Money::from_pico(number(row, "margin_pico")?),
        duration_ms: small(number(row, "duration_ms")?),
        first_token_ms: optional("first_token_ms")?.map(small),
        status: u16::try_from(number(row, "status")?).unwrap_or(0),
        outcome: Outcome::parse(&outcome).ok_or_else(|| damaged("outcome"))?,
        reason: row.try_get::<Option<String>, _>("reason")?.map(Into::into),
        is_stream: number(row, "is_stream")? != 0,
        generation: number(row, "generation")?,
    })
}
