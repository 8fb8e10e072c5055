//! T24: what cools, what does not, whom, and that everything comes back by itself.

use crate::harness::{Config, Connection, Gateway, PATIENCE, Sim, Wire, until};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tidegate::sim::{Behaviour, Scenario, ScriptFraming, ScriptedReply, Split};

const QUICK: &str = "cooldown = { base = \"300ms\", max = \"700ms\" }";

fn two(a: &Sim, b: &Sim) -> Config {
    Config::new().provider("a", Wire::Chat, a.addr()).provider("b", Wire::Chat, b.addr())
}

/// One provider with two credentials.
fn two_keys(a: &Sim, more: &[&str]) -> Config {
    let mut config = Config::new().env("KEY_ONE", "sk-one").env("KEY_TWO", "sk-two");
    config = config.provider("a", Wire::Chat, a.addr()).set("api_keys = [\"env:KEY_ONE\", \"env:KEY_TWO\"]");
    for line in more {
        config = config.set(line);
    }
    config.model("m", &["a"])
}

fn behaviour(fault: &str) -> Behaviour {
    Behaviour { fault: fault.parse().unwrap(), ..Behaviour::default() }
}

/// How often each credential was presented, by what the simulator keeps (at most 256 calls).
fn presented(sim: &Sim) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in sim.requests() {
        *counts.entry(request.header("authorization").unwrap_or_default().to_owned()).or_default() += 1;
    }
    counts
}

fn call(gateway: &Gateway) -> (u16, Option<String>) {
    let answer = gateway.send(&Wire::Chat.request("m", false));
    (answer.status, answer.header("x-tidegate-provider").map(str::to_owned))
}

#[test]
fn t24_refusals_of_requests_never_cool_a_target() {
    let (a, b) = (Sim::start(), Sim::start());
    let gateway = Gateway::start(two(&a, &b).model("m", &["a", "b"]));
    for status in [400, 404, 422, 413] {
        a.fault(&format!("status:{status}"));
        for _ in 0..15 {
            assert_eq!(call(&gateway), (status, Some("a".to_owned())));
        }
    }
    a.behave(Behaviour::default());
    assert_eq!(call(&gateway), (200, Some("a".to_owned())));
    assert_eq!((a.calls(), b.calls()), (61, 0));
    assert_eq!(gateway.metric("tidegate_cooldowns_total", &[]), 0.0);
}

#[test]
fn t24_single_failures_among_many_calls_never_cool_a_target() {
    let (a, b) = (Sim::start(), Sim::start());
    let gateway = Gateway::start(two(&a, &b).model("m", &["a", "b"]));
    for round in 0..4 {
        a.answer_next(ScriptedReply::json(500, "{}"));
        assert_eq!(call(&gateway), (200, Some("b".to_owned())), "{round}");
        for _ in 0..10 {
            assert_eq!(call(&gateway), (200, Some("a".to_owned())), "{round}");
        }
    }
    assert_eq!((a.calls(), b.calls()), (44, 4));
}

#[test]
fn t24_failures_in_a_row_cool_a_target_and_it_comes_back_without_a_restart() {
    let (a, b) = (Sim::with_fault("status:500"), Sim::start());
    let config = two(&a, &b).table("providers.a").set("cooldown = { base = \"1s\", max = \"2s\" }");
    let gateway = Gateway::start(config.model("m", &["a", "b"]));
    for _ in 0..5 {
        assert_eq!(call(&gateway), (200, Some("b".to_owned())));
    }
    assert_eq!(a.calls(), 5);
    let cooled = Instant::now();
    a.behave(Behaviour::default());
    until("A is asked again", PATIENCE, || call(&gateway).1.as_deref() == Some("a"));
    let away = cooled.elapsed();
    assert!(away >= Duration::from_millis(850) && away < Duration::from_secs(4), "{away:?}");
    assert_eq!(a.calls(), 6, "not asked while it cooled");
    for _ in 0..5 {
        assert_eq!(call(&gateway), (200, Some("a".to_owned())));
    }
}

#[test]
fn t24_a_dead_credential_is_set_aside_alone() {
    for status in [401, 403] {
        let a = Sim::start();
        let keys = BTreeMap::from([("sk-one".to_owned(), behaviour(&format!("status:{status}")))]);
        a.set_scenario(Scenario { keys, ..Scenario::default() });
        let gateway = Gateway::start(two_keys(&a, &[]));
        for number in 0..40 {
            assert_eq!(call(&gateway).0, 200, "{status}: call {number}: the other credential is well");
        }
        let counts = presented(&a);
        assert_eq!(counts.get("Bearer sk-one"), Some(&1), "{status}: {counts:?}");
        assert_eq!(counts.get("Bearer sk-two"), Some(&40), "{status}: {counts:?}");
        assert_eq!(a.calls(), 41, "{status}");
    }
}

