//! T47, T48: two gateways on one PostgreSQL. What is taken back on one is refused on the other within two
//! seconds; with the database away known keys go on, also through a restart; limits are held in shares.

use crate::harness::governed::OWNER;
use crate::harness::postgres::{Database, Relay};
use crate::harness::{Config, Gateway, PATIENCE, Sim, Wire, until};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// What a revocation may take, everywhere.
const REVOKED_WITHIN: Duration = Duration::from_secs(2);

fn config(sim: &Sim, database: &Database, way: SocketAddr) -> Config {
    Config::new()
        .provider("a", Wire::Chat, sim.addr())
        .model("m", &["a"])
        .table("catalog.models.\"a/m\"")
        .set("prices = { input = \"1\", output = \"2\" }")
        .governed(&database.url(way))
}

fn call(node: &Gateway, secret: &str) -> u16 {
    // The simulator counts a token for four bytes, fewer than there are in these.
    let messages = json!([{"role": "user", "content": "1 2 3 4 5 6 7 8 9 ".repeat(10)}]);
    let more = json!({"max_tokens": 8, "messages": messages});
    let mut answer = node.send(&Wire::Chat.request_with("m", false, &more).key(secret));
    drop(answer.try_body());
    answer.status
}

#[test]
fn t48_what_is_taken_back_on_one_node_is_refused_on_the_other_within_two_seconds() {
    let Some(database) = Database::new() else { return };
    let sim = Sim::start();
    let [one, two] = [(); 2].map(|()| Gateway::start(config(&sim, &database, database.addr())));
    let mine = one.tenancy("acme", &json!({}));
    two.knows(&mine.secret);
    let change = |path: &str, body: Value| {
        let (status, told) = one.admin_call(OWNER, "PATCH", path, &body);
        assert_eq!(status, 200, "{told}");
    };
    let key = format!("keys/{}", mine.key);
    for path in [key.as_str(), &format!("apps/{}", mine.app), &format!("tenants/{}", mine.tenant)] {
        change(path, json!({ "status": "blocked" }));
        until(&format!("{path} is blocked"), REVOKED_WITHIN, || two.status_of(&mine.secret) == 401);
        change(path, json!({ "status": "active" }));
        until(&format!("{path} is open again"), REVOKED_WITHIN, || two.status_of(&mine.secret) == 200);
    }
    let (_, rotated) = one.admin_call(OWNER, "POST", &format!("{key}/rotate"), &json!({}));
    let fresh = rotated["secret"].as_str().unwrap();
    until("the old secret is over", REVOKED_WITHIN, || two.status_of(&mine.secret) == 401);
    two.knows(fresh);
    assert_eq!(one.admin_call(OWNER, "DELETE", &key, &Value::Null).0, 204);
    until("the key is gone", REVOKED_WITHIN, || two.status_of(fresh) == 401);
}

