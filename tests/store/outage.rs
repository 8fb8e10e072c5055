//! Stores that are away, locked or full: verbs fail in time, the rest goes on, and afterwards all is
//! as it was.

use crate::harness::{Engine, Place, block_on, calls, child, object, postgres, run, shell_child, until};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tidegate::govern::Kind;
use tidegate::store::{Options, StoreError, StoreUrl, Write, open};

/// Short, so that the tests are.
pub fn impatient() -> Options {
    Options { timeout: Duration::from_millis(500), ..Options::default() }
}

fn is_unavailable<T>(outcome: Result<T, StoreError>) -> bool {
    match outcome {
        Err(StoreError::Unavailable(_)) => true,
        Err(other) => panic!("{}", other.told()),
        Ok(_) => false,
    }
}

fn tenant(id: &str) -> Write {
    Write::Create(object(Kind::Tenant, id, None, id))
}

#[test]
fn while_another_process_holds_the_lock_writes_fail_in_time_and_reads_go_on() {
    run(Engine::Sqlite, |place| async move {
        let opened = place.open_with(&impatient()).await.unwrap();
        opened.tenancy("a").await;
        let mut holder =
            child("outage::child_holds_the_lock", &[("STORE_FILE", place.file().to_str().unwrap())]);
        let mut told = BufReader::new(holder.stdout.take().unwrap()).lines();
        assert!(told.any(|line| line.unwrap().contains("locked")));
        let start = Instant::now();
        assert!(is_unavailable(opened.commit(vec![tenant("ten_z")]).await));
        assert!(is_unavailable(opened.store.append_calls(&calls(1, 10)).await));
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        assert_eq!(opened.store.changes(0).await.unwrap().objects.len(), 3);
        drop(holder.stdin.take());
        assert!(holder.wait().unwrap().success());
        until("the lock is gone", || async { opened.commit(vec![tenant("ten_z")]).await.is_ok() }).await;
        opened.store.append_calls(&calls(1, 10)).await.unwrap();
        place.check_ledger(10).await;
    });
}

#[test]
#[ignore = "a part of another test, which starts it as a process"]
fn child_holds_the_lock() {
    block_on(async {
        use sqlx::Connection;
        let options =
            sqlx::sqlite::SqliteConnectOptions::new().filename(std::env::var("STORE_FILE").unwrap());
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut connection).await.unwrap();
        println!("locked");
        // Until whoever started it closes its side.
        let _ = std::io::stdin().lines().next();
        sqlx::raw_sql("ROLLBACK").execute(&mut connection).await.unwrap();
    });
}

#[test]
fn on_a_full_disk_writes_fail_reads_go_on_and_nothing_is_half_written() {
    run(Engine::Sqlite, |place| async move {
        drop(place.open().await);
        // The shell's limit on the size of a file stands for the disk's end: 1024 blocks of 1 KiB.
        let limit = "trap '' XFSZ; ulimit -f 1024; exec \"$0\" \"$@\"";
        let writer = shell_child(limit, "outage::child_fills_the_disk", &[("STORE_URL", &place.address())]);
        let output = writer.wait_with_output().unwrap();
        assert!(output.status.success());
        let told = String::from_utf8(output.stdout).unwrap();
        let taken = told.lines().find_map(|line| line.split_once("taken ")).unwrap().1.parse().unwrap();
        // With room again everything works, and all that was acknowledged is there, once.
        let opened = place.open().await;
        opened.tenancy("a").await;
        place.check_ledger(taken).await;
        opened.store.append_calls(&calls(1, 20_000)).await.unwrap();
        place.check_ledger(20_000).await;
    });
}

#[test]
#[ignore = "a part of another test, which starts it as a process"]
fn child_fills_the_disk() {
    block_on(async {
        let url = StoreUrl::parse(&std::env::var("STORE_URL").unwrap()).unwrap();
        let (store, _bank) = open(&url, &Options::default()).await.unwrap();
        let mut taken = 0;
        let mut refused = None;
        for batch in calls(1, 20_000).chunks(200) {
            match store.append_calls(batch).await {
                Ok(()) => taken += batch.len(),
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        assert!(is_unavailable(Err::<(), _>(refused.expect("it came to an end"))));
        assert!(taken > 0);
        assert!(store.changes(0).await.is_ok());
        println!("\ntaken {taken}");
    });
}

/// A cluster of a test's own, to be killed.
pub struct Cluster(PathBuf);

impl Cluster {
    pub fn new(name: &str) -> Option<Self> {
        postgres()?;
        let folder = std::env::temp_dir().join(format!("tidegate-{name}-{}", std::process::id()));
        Some(Self(folder))
    }

    fn script(&self, verb: &str) -> std::process::Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/postgres");
        let script =
            if script.exists() { script } else { PathBuf::from(std::env::var("STORE_SCRIPT").unwrap()) };
        Command::new(script).arg(verb).arg(&self.0).env("FAST", "1").output().unwrap()
    }

    /// Its address. Tries again while what the last one held is being given up.
    pub async fn start(&self) -> String {
        let mut address = String::new();
        until("PostgreSQL starts", || {
            let output = self.script("start");
            address = String::from_utf8(output.stdout).unwrap().trim().to_owned();
            async move { output.status.success() }
        })
        .await;
        address
    }

    pub fn kill(&self) {
        assert!(self.script("kill").status.success());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.script("stop");
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_killed_postgresql_fails_verbs_in_time_and_is_used_again_when_it_is_back() {
    block_on(async {
        let Some(cluster) = Cluster::new("killed") else { return };
        let url = StoreUrl::parse(&cluster.start().await).unwrap();
        let (store, bank) = open(&url, &impatient()).await.unwrap();
        store.append_calls(&calls(1, 100)).await.unwrap();
        cluster.kill();
        let start = Instant::now();
        until("it is noticed", || async { is_unavailable(store.ping().await) }).await;
        assert!(is_unavailable(store.append_calls(&calls(2, 100)).await));
        assert!(is_unavailable(bank.withdraw("a", &[crate::bank::ask("b", 1, 0, 0, 1)]).await));
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
        // While it is away a store that may be is opened, and finds it later.
        assert!(is_unavailable(open(&url, &impatient()).await));
        let (late, _) = open(&url, &Options { may_be_away: true, ..impatient() }).await.unwrap();
        assert!(is_unavailable(late.ping().await));
        cluster.start().await;
        until("it is back", || async { late.ping().await.is_ok() }).await;
        store.append_calls(&calls(1, 300)).await.unwrap();
        Place::at(url).check_ledger(300).await;
    });
}

#[test]
fn a_store_that_may_be_away_is_made_when_it_is_first_reached() {
    block_on(async {
        let Some(cluster) = Cluster::new("late") else { return };
        let url = StoreUrl::parse(&cluster.start().await).unwrap();
        cluster.kill();
        let (store, _) = open(&url, &Options { may_be_away: true, ..impatient() }).await.unwrap();
        assert!(is_unavailable(store.changes(0).await));
        let waiting = store.clone();
        let told = tokio::spawn(async move { waiting.changed(0, Duration::from_secs(60)).await });
        cluster.start().await;
        until("it is reached", || async { store.changes(0).await.is_ok() }).await;
        let made = Write::Create(object(Kind::Tenant, "ten_1", None, "ten_1"));
        let commit =
            tidegate::store::Commit { at_ms: 1, writes: vec![made], audit: Vec::new(), idempotency: None };
        store.commit(commit).await.unwrap();
        told.await.unwrap();
    });
}
