//! Two nodes on one PostgreSQL.

use crate::harness::{Engine, object, run};
use std::time::{Duration, Instant};
use tidegate::govern::Kind;
use tidegate::store::Write;

#[test]
fn a_change_on_one_node_is_seen_by_the_other_within_two_seconds() {
    run(Engine::Postgres, |place| async move {
        let (one, other) = (place.open().await, place.open().await);
        let mut longest = Duration::ZERO;
        for at in 0..20 {
            let known = other.store.changes(0).await.unwrap().sequence;
            let id = format!("ten_{at}");
            let waiting = other.store.clone();
            let seen = tokio::spawn(async move {
                waiting.changed(known, Duration::from_secs(60)).await;
                (Instant::now(), waiting.changes(known).await.unwrap())
            });
            one.commit(vec![Write::Create(object(Kind::Tenant, &id, None, &id))]).await.unwrap();
            let committed = Instant::now();
            let (when, news) = seen.await.unwrap();
            assert_eq!(news.objects.len(), 1);
            longest = longest.max(when.saturating_duration_since(committed));
        }
        println!("seen by the other node after {longest:?} at the latest");
        assert!(longest < Duration::from_secs(2), "{longest:?}");
    });
}

#[test]
fn what_was_committed_while_nobody_listened_is_seen_afterwards() {
    run(Engine::Postgres, |place| async move {
        let (one, other) = (place.open().await, place.open().await);
        // The listener's connection breaks, as when a server goes away in between.
        let listeners = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
            WHERE datname = current_database() AND query LIKE 'LISTEN%' AND pid <> pg_backend_pid()";
        crate::harness::until("both listen", || async {
            place.number(&listeners.replace("pg_terminate_backend(pid)", "pid")).await == 2
        })
        .await;
        place.number(listeners).await;
        one.tenancy("a").await;
        let known = other.store.changes(0).await.unwrap().sequence;
        one.tenancy("b").await;
        other.store.changed(known, Duration::from_secs(60)).await;
        assert_eq!(other.store.changes(known).await.unwrap().objects.len(), 3);
    });
}
