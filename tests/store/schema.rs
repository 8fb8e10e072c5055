//! Opening: made once, brought up to date, refused where it is not ours to use.

use crate::harness::{Engine, Place, block_on, on_both, run};
use std::os::unix::fs::PermissionsExt;
use tidegate::store::{Options, StoreError, StoreUrl};

on_both!(
    two_that_open_at_once_make_one_schema,
    a_newer_schema_is_refused_in_words,
    a_step_that_fails_leaves_nothing_behind,
);

async fn two_that_open_at_once_make_one_schema(place: Place) {
    let (one, other, third) = tokio::join!(place.open(), place.open(), place.open());
    for opened in [&one, &other, &third] {
        opened.store.ping().await.unwrap();
    }
    assert_eq!(place.number("SELECT COUNT(*) FROM schema_versions").await, 4);
}

async fn a_newer_schema_is_refused_in_words(place: Place) {
    drop(place.open().await);
    let same = "INSERT INTO schema_versions (version, name, checksum) SELECT 99, 'x', checksum FROM schema_versions WHERE version = 1";
    place.sql(same).await;
    for may_be_away in [false, true] {
        let options = Options { may_be_away, ..Options::default() };
        let Err(refused) = place.open_with(&options).await else { panic!("it was opened") };
        assert!(matches!(&refused, StoreError::Unusable(what) if what.contains("version 99")), "{refused:?}");
    }
}

async fn a_step_that_fails_leaves_nothing_behind(place: Place) {
    if let StoreUrl::Sqlite(path) = &place.url {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    }
    // The second step finds a table of its own name there.
    place.sql("CREATE TABLE calls (x BIGINT)").await;
    let Err(refused) = place.open_with(&Options::default()).await else { panic!("it was opened") };
    assert!(matches!(&refused, StoreError::Unusable(what) if what.contains("0002_ledger")), "{refused:?}");
    let tables = if matches!(place.url, StoreUrl::Sqlite(_)) {
        "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table'"
    } else {
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'public'"
    };
    assert_eq!(place.number(tables).await, 1);
    place.sql("DROP TABLE calls").await;
    place.open().await.store.ping().await.unwrap();
}

#[test]
fn the_file_is_its_owners_only_and_stays_so() {
    run(Engine::Sqlite, |place| async move {
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let opened = place.open().await;
        opened.tenancy("a").await;
        assert_eq!(mode(place.file()), 0o600);
        assert_eq!(mode(place.file().parent().unwrap()), 0o700);
        let wal = place.file().with_extension("db-wal");
        assert_eq!(mode(&wal), 0o600);
        drop(opened);
        std::fs::set_permissions(place.file(), std::fs::Permissions::from_mode(0o644)).unwrap();
        drop(place.open().await);
        assert_eq!(mode(place.file()), 0o600);
    });
}

#[test]
fn a_store_may_be_dropped_inside_a_runtime() {
    run(Engine::Sqlite, |place| async move {
        let opened = place.open().await;
        drop(opened);
        block_on_elsewhere();
    });
}

/// Verbs are asked from runtimes that end before the store does.
fn block_on_elsewhere() {
    std::thread::spawn(|| {
        let place = block_on(Place::new(Engine::Sqlite)).unwrap();
        let opened = block_on(place.open());
        block_on(opened.tenancy("a"));
        block_on(opened.store.ping()).unwrap();
    })
    .join()
    .unwrap();
}
