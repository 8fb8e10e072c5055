//! Adding calls, and forgetting them.

use crate::harness::{DAY_ONE, Place, calls, on_both};
use std::sync::Arc;
use tidegate::govern::{Call, Outcome};
use tidegate::store::{CALLS_MAX, CallQuery, Dimension, Retention, Store, StoreError, UsageQuery};

on_both!(
    a_call_is_read_back_as_it_was_added,
    a_call_that_is_delivered_again_counts_once,
    two_nodes_that_add_the_same_calls_count_them_once,
    calls_are_found_by_filter_newest_first_and_page_by_page,
    texts_of_clients_are_kept_within_bounds,
    what_is_old_goes_in_small_steps_and_days_stay,
);

fn all(limit: u32) -> CallQuery {
    CallQuery { from_ms: 0, to_ms: u64::MAX / 4, limit, ..CallQuery::default() }
}

async fn a_call_is_read_back_as_it_was_added(place: Place) {
    let opened = place.open().await;
    let mut made = calls(1, 4);
    made[1] = Call {
        tenant: None,
        team: None,
        app: None,
        model: None,
        provider: None,
        upstream_model: None,
        first_token_ms: None,
        reason: Some("rate-limited".into()),
        outcome: Outcome::Rejected,
        ..made[1].clone()
    };
    opened.store.append_calls(&made).await.unwrap();
    made.reverse();
    assert_eq!(opened.store.calls(&all(10)).await.unwrap().calls, made);
    opened.store.append_calls(&[]).await.unwrap();
    let many = vec![made[0].clone(); CALLS_MAX + 1];
    assert!(matches!(opened.store.append_calls(&many).await, Err(StoreError::TooMuch(_))));
}

async fn a_call_that_is_delivered_again_counts_once(place: Place) {
    let opened = place.open().await;
    let made = calls(2, 700);
    opened.store.append_calls(&made[..400]).await.unwrap();
    // Some are there, some are new, one comes twice.
    let mut again = made[100..].to_vec();
    again.push(made[650].clone());
    opened.store.append_calls(&again).await.unwrap();
    opened.store.append_calls(&made).await.unwrap();
    place.check_ledger(700).await;
}

async fn two_nodes_that_add_the_same_calls_count_them_once(place: Place) {
    let (one, other) = (place.open().await, place.open().await);
    let made = calls(3, 2000);
    let add = |store: Arc<dyn Store>, from: usize| {
        let made = made.clone();
        async move {
            for chunk in made[from..from + 1500].chunks(250) {
                store.append_calls(chunk).await.unwrap();
            }
        }
    };
    tokio::join!(add(one.store.clone(), 0), add(other.store.clone(), 500));
    place.check_ledger(2000).await;
}

async fn calls_are_found_by_filter_newest_first_and_page_by_page(place: Place) {
    let opened = place.open().await;
    let made = calls(4, 300);
    opened.store.append_calls(&made).await.unwrap();
    let pages = |query: CallQuery| {
        let store = opened.store.clone();
        async move {
            let (mut query, mut found) = (query, Vec::new());
            loop {
                let page = store.calls(&query).await.unwrap();
                assert!(page.calls.len() <= query.limit as usize);
                found.extend(page.calls);
                query.after = page.next;
                if query.after.is_none() {
                    return found;
                }
            }
        }
    };
    let expect =
        |is: &dyn Fn(&Call) -> bool| made.iter().rev().filter(|call| is(call)).cloned().collect::<Vec<_>>();
    assert_eq!(pages(all(7)).await, expect(&|_| true));
    let by = |filters: &[(Dimension, &str)]| CallQuery {
        filters: filters.iter().map(|(dimension, text)| (*dimension, (*text).to_owned())).collect(),
        ..all(9)
    };
    let key = pages(by(&[(Dimension::Key, "key_3")])).await;
    assert_eq!(key, expect(&|call| &*call.key == "key_3"));
    let either = by(&[(Dimension::Key, "key_3"), (Dimension::Key, "key_4"), (Dimension::Model, "model_1")]);
    let is_either =
        |call: &Call| matches!(&*call.key, "key_3" | "key_4") && call.model.as_deref() == Some("model_1");
    assert_eq!(pages(either).await, expect(&is_either));
    assert!(pages(by(&[(Dimension::Key, "' OR 1=1 --")])).await.is_empty());
    let failed = CallQuery {
        outcome: Some(Outcome::Failed),
        from_ms: DAY_ONE + 50_000,
        to_ms: DAY_ONE + 200_000,
        ..all(4)
    };
    let is_failed =
        |call: &Call| call.outcome == Outcome::Failed && (50..200).contains(&((call.at_ms - DAY_ONE) / 1000));
    assert_eq!(pages(failed).await, expect(&is_failed));
}

