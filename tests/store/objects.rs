//! Governed objects: created, read, changed, deleted.

use crate::harness::{DAY_ONE, Place, object, on_both};
use std::collections::HashSet;
use std::time::Duration;
use tidegate::govern::{Kind, Object};
use tidegate::store::{
    CHANGES_MAX, Commit, Committed, IDEMPOTENCY_MS, Idempotency, ListQuery, PAGE_MAX, StoreError, WRITES_MAX,
    Write,
};

on_both!(
    what_is_created_is_read_back_with_version_one,
    names_are_unique_in_their_parent_and_nowhere_else,
    nothing_lies_in_what_is_not_there_or_another_tenants,
    nothing_is_deleted_that_something_lies_in,
    an_update_needs_the_version_it_was_made_from,
    a_commit_happens_as_a_whole_or_not_at_all,
    listing_goes_page_by_page_in_the_order_of_ids,
    texts_that_are_sql_are_texts,
    what_cannot_be_kept_is_refused_and_not_found,
    changes_are_told_once_each_and_in_order,
    changes_of_a_history_that_is_not_ours_begin_anew,
    concurrent_commits_leave_no_gap_for_a_reader,
    a_waiting_reader_is_woken_by_a_commit,
    a_commit_under_one_key_happens_once,
    a_key_for_another_request_is_refused_for_a_day,
);

fn tenant(id: &str) -> Object {
    object(Kind::Tenant, id, None, id)
}

fn objects(committed: Result<Committed, StoreError>) -> Vec<Object> {
    match committed.unwrap() {
        Committed::Done { objects, .. } => objects,
        other => panic!("{other:?}"),
    }
}

async fn what_is_created_is_read_back_with_version_one(place: Place) {
    let opened = place.open().await;
    let made = objects(opened.commit(vec![Write::Create(tenant("ten_1"))]).await);
    let expected = Object { version: 1, created_ms: DAY_ONE, updated_ms: DAY_ONE, ..tenant("ten_1") };
    assert_eq!(made, std::slice::from_ref(&expected));
    assert_eq!(opened.store.get(Kind::Tenant, "ten_1").await.unwrap(), Some(expected.clone()));
    assert_eq!(opened.store.get(Kind::Team, "ten_1").await.unwrap(), None);
    drop(opened);
    // On disk, not in memory.
    assert_eq!(place.open().await.store.get(Kind::Tenant, "ten_1").await.unwrap(), Some(expected));
}

async fn names_are_unique_in_their_parent_and_nowhere_else(place: Place) {
    let opened = place.open().await;
    opened.tenancy("a").await;
    opened.tenancy("b").await;
    let team = |id: &str, tenant: &str| Object {
        name: "same".to_owned(),
        ..object(Kind::Team, id, Some(tenant), tenant)
    };
    opened
        .commit(vec![Write::Create(team("team_1", "ten_a")), Write::Create(team("team_2", "ten_b"))])
        .await
        .unwrap();
    let user = Object { name: "same".to_owned(), ..object(Kind::User, "usr_1", Some("ten_a"), "ten_a") };
    opened.commit(vec![Write::Create(user)]).await.unwrap();
    let again = opened.commit(vec![Write::Create(team("team_3", "ten_a"))]).await;
    assert!(matches!(&again, Err(StoreError::Exists { kind: "team", name }) if name == "same"), "{again:?}");
    let same_id = opened
        .commit(vec![Write::Create(Object { name: "other".to_owned(), ..team("team_1", "ten_a") })])
        .await;
    assert!(matches!(same_id, Err(StoreError::Exists { .. })), "{same_id:?}");
    let renamed = Object { name: "team_a".to_owned(), ..team("team_1", "ten_a") };
    let renamed = opened.commit(vec![Write::Update { object: renamed, expected: None }]).await;
    assert!(matches!(renamed, Err(StoreError::Exists { .. })), "{renamed:?}");
}

async fn nothing_lies_in_what_is_not_there_or_another_tenants(place: Place) {
    let opened = place.open().await;
    opened.tenancy("a").await;
    opened.tenancy("b").await;
    for (wrong, missing) in [
        (object(Kind::App, "app_1", Some("team_none"), "ten_a"), "team"),
        (object(Kind::App, "app_1", Some("team_b"), "ten_a"), "team"),
        (object(Kind::App, "app_1", Some("ten_a"), "ten_a"), "team"),
        (object(Kind::App, "app_1", None, "ten_a"), "team"),
        (object(Kind::Team, "team_1", None, "ten_a"), "tenant"),
        (object(Kind::Key, "key_1", Some("app_b"), "ten_a"), "app"),
    ] {
        let refused = opened.commit(vec![Write::Create(wrong.clone())]).await;
        assert!(
            matches!(refused, Err(StoreError::Missing { kind }) if kind == missing),
            "{wrong:?} {refused:?}"
        );
    }
    // What belongs to the installation lies in nothing.
    let shared = Object { tenant: None, ..object(Kind::Plan, "plan_1", None, "-") };
    opened.commit(vec![Write::Create(shared)]).await.unwrap();
}

