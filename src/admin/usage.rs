//! What was called and what it cost: from the ledger's sums, and call by call.

use super::call::{Answer, Call};
use super::problem::Problem;
use super::strict;
use crate::govern::Outcome;
use crate::store::{Bucket, CallQuery, Dimension, ROWS_MAX, UsageQuery, UsageRow, export};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What is summed unless asked otherwise: the last 30 days.
const SPAN_MS: u64 = 30 * 86_400_000;
const FIXED: [&str; 6] = ["from_ms", "to_ms", "bucket", "group_by", "limit", "cursor"];

/// # Errors
/// What is wrong with the query, or the store's.
pub async fn usage(call: &Call) -> Result<Answer, Problem> {
    let known: Vec<&str> = FIXED.into_iter().chain(Dimension::ALL.map(Dimension::as_str)).collect();
    let query = strict::query(call.query.as_deref(), &known)?;
    let asked = read(call, &query)?;
    let page = call.store()?.usage(&asked).await?;
    let items: Vec<Value> = page.rows.iter().map(|row| shown(row, &asked.group_by)).collect();
    Ok(Answer::ok(json!({
        "from_ms": page.from_ms,
        "to_ms": page.to_ms,
        "items": items,
        "next_cursor": page.next,
    })))
}

/// # Errors
/// What is wrong with the query, or the store's.
pub async fn calls(call: &Call) -> Result<Answer, Problem> {
    const FIXED: [&str; 5] = ["from_ms", "to_ms", "outcome", "limit", "cursor"];
    let known: Vec<&str> = FIXED.into_iter().chain(Dimension::ALL.map(Dimension::as_str)).collect();
    let query = strict::query(call.query.as_deref(), &known)?;
    let (from_ms, to_ms, limit) = span(call, &query)?;
    let outcome = match query.get("outcome") {
        None => None,
        Some(text) => Some(
            Outcome::parse(text)
                .ok_or_else(|| Problem::invalid("outcome", "ok, rejected, failed or aborted"))?,
        ),
    };
    let filters = filters(call, &query)?;
    let after = query.get("cursor").cloned();
    let asked = CallQuery { from_ms, to_ms, filters, outcome, after, limit };
    let page = call.store()?.calls(&asked).await?;
    let shown = |call| export::call(call).into_iter().collect::<Map<String, Value>>();
    let items: Vec<Value> = page.calls.iter().map(|call| Value::Object(shown(call))).collect();
    Ok(Answer::ok(json!({ "from_ms": from_ms, "to_ms": to_ms, "items": items, "next_cursor": page.next })))
}

/// From when to when, and how many.
fn span(call: &Call, query: &BTreeMap<String, String>) -> Result<(u64, u64, u32), Problem> {
    let number = |name: &str, default: u64, max: u64| match query.get(name).map(|text| text.parse::<u64>()) {
        None => Ok(default),
        Some(Ok(number)) if number <= max => Ok(number),
        Some(_) => Err(Problem::invalid(name, format!("a number up to {max}"))),
    };
    let end = i64::MAX.unsigned_abs();
    let to_ms = number("to_ms", call.now_ms, end)?;
    let from_ms = number("from_ms", to_ms.saturating_sub(SPAN_MS), end)?;
    if from_ms >= to_ms {
        return Err(Problem::invalid("from_ms", "must be before to_ms"));
    }
    let limit = number("limit", 100, u64::from(ROWS_MAX))?.max(1) as u32;
    Ok((from_ms, to_ms, limit))
}

fn read(call: &Call, query: &BTreeMap<String, String>) -> Result<UsageQuery, Problem> {
    let (from_ms, to_ms, limit) = span(call, query)?;
    let bucket = match query.get("bucket") {
        None => None,
        Some(text) => {
            Some(Bucket::parse(text).ok_or_else(|| Problem::invalid("bucket", "minute, hour or day"))?)
        }
    };
    let mut group_by = Vec::new();
    for text in query.get("group_by").map(|text| text.split(',')).into_iter().flatten() {
        let dimension = Dimension::parse(text).filter(|dimension| !group_by.contains(dimension));
        let known = "tenant, team, app, key, model and provider, each once, parted by commas";
        group_by.push(dimension.ok_or_else(|| Problem::invalid("group_by", known))?);
    }
    let filters = filters(call, query)?;
    Ok(UsageQuery { from_ms, to_ms, bucket, group_by, filters, after: query.get("cursor").cloned(), limit })
}

/// What is asked for, within what the actor sees.
fn filters(call: &Call, query: &BTreeMap<String, String>) -> Result<Vec<(Dimension, String)>, Problem> {
    let mut filters: Vec<(Dimension, String)> = Vec::new();
    for dimension in Dimension::ALL {
        let asked = query.get(dimension.as_str());
        let own: Vec<String> = match dimension {
            Dimension::Tenant => call.actor.tenant.iter().map(|id| id.as_str().to_owned()).collect(),
            Dimension::Team => call.actor.teams.iter().map(|id| id.as_str().to_owned()).collect(),
            Dimension::App | Dimension::Key | Dimension::Model | Dimension::Provider => Vec::new(),
        };
        match asked {
            // As for all that is somebody else's: there is no such thing.
            Some(asked) if !own.is_empty() && !own.contains(asked) => {
                return Err(Problem::missing(dimension.as_str()));
            }
            Some(asked) => filters.push((dimension, asked.clone())),
            None => filters.extend(own.into_iter().map(|id| (dimension, id))),
        }
    }
    Ok(filters)
}

fn shown(row: &UsageRow, group_by: &[Dimension]) -> Value {
    let group: Map<String, Value> = group_by
        .iter()
        .zip(&row.group)
        .map(|(dimension, value)| (dimension.as_str().to_owned(), value.clone().into()))
        .collect();
    let sums = &row.sums;
    json!({
        "from_ms": row.from_ms,
        "group": group,
        "calls": sums.calls,
        "rejected": sums.rejected,
        "failed": sums.failed,
        "aborted": sums.aborted,
        "unpriced": sums.unpriced,
        "estimated": sums.estimated,
        "input_tokens": sums.usage.input,
        "output_tokens": sums.usage.output,
        "cache_read_tokens": sums.usage.cache_read,
        "reasoning_tokens": sums.usage.reasoning,
        "cost_usd": sums.cost,
        "charged_usd": sums.charged(),
    })
}
