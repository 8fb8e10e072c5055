//! The write-behind: from the queue to the store, through the spool while it is away, each call once.

use crate::harness::{Engine, Place, block_on, calls, child, on_both, run, until};
use crate::outage::{Cluster, impatient};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tidegate::govern::Call;
use tidegate::store::ledger::{Counters, Ledger, Parts, SpoolPlace};
use tidegate::store::{Options, Retention, Store, StoreUrl, open};

on_both!(what_is_recorded_is_in_the_store_a_flush_later, the_end_of_a_process_is_a_flush);

const KEPT: Retention = Retention { calls_ms: u64::MAX, minutes_ms: u64::MAX, hours_ms: u64::MAX };

pub fn parts(store: Arc<dyn Store>, spool: &Path) -> Parts {
    Parts {
        store,
        flush: Duration::from_millis(20),
        rows_max: 100_000,
        spool: SpoolPlace { folder: spool.to_owned(), bytes_max: 64 << 20 },
        retention: KEPT,
        clickhouse: None,
        counters: Counters::unregistered().unwrap(),
        now_ms: || 1_800_000_000_000,
        seed: u64::from(std::process::id()) << 32,
    }
}

fn record(ledger: &Ledger, calls: &[Call]) {
    calls.iter().for_each(|call| ledger.record(call.clone()));
}

async fn what_is_recorded_is_in_the_store_a_flush_later(place: Place) {
    let opened = place.open().await;
    let parts = parts(opened.store.clone(), &place.folder.join("spool"));
    let counters = parts.counters.clone();
    let ledger = Ledger::start(parts).unwrap();
    let made = calls(1, 3000);
    for part in made.chunks(500) {
        record(&ledger, part);
        until("they are written", || async { counters.written.get() + counters.spooled.get() > 0 }).await;
    }
    until("all are written", || async { counters.written.get() == 3000 }).await;
    place.check_ledger(3000).await;
    assert_eq!((counters.dropped.get(), counters.store_up.get(), counters.spool_bytes.get()), (0, 1, 0));
}

async fn the_end_of_a_process_is_a_flush(place: Place) {
    let opened = place.open().await;
    let parts = Parts {
        flush: Duration::from_secs(3600),
        ..parts(opened.store.clone(), &place.folder.join("spool"))
    };
    let ledger = Ledger::start(parts).unwrap();
    record(&ledger, &calls(1, 500));
    assert!(ledger.finish(Duration::from_secs(30)));
    place.check_ledger(500).await;
}

#[test]
fn while_postgresql_is_dead_calls_are_spooled_and_then_delivered_once() {
    block_on(async {
        let Some(cluster) = Cluster::new("spool") else { return };
        let place = Place::new(Engine::Sqlite).await.unwrap();
        let url = StoreUrl::parse(&cluster.start().await).unwrap();
        let (store, _bank) = open(&url, &impatient()).await.unwrap();
        let parts = parts(store, &place.folder.join("spool"));
        let counters = parts.counters.clone();
        let ledger = Ledger::start(parts).unwrap();
        let made = calls(1, 4000);
        record(&ledger, &made[..1000]);
        until("they are written", || async { counters.written.get() == 1000 }).await;
        cluster.kill();
        for part in made[1000..].chunks(300) {
            record(&ledger, part);
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        until("they are spooled", || async { counters.spooled.get() == 3000 }).await;
        assert_eq!((counters.store_up.get(), counters.dropped.get()), (0, 0));
        cluster.start().await;
        until("they are delivered", || async { counters.written.get() == 4000 }).await;
        assert_eq!(counters.spool_bytes.get(), 0);
        Place::at(url).check_ledger(4000).await;
    });
}

#[test]
fn what_a_killed_process_has_spooled_is_delivered_by_the_next() {
    run(Engine::Sqlite, |place| async move {
        let spool = place.folder.join("spool");
        std::fs::create_dir_all(&place.folder).unwrap();
        let environment = [("STORE_URL", place.address()), ("STORE_SPOOL", spool.display().to_string())];
        let environment: Vec<(&str, &str)> =
            environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut writer = child("write_behind::child_spools", &environment);
        let mut told = BufReader::new(writer.stdout.take().unwrap()).lines();
        assert!(told.any(|line| line.unwrap().contains("spooled")));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let opened = place.open().await;
        let parts = parts(opened.store.clone(), &spool);
        let counters = parts.counters.clone();
        let ledger = Ledger::start(parts).unwrap();
        until("they are delivered", || async { counters.written.get() == 2500 }).await;
        assert!(ledger.finish(Duration::from_secs(30)));
        place.check_ledger(2500).await;
        assert_eq!(std::fs::read_dir(&spool).unwrap().count(), 0);
    });
}

/// Its store is a folder where a file should be: it never takes anything.
#[test]
#[ignore = "a part of another test, which starts it as a process"]
fn child_spools() {
    block_on(async {
        let address = std::env::var("STORE_URL").unwrap();
        let blocked = format!("{address}/no/store/here");
        std::fs::create_dir_all(Path::new(address.strip_prefix("sqlite:").unwrap()).parent().unwrap())
            .unwrap();
        std::fs::write(address.strip_prefix("sqlite:").unwrap(), b"").unwrap();
        let options = Options { may_be_away: true, ..impatient() };
        let (store, _bank) = open(&StoreUrl::parse(&blocked).unwrap(), &options).await.unwrap();
        let parts = parts(store, Path::new(&std::env::var("STORE_SPOOL").unwrap()));
        let counters = parts.counters.clone();
        let ledger = Ledger::start(parts).unwrap();
        record(&ledger, &calls(1, 2500));
        until("they are spooled", || async { counters.spooled.get() == 2500 }).await;
        println!("\nspooled");
        std::future::pending::<()>().await;
    });
}