async fn texts_of_clients_are_kept_within_bounds(place: Place) {
    let opened = place.open().await;
    let mut made = calls(5, 1600);
    for (at, call) in made.iter_mut().enumerate() {
        call.key = Arc::from("key_1");
        (call.tenant, call.team, call.app) = (None, None, None);
        call.provider = Some(Arc::from("provider"));
        call.model = Some(Arc::from(format!("made-up-{at}")));
    }
    made[0].model = Some(Arc::from("zero\0"));
    made[1].model = Some(Arc::from("\u{e9}".repeat(1000)));
    // One that led nowhere is counted under no name at all.
    made[2].provider = None;
    opened.store.append_calls(&made).await.unwrap();
    place.check_ledger(1600).await;
    let models = place.number("SELECT COUNT(*) FROM usage_dims WHERE level = 5").await;
    assert_eq!(models, 1002, "a thousand names, (other), and none");
    let kept = opened.store.calls(&all(1000)).await.unwrap();
    assert_eq!(kept.calls[0].model, made[1599].model, "a row keeps its own");
    let other = UsageQuery {
        filters: vec![(Dimension::Model, "(other)".to_owned())],
        from_ms: DAY_ONE,
        to_ms: DAY_ONE + 86_400_000,
        limit: 1,
        ..UsageQuery::default()
    };
    assert_eq!(opened.store.usage(&other).await.unwrap().rows[0].sums.calls, 599);
}

async fn what_is_old_goes_in_small_steps_and_days_stay(place: Place) {
    const DAY: u64 = 86_400_000;
    let opened = place.open().await;
    let mut made = calls(6, 12_000);
    for (at, call) in made.iter_mut().enumerate() {
        call.at_ms = DAY_ONE + at as u64 * 60_000;
    }
    for chunk in made.chunks(4000) {
        opened.store.append_calls(chunk).await.unwrap();
    }
    let now_ms = DAY_ONE + 12_000 * 60_000;
    let retention = Retention { calls_ms: DAY, minutes_ms: 2 * DAY, hours_ms: 4 * DAY };
    let mut steps = 0;
    loop {
        let pruned = opened.store.prune(&retention, now_ms).await.unwrap();
        assert!(pruned.calls <= 5000);
        steps += 1;
        if !pruned.has_more {
            break;
        }
    }
    assert!(steps > 2);
    assert_eq!(place.number("SELECT COUNT(*) FROM calls").await, 1440);
    let first = |table: &str| format!("SELECT MIN(bucket) FROM {table}");
    let ago = |days: u64, unit: u64| i64::try_from((now_ms - days * DAY) / unit).unwrap();
    assert_eq!(place.number(&first("usage_minute")).await, ago(2, 3_600_000) * 60);
    assert_eq!(place.number(&first("usage_hour")).await, ago(4, DAY) * 24);
    assert_eq!(place.number(&first("usage_day")).await, i64::try_from(DAY_ONE / DAY).unwrap());
    // What the coarser sums tell is still all of it.
    let query = UsageQuery { from_ms: DAY_ONE, to_ms: now_ms, limit: 1, ..UsageQuery::default() };
    assert_eq!(opened.store.usage(&query).await.unwrap().rows[0].sums.calls, 12_000);
}
