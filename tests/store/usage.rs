//! Usage: the sums are those of the calls, however they are asked for.

use crate::harness::{DAY_ONE, Place, calls, on_both};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidegate::govern::{Call, Outcome};
use tidegate::store::{Bucket, Dimension, Store, StoreError, Sums, UsageQuery, UsageRow};
use tidegate::types::Money;

on_both!(
    sums_are_those_of_the_calls_for_every_grouping,
    a_span_with_ragged_edges_is_exact,
    any_span_is_exact_whether_sums_are_added_or_taken_off,
    filters_hold_together_and_pages_join_up,
    money_beyond_sixty_four_bits_of_pico_dollars_is_summed,
    a_question_that_is_none_is_refused,
);

const HOUR: u64 = 3_600_000;

/// Over five days, a call every seven minutes and a bit.
fn filled_calls() -> Vec<Call> {
    let mut made = calls(1, 1000);
    for (at, call) in made.iter_mut().enumerate() {
        call.at_ms = DAY_ONE + at as u64 * 431_017;
        if at % 7 == 0 {
            (call.outcome, call.usage.is_estimated) = (Outcome::Aborted, true);
        }
    }
    made
}

async fn filled(place: &Place) -> (Arc<dyn Store>, Vec<Call>) {
    let opened = place.open().await;
    let made = filled_calls();
    opened.store.append_calls(&made).await.unwrap();
    (opened.store, made)
}

fn text(call: &Call, dimension: Dimension) -> String {
    let text = match dimension {
        Dimension::Tenant => call.tenant.as_ref(),
        Dimension::Team => call.team.as_ref(),
        Dimension::App => call.app.as_ref(),
        Dimension::Key => Some(&call.key),
        Dimension::Model => call.model.as_ref(),
        Dimension::Provider => call.provider.as_ref(),
    };
    text.map(|text| text.to_string()).unwrap_or_default()
}

/// The answer, worked out from the calls themselves.
fn expected(made: &[Call], query: &UsageQuery) -> Vec<UsageRow> {
    let mut rows: BTreeMap<(Option<u64>, Vec<String>), Sums> = BTreeMap::new();
    for call in made {
        let is_in = (query.from_ms..query.to_ms).contains(&call.at_ms);
        let is_let = Dimension::ALL.iter().all(|dimension| {
            let mut wanted = query.filters.iter().filter(|(of, _)| of == dimension).peekable();
            wanted.peek().is_none() || wanted.any(|(_, value)| *value == text(call, *dimension))
        });
        if !is_in || !is_let {
            continue;
        }
        let bucket = query.bucket.map(|bucket| call.at_ms / bucket.ms() * bucket.ms());
        let group = query.group_by.iter().map(|dimension| text(call, *dimension)).collect();
        let sums = rows.entry((bucket, group)).or_default();
        let is = |outcome| u64::from(call.outcome == outcome);
        sums.calls += 1;
        sums.rejected += is(Outcome::Rejected);
        sums.failed += is(Outcome::Failed);
        sums.aborted += is(Outcome::Aborted);
        sums.unpriced += u64::from(call.cost.is_none());
        sums.estimated += u64::from(call.usage.is_estimated);
        sums.usage.input += call.usage.input;
        sums.usage.cache_read += call.usage.cache_read;
        sums.usage.output += call.usage.output;
        sums.usage.reasoning += call.usage.reasoning;
        sums.usage.is_estimated |= call.usage.is_estimated;
        sums.cost = sums.cost.saturating_add(call.cost.unwrap_or_default());
        sums.margin = sums.margin.saturating_add(call.margin);
        sums.duration_ms += u64::from(call.duration_ms);
    }
    let row = |((from_ms, group), sums)| UsageRow { from_ms, group, sums };
    rows.into_iter().map(row).collect()
}

async fn asked(store: &dyn Store, query: &UsageQuery) -> Vec<UsageRow> {
    let (mut query, mut rows) = (query.clone(), Vec::new());
    loop {
        let page = store.usage(&query).await.unwrap();
        assert!(page.rows.len() <= query.limit as usize);
        rows.extend(page.rows);
        query.after = page.next;
        if query.after.is_none() {
            return rows;
        }
    }
}

fn over(from_ms: u64, to_ms: u64) -> UsageQuery {
    UsageQuery { from_ms, to_ms, limit: 1000, ..UsageQuery::default() }
}

/// Edges at every part of an hour and of a day, groups that vanish when their hours are taken off, and
/// money whose dollars and fractions go up and down apart.
async fn any_span_is_exact_whether_sums_are_added_or_taken_off(place: Place) {
    let (store, made) = filled(&place).await;
    let more = calls(99, 300).into_iter().enumerate().map(|(at, call)| Call {
        at_ms: DAY_ONE + at as u64 * 1_439_999,
        cost: Some(Money::from_pico(1_700_000_000_000 + at as u64)),
        key: Arc::from(format!("rare_{at}")),
        ..call
    });
    let more: Vec<Call> = more.collect();
    store.append_calls(&more).await.unwrap();
    let all: Vec<Call> = made.into_iter().chain(more).collect();
    let minute = 60_000;
    for step in 0..60 {
        let from_ms = DAY_ONE + step * 37 * minute;
        let to_ms = DAY_ONE + 120 * HOUR - step * 53 * minute;
        for group_by in [vec![], vec![Dimension::Key], vec![Dimension::Tenant, Dimension::Model]] {
            let query = UsageQuery { group_by, ..over(from_ms, to_ms) };
            assert_eq!(asked(&*store, &query).await, expected(&all, &query), "{query:?}");
        }
    }
}

