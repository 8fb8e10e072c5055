//! T46, D13: limits and budgets of three nodes over one Redis, and what happens without it.

use crate::harness::redis::Redis;
use crate::harness::{Config, Gateway, PATIENCE, Sim, Wire, until};
use serde_json::json;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

fn config(sim: &Sim, redis: SocketAddr, key: &str, more: &str) -> Config {
    let mut config = Config::new().table("keys.test");
    config = config.set(key);
    config = config
        .table("cluster")
        .set(&format!("url = \"redis://{redis}\""))
        .set("timeout = \"300ms\"")
        .set("wait = \"250ms\"");
    for line in more.lines() {
        config = config.set(line);
    }
    config
        .provider("a", Wire::Chat, sim.addr())
        .model("m", &["a"])
        .table("catalog.models.\"a/m\"")
        .set("prices = { input = \"1\", output = \"2\" }")
}

fn nodes(sim: &Sim, redis: SocketAddr, key: &str, more: &str) -> Vec<Gateway> {
    let nodes: Vec<Gateway> = (0..3).map(|_| Gateway::start(config(sim, redis, key, more))).collect();
    for node in &nodes {
        until("the node shares", PATIENCE, || node.metric("tidegate_sharing_lost", &[]) == 0.0);
    }
    nodes
}

fn call(node: &Gateway) -> u16 {
    // The simulator counts a token for four bytes, fewer than there are in these.
    let messages = json!([{"role": "user", "content": "1 2 3 4 5 6 7 8 9 ".repeat(10)}]);
    let more = json!({"max_tokens": 8, "messages": messages});
    let mut answer = node.send(&Wire::Chat.request_with("m", false, &more));
    drop(answer.try_body());
    answer.status
}

/// Calls through all nodes at once; how many were let in.
fn admitted(nodes: &[Gateway], each: usize) -> usize {
    thread::scope(|scope| {
        let work = |node| scope.spawn(move || (0..each).filter(|_| call(node) == 200).count());
        let threads: Vec<_> = nodes.iter().flat_map(|node| [node, node]).map(work).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

#[test]
fn t46_three_nodes_let_in_one_limit_together() {
    let Some(redis) = Redis::start() else { return };
    let sim = Sim::start();
    let nodes = nodes(&sim, redis.addr(), "limits = { requests_per_hour = 100 }", "");
    let passed = admitted(&nodes, 60);
    assert!(passed <= 100, "{passed} of 360 calls were let in");
    // What nobody uses is given to who does.
    until("all of the limit is used", PATIENCE, || {
        let now = nodes.iter().filter(|node| call(node) == 200).count();
        assert!(sim.calls() <= 100, "{} calls", sim.calls());
        now == 0 && sim.calls() >= 98
    });
    assert!(sim.calls() <= 100);
}

#[test]
fn t46_three_nodes_spend_one_budget_together_and_what_a_dead_one_held_is_lost_to_none() {
    let Some(redis) = Redis::start() else { return };
    let sim = Sim::start();
    let mut nodes = nodes(&sim, redis.addr(), "budget = { usd = \"0.02\", per = \"total\" }", "");
    let passed = admitted(&nodes, 30);
    assert!(passed > 100, "{passed}");
    let dead = nodes.pop().unwrap();
    dead.signal("KILL");
    drop(dead);
    until("the rest is spent", PATIENCE, || nodes.iter().all(|node| call(node) == 429));
    let stats = sim.stats();
    let spent = stats.prompt_tokens + 2 * stats.output_tokens;
    assert!(spent <= 20_000, "{spent}");
    assert!(spent >= 18_500, "{spent}: a dead node takes no more with it than a small slice");
}

#[test]
fn d13_a_redis_that_is_killed_frozen_or_refuses_is_noticed_and_costs_hardly_any_time() {
    let Some(redis) = Redis::start() else { return };
    let sim = Sim::start();
    let addr = redis.addr();
    let limits = "limits = { requests_per_hour = 1000 }\nshare = 0.1";
    let (key, more) = limits.split_once('\n').unwrap();
    let node = Gateway::start(config(&sim, addr, key, more));
    until("a first call", PATIENCE, || call(&node) == 200);
    let lost = |value: f64| node.metric_becomes("tidegate_sharing_lost", &[], value);
    let quick = || {
        let begun = Instant::now();
        assert_eq!(call(&node), 200);
        begun.elapsed()
    };
    redis.signal("STOP");
    // Before anybody has noticed: leases and purses are here, nothing is waited for.
    let frozen: Duration = (0..20).map(|_| quick()).max().unwrap();
    assert!(frozen < Duration::from_millis(600), "{frozen:?}");
    lost(1.0);
    assert_eq!(node.admin_get("/readyz").1, "ok\nsharing: lost\n");
    let answer = node.send(&Wire::Chat.request("m", false));
    assert_eq!(answer.header("x-tidegate-sharing"), Some("lost"));
    redis.signal("CONT");
    lost(0.0);
    redis.command(&["CLIENT", "PAUSE", "1500", "ALL"]);
    lost(1.0);
    quick();
    lost(0.0);
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]);
    lost(1.0);
    quick();
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]);
    lost(0.0);
    drop(redis);
    lost(1.0);
    // Its share: a tenth of the limit.
    let passed = (0..150).filter(|_| call(&node) == 200).count();
    assert!(passed <= 100, "{passed}");
    assert!(passed > 20, "{passed}");
    let again = Redis::start_at(addr).unwrap();
    lost(0.0);
    until("the whole limit again", PATIENCE, || call(&node) == 200);
    drop(again);
}

#[test]
fn d13_fail_closed_lets_nothing_in_that_is_shared() {
    let Some(redis) = Redis::start() else { return };
    let sim = Sim::start();
    let budget = "budget = { usd = \"1\", per = \"day\" }";
    let node = Gateway::start(config(&sim, redis.addr(), budget, "on_loss = \"fail-closed\""));
    assert_eq!(call(&node), 200);
    drop(redis);
    node.metric_becomes("tidegate_sharing_lost", &[], 1.0);
    let mut refused = node.send(&Wire::Chat.request("m", false));
    assert_eq!((refused.status, refused.header("x-tidegate-reason")), (503, Some("sharing_unavailable")));
    assert!(Wire::Chat.is_error_body(&refused.json()));
}

#[test]
fn d13_a_node_that_starts_without_redis_serves_its_share() {
    let sim = Sim::start();
    let nowhere = crate::harness::free_addr();
    let budget = "budget = { usd = \"0.01\", per = \"day\" }";
    let node = Gateway::start(config(&sim, nowhere, budget, "share = 0.25"));
    let begun = Instant::now();
    assert_eq!(call(&node), 200);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let passed = (0..400).take_while(|_| call(&node) == 200).count();
    let stats = sim.stats();
    let spent = stats.prompt_tokens + 2 * stats.output_tokens;
    assert!((2200..=2500).contains(&spent), "{spent} in {passed} calls");
}
