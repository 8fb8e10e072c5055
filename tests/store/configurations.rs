//! The history of configurations, and commits on the condition that nothing has changed.

use crate::harness::{Place, object, on_both};
use serde_json::{Value, json};
use tidegate::govern::{Cause, Configuration, Kind, Object};
use tidegate::store::{CONFIGURATIONS_MAX, StoreError, Write};

on_both!(
    a_configuration_is_kept_once_while_it_says_the_same,
    the_oldest_configurations_go,
    nodes_that_keep_the_same_at_once_keep_it_once,
    a_commit_on_a_condition_happens_only_where_it_holds,
    a_plan_with_subscriptions_is_not_deleted,
);

fn configuration(at_ms: u64, says: Value) -> Configuration {
    let body = json!({ "kind": "openai", "n": u32::MAX, "text": "a\u{0}\"b" });
    let stored = vec![Object { name: "p".to_owned(), body, ..made(Kind::Provider, "prov_1") }];
    Configuration { at_ms, cause: Cause::Store, file: says, stored }
}

/// Of the installation.
fn made(kind: Kind, id: &str) -> Object {
    Object { tenant: None, ..object(kind, id, None, "") }
}

async fn a_configuration_is_kept_once_while_it_says_the_same(place: Place) {
    let store = place.open().await.store;
    let (one, other) = (configuration(5, json!({ "a": 1 })), configuration(6, json!({ "a": 2 })));
    assert_eq!(store.keep_configuration(&one).await.unwrap(), 1);
    let later = Configuration { at_ms: 9, cause: Cause::File, ..one.clone() };
    assert_eq!(store.keep_configuration(&later).await.unwrap(), 1);
    assert_eq!(store.keep_configuration(&other).await.unwrap(), 2);
    // What was before is news again.
    assert_eq!(store.keep_configuration(&later).await.unwrap(), 3);
    let kept = store.configurations().await.unwrap();
    let told: Vec<_> = kept.iter().map(|kept| (kept.number, kept.at_ms, kept.cause)).collect();
    assert_eq!(told, [(3, 9, Cause::File), (2, 6, Cause::Store), (1, 5, Cause::Store)]);
    assert_eq!((&kept[0].digest, kept[2].digest.len()), (&kept[2].digest, 64));
    assert_eq!(store.configuration(2).await.unwrap(), Some(other));
    for missing in [0, 4, u64::MAX] {
        assert_eq!(store.configuration(missing).await.unwrap(), None);
    }
}

async fn the_oldest_configurations_go(place: Place) {
    let store = place.open().await.store;
    for at in 1..=CONFIGURATIONS_MAX + 3 {
        let number = store.keep_configuration(&configuration(at, json!(at))).await.unwrap();
        assert_eq!(number, at);
    }
    let kept = store.configurations().await.unwrap();
    assert_eq!(kept.len() as u64, CONFIGURATIONS_MAX);
    assert_eq!((kept[0].number, kept[99].number), (CONFIGURATIONS_MAX + 3, 4));
    assert_eq!(store.configuration(3).await.unwrap(), None);
}

async fn nodes_that_keep_the_same_at_once_keep_it_once(place: Place) {
    let (one, other) = (place.open().await, place.open().await);
    for at in 0..10 {
        let same = configuration(at, json!(at));
        let (a, b) = tokio::join!(one.store.keep_configuration(&same), other.store.keep_configuration(&same));
        assert_eq!((a.unwrap(), b.unwrap()), (at + 1, at + 1));
    }
    assert_eq!(one.store.configurations().await.unwrap().len(), 10);
}

async fn a_commit_on_a_condition_happens_only_where_it_holds(place: Place) {
    let opened = place.open().await;
    let there = |versions: &[(&str, u64)]| Write::Unchanged {
        kind: Kind::Provider,
        versions: versions.iter().map(|(id, version)| ((*id).to_owned(), *version)).collect(),
    };
    let create = |id: &str| Write::Create(made(Kind::Provider, id));
    opened.commit(vec![there(&[]), create("prov_1")]).await.unwrap();
    for wrong in [&[][..], &[("prov_1", 2)], &[("prov_1", 1), ("prov_2", 1)], &[("prov_2", 1)]] {
        let refused = opened.commit(vec![there(wrong), create("prov_3")]).await;
        assert!(matches!(refused, Err(StoreError::Moved { kind: "provider" })), "{wrong:?} {refused:?}");
    }
    opened.commit(vec![there(&[("prov_1", 1)]), create("prov_2")]).await.unwrap();
    // Things of other kinds are not asked for, and what is not there is not told of.
    opened.commit(vec![Write::Create(made(Kind::Model, "model_1"))]).await.unwrap();
    opened.commit(vec![there(&[("prov_1", 1), ("prov_2", 1)])]).await.unwrap();
    let changes = opened.store.changes(0).await.unwrap();
    assert_eq!((changes.objects.len(), changes.has_more), (3, false));
    let since = opened.store.changes(changes.sequence).await.unwrap();
    assert!(since.objects.is_empty() && since.sequence == changes.sequence);
}

async fn a_plan_with_subscriptions_is_not_deleted(place: Place) {
    let opened = place.open().await;
    opened.tenancy("a").await;
    let plan = Write::Create(object(Kind::Plan, "plan_1", Some("ten_a"), "ten_a"));
    opened.commit(vec![plan]).await.unwrap();
    let subscription = |id: &str, plan: &str| {
        Write::Create(Object {
            name: plan.to_owned(),
            ..object(Kind::Subscription, id, Some("app_a"), "ten_a")
        })
    };
    let none = opened.commit(vec![subscription("sub_0", "plan_9")]).await;
    assert!(matches!(none, Err(StoreError::Missing { kind: "plan" })), "{none:?}");
    opened.commit(vec![subscription("sub_1", "plan_1")]).await.unwrap();
    let delete = |kind, id: &str| vec![Write::Delete { kind, id: id.to_owned(), expected: None }];
    let refused = opened.commit(delete(Kind::Plan, "plan_1")).await.unwrap_err();
    assert!(matches!(refused, StoreError::Subscribed { count: 1 }), "{refused:?}");
    assert!(refused.to_string().contains("1 subscription: delete"), "{refused}");
    opened.commit(delete(Kind::Subscription, "sub_1")).await.unwrap();
    opened.commit(delete(Kind::Plan, "plan_1")).await.unwrap();
    assert_eq!(opened.store.get(Kind::Plan, "plan_1").await.unwrap(), None);
}
