//! What clients left here: found by its owner only, chains whole, within rows, bytes and time.

use crate::harness::{DAY_ONE, Place, on_both};
use tidegate::store::{KEPT_CHANGES_MAX, Keep, KeptBounds, KeptChange, KeptEntry, Store, StoreError};

on_both!(
    an_entry_is_found_by_its_owner_alone_and_after_opening_again,
    a_chain_is_found_whole_and_stays_while_one_of_its_links_is_wanted,
    an_owner_has_no_more_entries_than_the_bound_and_the_oldest_go_first,
    all_together_have_no_more_bytes_than_the_bound,
    what_has_ended_is_not_found_and_goes,
    more_changes_than_one_write_takes_are_refused,
);

const WIDE: KeptBounds = KeptBounds { entries_max: 1000, bytes_max: 1 << 30 };
const HOUR: u64 = 3_600_000;

fn entry(owner: &str, id: &str, before: Option<(&str, &str)>) -> KeptEntry {
    KeptEntry {
        id: id.to_owned(),
        owner: owner.to_owned(),
        root: before.map_or(id, |(root, _)| root).to_owned(),
        before: before.map(|(_, before)| before.to_owned()),
        body: format!("{{\"said\":\"{id} é \\u0000\"}}"),
        ends_ms: DAY_ONE + HOUR,
    }
}

fn put(entry: &KeptEntry) -> KeptChange {
    KeptChange::Put(entry.clone())
}

fn hide(owner: &str, id: &str) -> KeptChange {
    KeptChange::Hide { owner: owner.to_owned(), id: id.to_owned() }
}

async fn keep(store: &dyn Store, changes: &[KeptChange], bounds: &KeptBounds, at: u64) {
    Keep::keep(store, changes, bounds, DAY_ONE + at).await.unwrap();
}

/// The ids found, in order.
async fn found(store: &dyn Store, owner: &str, id: &str) -> Vec<String> {
    let links = store.kept(owner, id, DAY_ONE + 10).await.unwrap();
    let mut ids: Vec<String> = links.into_iter().map(|link| link.id).collect();
    ids.sort();
    ids
}

async fn an_entry_is_found_by_its_owner_alone_and_after_opening_again(place: Place) {
    let opened = place.open().await;
    let own = entry("acme/k1", "resp_1", None);
    keep(&*opened.store, &[put(&own)], &WIDE, 0).await;
    drop(opened);
    let opened = place.open().await;
    let store = &*opened.store;
    assert_eq!(store.kept("acme/k1", "resp_1", DAY_ONE).await.unwrap(), std::slice::from_ref(&own));
    for other in ["acme/k2", "k1", "umbrella/k1", "acme/k", ""] {
        assert!(found(store, other, "resp_1").await.is_empty(), "{other}");
    }
    // Another's id is not taken over, and not let go.
    let theirs = KeptEntry { body: "{}".to_owned(), ..entry("umbrella/k9", "resp_1", None) };
    keep(store, &[put(&theirs), hide("umbrella/k9", "resp_1")], &WIDE, 1).await;
    assert_eq!(store.kept("acme/k1", "resp_1", DAY_ONE).await.unwrap(), std::slice::from_ref(&own));
    // Its owner replaces it.
    let next = KeptEntry { body: "{\"next\":1}".to_owned(), ..own };
    keep(store, &[put(&next)], &WIDE, 2).await;
    assert_eq!(store.kept("acme/k1", "resp_1", DAY_ONE).await.unwrap(), [next]);
}

