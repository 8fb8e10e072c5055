//! Against a Redis of the test's own. Where there is none on the machine the tests say so and pass.

use super::{RedisBank, RedisSettings};
use crate::limits::plan::{LeaseAnswer, LeaseAsk};
use crate::store::{Account, Bank, Grant, StoreError, Withdrawal};
use crate::telemetry::SystemClock;
use crate::types::Secret;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// A server process, ended with the test.
struct Redis {
    process: Child,
    port: u16,
}

impl Redis {
    /// None where the machine has no `redis-server`.
    fn start(more: &[&str]) -> Option<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        Self::start_on(port, more)
    }

    fn start_on(port: u16, more: &[&str]) -> Option<Self> {
        let started = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(more)
            .stdout(Stdio::null())
            .spawn();
        let Ok(process) = started else {
            eprintln!("skipped: redis-server is not installed (apt-get install redis-server)");
            return None;
        };
        let redis = Self { process, port };
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            std::thread::yield_now();
        }
        Some(redis)
    }

    fn bank(&self, seed: u64) -> RedisBank {
        let url = Secret::new(format!("redis://127.0.0.1:{}", self.port));
        let settings = RedisSettings { url, timeout: Duration::from_millis(400), prefix: "t".to_owned() };
        RedisBank::new(&settings, Arc::new(SystemClock::new()), seed).unwrap()
    }

    fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Runs a command from outside.
    async fn command(&self, words: &[&str]) {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        let _: redis::Value = command.query_async(&mut connection).await.unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const AMOUNT: u64 = 1000;

fn ask(granted: u64, spent: u64, wanted: u64) -> Withdrawal {
    let account = Account { budget: "key/k/b/usd/day".to_owned(), window: 7 };
    Withdrawal { account, serial: 1, amount: AMOUNT, expires: 4_000_000_000, granted, spent, wanted }
}

async fn withdraw(bank: &RedisBank, node: &str, ask: Withdrawal) -> (u64, u64) {
    let grants = bank.withdraw(node, &[ask]).await.unwrap();
    let [Grant { granted, spent, .. }] = grants[..] else { panic!("{grants:?}") };
    (granted, spent)
}

async fn lease(bank: &RedisBank, node: &str, wanted: u64) -> (u64, Option<u64>) {
    let ask = LeaseAsk { name: "key/k/concurrent/now/".to_owned(), amount: 12, wanted };
    let answers = bank.lease(node, &[ask]).await.unwrap();
    let [LeaseAnswer { held, fair, .. }] = answers[..] else { panic!("{answers:?}") };
    (held, fair)
}

#[tokio::test]
async fn what_is_lent_to_all_nodes_never_exceeds_the_budget() {
    let Some(redis) = Redis::start(&[]) else { return };
    let (a, b) = (redis.bank(1), redis.bank(2));
    assert_eq!(withdraw(&a, "a", ask(0, 0, 600)).await, (600, 0));
    assert_eq!(withdraw(&b, "b", ask(0, 0, 600)).await, (400, 0));
    // Spent, and the rest given back.
    assert_eq!(withdraw(&a, "a", ask(600, 250, 250)).await, (250, 250));
    assert_eq!(withdraw(&b, "b", ask(400, 100, 900)).await, (750, 350));
    // Asking for the same again changes nothing, and what was spent is never unspent.
    assert_eq!(withdraw(&b, "b", ask(750, 100, 750)).await, (750, 350));
    assert_eq!(withdraw(&b, "b", ask(750, 50, 0)).await, (100, 350));
}

#[tokio::test]
async fn a_request_older_than_the_newest_of_its_node_changes_nothing() {
    let Some(redis) = Redis::start(&[]) else { return };
    // Numbers its requests from the beginning: what it sends is as old as the first one's first.
    let (now, late) = (redis.bank(1), redis.bank(1));
    assert_eq!(withdraw(&now, "a", ask(0, 0, 300)).await, (300, 0));
    assert_eq!(withdraw(&now, "a", ask(300, 100, 500)).await, (500, 100));
    assert_eq!(withdraw(&late, "a", ask(300, 300, 300)).await, (500, 100));
    assert_eq!(withdraw(&now, "a", ask(500, 100, 500)).await, (500, 100));
    assert_eq!(lease(&now, "a", 8).await, (8, None));
    assert_eq!(lease(&redis.bank(1), "a", 2).await.0, 8);
}

#[tokio::test]
async fn amounts_beyond_a_double_are_lent_and_told_without_gaining_anything() {
    let Some(redis) = Redis::start(&[]) else { return };
    let (a, b) = (redis.bank(1), redis.bank(2));
    let big = |granted, spent, wanted| Withdrawal { amount: u64::MAX, ..ask(granted, spent, wanted) };
    let half = (1 << 63) + 12_345;
    let (granted, _) = withdraw(&a, "a", big(0, 0, half)).await;
    assert!(granted >= half && granted - half < 4096);
    let (rest, _) = withdraw(&b, "b", big(0, 0, u64::MAX)).await;
    assert!(rest > 0 && granted.checked_add(rest).is_some(), "{granted} + {rest}");
    let (_, spent) = withdraw(&b, "b", big(rest, 7, rest)).await;
    assert!((7..=4096).contains(&spent));
}

#[tokio::test]
async fn a_lowered_amount_is_taken_back_as_far_as_it_is_not_spent() {
    let Some(redis) = Redis::start(&[]) else { return };
    let (a, b) = (redis.bank(1), redis.bank(2));
    assert_eq!(withdraw(&a, "a", ask(0, 0, 600)).await, (600, 0));
    assert_eq!(withdraw(&b, "b", ask(0, 0, 400)).await, (400, 0));
    let lowered = |granted, spent, wanted| Withdrawal { amount: 500, ..ask(granted, spent, wanted) };
    assert_eq!(withdraw(&a, "a", lowered(600, 50, 600)).await, (100, 50));
    assert_eq!(withdraw(&b, "b", lowered(400, 390, 400)).await, (400, 440));
    assert_eq!(withdraw(&a, "a", lowered(100, 60, 500)).await, (100, 450));
}

#[tokio::test]
async fn after_a_loss_of_data_nothing_new_is_lent_until_the_nodes_have_told_what_they_hold() {
    let Some(redis) = Redis::start(&[]) else { return };
    let (a, b) = (redis.bank(1), redis.bank(2));
    assert_eq!((a.meet("a").await.unwrap(), b.meet("b").await.unwrap()), (1, 2));
    assert_eq!(withdraw(&a, "a", ask(0, 0, 700)).await, (700, 0));
    redis.command(&["FLUSHALL"]).await;
    b.meet("b").await.unwrap();
    assert_eq!(withdraw(&b, "b", ask(0, 0, 900)).await, (0, 0), "recovering");
    assert_eq!(withdraw(&a, "a", ask(700, 300, 800)).await, (700, 300), "what it held, and no more");
    // A node that never knew another epoch starts no recovery.
    let fresh = redis.bank(3);
    assert_eq!(fresh.meet("c").await.unwrap(), 2);
}

#[tokio::test]
async fn leases_share_a_limit_and_tell_what_is_fair_while_somebody_lacks() {
    let Some(redis) = Redis::start(&[]) else { return };
    let (a, b) = (redis.bank(1), redis.bank(2));
    assert_eq!(lease(&a, "a", 12).await, (12, None));
    assert_eq!(lease(&b, "b", 4).await, (0, Some(6)));
    assert_eq!(lease(&a, "a", 12).await, (12, Some(6)), "the other one lacks some");
    assert_eq!(lease(&a, "a", 6).await, (6, Some(6)));
    assert_eq!(lease(&b, "b", 4).await, (4, None));
    assert_eq!(lease(&a, "a", 0).await, (0, None));
    assert_eq!(lease(&b, "b", 12).await, (12, None));
}

#[tokio::test]
async fn a_redis_that_refuses_is_told_from_one_that_is_away() {
    let Some(redis) = Redis::start(&["--maxmemory", "64kb", "--maxmemory-policy", "noeviction"]) else {
        return;
    };
    let bank = redis.bank(1);
    let full = bank.withdraw("a", &[ask(0, 0, 5)]).await.unwrap_err();
    assert!(matches!(&full, StoreError::Unusable(why) if why.contains("maxmemory")), "{full:?}");
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    redis.command(&["SET", "t:budget:key/k/b/usd/day@7", "no hash"]).await;
    let wrong = bank.withdraw("a", &[ask(0, 0, 5)]).await.unwrap_err();
    assert!(matches!(&wrong, StoreError::Unusable(_)), "{wrong:?}");
    redis.command(&["DEL", "t:budget:key/k/b/usd/day@7"]).await;
    assert_eq!(withdraw(&bank, "a", ask(0, 0, 5)).await, (5, 0));
}

#[tokio::test]
async fn a_frozen_redis_costs_one_timeout_and_then_nothing_until_the_next_try() {
    let Some(redis) = Redis::start(&[]) else { return };
    let bank = redis.bank(1);
    assert_eq!(withdraw(&bank, "a", ask(0, 0, 5)).await, (5, 0));
    redis.signal("-STOP");
    // The request is on its way when the server stops, and is read by it when it goes on.
    let late = bank.withdraw("a", &[ask(5, 0, 900)]).await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
    let not_due = bank.withdraw("a", &[ask(5, 0, 6)]).await.unwrap_err();
    assert!(format!("{not_due:?}").contains("NotDue"), "{not_due:?}");
    redis.signal("-CONT");
    let answer = loop {
        if let Ok(grants) = bank.withdraw("a", &[ask(5, 2, 10)]).await {
            break grants;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(
        (answer[0].granted, answer[0].spent),
        (10, 2),
        "the late request is over-ruled by the newer one"
    );
}

#[tokio::test]
async fn a_killed_redis_is_found_again() {
    let Some(mut redis) = Redis::start(&[]) else { return };
    let bank = redis.bank(1);
    bank.meet("a").await.unwrap();
    redis.process.kill().unwrap();
    redis.process.wait().unwrap();
    assert!(matches!(bank.meet("a").await, Err(StoreError::Unavailable(_))));
    let again = Redis::start_on(redis.port, &[]).unwrap();
    while bank.meet("a").await.is_err() {
        tokio::task::yield_now().await;
    }
    drop(again);
}

#[test]
fn an_address_that_is_none_is_refused_without_being_shown() {
    let settings = RedisSettings {
        url: Secret::new("redis://:canary@/x/y"),
        timeout: Duration::from_secs(1),
        prefix: "t".to_owned(),
    };
    if let Err(error) = RedisBank::new(&settings, Arc::new(SystemClock::new()), 1) {
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
    let bank = RedisSettings { url: Secret::new("http://x"), ..settings };
    assert!(RedisBank::new(&bank, Arc::new(SystemClock::new()), 1).is_err());
}
