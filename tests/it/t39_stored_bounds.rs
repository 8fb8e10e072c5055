//! T39: what is stored here has bounds, and is told where it is not stored.

use crate::harness::{Config, Gateway, Request, Sim, Wire};
use serde_json::{Value, json};

fn gateway(sim: &Sim, lines: &[&str]) -> Gateway {
    let config = Config::new().provider("a", Wire::Messages, sim.addr()).model("m", &["a=claude-sonnet-4-5"]);
    let config =
        lines.iter().fold(config.key("other", "sk-other-key").table("responses"), |c, line| c.set(line));
    Gateway::start(config)
}

fn post(body: &Value) -> Request {
    Request::post("/v1/responses", body.to_string())
}

#[track_caller]
fn made(gateway: &Gateway, body: &Value) -> String {
    let mut answer = gateway.send(&post(body));
    let json = answer.json();
    assert_eq!(answer.status, 200, "{json}");
    json["id"].as_str().unwrap().to_owned()
}

fn is_stored(gateway: &Gateway, id: &str) -> bool {
    gateway.send(&Request::get(&format!("/v1/responses/{id}"))).status == 200
}

#[test]
fn t39_a_key_has_so_many_and_the_one_used_longest_ago_goes() {
    let sim = Sim::start();
    let gateway = gateway(&sim, &["entries_max = 2"]);
    let theirs = {
        let mut answer = gateway.send(&post(&json!({"model":"m","input":"x"})).key("sk-other-key"));
        answer.json()["id"].as_str().unwrap().to_owned()
    };
    let ask = json!({"model":"m","input":"One"});
    let (first, second) = (made(&gateway, &ask), made(&gateway, &ask));
    assert!(is_stored(&gateway, &first), "used");
    let third = made(&gateway, &ask);
    assert_eq!(
        [is_stored(&gateway, &first), is_stored(&gateway, &second), is_stored(&gateway, &third)],
        [true, false, true]
    );
    let theirs = Request::get(&format!("/v1/responses/{theirs}")).key("sk-other-key");
    assert_eq!(gateway.send(&theirs).status, 200);
    assert_eq!(gateway.metric("tidegate_kept_entries", &[]), 3.0);
}

#[test]
fn t39_bytes_are_bounded_whoever_holds_them() {
    let sim = Sim::start();
    let gateway = gateway(&sim, &["bytes_max = \"64KiB\""]);
    let ask = json!({"model":"m","input":"x".repeat(8 * 1024)});
    let ids: Vec<String> = (0..20).map(|_| made(&gateway, &ask)).collect();
    let held = gateway.metric("tidegate_kept_bytes", &[]);
    assert!(held > 32.0 * 1024.0 && held <= 64.0 * 1024.0, "{held}");
    assert!(is_stored(&gateway, ids.last().unwrap()) && !is_stored(&gateway, &ids[0]));
}

#[test]
fn t39_what_is_too_large_is_answered_and_says_that_it_is_not_stored() {
    let sim = Sim::start();
    let gateway = gateway(&sim, &["bytes_max = \"64KiB\""]);
    let large = json!({"model":"m","input":"x".repeat(20 * 1024)});
    let mut answer = gateway.send(&post(&large));
    assert_eq!((answer.status, answer.header("x-tidegate-not-stored")), (200, Some("too_large")));
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert!(!is_stored(&gateway, &id));
    assert_eq!(gateway.metric("tidegate_not_kept_total", &[]), 1.0);
    // A chain counts whole, so it grows up to the bound and not beyond.
    let mut previous = made(&gateway, &json!({"model":"m","input":"x".repeat(7 * 1024)}));
    let mut links = 0;
    let refused = loop {
        let mut answer = gateway
            .send(&post(&json!({"model":"m","input":"x".repeat(2 * 1024),"previous_response_id":previous})));
        let is_kept = answer.header("x-tidegate-not-stored").is_none();
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        if !is_kept {
            break id;
        }
        (previous, links) = (id, links + 1);
    };
    assert!((1..6).contains(&links) && !is_stored(&gateway, &refused) && is_stored(&gateway, &previous));
}

#[test]
fn t39_nothing_is_stored_where_that_is_turned_off() {
    let sim = Sim::start();
    for line in ["entries_max = 0", "bytes_max = \"0B\""] {
        let gateway = gateway(&sim, &[line]);
        let mut answer = gateway.send(&post(&json!({"model":"m","input":"x"})));
        assert_eq!((answer.status, answer.header("x-tidegate-not-stored")), (200, Some("off")), "{line}");
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        assert!(!is_stored(&gateway, &id));
        let quiet = gateway.send(&post(&json!({"model":"m","input":"x","store":false})));
        assert_eq!(quiet.header("x-tidegate-not-stored"), None, "nobody asked for it");
        assert_eq!(gateway.send(&Request::post("/v1/conversations", "{}")).status, 400);
    }
}

#[test]
fn t39_a_response_ends() {
    let sim = Sim::start();
    let gateway = gateway(&sim, &["ttl = \"1ms\""]);
    let id = made(&gateway, &json!({"model":"m","input":"x"}));
    let path = format!("/v1/responses/{id}");
    let is_gone = || (gateway.send(&Request::get(&path)).status == 404).then_some(());
    crate::harness::eventually("the response ended", crate::harness::PATIENCE, is_gone);
    assert_eq!(gateway.metric("tidegate_kept_bytes", &[]), 0.0);
}

#[test]
fn t39_a_request_is_no_larger_with_its_history_than_one_may_be() {
    let sim = Sim::start();
    let config = Config::new()
        .table("server.limits")
        .set("body_bytes_max = \"16KiB\"")
        .provider("a", Wire::Messages, sim.addr())
        .model("m", &["a=claude-sonnet-4-5"]);
    let gateway = Gateway::start(config);
    let half = json!({"model":"m","input":"x".repeat(9 * 1024)});
    let first = made(&gateway, &half);
    let next = |length: usize| json!({"model":"m","input":"x".repeat(length),"previous_response_id":first});
    assert_eq!(gateway.send(&post(&next(5 * 1024))).status, 200);
    let mut refused = gateway.send(&post(&next(8 * 1024)));
    let error = refused.json()["error"].clone();
    assert_eq!((refused.status, &error["param"]), (413, &json!("previous_response_id")), "{error}");
}

#[test]
fn t39_a_reload_keeps_what_is_stored_and_takes_the_new_bounds() {
    let sim = Sim::start();
    let config = |entries: u32| {
        Config::new()
            .provider("a", Wire::Messages, sim.addr())
            .model("m", &["a=claude-sonnet-4-5"])
            .table("responses")
            .set(&format!("entries_max = {entries}"))
    };
    let gateway = Gateway::start(config(5));
    let ask = json!({"model":"m","input":"One"});
    let ids: Vec<String> = (0..3).map(|_| made(&gateway, &ask)).collect();
    gateway.reconfigure(&config(2));
    gateway.signal("HUP");
    gateway.metric_becomes("tidegate_config_generation", &[], 2.0);
    assert!(is_stored(&gateway, &ids[2]));
    made(&gateway, &ask);
    gateway.metric_becomes("tidegate_kept_entries", &[], 2.0);
    assert!(is_stored(&gateway, &ids[2]) && !is_stored(&gateway, &ids[0]));
}