async fn nothing_is_deleted_that_something_lies_in(place: Place) {
    let opened = place.open().await;
    opened.tenancy("a").await;
    let delete = |kind, id: &str| Write::Delete { kind, id: id.to_owned(), expected: None };
    let refused = opened.commit(vec![delete(Kind::Tenant, "ten_a")]).await;
    assert!(matches!(refused, Err(StoreError::NotEmpty { kind: "tenant" })), "{refused:?}");
    let all = [(Kind::App, "app_a"), (Kind::Team, "team_a"), (Kind::Tenant, "ten_a")];
    opened.commit(all.iter().map(|(kind, id)| delete(*kind, id)).collect()).await.unwrap();
    let gone = opened.commit(vec![delete(Kind::Tenant, "ten_a")]).await;
    assert!(matches!(gone, Err(StoreError::Missing { kind: "tenant" })), "{gone:?}");
    opened.tenancy("a").await;
}

async fn an_update_needs_the_version_it_was_made_from(place: Place) {
    let opened = place.open().await;
    opened.tenancy("a").await;
    let body = serde_json::json!({"status": "blocked"});
    let team = Object {
        body: body.clone(),
        name: "new".to_owned(),
        ..object(Kind::Team, "team_a", Some("ten_x"), "ten_x")
    };
    let update = |expected| Write::Update { object: team.clone(), expected };
    let changed = objects(opened.commit(vec![update(Some(1))]).await);
    assert_eq!((changed[0].version, &changed[0].name, &changed[0].body), (2, &"new".to_owned(), &body));
    // It has not moved to where the caller says it is.
    assert_eq!(changed[0].parent.as_deref(), Some("ten_a"));
    assert_eq!(changed[0].tenant.as_deref(), Some("ten_a"));
    assert_eq!(opened.store.get(Kind::Team, "team_a").await.unwrap(), Some(changed[0].clone()));
    let late = opened.commit(vec![update(Some(1))]).await;
    assert!(matches!(late, Err(StoreError::Conflict { expected: 1, actual: 2 })), "{late:?}");
    let late = opened
        .commit(vec![Write::Delete { kind: Kind::App, id: "app_a".to_owned(), expected: Some(9) }])
        .await;
    assert!(matches!(late, Err(StoreError::Conflict { expected: 9, actual: 1 })), "{late:?}");
    assert_eq!(objects(opened.commit(vec![update(None)]).await)[0].version, 3);
}

async fn a_commit_happens_as_a_whole_or_not_at_all(place: Place) {
    let opened = place.open().await;
    opened.commit(vec![Write::Create(tenant("ten_1"))]).await.unwrap();
    let before = opened.store.changes(0).await.unwrap();
    let half = vec![Write::Create(tenant("ten_2")), Write::Create(tenant("ten_1"))];
    let audit = vec![crate::harness::entry("tenant.create", None)];
    let failed = opened.store.commit(Commit { at_ms: 1, writes: half, audit, idempotency: None }).await;
    assert!(matches!(failed, Err(StoreError::Exists { .. })), "{failed:?}");
    assert_eq!(opened.store.changes(0).await.unwrap(), before);
    assert!(opened.store.audit(None, None, 10).await.unwrap().is_empty());
    let many = (0..=WRITES_MAX).map(|at| Write::Create(tenant(&format!("ten_m{at}")))).collect();
    assert!(matches!(opened.commit(many).await, Err(StoreError::TooMuch(_))));
}