async fn a_chain_is_found_whole_and_stays_while_one_of_its_links_is_wanted(place: Place) {
    let opened = place.open().await;
    let store = &*opened.store;
    let chain = [
        put(&entry("a", "1", None)),
        put(&entry("a", "2", Some(("1", "1")))),
        put(&entry("a", "3", Some(("1", "2")))),
    ];
    for (at, link) in chain.iter().enumerate() {
        keep(store, std::slice::from_ref(link), &WIDE, at as u64).await;
    }
    keep(store, &[put(&entry("a", "other", None))], &WIDE, 4).await;
    assert_eq!(found(store, "a", "3").await, ["1", "2", "3"]);
    assert_eq!(found(store, "a", "2").await, ["1", "2"], "what came later is no history");
    keep(store, &[hide("a", "1"), hide("a", "2")], &WIDE, 5).await;
    assert!(found(store, "a", "1").await.is_empty());
    assert_eq!(found(store, "a", "3").await, ["1", "2", "3"]);
    keep(store, &[hide("a", "3")], &WIDE, 6).await;
    assert_eq!(place.number("SELECT COUNT(*) FROM kept_entries").await, 1, "the chain is gone");
}

async fn an_owner_has_no_more_entries_than_the_bound_and_the_oldest_go_first(place: Place) {
    let opened = place.open().await;
    let store = &*opened.store;
    let bounds = KeptBounds { entries_max: 3, ..WIDE };
    keep(store, &[put(&entry("b", "theirs", None))], &bounds, 0).await;
    for at in 0..5 {
        keep(store, &[put(&entry("a", &format!("n{at}"), None))], &bounds, at).await;
    }
    for (id, is_there) in [("n0", false), ("n1", false), ("n2", true), ("n4", true)] {
        assert_eq!(!found(store, "a", id).await.is_empty(), is_there, "{id}");
    }
    assert!(!found(store, "b", "theirs").await.is_empty());
    assert_eq!(place.number("SELECT COUNT(*) FROM kept_entries").await, 4);
}

async fn all_together_have_no_more_bytes_than_the_bound(place: Place) {
    let opened = place.open().await;
    let store = &*opened.store;
    let bounds = KeptBounds { bytes_max: 300_000, ..WIDE };
    for at in 0..400u64 {
        let one = KeptEntry {
            body: "x".repeat(2000),
            ..entry(&format!("o{}", at % 7), &format!("n{at:03}"), None)
        };
        keep(store, &[put(&one)], &bounds, at % 9).await;
        let held = place.number("SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM kept_entries").await;
        assert!(held <= 300_000, "{held} after {at}");
    }
    assert!(place.number("SELECT COUNT(*) FROM kept_entries").await > 10);
    // One that is larger than all there is room for empties the place and goes itself.
    let huge = KeptEntry { body: "x".repeat(400_000), ..entry("o1", "huge", None) };
    keep(store, &[put(&huge)], &bounds, 20).await;
    assert!(found(store, "o1", "huge").await.is_empty());
}

async fn what_has_ended_is_not_found_and_goes(place: Place) {
    let opened = place.open().await;
    let store = &*opened.store;
    keep(store, &[put(&entry("a", "1", None))], &WIDE, 0).await;
    assert_eq!(store.kept("a", "1", DAY_ONE + HOUR - 1).await.unwrap().len(), 1);
    assert!(store.kept("a", "1", DAY_ONE + HOUR).await.unwrap().is_empty());
    let later = KeptEntry { ends_ms: DAY_ONE + 2 * HOUR, ..entry("a", "2", None) };
    keep(store, &[put(&later)], &WIDE, HOUR).await;
    assert_eq!(place.number("SELECT COUNT(*) FROM kept_entries").await, 1);
}

async fn more_changes_than_one_write_takes_are_refused(place: Place) {
    let opened = place.open().await;
    let most: Vec<KeptChange> =
        (0..KEPT_CHANGES_MAX).map(|n| put(&entry("a", &format!("n{n}"), None))).collect();
    keep(&*opened.store, &most, &WIDE, 0).await;
    let more = [most, vec![hide("a", "n0")]].concat();
    let refused = Keep::keep(&*opened.store, &more, &WIDE, DAY_ONE).await;
    assert!(matches!(refused, Err(StoreError::TooMuch(_))));
}