async fn sums_are_those_of_the_calls_for_every_grouping(place: Place) {
    let (store, made) = filled(&place).await;
    let whole = over(DAY_ONE, DAY_ONE + 120 * HOUR);
    for bits in 0..64_usize {
        let named = Dimension::ALL.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
        let group_by: Vec<_> = named.map(|(_, dimension)| *dimension).collect();
        let query = UsageQuery { group_by, ..whole.clone() };
        assert_eq!(asked(&*store, &query).await, expected(&made, &query), "{query:?}");
        let by_time = UsageQuery { bucket: Some(Bucket::Hour), limit: 77, ..query };
        assert_eq!(asked(&*store, &by_time).await, expected(&made, &by_time), "{by_time:?}");
    }
    for bucket in [Bucket::Minute, Bucket::Day] {
        let group_by = vec![Dimension::Provider, Dimension::App];
        let query =
            UsageQuery { bucket: Some(bucket), group_by, limit: 13, ..over(DAY_ONE, DAY_ONE + 24 * HOUR) };
        assert_eq!(asked(&*store, &query).await, expected(&made, &query), "{bucket:?}");
    }
}

async fn a_span_with_ragged_edges_is_exact(place: Place) {
    let (store, made) = filled(&place).await;
    for (from, to) in [(61, 62), (0, 59), (7, 181), (30, 2000), (1441, 2881), (3000, 6999), (59, 4321)] {
        let group_by = vec![Dimension::Key];
        let query = UsageQuery { group_by, ..over(DAY_ONE + from * 60_000, DAY_ONE + to * 60_000) };
        assert_eq!(asked(&*store, &query).await, expected(&made, &query), "{from} to {to}");
        let page = store.usage(&query).await.unwrap();
        assert_eq!((page.from_ms, page.to_ms), (query.from_ms, query.to_ms));
    }
    let uneven = store.usage(&over(DAY_ONE + 1, DAY_ONE + 60_001)).await.unwrap();
    assert_eq!((uneven.from_ms, uneven.to_ms), (DAY_ONE, DAY_ONE + 120_000));
    assert!(asked(&*store, &over(DAY_ONE - HOUR, DAY_ONE)).await.is_empty());
}

async fn filters_hold_together_and_pages_join_up(place: Place) {
    let (store, made) = filled(&place).await;
    let filters = |list: &[(Dimension, &str)]| {
        list.iter().map(|(d, text)| (*d, (*text).to_owned())).collect::<Vec<_>>()
    };
    for (group_by, filters) in [
        (vec![], filters(&[(Dimension::Tenant, "ten_1")])),
        (vec![Dimension::Model], filters(&[(Dimension::Key, "key_1"), (Dimension::Key, "key_2")])),
        (
            vec![Dimension::Team, Dimension::Model],
            filters(&[(Dimension::Provider, "provider_0"), (Dimension::App, "app_2")]),
        ),
        (vec![Dimension::Key], filters(&[(Dimension::Key, "nobody")])),
        (vec![Dimension::Key], filters(&[(Dimension::Model, "'; DROP TABLE usage_day; --")])),
    ] {
        for bucket in [None, Some(Bucket::Hour), Some(Bucket::Day)] {
            for limit in [1, 3, 1000] {
                let query = UsageQuery {
                    bucket,
                    group_by: group_by.clone(),
                    filters: filters.clone(),
                    limit,
                    ..over(DAY_ONE, DAY_ONE + 30 * HOUR)
                };
                // By days a span is rounded outwards.
                let mut rounded = query.clone();
                if bucket == Some(Bucket::Day) {
                    rounded.to_ms = DAY_ONE + 48 * HOUR;
                }
                assert_eq!(asked(&*store, &query).await, expected(&made, &rounded), "{query:?}");
            }
        }
    }
}

async fn money_beyond_sixty_four_bits_of_pico_dollars_is_summed(place: Place) {
    let opened = place.open().await;
    let mut made = calls(9, 8);
    for call in &mut made {
        call.cost = Money::parse("1500000.999999999999").ok();
        call.margin = Money::parse("0.500000000001").unwrap();
    }
    for call in &made {
        opened.store.append_calls(std::slice::from_ref(call)).await.unwrap();
    }
    let rows = asked(&*opened.store, &over(DAY_ONE, DAY_ONE + HOUR)).await;
    assert_eq!(rows[0].sums.cost, Money::parse("12000007.999999999992").unwrap());
    assert_eq!(rows[0].sums.margin, Money::parse("4.000000000008").unwrap());
    assert_eq!(rows[0].sums.charged(), Money::parse("12000012").unwrap());
}

async fn a_question_that_is_none_is_refused(place: Place) {
    let (store, _) = filled(&place).await;
    let good = over(DAY_ONE, DAY_ONE + HOUR);
    let cursors = ["", "x", "[null,[]]", "[null,[\"a\"]]", "[5,[]]", "{}"];
    for after in cursors {
        let query = UsageQuery {
            after: Some(after.to_owned()),
            bucket: None,
            group_by: vec![Dimension::Key, Dimension::Model],
            ..good.clone()
        };
        let refused = store.usage(&query).await;
        assert!(matches!(refused, Err(StoreError::Malformed(_))), "{after} {refused:?}");
    }
    for query in [UsageQuery { limit: 0, ..good.clone() }, UsageQuery { to_ms: DAY_ONE, ..good.clone() }] {
        assert!(store.usage(&query).await.is_err(), "{query:?}");
    }
}