async fn listing_goes_page_by_page_in_the_order_of_ids(place: Place) {
    let opened = place.open().await;
    opened.tenancy("a").await;
    opened.tenancy("b").await;
    // Bytewise: capital letters first, whatever the database's locale says.
    let ids = ["key_9", "key_Z", "key_a", "key_b", "key_\u{e9}"];
    for id in ids {
        opened.commit(vec![Write::Create(object(Kind::Key, id, Some("app_a"), "ten_a"))]).await.unwrap();
    }
    opened.commit(vec![Write::Create(object(Kind::Key, "key_bb", Some("app_b"), "ten_b"))]).await.unwrap();
    let mut query = ListQuery {
        kind: Some(Kind::Key),
        tenant: Some("ten_a".to_owned()),
        limit: 2,
        ..ListQuery::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = opened.store.list(&query).await.unwrap();
        assert!(page.len() <= 2);
        seen.extend(page.iter().map(|key| key.id.clone()));
        let Some(last) = page.last() else { break };
        query.after = Some(last.id.clone());
    }
    assert_eq!(seen, ids);
    let named = ListQuery { name: Some("key_b".to_owned()), limit: 10, ..ListQuery::default() };
    assert_eq!(opened.store.list(&named).await.unwrap().len(), 1);
    let inside = ListQuery { parent: Some("app_b".to_owned()), limit: 10, ..ListQuery::default() };
    assert_eq!(opened.store.list(&inside).await.unwrap()[0].id, "key_bb");
    for limit in [0, PAGE_MAX + 1] {
        assert!(matches!(
            opened.store.list(&ListQuery { limit, ..named.clone() }).await,
            Err(StoreError::TooMuch(_))
        ));
    }
}

async fn texts_that_are_sql_are_texts(place: Place) {
    let opened = place.open().await;
    for (at, text) in
        ["' OR '1'='1", "x'); DROP TABLE objects; --", "$1", "%_\\", "\u{1f600}\"`"].into_iter().enumerate()
    {
        let made = Object { name: text.to_owned(), ..tenant(&format!("ten_{at}")) };
        opened.commit(vec![Write::Create(made)]).await.unwrap();
        let found = ListQuery { name: Some(text.to_owned()), limit: 10, ..ListQuery::default() };
        assert_eq!(opened.store.list(&found).await.unwrap().len(), 1, "{text}");
        assert_eq!(opened.store.get(Kind::Tenant, text).await.unwrap(), None, "{text}");
        let after = ListQuery {
            after: Some(text.to_owned()),
            tenant: Some(text.to_owned()),
            limit: 10,
            ..ListQuery::default()
        };
        assert!(opened.store.list(&after).await.unwrap().is_empty(), "{text}");
        assert!(opened.store.audit(Some(text), None, 10).await.unwrap().is_empty(), "{text}");
    }
}

async fn what_cannot_be_kept_is_refused_and_not_found(place: Place) {
    let opened = place.open().await;
    let long = "x".repeat(300);
    for wrong in
        [tenant("ten_\0"), tenant(""), Object { name: "a\0".to_owned(), ..tenant("ten_1") }, tenant(&long)]
    {
        let refused = opened.commit(vec![Write::Create(wrong)]).await;
        assert!(matches!(refused, Err(StoreError::Malformed(_) | StoreError::TooMuch(_))), "{refused:?}");
    }
    assert_eq!(opened.store.get(Kind::Tenant, "ten_\0").await.unwrap(), None);
    let query = ListQuery { name: Some("\0".to_owned()), limit: 1, ..ListQuery::default() };
    assert!(opened.store.list(&query).await.unwrap().is_empty());
    assert!(opened.store.audit(Some("\0"), None, 1).await.unwrap().is_empty());
}

async fn changes_are_told_once_each_and_in_order(place: Place) {
    let opened = place.open().await;
    let first = opened.store.changes(0).await.unwrap();
    assert!(first.is_restart && first.objects.is_empty() && !first.has_more);
    opened.tenancy("a").await;
    let all = opened.store.changes(0).await.unwrap();
    assert_eq!(all.objects.len(), 3);
    let none = opened.store.changes(all.sequence).await.unwrap();
    assert!(none.objects.is_empty() && none.deleted.is_empty() && !none.is_restart);
    assert_eq!(none.sequence, all.sequence);
    opened
        .commit(vec![Write::Delete { kind: Kind::App, id: "app_a".to_owned(), expected: None }])
        .await
        .unwrap();
    opened.commit(vec![Write::Create(tenant("ten_z"))]).await.unwrap();
    let news = opened.store.changes(all.sequence).await.unwrap();
    assert_eq!(news.deleted, [(Kind::App, "app_a".to_owned())]);
    assert_eq!(news.objects.iter().map(|object| object.id.as_str()).collect::<Vec<_>>(), ["ten_z"]);
    // More than a page.
    for part in 0..6 {
        let some = (0..700).map(|at| Write::Create(tenant(&format!("ten_{part}_{at}"))));
        opened.commit(some.collect()).await.unwrap();
    }
    let (mut since, mut pages, mut seen) = (0, 0, HashSet::new());
    loop {
        let page = opened.store.changes(since).await.unwrap();
        assert!(page.objects.len() <= CHANGES_MAX as usize);
        assert_eq!(page.is_restart, since == 0);
        for object in page.objects {
            assert!(seen.insert(object.id), "told twice");
        }
        (since, pages) = (page.sequence, pages + 1);
        if !page.has_more {
            break;
        }
    }
    assert_eq!((seen.len(), pages), (4200 + 3, 3));
}

