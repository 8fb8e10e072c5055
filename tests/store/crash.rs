//! SIGKILL in the middle of writing: what was acknowledged is there, nothing is there twice, and what
//! is delivered again counts once.

use crate::harness::{Place, block_on, calls, child, on_both};
use std::io::{BufRead, BufReader};
use tidegate::store::{Options, StoreUrl, open};

on_both!(a_writer_that_is_killed_leaves_whole_batches);

const BATCH: usize = 50;

async fn a_writer_that_is_killed_leaves_whole_batches(place: Place) {
    drop(place.open().await);
    let mut acknowledged = 0;
    for round in 0..8_u64 {
        let environment = [("STORE_URL", place.address()), ("STORE_SEED", round.to_string())];
        let environment: Vec<(&str, &str)> =
            environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut writer = child("crash::child_writes_batches", &environment);
        let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        // Killed after some batches, at no moment of ours: between any two instructions of the next.
        let mut batches = 0;
        for line in lines {
            batches += u64::from(line.unwrap().contains("batch"));
            if batches > round {
                writer.kill().unwrap();
                break;
            }
        }
        writer.wait().unwrap();
        acknowledged += batches as i64 * BATCH as i64;
    }
    let rows = place.number("SELECT COUNT(*) FROM calls").await;
    assert!(rows >= acknowledged, "{rows} of {acknowledged}");
    assert_eq!(rows % BATCH as i64, 0, "a batch is there as a whole or not at all");
    place.check_ledger(rows).await;
    // Whoever did not hear the answer delivers again.
    let opened = place.open().await;
    for round in 0..8 {
        for batch in calls(round, 40 * BATCH).chunks(1000) {
            opened.store.append_calls(batch).await.unwrap();
        }
    }
    place.check_ledger(8 * 40 * BATCH as i64).await;
}

#[test]
#[ignore = "a part of another test, which starts it as a process"]
fn child_writes_batches() {
    block_on(async {
        let seed = std::env::var("STORE_SEED").unwrap().parse().unwrap();
        let url = StoreUrl::parse(&std::env::var("STORE_URL").unwrap()).unwrap();
        let (store, _bank) = open(&url, &Options::default()).await.unwrap();
        println!();
        for batch in calls(seed, 40 * BATCH).chunks(BATCH) {
            store.append_calls(batch).await.unwrap();
            println!("batch");
        }
    });
}