#[test]
fn t47_with_the_database_away_known_keys_go_on_through_a_restart_too() {
    let Some(database) = Database::new() else { return };
    let sim = Sim::start();
    let relay = Relay::to(database.addr());
    let copy = std::env::temp_dir().join(format!("tidegate-t47-{}.sealed", std::process::id()));
    let far = config(&sim, &database, relay.addr())
        .table("auth")
        .set(&format!("snapshot = \"{}\"", copy.display()));
    let near = Gateway::start(config(&sim, &database, database.addr()));
    let two = Gateway::start(far.clone());
    let [mine, other] = ["acme", "other"].map(|name| near.tenancy(name, &json!({})));
    two.knows(&mine.secret);
    two.knows(&other.secret);
    let bytes = || std::fs::read(&copy).unwrap_or_default();
    let is_whole = |node: &Gateway, words: &str| node.admin_get("/readyz").1.contains(words);
    until("both keys are in the copy", 2 * PATIENCE, || {
        // Each key makes it longer; the last write is what a restart finds.
        let before = bytes().len();
        let fresh = near.make("keys", &json!({ "name": format!("k{before}"), "app": mine.app }));
        two.knows(fresh["secret"].as_str().unwrap());
        before > 0 && {
            until("the copy is written", PATIENCE, || bytes().len() != before);
            true
        }
    });
    relay.cut();
    until("it is noticed", PATIENCE, || {
        is_whole(&two, "degraded: the store does not answer; keys known so far")
    });
    assert_eq!((call(&two, &mine.secret), call(&two, &other.secret)), (200, 200));
    assert_eq!(two.status_of(&format!("{}0", mine.secret)), 401);
    // Nobody can tell it that this one is taken back.
    let block = json!({ "status": "blocked" });
    assert_eq!(near.admin_call(OWNER, "PATCH", &format!("keys/{}", other.key), &block).0, 200);
    until("the other node knows", REVOKED_WITHIN, || near.status_of(&other.secret) == 401);
    assert_eq!(call(&two, &other.secret), 200);
    drop(two);
    let two = Gateway::start(far);
    assert!(is_whole(&two, "degraded: the store does not answer; keys are from the copy on disk"));
    assert_eq!((call(&two, &mine.secret), two.status_of(&other.secret)), (200, 200));
    relay.mend();
    until("what happened meanwhile is known", PATIENCE, || two.status_of(&other.secret) == 401);
    assert_eq!(call(&two, &mine.secret), 200);
    until("all is well", PATIENCE, || two.admin_get("/readyz").1 == "ok\n");
    std::fs::remove_file(&copy).unwrap();
}

#[test]
fn t46_without_redis_budgets_are_shared_through_the_database_and_limits_held_in_shares() {
    let Some(database) = Database::new() else { return };
    let sim = Sim::start();
    let half = |()| config(&sim, &database, database.addr()).table("cluster").set("share = 0.5");
    let [one, two] = [(); 2].map(|()| Gateway::start(half(())));
    let limits = json!([{ "unit": "requests", "per": "hour", "amount": 40 }]);
    let mine = one.tenancy("acme", &json!({}));
    let key = json!({ "name": "limited", "app": mine.app, "policy": { "limits": limits } });
    let limited = one.make("keys", &key)["secret"].as_str().unwrap().to_owned();
    // Made later: who knows it knows the other one too, which nobody has used so far.
    let later = one.make("keys", &json!({ "name": "later", "app": mine.app }));
    for node in [&one, &two] {
        node.knows(later["secret"].as_str().unwrap());
        let passed = (0..30).filter(|_| node.status_of(&limited) == 200).count();
        assert_eq!(passed, 20, "half of forty");
    }
    let budgets = json!([{ "name": "all", "usd": "0.02", "per": "total" }]);
    let funded = one.tenancy("funded", &json!({ "policy": { "budgets": budgets } }));
    two.knows(&funded.secret);
    // One node may spend what the other does not use: more than its half.
    let mut calls = 0;
    until("the budget is spent", 2 * PATIENCE, || {
        calls += 1;
        call(&one, &funded.secret) == 429
    });
    until("for the other node too", PATIENCE, || call(&two, &funded.secret) == 429);
    let stats = sim.stats();
    let spent = stats.prompt_tokens + 2 * stats.output_tokens;
    assert!((18_000..=20_000).contains(&spent), "{spent} in {calls} calls");
}

#[test]
fn t46_with_a_store_of_its_own_a_node_spends_its_share_of_a_budget() {
    let sim = Sim::start();
    let config = Config::new()
        .provider("a", Wire::Chat, sim.addr())
        .model("m", &["a"])
        .table("catalog.models.\"a/m\"")
        .set("prices = { input = \"1\", output = \"2\" }")
        .governed("sqlite:{dir}/tidegate.db");
    let node = Gateway::start(config.table("cluster").set("share = 0.25"));
    let budgets = json!([{ "name": "all", "usd": "0.04", "per": "total" }]);
    let mine = node.tenancy("acme", &json!({ "policy": { "budgets": budgets } }));
    let mut calls = 0;
    until("its share is spent", 2 * PATIENCE, || {
        calls += 1;
        call(&node, &mine.secret) == 429
    });
    let stats = sim.stats();
    let spent = stats.prompt_tokens + 2 * stats.output_tokens;
    assert!((9_000..=10_000).contains(&spent), "{spent} in {calls} calls");
}
