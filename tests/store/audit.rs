//! The audit log and its chain.

use crate::harness::{Place, entry, object, on_both};
use tidegate::govern::Kind;
use tidegate::store::{Commit, Store, Write};

on_both!(
    entries_are_kept_in_order_and_read_by_tenant,
    an_entry_that_is_changed_or_taken_out_is_found,
    a_long_log_is_walked_to_its_end,
);

async fn append(store: &dyn Store, entries: &[(&str, Option<&str>)]) {
    let audit = entries.iter().map(|(action, tenant)| entry(action, *tenant)).collect();
    store.commit(Commit { at_ms: 1, writes: Vec::new(), audit, idempotency: None }).await.unwrap();
}

async fn entries_are_kept_in_order_and_read_by_tenant(place: Place) {
    let opened = place.open().await;
    let store = &*opened.store;
    append(store, &[("a", Some("ten_1")), ("b", None)]).await;
    append(store, &[("c", Some("ten_1"))]).await;
    let all = store.audit(None, None, 10).await.unwrap();
    let told: Vec<_> = all.iter().map(|record| (record.sequence, record.entry.action.as_str())).collect();
    assert_eq!(told, [(3, "c"), (2, "b"), (1, "a")]);
    assert_eq!(all[2].entry, entry("a", Some("ten_1")));
    let own = store.audit(Some("ten_1"), None, 1).await.unwrap();
    assert_eq!(own[0].sequence, 3);
    let own = store.audit(Some("ten_1"), Some(3), 10).await.unwrap();
    assert_eq!(own.iter().map(|record| record.sequence).collect::<Vec<_>>(), [1]);
    // An access alone changes nothing that is told.
    assert_eq!(store.changes(0).await.unwrap().sequence, 0);
}

async fn an_entry_that_is_changed_or_taken_out_is_found(place: Place) {
    let opened = place.open().await;
    let store = &*opened.store;
    let empty = store.verify_audit().await.unwrap();
    assert_eq!((empty.entries, empty.head, empty.broken), (0, None, None));
    append(store, &[("a", Some("ten_1")), ("b", None), ("c", None), ("d", None)]).await;
    let whole = store.verify_audit().await.unwrap();
    assert_eq!((whole.entries, whole.broken), (4, None));
    assert_eq!(whole.head.as_ref(), Some(&store.audit(None, None, 1).await.unwrap()[0].hash));
    for (fault, mend, at) in [
        (
            "UPDATE audit SET entry = REPLACE(entry, '\"b\"', '\"x\"')",
            "UPDATE audit SET entry = REPLACE(entry, '\"x\"', '\"b\"')",
            2,
        ),
        (
            "UPDATE audit SET tenant = 'ten_2' WHERE sequence = 1",
            "UPDATE audit SET tenant = 'ten_1' WHERE sequence = 1",
            1,
        ),
        (
            "UPDATE audit SET at_ms = at_ms + 1 WHERE sequence = 3",
            "UPDATE audit SET at_ms = at_ms - 1 WHERE sequence = 3",
            3,
        ),
        (
            "UPDATE audit SET sequence = 9 WHERE sequence = 4",
            "UPDATE audit SET sequence = 4 WHERE sequence = 9",
            4,
        ),
    ] {
        place.sql(fault).await;
        let broken = store.verify_audit().await.unwrap().broken;
        assert_eq!(broken.map(|(sequence, _)| sequence), Some(at), "{fault}");
        place.sql(mend).await;
        assert_eq!(store.verify_audit().await.unwrap().broken, None, "{mend}");
    }
    place.sql("DELETE FROM audit WHERE sequence = 4").await;
    assert_eq!(store.verify_audit().await.unwrap().broken.map(|(sequence, _)| sequence), Some(4));
    place.sql("DELETE FROM audit WHERE sequence = 2").await;
    assert_eq!(store.verify_audit().await.unwrap().broken.map(|(sequence, _)| sequence), Some(2));
}

async fn a_long_log_is_walked_to_its_end(place: Place) {
    let opened = place.open().await;
    let many: Vec<_> = (0..500).map(|_| ("a", None)).collect();
    for part in 0..4 {
        append(&*opened.store, &many).await;
        let made = object(Kind::Tenant, &format!("ten_{part}"), None, &format!("ten_{part}"));
        opened.commit(vec![Write::Create(made)]).await.unwrap();
    }
    let verdict = opened.store.verify_audit().await.unwrap();
    assert_eq!((verdict.entries, verdict.broken), (2000, None));
}