async fn changes_of_a_history_that_is_not_ours_begin_anew(place: Place) {
    let opened = place.open().await;
    opened.tenancy("a").await;
    let anew = opened.store.changes(1_000_000).await.unwrap();
    assert!(anew.is_restart);
    assert_eq!(anew.objects.len(), 3);
}

async fn concurrent_commits_leave_no_gap_for_a_reader(place: Place) {
    let (opened, reader) = (place.open().await, place.open().await);
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let store = opened.store.clone();
        writers.spawn(async move {
            for at in 0..20 {
                let made = tenant(&format!("ten_{writer}_{at}"));
                let commit = Commit {
                    at_ms: 1,
                    writes: vec![Write::Create(made)],
                    audit: Vec::new(),
                    idempotency: None,
                };
                store.commit(commit).await.unwrap();
            }
        });
    }
    // One who only ever asks for what is newer must have seen all of it in the end.
    let (mut since, mut seen) = (0, HashSet::new());
    while !writers.is_empty() {
        let news = reader.store.changes(since).await.unwrap();
        since = news.sequence;
        seen.extend(news.objects.into_iter().map(|object| object.id));
        while let Some(done) = writers.try_join_next() {
            done.unwrap();
        }
    }
    let rest = reader.store.changes(since).await.unwrap();
    seen.extend(rest.objects.into_iter().map(|object| object.id));
    assert_eq!(seen.len(), 160);
}

async fn a_waiting_reader_is_woken_by_a_commit(place: Place) {
    let opened = place.open().await;
    opened.tenancy("a").await;
    let known = opened.store.changes(0).await.unwrap().sequence;
    // Over at once: something is newer already, or the time is up.
    opened.store.changed(known - 1, Duration::from_secs(3600)).await;
    opened.store.changed(known, Duration::from_millis(1)).await;
    let waiting = opened.store.changed(known, Duration::from_secs(3600));
    let writing = opened.commit(vec![Write::Create(tenant("ten_z"))]);
    let ((), written) = tokio::join!(waiting, writing);
    assert!(matches!(written.unwrap(), Committed::Done { sequence, .. } if sequence == known + 1));
}

fn keyed(key: &str, fingerprint: u8, at_ms: u64, name: &str) -> Commit {
    Commit {
        at_ms,
        writes: vec![Write::Create(tenant(name))],
        audit: vec![crate::harness::entry("tenant.create", None)],
        idempotency: Some(Idempotency {
            key: key.to_owned(),
            fingerprint: [fingerprint; 32],
            answer: (201, name.as_bytes().to_vec()),
        }),
    }
}

async fn a_commit_under_one_key_happens_once(place: Place) {
    let (one, other) = (place.open().await, place.open().await);
    let both = (
        one.store.commit(keyed("usr_1/k", 7, 5, "ten_1")),
        other.store.commit(keyed("usr_1/k", 7, 5, "ten_1")),
    );
    let (first, second) = tokio::join!(both.0, both.1);
    let outcomes = [first.unwrap(), second.unwrap()];
    let done = outcomes.iter().filter(|outcome| matches!(outcome, Committed::Done { .. })).count();
    assert_eq!(done, 1, "{outcomes:?}");
    let replayed = Committed::Replayed { answer: (201, b"ten_1".to_vec()) };
    assert!(outcomes.contains(&replayed), "{outcomes:?}");
    assert_eq!(one.store.commit(keyed("usr_1/k", 7, 6, "ten_1")).await.unwrap(), replayed);
    assert_eq!(one.store.audit(None, None, 10).await.unwrap().len(), 1);
    assert_eq!(one.store.changes(0).await.unwrap().sequence, 1, "a replay takes no number");
}

async fn a_key_for_another_request_is_refused_for_a_day(place: Place) {
    let opened = place.open().await;
    opened.store.commit(keyed("k", 1, DAY_ONE, "ten_1")).await.unwrap();
    let late = DAY_ONE + IDEMPOTENCY_MS;
    let reused = opened.store.commit(keyed("k", 2, late - 1, "ten_2")).await;
    assert!(matches!(reused, Err(StoreError::KeyReused)), "{reused:?}");
    let over = opened.store.commit(keyed("k", 2, late, "ten_2")).await.unwrap();
    assert!(matches!(over, Committed::Done { .. }));
}