#[test]
fn t24_a_credential_that_is_rate_limited_is_left_alone_and_the_other_serves() {
    let a = Sim::start();
    let limited = Behaviour { retry_after: Some("30".to_owned()), ..behaviour("status:429") };
    let keys = BTreeMap::from([("sk-two".to_owned(), limited)]);
    a.set_scenario(Scenario { keys, ..Scenario::default() });
    let gateway = Gateway::start(two_keys(&a, &[]));
    for number in 0..40 {
        assert_eq!(call(&gateway).0, 200, "call {number}");
    }
    let counts = presented(&a);
    assert_eq!((counts["Bearer sk-two"], counts["Bearer sk-one"]), (1, 40), "{counts:?}");
}

#[test]
fn t24_a_credential_that_is_well_again_is_used_again_without_a_restart() {
    let a = Sim::start();
    let keys = BTreeMap::from([("sk-one".to_owned(), behaviour("status:401"))]);
    a.set_scenario(Scenario { keys, ..Scenario::default() });
    let gateway = Gateway::start(two_keys(&a, &[QUICK]));
    until("the dead one was tried", PATIENCE, || {
        assert_eq!(call(&gateway).0, 200);
        presented(&a).contains_key("Bearer sk-one")
    });
    a.set_scenario(Scenario::default());
    a.reset();
    until("it is used again", PATIENCE, || {
        assert_eq!(call(&gateway).0, 200);
        presented(&a).contains_key("Bearer sk-one")
    });
}

#[test]
fn t24_all_credentials_dead_keeps_the_providers_status_and_then_calls_nobody() {
    let a = Sim::with_fault("status:401");
    let gateway = Gateway::start(two_keys(&a, &[]));
    let mut answer = gateway.send(&Wire::Chat.request("m", false));
    assert_eq!((answer.status, a.calls()), (401, 2), "{}", answer.json());
    assert_eq!(answer.header("x-tidegate-origin"), Some("provider"));
    let next = gateway.send(&Wire::Chat.request("m", false));
    assert_eq!(next.header("x-tidegate-reason"), Some("all_targets_cooling"));
    assert!(next.header("retry-after").is_some());
    assert_eq!(a.calls(), 2);
}

/// A 429 whose last bytes come after `wait`.
fn late_429(retry_after: &str, wait: Duration) -> ScriptedReply {
    let head = format!("HTTP/1.1 429 Too Many Requests\r\nretry-after: {retry_after}\r\n");
    let body = format!("{head}content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}");
    let (split, framing) = (Split::At(vec![head.len()]), ScriptFraming::Raw);
    ScriptedReply { body: body.into_bytes(), split, gap: wait, framing, ..ScriptedReply::default() }
}

#[test]
fn t24_a_longer_cooling_is_never_shortened_by_a_later_shorter_one() {
    let (a, b) = (Sim::start(), Sim::start());
    let gateway = Gateway::start(two(&a, &b).model("m", &["a", "b"]));
    // Two calls at once: the second refusal comes after the first and asks for less.
    a.script(vec![late_429("1", Duration::from_millis(600)), late_429("3", Duration::from_millis(50))]);
    let mut slow = Connection::open(gateway.addr());
    slow.send(&Wire::Chat.request("m", false));
    until("the first call is at A", PATIENCE, || a.calls() == 1);
    let quick = gateway.send(&Wire::Chat.request("m", false));
    let cooled = Instant::now();
    assert_eq!(quick.header("x-tidegate-failures"), Some("a:status_429"));
    assert_eq!(slow.answer().header("x-tidegate-failures"), Some("a:status_429"));
    until("A is asked again", PATIENCE, || call(&gateway).1.as_deref() == Some("a"));
    let away = cooled.elapsed();
    assert!(away >= Duration::from_millis(2800) && away < Duration::from_secs(5), "{away:?}");
    assert_eq!(a.calls(), 3);
}

#[test]
fn t24_a_target_of_weight_zero_gets_no_call() {
    let (a, b) = (Sim::start(), Sim::with_fault("status:503"));
    let targets = "targets = [{ provider = \"a\", weight = 0 }, { provider = \"b\" }]";
    let gateway = Gateway::start(two(&a, &b).model("m", &["b"]).set(targets));
    assert_eq!(call(&gateway).0, 503);
    assert_eq!((a.calls(), b.calls()), (0, 3));
}
