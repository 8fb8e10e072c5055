//! Files of SQLite that are not what they were.

use crate::harness::{Engine, Opened, Place, calls, run};
use std::fs;
use tidegate::store::{Options, StoreError};

async fn refused(place: &Place) -> String {
    for may_be_away in [true, false] {
        let options = Options { may_be_away, ..Options::default() };
        match place.open_with(&options).await {
            Err(StoreError::Unusable(what)) if !may_be_away => return what,
            Err(StoreError::Unusable(_)) => {}
            other => panic!("{:?}", other.map(|_| "opened")),
        }
    }
    unreachable!()
}

async fn filled(place: &Place) {
    let opened: Opened = place.open().await;
    opened.store.append_calls(&calls(1, 3000)).await.unwrap();
    drop(opened);
    // Everything into the one file.
    place.sql("PRAGMA wal_checkpoint(TRUNCATE)").await;
}

#[test]
fn a_copy_that_was_cut_off_is_refused_in_words() {
    run(Engine::Sqlite, |place| async move {
        filled(&place).await;
        let whole = fs::read(place.file()).unwrap();
        for part in [1, 50, 99] {
            fs::write(place.file(), &whole[..whole.len() * part / 100 / 512 * 512]).unwrap();
            let told = refused(&place).await;
            assert!(told.contains("cut off"), "{part}: {told}");
        }
        fs::write(place.file(), &whole[..60]).unwrap();
        assert!(refused(&place).await.contains("is no SQLite database"));
        fs::write(place.file(), &whole).unwrap();
        place.open().await;
        place.check_ledger(3000).await;
    });
}

#[test]
fn a_file_that_is_something_else_is_refused_and_left_as_it_is() {
    run(Engine::Sqlite, |place| async move {
        fs::create_dir_all(place.file().parent().unwrap()).unwrap();
        let letter = b"Dear Sir or Madam, this is no database at all. ".repeat(100);
        fs::write(place.file(), &letter).unwrap();
        assert!(refused(&place).await.contains("is no SQLite database"));
        assert_eq!(fs::read(place.file()).unwrap(), letter);
    });
}

#[test]
fn damage_within_is_told_as_such_and_not_as_a_passing_fault() {
    run(Engine::Sqlite, |place| async move {
        filled(&place).await;
        let mut bytes = fs::read(place.file()).unwrap();
        // All but the schema, which is on the first page.
        bytes.iter_mut().skip(8192).for_each(|byte| *byte = 0xa5);
        fs::write(place.file(), bytes).unwrap();
        let Err(error) = place.open_with(&Options::default()).await.map(|_| ()) else {
            panic!("it was opened")
        };
        assert!(matches!(error, StoreError::Unusable(_)), "{error:?}");
    });
}
